// CREATE_CHILD_SA for Child SAs (RFC 7296 1.3.1, 1.3.3, 2.8): new ones and rekeys, both sides, and their collisions.
#include <algorithm>

#include <fmt/format.h>

#include "ipsec/peer_impl.hpp"

namespace cgw::ipsec {
namespace {

std::string words(const Child& c) {
  return fmt::format("{:08x}_i {:08x}_o ({})", c.sa.spi_in.value(), c.sa.spi_out.value(), to_string(c.sa.suite));
}

}  // namespace

/* CREATE_CHILD_SA { [N(REKEY_SA)], SA, Ni, [KEi], TSi, TSr } --> */
void IkePeer::Impl::start_create_child(Context& cx, IkeSa& sa, Task t) {
  const Child* old = sa.child_in(t.spi_in);
  const bool rekey = t.kind == TaskKind::RekeyChild;
  if (rekey ? old == nullptr || old->replaced : sa.current() != nullptr) return;
  Request r;
  r.task = t;
  r.new_spi = new_spi();
  r.nonce.resize(kNonceOctets);
  entropy.fill(r.nonce);
  Payloads payloads;
  if (rekey) {
    Buffer named;
    Writer(named).u32(t.spi_in.value());
    payloads.push_back(make_notify(NotifyType::RekeySa, {}, static_cast<std::uint8_t>(SaProtocol::Esp), named));
  }
  payloads.push_back(offer(config.esp, r.new_spi, WithDh::Yes));
  payloads.push_back({PayloadType::Nonce, false, r.nonce});
  const DhGroup group = sa.child_group.value_or(config.esp.front().dh);
  if (group != DhGroup::None) {
    r.ke = entropy.new_key_exchange(group);
    payloads.push_back(make_ke(*r.ke));
  }
  payloads.push_back(make_ts(PayloadType::TsI, rekey ? old->sa.local_ts : any_address(config.inside)));
  payloads.push_back(make_ts(PayloadType::TsR, rekey ? old->sa.remote_ts : any_address(config.inside)));
  expect_inbound(cx, sa, r.new_spi);
  send_request(cx, sa, Exchange::CreateChildSa, std::move(r), payloads);
}

/* --> CREATE_CHILD_SA { [N(REKEY_SA)], SA, Ni, [KEi], TSi, TSr }
   <-- CREATE_CHILD_SA { SA, Nr, [KEr], TSi, TSr, [N(ADDITIONAL_KEY_EXCHANGE)] } */
void IkePeer::Impl::answer_create_child(Context& cx, IkeSa& sa, const Parts& parts, Spi old_spi) {
  const auto answer = [&](NotifyType t) { respond(cx, sa, {make_notify(t)}); };
  if (parts.ts_i.empty() || parts.ts_r.empty()) return answer(NotifyType::TsUnacceptable);
  const auto chosen = choose(parts.proposals, config.esp, WithDh::Yes);
  const Spi spi_out = chosen ? read_spi(chosen->spi) : Spi{};
  if (spi_out == Spi{}) {
    note(cx, Level::Warning,
         "the peer asks for a Child SA with nothing that an 'esp proposal' of ours has: NO_PROPOSAL_CHOSEN sent");
    return answer(NotifyType::NoProposalChosen);
  }
  const Child* old = sa.child_in(old_spi);
  const auto remote_ts = narrow(parts.ts_i, old != nullptr ? old->sa.remote_ts : any_address(config.inside));
  const auto local_ts = narrow(parts.ts_r, old != nullptr ? old->sa.local_ts : any_address(config.inside));
  if (!remote_ts || !local_ts) return answer(NotifyType::TsUnacceptable);

  const DhGroup group = chosen->suite.dh;
  if (group != DhGroup::None && (!parts.ke || parts.ke->group != group)) return respond(cx, sa, {invalid_ke(group)});
  auto made = begin_answer(sa, group, parts.ke);
  if (!made) return refuse_as_malformed(cx, sa);
  Payloads reply{make_sa({chosen->with_none(proposal_of(chosen->suite, chosen->number, made->spi_in, WithDh::Yes))}),
                 {PayloadType::Nonce, false, made->nonce}};
  if (made->ke) reply.push_back(make_ke(*made->ke));
  reply.push_back(make_ts(PayloadType::TsI, *remote_ts));
  reply.push_back(make_ts(PayloadType::TsR, *local_ts));
  if (await_followups(cx, sa, made, chosen->suite.more_ke, reply)) return;
  auto keys =
      derive_child_keys(sa.suite.prf, chosen->suite, sa.keys.d.view(), made->ke ? made->ke->secret.view() : Bytes(),
                        parts.nonce, made->nonce, made->secrets.view());
  Child fresh = make_child(cx, sa, chosen->suite, made->spi_in, spi_out, std::move(keys), false, *local_ts, *remote_ts);
  install_inbound(cx, fresh);
  finish_answer(cx, sa, *made, reply);
  child_answered(cx, sa, old_spi, std::move(fresh), lowest_nonce(parts.nonce, made->nonce));
}

void IkePeer::Impl::child_answered(Context& cx, IkeSa& sa, Spi old_spi, Child fresh, Buffer lowest) {
  const bool rekey = old_spi != Spi{};
  // RFC 7296 2.25.1: "If a peer receives a request to rekey a Child SA that it is currently rekeying, it SHOULD reply
  // as usual, and SHOULD prepare to close redundant SAs later based on the nonces". New ones at once go the same way.
  if (rekey ? sa.doing(TaskKind::RekeyChild, old_spi) : sa.doing(TaskKind::CreateChild)) {
    sa.request->rival = RivalRekey{.spi_in = fresh.sa.spi_in, .lowest_nonce = std::move(lowest)};
  } else {
    sa.refusals = 0;
    if (rekey) ++status.child_rekeys;
    note(cx, Level::Info, fmt::format("Child SA {} by the peer: {}", rekey ? "rekeyed" : "created", words(fresh)));
    if (rekey) replace_child(cx, sa, old_spi);
  }
  // We go on sending with the old one until the peer deletes it: it may not have our answer yet. A first one is used
  // at once, since nothing else can be.
  const bool first = sa.children.empty() && sending == Spi{};
  sa.children.push_back(std::move(fresh));
  if (first) use_outbound(cx, sa.children.back());
  sa.create_child_at.reset();
}

/* <-- CREATE_CHILD_SA { SA, Nr, [KEr], TSi, TSr } */
void IkePeer::Impl::on_create_child_response(Context& cx, IkeSa& sa, Request r, const Payloads& payloads) {
  if (const auto error = error_in(payloads)) {
    // The peer has closed the old one, or is about to, by a rekey of its own: what it made takes over.
    const bool overtaken = r.rival && sa.child_in(r.rival->spi_in) != nullptr;
    if (!overtaken) return create_child_refused(cx, sa, r, *error);
    replace_child(cx, sa, r.task.spi_in);
    return;
  }
  const auto parts = parse_parts(payloads);
  const auto chosen =
      parts && single(parts->proposals) ? choose(parts->proposals, config.esp, WithDh::Yes) : std::nullopt;
  const auto local_ts = parts ? narrow(parts->ts_i, any_address(config.inside)) : std::nullopt;
  const auto remote_ts = parts ? narrow(parts->ts_r, any_address(config.inside)) : std::nullopt;
  const Spi spi_out = chosen ? read_spi(chosen->spi) : Spi{};
  const bool has_group = chosen && chosen->suite.dh != DhGroup::None;
  const bool group_fits =
      chosen &&
      (!has_group || (r.ke && parts->ke && parts->ke->group == r.ke->group() && chosen->suite.dh == r.ke->group()));
  if (spi_out == Spi{} || !local_ts || !remote_ts || !group_fits)
    return abandon(cx, sa, "the peer's answer to a Child SA rekey is malformed");
  if (follow_up(cx, sa, r, chosen->suite.more_ke, payloads)) return;
  SecretBytes shared;
  if (has_group) {
    auto secret = r.ke->shared_secret(parts->ke->value);
    if (!secret) return abandon(cx, sa, "the peer's answer to a Child SA rekey holds " + secret.error());
    shared = std::move(*secret);
  }
  auto keys = derive_child_keys(sa.suite.prf, chosen->suite, sa.keys.d.view(), shared.view(), r.nonce, parts->nonce,
                                r.followup ? r.followup->secrets.view() : Bytes());
  Child fresh = make_child(cx, sa, chosen->suite, r.new_spi, spi_out, std::move(keys), true, *local_ts, *remote_ts);
  install_inbound(cx, fresh);
  sa.busy_since.reset();
  sa.refusals = sa.forgotten = 0;
  sa.create_child_at.reset();
  child_created(cx, sa, r, lowest_nonce(r.nonce, parts->nonce), std::move(fresh));
}

void IkePeer::Impl::child_created(Context& cx, IkeSa& sa, const Request& r, const Buffer& our_lowest, Child fresh) {
  const Child* theirs = r.rival ? sa.child_in(r.rival->spi_in) : nullptr;
  // RFC 7296 2.8.1: "the SA created with the lowest of the four nonces used in the two exchanges SHOULD be closed by
  // the endpoint that created it."
  if (theirs != nullptr && is_lower(our_lowest, r.rival->lowest_nonce)) {
    fresh.replaced = true;
    const Spi redundant = fresh.sa.spi_in;
    sa.children.insert(sa.children.begin(), std::move(fresh));
    replace_child(cx, sa, r.task.spi_in);
    note(cx, Level::Info, "Child SA made by both sides at once: ours is redundant and deleted");
    return queue(cx, sa, {TaskKind::DeleteChild, redundant});
  }
  if (theirs != nullptr) replace_child(cx, sa, r.rival->spi_in);
  const bool rekey = r.task.kind == TaskKind::RekeyChild;
  if (rekey) ++status.child_rekeys;
  note(cx, Level::Info, fmt::format("Child SA {}: {}", rekey ? "rekeyed" : "created", words(fresh)));
  use_outbound(cx, fresh);
  sa.children.push_back(std::move(fresh));
  if (sa.child_in(r.task.spi_in) == nullptr) return;
  // RFC 7296 2.8.1: "The node that initiated the surviving rekeyed SA should delete the replaced SA after the new one
  // is established."
  replace_child(cx, sa, r.task.spi_in);
  queue(cx, sa, {TaskKind::DeleteChild, r.task.spi_in});
}

}  // namespace cgw::ipsec
