// Peers that are known by who they are and not by their address: the reception answers their IKE_SA_INIT; from IDi on
// (RFC 7296 3.5) they are their own peer's. And the table that tells whose IKE SA an SPI is of.
#include <algorithm>

#include <fmt/format.h>

#include "ipsec/peer_impl.hpp"

namespace cgw::ipsec {

// Their IKE_AUTH is here, unproved: proving it takes their key. What is left of the IKE SA in `sas` goes when the step
// ends.
void IkePeer::Impl::arrive(Context& cx, IkeSa& sa, const Payloads& auth) {
  const auto* id_payload = ipsec::find(auth, PayloadType::IdI);
  auto who = id_payload == nullptr ? std::nullopt : parse_id(id_payload->body);
  if (!who) {
    respond(cx, sa, {make_notify(NotifyType::AuthenticationFailed)});
    return drop(cx, sa);
  }
  const auto mine = std::ranges::find(sas, &sa, &std::unique_ptr<IkeSa>::get);
  auto state = std::make_shared<ArrivalState>();
  state->auth = auth;
  state->sa = std::move(*mine);
  arrival = Arrival{std::move(*who), state->sa->remote, std::move(state)};
}

Actions IkePeer::Impl::adopt(TimePoint now, Arrival a) {
  Context cx{now, {}};
  sas.push_back(std::move(a.state->sa));
  IkeSa& sa = *sas.back();
  if (running) {
    on_auth_request(cx, sa, a.state->auth);
  } else {
    drop(cx, sa);
  }
  finish(cx);
  return std::move(cx.out);
}

Actions IkePeer::Impl::refuse(TimePoint now, Arrival a) {
  Context cx{now, {}};
  sas.push_back(std::move(a.state->sa));
  IkeSa& sa = *sas.back();
  respond(cx, sa, {make_notify(NotifyType::AuthenticationFailed)});
  say_once(cx, fmt::format("{} says it is '{}': no tunnel with 'vpn-gateway outside-address any' has this "
                           "remote-identity; AUTHENTICATION_FAILED sent",
                           a.from.to_string(), a.who.to_string()));
  drop(cx, sa);
  finish(cx);
  return std::move(cx.out);
}

void IkePeer::Impl::leave_spis() {
  if (!spis) return;
  for (const auto spi : entered) {
    const auto found = spis->owner.find(spi);
    if (found != spis->owner.end() && found->second == number) spis->owner.erase(found);
  }
  spis->half_open -= entered_half_open;
  entered.clear();
  entered_half_open = 0;
}

void IkePeer::Impl::enter_spis() {
  if (!spis) return;
  std::vector<std::uint64_t> present;
  std::size_t half_open = 0;
  for (const auto& sa : sas) {
    present.push_back(sa->initiator ? sa->spi_i : sa->spi_r);
    half_open += sa->state == IkeSa::State::HalfOpen ? 1 : 0;
  }
  if (present == entered && half_open == entered_half_open) return;
  leave_spis();
  for (const auto spi : present)
    spis->owner.insert_or_assign(spi, number);
  spis->half_open += half_open;
  entered = std::move(present);
  entered_half_open = half_open;
}

}  // namespace cgw::ipsec
