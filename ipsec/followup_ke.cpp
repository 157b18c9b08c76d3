// IKE_FOLLOWUP_KE (RFC 9370 2.2.4): the additional key exchanges of a CREATE_CHILD_SA, both roles. Its request, or its
// answer, is kept and gone through again when all secrets are there.
#include <algorithm>

#include "ipsec/peer_impl.hpp"

namespace cgw::ipsec {
namespace {

// RFC 9370 2.2.4 on the time until the next IKE_FOLLOWUP_KE: "In general, 5-20 seconds of waiting time should be
// appropriate in most cases."
constexpr Seconds kPatience{20};
constexpr std::size_t kLink = 8, kMaxLink = 256;

// Nothing secret is left behind in a buffer that was outgrown.
SecretBytes appended(const SecretBytes& a, const SecretBytes& b) {
  SecretBytes out(a.size() + b.size());
  const auto at = std::ranges::copy(a.view(), out.mutable_view().begin()).out;
  std::ranges::copy(b.view(), at);
  return out;
}

}  // namespace

// True: another exchange is under way, or the IKE SA was given up. False: there is nothing (more) to exchange.
bool IkePeer::Impl::follow_up(Context& cx, IkeSa& sa, Request& r, const AdditionalKe& groups, const Payloads& answer) {
  const std::size_t done = r.followup ? r.followup->done : 0;
  if (additional(groups, done) == DhGroup::None) return false;
  if (!r.followup) r.followup = std::make_unique<FollowupRequest>(FollowupRequest{.groups = groups, .answer = answer});
  send_followup(cx, sa, std::move(r), answer);
  return true;
}

/* IKE_FOLLOWUP_KE { KEi, N(ADDITIONAL_KEY_EXCHANGE) } --> */
void IkePeer::Impl::send_followup(Context& cx, IkeSa& sa, Request r, const Payloads& before) {
  const auto link = find_notify(before, NotifyType::AdditionalKeyExchange);
  if (!link || link->data.empty() || link->data.size() > kMaxLink)
    return abandon(cx, sa, "the peer agrees to an additional key exchange, but sends no ADDITIONAL_KEY_EXCHANGE");
  FollowupRequest& f = *r.followup;
  f.ke = entropy.new_key_exchange(additional(f.groups, f.done));
  const Payloads payloads{make_ke(*f.ke), make_notify(NotifyType::AdditionalKeyExchange, link->data)};
  r.sent = 0;
  send_request(cx, sa, Exchange::IkeFollowupKe, std::move(r), payloads);
}

/* <-- IKE_FOLLOWUP_KE { KEr, [N(ADDITIONAL_KEY_EXCHANGE)] } */
void IkePeer::Impl::on_followup_response(Context& cx, IkeSa& sa, Request r, const Payloads& payloads) {
  // RFC 9370 2.2.4: the initiator "MUST treat the whole series of exchanges started from the CREATE_CHILD_SA exchange
  // as failed".
  if (error_in(payloads)) return create_child_answered(cx, sa, std::move(r), payloads);
  FollowupRequest& f = *r.followup;
  const auto ke = find_ke(payloads);
  if (!ke || ke->group != f.ke->group()) return abandon(cx, sa, "the peer's answer to IKE_FOLLOWUP_KE is malformed");
  const auto secret = f.ke->shared_secret(ke->value);
  if (!secret) return abandon(cx, sa, "IKE_FOLLOWUP_KE from the peer holds " + secret.error());
  f.secrets = appended(f.secrets, *secret);
  ++f.done;
  if (additional(f.groups, f.done) != DhGroup::None) return send_followup(cx, sa, std::move(r), payloads);
  const Payloads answer = std::move(f.answer);
  create_child_answered(cx, sa, std::move(r), answer);
}

// The answer that was begun before, now that all its key exchanges are there, or a new one. Null: the peer's value is
// not of the group.
std::unique_ptr<FollowupAnswer> IkePeer::Impl::begin_answer(IkeSa& sa, DhGroup group,
                                                            const std::optional<KeyExchangePayload>& ke) {
  if (sa.answering) return std::move(sa.answering);
  auto out = std::make_unique<FollowupAnswer>();
  if (group != DhGroup::None) {
    auto answer = entropy.answer_key_exchange(group, ke->value);
    if (!answer) return nullptr;
    out->ke = std::move(*answer);
  }
  out->nonce.resize(kNonceOctets);
  entropy.fill(out->nonce);
  out->spi_in = new_spi();
  out->ike_spi = entropy.u64() | 1;
  return out;
}

// True: the answer waits for the peer's additional key exchanges.
bool IkePeer::Impl::await_followups(Context& cx, IkeSa& sa, std::unique_ptr<FollowupAnswer>& made,
                                    const AdditionalKe& groups, Payloads reply) {
  if (additional(groups, made->done) == DhGroup::None) return false;
  made->groups = groups;
  sa.answering = std::move(made);
  reply.push_back(next_link(cx, *sa.answering));
  respond(cx, sa, reply);
  return true;
}

void IkePeer::Impl::finish_answer(Context& cx, IkeSa& sa, const FollowupAnswer& made, const Payloads& reply) {
  respond(cx, sa, made.done > 0 ? Payloads{make_ke(made.last)} : reply);
}

Payload IkePeer::Impl::next_link(Context& cx, FollowupAnswer& a) {
  a.link.resize(kLink);
  entropy.fill(a.link);
  a.until = cx.now + kPatience;
  return make_notify(NotifyType::AdditionalKeyExchange, a.link);
}

/* --> IKE_FOLLOWUP_KE { KEi, N(ADDITIONAL_KEY_EXCHANGE) }
   <-- IKE_FOLLOWUP_KE { KEr, [N(ADDITIONAL_KEY_EXCHANGE)] } */
void IkePeer::Impl::on_followup_request(Context& cx, IkeSa& sa, const Payloads& payloads) {
  const auto link = find_notify(payloads, NotifyType::AdditionalKeyExchange);
  // RFC 9370 2.2.4: without "a proper state".
  if (!sa.answering || !link || link->data != sa.answering->link)
    return respond(cx, sa, {make_notify(NotifyType::StateNotFound)});
  FollowupAnswer& a = *sa.answering;
  const DhGroup group = additional(a.groups, a.done);
  const auto ke = find_ke(payloads);
  if (!ke || ke->group != group) return refuse_as_malformed(cx, sa);
  auto answer = entropy.answer_key_exchange(group, ke->value);
  if (!answer) return refuse_as_malformed(cx, sa);
  a.secrets = appended(a.secrets, answer->secret);
  a.last = std::move(*answer);
  ++a.done;
  if (additional(a.groups, a.done) != DhGroup::None) {
    const Payload next = next_link(cx, a);
    return respond(cx, sa, {make_ke(a.last), next});
  }
  const Payloads request = std::move(a.request);
  answer_create_child_sa(cx, sa, request);
  sa.answering.reset();
}

}  // namespace cgw::ipsec
