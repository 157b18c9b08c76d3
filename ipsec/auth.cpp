// IKE_AUTH and the first Child SA (RFC 7296 1.2), both roles.
#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/note.hpp"
#include "ipsec/peer_impl.hpp"

namespace cgw::ipsec {
namespace {

// What a peer may hold against our certificate, with what we know of its CAs.
std::string certificate_refused(const PeerConfig& config) {
  const Certificate& own = config.credentials->chain.front();
  return fmt::format(
      "the peer refuses our authentication (AUTHENTICATION_FAILED): it does not take certificate '{}' (CA, validity or "
      "revocation), or it does not know us as '{}'",
      own.subject(), config.local_id.to_string());
}

// What stands for a Child SA in IKE_AUTH.
bool asks_for_no_child(const Payloads& payloads) {
  return std::ranges::none_of(payloads, [](const Payload& p) {
    return p.type == PayloadType::Sa || p.type == PayloadType::TsI || p.type == PayloadType::TsR;
  });
}

// IKE_AUTH has no KE payload: its Child SA lives by the IKE SA's keys.
EspSuite without_key_exchange(EspSuite suite) {
  suite.dh = DhGroup::None;
  suite.more_ke = {};
  return suite;
}

}  // namespace

std::string explain(NotifyType t, const PeerConfig& config) {
  const std::string name = to_string(t);
  switch (t) {
    case NotifyType::NoProposalChosen: {
      std::vector<std::string> ike, esp;
      for (const auto& s : config.ike)
        ike.push_back(ipsec::to_string(s));
      for (const auto& s : config.esp)
        esp.push_back(ipsec::to_string(s));
      return fmt::format(
          "the peer accepts none of our proposals ({}): 'ike proposal' {}, 'esp proposal' {}; compare them with the "
          "tunnel options in AWS",
          name, fmt::join(ike, " "), fmt::join(esp, " "));
    }
    case NotifyType::AuthenticationFailed:
      if (config.credentials) return certificate_refused(config);
      return fmt::format("the peer refuses our authentication ({}): wrong pre-shared key, or it does not know us as {}",
                         name, config.local_id.to_string());
    case NotifyType::TsUnacceptable:
      return fmt::format(
          "the peer refuses the traffic selectors {0} both ways ({1}): the connection's network CIDRs in AWS must be "
          "{0}",
          config.inside == Family::V4 ? "0.0.0.0/0" : "::/0", name);
    default: return "the peer answers " + name;
  }
}

/* IKE_AUTH { IDi, [CERT...], [N(INIT_CONTACT)], [CERTREQ], [IDr], AUTH, SAi2, TSi, TSr } --> */
void IkePeer::Impl::start_auth(Context& cx, IkeSa& sa) {
  auto auth = own_auth(sa, pss);
  if (!auth) return failed(cx, sa, auth.error(), true);
  sa.state = IkeSa::State::AuthSent;
  sa.first_child_spi = new_spi();
  Payloads payloads;
  payloads.push_back({PayloadType::IdI, false, id_body(config.local_id)});
  add_certificates(sa.wanted, payloads);
  // RFC 7296 2.4: there is no other IKE SA between the two of us; the peer may forget what it has.
  const auto up = [](const auto& s) { return !s->gone && s->established; };
  if (std::ranges::none_of(sas, up)) payloads.push_back(make_notify(NotifyType::InitialContact));
  if (config.credentials) payloads.push_back(make_certreq(config.credentials->trust.anchors()));
  // A DN's string types are not known from its text, and some peers compare octets: it is left for the peer to name.
  if (config.remote_id.type != Identity::Type::DerAsn1Dn)
    payloads.push_back({PayloadType::IdR, false, id_body(config.remote_id)});
  payloads.push_back(std::move(*auth));
  payloads.push_back(offer(config.esp, sa.first_child_spi, WithDh::No));
  payloads.push_back(make_ts(PayloadType::TsI, any_address(config.inside)));
  payloads.push_back(make_ts(PayloadType::TsR, any_address(config.inside)));
  Request r;
  r.task.kind = TaskKind::Auth;
  expect_inbound(cx, sa, sa.first_child_spi);
  send_request(cx, sa, Exchange::IkeAuth, std::move(r), payloads);
}

/* <-- IKE_AUTH { IDr, [CERT...], AUTH, SAr2, TSi, TSr } */
void IkePeer::Impl::on_auth_response(Context& cx, IkeSa& sa, const Payloads& payloads) {
  const auto error = error_in(payloads);
  if (ipsec::find(payloads, PayloadType::Eap) != nullptr)
    return failed(cx, sa, fmt::format("the peer answers with {}", kEap), true);
  const bool authenticated = ipsec::find(payloads, PayloadType::Auth) != nullptr;
  if (!authenticated) {
    // Of the two forms of an RSA signature a peer may know one only: the next attempt is with the other.
    const bool ours_refused = error && error->type == NotifyType::AuthenticationFailed && config.credentials;
    if (ours_refused && sa.peer_hashes) pss = !pss;
    std::string why = error ? explain(error->type, config) : "IKE_AUTH was answered without AUTH";
    if (ours_refused && !accepts(sa.wanted, *config.credentials))
      why += "; it asks for certificates of CAs (CERTREQ) that ours is not from";
    return failed(cx, sa, std::move(why), true);
  }
  const auto who = authenticate(cx, sa, payloads);
  if (!who) {
    send_request(cx, sa, Exchange::Informational, Request{.task = {TaskKind::DeleteIke}},
                 {make_notify(NotifyType::AuthenticationFailed)});
    return failed(cx, sa, who.error(), true);
  }
  remember(*who);
  sa.established = cx.now;
  // The IKE SA is good, the answer is not (the peer is told).
  const auto give_up = [&](std::string text) {
    send_request(cx, sa, Exchange::Informational, Request{.task = {TaskKind::DeleteIke}}, {make_delete_ike()});
    failed(cx, sa, std::move(text), true);
  };
  if (error) return established_childless(cx, sa, *error);
  // RFC 6023 allows for that where nobody asked for a Child SA; we did, and do again.
  if (asks_for_no_child(payloads)) {
    sa.authenticated_by_us = true;
    established(cx, sa);
    return queue(cx, sa, {TaskKind::CreateChild});
  }
  const auto made = parse_child_parts(payloads);
  if (!made || !single(made->proposals)) return give_up("the Child SA in IKE_AUTH is malformed");
  const auto chosen = choose(made->proposals, config.esp, WithDh::No);
  const auto local_ts = narrow(made->ts_i, any_address(config.inside));
  const auto remote_ts = narrow(made->ts_r, any_address(config.inside));
  const Spi spi_out = chosen ? read_spi(chosen->spi) : Spi{};
  if (spi_out == Spi{} || !local_ts || !remote_ts) return give_up("the Child SA in IKE_AUTH is not what we proposed");
  const EspSuite suite = without_key_exchange(chosen->suite);
  auto keys = derive_child_keys(sa.suite.prf, suite, sa.keys.d.view(), {}, sa.ni, sa.nr);
  Child c = make_child(cx, sa, suite, sa.first_child_spi, spi_out, std::move(keys), true, *local_ts, *remote_ts);
  install_inbound(cx, c);
  use_outbound(cx, c);
  sa.children.push_back(std::move(c));
  sa.authenticated_by_us = true;
  set_reauthentication(cx, sa, payloads);
  established(cx, sa);
  reauthenticated(cx, sa);
}

/* --> IKE_AUTH { IDi, [CERT...], [CERTREQ], AUTH, SAi2, TSi, TSr, ... }
   <-- IKE_AUTH { IDr, [CERT...], AUTH, SAr2, TSi, TSr } or { IDr, [CERT...], AUTH, N(why there is no Child SA) } */
void IkePeer::Impl::on_auth_request(Context& cx, IkeSa& sa, const Payloads& payloads) {
  if (config.reception) return arrive(cx, sa, payloads);
  const auto refuse = [&](NotifyType t, std::string why) {
    respond(cx, sa, {make_notify(t)});
    failed(cx, sa, std::move(why), true);
  };
  const auto who = authenticate(cx, sa, payloads);
  if (!who) return refuse(NotifyType::AuthenticationFailed, who.error());
  // The form of RSA signature that the peer uses, it knows.
  const bool with_pss = who->scheme ? who->scheme->kind != SignatureScheme::Kind::Pkcs1 : pss;
  auto auth = own_auth(sa, with_pss);
  if (!auth) return refuse(NotifyType::AuthenticationFailed, auth.error());
  const bool childless = asks_for_no_child(payloads);
  const auto asked = parse_child_parts(payloads);
  if (!asked && !childless) return refuse(NotifyType::InvalidSyntax, "the peer's IKE_AUTH is malformed");

  Payloads answer{{PayloadType::IdR, false, id_body(config.local_id)}};
  add_certificates(certificates_wanted(payloads), answer);
  answer.push_back(std::move(*auth));
  std::string without = "the peer's IKE_AUTH asks for no Child SA";
  std::optional<Child> child;
  if (asked) child = first_child(cx, sa, *asked, answer, without);
  if (child) install_inbound(cx, *child);
  respond(cx, sa, answer);
  // What sends now goes on doing so until the peer deletes it: it may not have our answer yet.
  if (child && current() == nullptr) use_outbound(cx, *child);
  if (child) sa.children.push_back(std::move(*child));
  sa.established = cx.now;
  supersede(cx, sa, find_notify(payloads, NotifyType::InitialContact).has_value());
  remember(*who);
  established(cx, sa);
  if (sa.current() == nullptr) await_child(cx, sa, std::move(without));
}

// Appends to the answer what it makes of the request. Nothing: a notify that says why, as `without` does in words
// (RFC 7296 1.2: "the IKE SA is still created as usual").
std::optional<Child> IkePeer::Impl::first_child(Context& cx, const IkeSa& sa, const ChildParts& asked, Payloads& answer,
                                                std::string& without) {
  const auto refuse = [&](NotifyType t, std::string why) {
    answer.push_back(make_notify(t));
    without = fmt::format("{}: {} sent", why, ipsec::to_string(t));
    return std::nullopt;
  };
  const auto chosen = choose(asked.proposals, config.esp, WithDh::No);
  const Spi spi_out = chosen ? read_spi(chosen->spi) : Spi{};
  if (spi_out == Spi{})
    return refuse(NotifyType::NoProposalChosen, "the peer proposes no Child SA that an 'esp proposal' of ours has");
  const auto remote_ts = narrow(asked.ts_i, any_address(config.inside));
  const auto local_ts = narrow(asked.ts_r, any_address(config.inside));
  if (!remote_ts || !local_ts)
    return refuse(NotifyType::TsUnacceptable,
                  fmt::format("the peer's traffic selectors hold no {} range, which the inside addresses ask for",
                              config.inside == Family::V4 ? "IPv4" : "IPv6"));
  const EspSuite suite = without_key_exchange(chosen->suite);
  const Spi spi_in = new_spi();
  auto keys = derive_child_keys(sa.suite.prf, suite, sa.keys.d.view(), {}, sa.ni, sa.nr);
  answer.push_back(make_sa({chosen->with_none(proposal_of(suite, chosen->number, spi_in, WithDh::No))}));
  answer.push_back(make_ts(PayloadType::TsI, *remote_ts));
  answer.push_back(make_ts(PayloadType::TsR, *local_ts));
  return make_child(cx, sa, suite, spi_in, spi_out, std::move(keys), false, *local_ts, *remote_ts);
}

// forgotten, RFC 7296 2.4: the peer has forgotten what it had with us before it began; what came up since, it may not
// know yet.
void IkePeer::Impl::supersede(Context& cx, IkeSa& sa, bool forgotten) {
  for (auto& other : sas) {
    if (other.get() == &sa) continue;
    if (forgotten && other->established && *other->established <= sa.created) drop(cx, *other);
    // It may have forgotten it without a word.
    if (!other->gone) check(cx, *other, Duration{});
    // An attempt of our own that the peer has not answered is of no use any more.
    if (sa.current() != nullptr && other->state == IkeSa::State::InitSent) drop(cx, *other);
  }
}

void IkePeer::Impl::established(Context& cx, IkeSa& sa) {
  sa.state = IkeSa::State::Established;
  sa.established = cx.now;
  // 28000 of 28800 s, less up to a tenth; never rekeyed by the peer before us when it goes by AWS's values.
  sa.rekey_at = cx.now + jittered(std::chrono::duration_cast<Duration>(config.ike_lifetime) * 28000 / 28800);
  sa.hard_at = cx.now + config.ike_lifetime;
  // With their memory: AUTH was their last use.
  sa.init_request = Buffer();
  sa.init_response = Buffer();
  sa.in_before.reset();
  connect_at.reset();
  silent_since.reset();
  said.clear();
  status.last_error.clear();
  moved_why = fmt::format("{} with {}, {}", sa.initiator ? "initiated" : "accepted", sa.remote.to_string(),
                          ipsec::to_string(sa.suite));
  note(cx, Level::Info,
       fmt::format("IKE SA {:016x}_i {:016x}_r established with {} ({}{})", sa.spi_i, sa.spi_r, sa.remote.to_string(),
                   ipsec::to_string(sa.suite),
                   sa.nat_local && !sa.forced_encap ? ", a NAT is in front of us"
                                                    : (sa.nat_remote ? ", a NAT is in front of the peer" : "")));
  if (sending == Spi{} && sa.current() != nullptr) use_outbound(cx, *sa.current());
  pump(cx, sa);
}

}  // namespace cgw::ipsec
