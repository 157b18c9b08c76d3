// The peer's IKE_SA_INIT (RFC 7296 1.2, 2.6, 2.7, 2.23), and our answer.
#include <algorithm>

#include <fmt/format.h>

#include "ipsec/describe.hpp"
#include "ipsec/peer_impl.hpp"
#include "ipsec/sa_init.hpp"

namespace cgw::ipsec {
namespace {

constexpr std::size_t kMaxHalfOpen = 4;       // the oldest makes room
constexpr std::size_t kMaxHalfOpenFrom = 16;  // one address, of a reception: a NAT may be in front of several peers

}  // namespace

// Half-open IKE SAs of one peer are few. One more takes the place of the oldest: of several at a time at most one will
// come to anything, and that is the latest.
void IkePeer::Impl::make_room(Context& cx, const IpAddress& from) {
  const auto half_open = [&](const auto& s) {
    return !s->gone && s->state == IkeSa::State::HalfOpen && (!config.reception || s->remote.address == from);
  };
  const std::size_t most = config.reception ? kMaxHalfOpenFrom : kMaxHalfOpen;
  if (static_cast<std::size_t>(std::ranges::count_if(sas, half_open)) < most) return;
  drop(cx, **std::ranges::find_if(sas, half_open));
}

// Anybody can make us say such things: once each.
void IkePeer::Impl::say_once(Context& cx, std::string text) {
  if (text == said_init) return;
  said_init = text;
  note(cx, Level::Warning, std::move(text));
}

// RFC 7296 2.1: "the same answer". True: it was a repetition.
bool IkePeer::Impl::repeat_init(Context& cx, Bytes message) {
  for (const auto& s : sas) {
    if (s->initiator || !std::ranges::equal(s->init_request, message)) continue;
    if (s->state == IkeSa::State::HalfOpen) send_datagrams(cx, *s, {s->init_response});
    return true;
  }
  return false;
}

Buffer IkePeer::Impl::answer_init(Context& cx, IkeSa& sa, const Payloads& payloads) {
  const Header h = sa.header(Exchange::IkeSaInit, true, 0);
  trace(cx, true, sa.remote, h, payloads);
  Buffer message = plain_message(h, payloads);
  send_datagrams(cx, sa, {message});
  return message;
}

/* --> IKE_SA_INIT { SAi1, KEi, Ni, ... }   <-- IKE_SA_INIT { SAr1, KEr, Nr, ... } */
void IkePeer::Impl::on_init_request(Context& cx, const Header& h, const Received& e) {
  if (h.spi_i == 0 || h.spi_r != 0 || h.message_id != 0 || !h.initiator || !running) return;
  if (repeat_init(cx, e.message)) return;
  auto fresh = std::make_unique<IkeSa>();
  IkeSa& sa = *fresh;
  sa.spi_i = h.spi_i;
  sa.local = e.local;
  sa.remote = e.remote;
  sa.state = IkeSa::State::HalfOpen;

  const auto chain = parse_chain(h.first, Bytes(e.message).subspan(kHeaderOctets));
  if (!chain) return;
  trace(cx, false, e.remote, h, chain->payloads);
  if (const auto type = unknown_critical(chain->payloads)) {
    answer_init(cx, sa, {make_notify(NotifyType::UnsupportedCriticalPayload, Buffer{*type})});
    return;
  }
  const auto init = parse_init(chain->payloads);
  if (!init) return;
  const auto chosen = choose(init->proposals, acceptable_ike(init->intermediate));
  if (!chosen) {
    say_once(cx, fmt::format("{} proposes nothing that an 'ike proposal' of ours has: NO_PROPOSAL_CHOSEN sent",
                             e.remote.address.to_string()));
    answer_init(cx, sa, {make_notify(NotifyType::NoProposalChosen)});
    return;
  }
  if (init->ke.group != chosen->suite.dh) {
    answer_init(cx, sa, {invalid_ke(chosen->suite.dh)});
    return;
  }
  // A value that cannot be one is not worth a key of ours.
  const bool possible = init->ke.value.size() == public_value_octets(init->ke.group);
  const auto ours = possible ? entropy.answer_key_exchange(init->ke.group, init->ke.value) : fail(std::string());
  if (!ours) {
    answer_init(cx, sa, {make_notify(NotifyType::InvalidSyntax)});
    return;
  }
  make_room(cx, e.remote.address);
  sa.init_request = e.message;
  sa.ni = init->nonce;
  accept_init(cx, sa, chain->payloads, *chosen, *ours);
  sas.push_back(std::move(fresh));
}

void IkePeer::Impl::accept_init(Context& cx, IkeSa& sa, const Payloads& request, const Chosen<IkeSuite>& chosen,
                                const KeyExchangeAnswer& ours) {
  // RFC 7296 2.23: the hashes are over the SPIs of the header they came under, which has no responder's yet.
  detect_nat(sa, request);
  sa.spi_r = entropy.u64() | 1;
  sa.suite = chosen.suite;
  sa.nr.resize(kNonceOctets);
  entropy.fill(sa.nr);
  read_announcement(sa, request);
  Payloads answer{make_sa({chosen.with_none(proposal_of(sa.suite, chosen.number, {}))}),
                  make_ke(ours),
                  {PayloadType::Nonce, false, sa.nr}};
  add_nat_detection(sa, answer);
  if (sa.peer_fragments) answer.push_back(make_notify(NotifyType::FragmentationSupported));
  answer.push_back(make_notify(NotifyType::ChildlessSupported));  // RFC 6023 3
  announce_authentication(sa, answer);
  if (additional(sa.suite.more_ke, 0) != DhGroup::None)
    answer.push_back(make_notify(NotifyType::IntermediateExchangeSupported));
  sa.init_response = answer_init(cx, sa, answer);
  const auto seed = skeyseed_initial(sa.suite.prf, sa.ni, sa.nr, ours.secret.view());
  sa.keys = derive_ike_keys(sa.suite, seed.view(), sa.ni, sa.nr, sa.spi_i, sa.spi_r);
  make_ciphers(cx, sa);
  sa.created = cx.now;
  sa.last_heard = cx.now;
  sa.expected_request = 1;
}

}  // namespace cgw::ipsec
