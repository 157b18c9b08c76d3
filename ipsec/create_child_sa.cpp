// CREATE_CHILD_SA: rekeys of Child SAs and of the IKE SA, both sides, and their collisions (RFC 7296 1.3, 2.8, 2.25).
#include <algorithm>

#include <fmt/format.h>

#include "ipsec/peer_impl.hpp"

namespace cgw::ipsec {
namespace {

constexpr std::size_t kNonce = 32, kMinNonce = 16, kMaxNonce = 256;
constexpr Seconds kRetryRekey{5};     // after TEMPORARY_FAILURE, jittered
constexpr Seconds kDropReplaced{30};  // a replaced Child SA whose DELETE never comes

Buffer ike_spi_octets(std::uint64_t spi) {
  Buffer b;
  Writer w(b);
  w.u32(static_cast<std::uint32_t>(spi >> 32));
  w.u32(static_cast<std::uint32_t>(spi));
  return b;
}

// What a CREATE_CHILD_SA message of either kind holds.
struct Parts {
  std::vector<Proposal> proposals;
  Buffer nonce;
  std::optional<KeyExchangePayload> ke;
  std::vector<AddressRange> ts_i, ts_r;
};

std::optional<Parts> parse_parts(const Payloads& payloads) {
  const auto* sa = find(payloads, PayloadType::Sa);
  const auto* nonce = find(payloads, PayloadType::Nonce);
  if (sa == nullptr || nonce == nullptr || nonce->body.size() < kMinNonce || nonce->body.size() > kMaxNonce)
    return std::nullopt;
  Parts out;
  auto proposals = parse_sa(sa->body);
  if (!proposals) return std::nullopt;
  out.proposals = std::move(*proposals);
  out.nonce = nonce->body;
  if (const auto* ke = find(payloads, PayloadType::Ke)) {
    out.ke = parse_ke(ke->body);
    if (!out.ke) return std::nullopt;
  }
  for (auto [type, to] : {std::pair{PayloadType::TsI, &out.ts_i}, std::pair{PayloadType::TsR, &out.ts_r}}) {
    const auto* ts = find(payloads, type);
    if (ts == nullptr) continue;
    auto ranges = parse_ts(ts->body);
    if (!ranges) return std::nullopt;
    *to = std::move(*ranges);
  }
  return out;
}

std::optional<NotifyType> error_in(const Payloads& payloads) {
  for (const auto& n : notifies(payloads)) {
    if (is_error(n.type)) return n.type;
  }
  return std::nullopt;
}

Payload invalid_ke(DhGroup group) {
  Buffer b;
  Writer(b).u16(static_cast<std::uint16_t>(group));
  return make_notify(NotifyType::InvalidKePayload, b);
}

}  // namespace

/* CREATE_CHILD_SA { N(REKEY_SA), SA, Ni, [KEi], TSi, TSr } --> */
void IkePeer::Impl::start_child_rekey(Context& cx, IkeSa& sa, Spi old_spi) {
  Child* old = sa.child_in(old_spi);
  if (old == nullptr || old->replaced) return;
  Request r;
  r.task = {TaskKind::RekeyChild, old_spi};
  r.new_spi = new_spi();
  r.nonce.resize(kNonce);
  entropy.fill(r.nonce);
  const Buffer named = ike_spi_octets(old_spi.value());
  Payloads payloads{
      make_notify(NotifyType::RekeySa, {}, static_cast<std::uint8_t>(SaProtocol::Esp), Bytes(named).last(4)),
      offer(config.esp, r.new_spi, WithDh::Yes),
      {PayloadType::Nonce, false, r.nonce}};
  const DhGroup group = config.esp.front().dh;
  if (group != DhGroup::None) {
    r.ke = entropy.new_key_exchange(group);
    payloads.push_back(make_ke(*r.ke));
  }
  payloads.push_back(make_ts(PayloadType::TsI, old->sa.local_ts));
  payloads.push_back(make_ts(PayloadType::TsR, old->sa.remote_ts));
  send_request(cx, sa, Exchange::CreateChildSa, std::move(r), payloads);
}

/* CREATE_CHILD_SA { SA, Ni, KEi } --> */
void IkePeer::Impl::start_ike_rekey(Context& cx, IkeSa& sa) {
  Request r;
  r.task.kind = TaskKind::RekeyIke;
  r.new_ike_spi = entropy.u64() | 1;
  r.nonce.resize(kNonce);
  entropy.fill(r.nonce);
  // The group in use is one the peer takes.
  r.ke = entropy.new_key_exchange(sa.suite.dh);
  const Payloads payloads{
      offer(config.ike, ike_spi_octets(r.new_ike_spi)), {PayloadType::Nonce, false, r.nonce}, make_ke(*r.ke)};
  send_request(cx, sa, Exchange::CreateChildSa, std::move(r), payloads);
}

void IkePeer::Impl::on_create_child_request(Context& cx, IkeSa& sa, const Payloads& payloads) {
  const auto answer = [&](NotifyType t) { respond(cx, sa, Exchange::CreateChildSa, {make_notify(t)}); };
  const auto* sa_payload = ipsec::find(payloads, PayloadType::Sa);
  if (sa_payload == nullptr) return answer(NotifyType::InvalidSyntax);
  const auto offered = parse_sa(sa_payload->body);
  if (!offered) return answer(NotifyType::InvalidSyntax);
  // RFC 7296 2.25: while the IKE SA is being closed or rekeyed, nothing new begins on it.
  const bool closing = sa.state == IkeSa::State::Deleting || sa.drop_at;
  const bool rekeying_ike = sa.request && sa.request->task.kind == TaskKind::RekeyIke;
  if (closing || rekeying_ike) return answer(NotifyType::TemporaryFailure);
  if (offered->front().protocol == SaProtocol::Ike) {
    // RFC 7296 2.25.2: "If a peer receives a request to rekey the IKE SA, and it is currently ... creating, rekeying,
    // or closing a Child SA of that IKE SA, it SHOULD reply with TEMPORARY_FAILURE."
    const bool child_exchange =
        sa.request && (sa.request->task.kind == TaskKind::RekeyChild || sa.request->task.kind == TaskKind::DeleteChild);
    if (child_exchange) return answer(NotifyType::TemporaryFailure);
    return answer_ike_rekey(cx, sa, payloads, *offered);
  }
  const auto rekey = find_notify(payloads, NotifyType::RekeySa);
  if (!rekey) return answer(sa.current() != nullptr ? NotifyType::NoAdditionalSas : NotifyType::InvalidSyntax);
  Reader spi(rekey->spi);
  Child* old = sa.child_out(Spi{spi.u32()});
  if (!spi.done() || old == nullptr) {
    respond(cx, sa, Exchange::CreateChildSa,
            {make_notify(NotifyType::ChildSaNotFound, {}, rekey->protocol, rekey->spi)});
    return;
  }
  const bool deleting =
      sa.request && sa.request->task.kind == TaskKind::DeleteChild && sa.request->task.spi_in == old->sa.spi_in;
  if (deleting || old->replaced) return answer(NotifyType::TemporaryFailure);
  answer_child_rekey(cx, sa, payloads, *offered, old);
}

/* --> CREATE_CHILD_SA { N(REKEY_SA), SA, Ni, [KEi], TSi, TSr }   <-- CREATE_CHILD_SA { SA, Nr, [KEr], TSi, TSr } */
void IkePeer::Impl::answer_child_rekey(Context& cx, IkeSa& sa, const Payloads& payloads,
                                       const std::vector<Proposal>& offered, Child* old) {
  const auto answer = [&](NotifyType t) { respond(cx, sa, Exchange::CreateChildSa, {make_notify(t)}); };
  const auto parts = parse_parts(payloads);
  if (!parts || parts->ts_i.empty() || parts->ts_r.empty()) return answer(NotifyType::InvalidSyntax);
  const auto chosen = choose(offered, config.esp, WithDh::Yes);
  if (!chosen) {
    note(cx, Level::Warning,
         "the peer rekeys the Child SA with nothing that an 'esp proposal' of ours has: NO_PROPOSAL_CHOSEN sent");
    return answer(NotifyType::NoProposalChosen);
  }
  const auto remote_ts = narrow(parts->ts_i, old->sa.remote_ts);
  const auto local_ts = narrow(parts->ts_r, old->sa.local_ts);
  Reader spi(chosen->spi);
  const Spi spi_out{spi.u32()};
  if (!remote_ts || !local_ts) return answer(NotifyType::TsUnacceptable);
  if (!spi.done()) return answer(NotifyType::InvalidSyntax);

  std::optional<KeyExchangeAnswer> ke;
  if (chosen->suite.dh != DhGroup::None) {
    if (!parts->ke || parts->ke->group != chosen->suite.dh) {
      return respond(cx, sa, Exchange::CreateChildSa, {invalid_ke(chosen->suite.dh)});
    }
    auto made = entropy.answer_key_exchange(chosen->suite.dh, parts->ke->value);
    if (!made) return answer(NotifyType::InvalidSyntax);
    ke = std::move(*made);
  }
  Buffer nonce(kNonce);
  entropy.fill(nonce);
  const Spi spi_in = new_spi();
  auto keys = derive_child_keys(sa.suite.prf, chosen->suite, sa.keys.d.view(), ke ? ke->secret.view() : Bytes(),
                                parts->nonce, nonce);
  Child fresh = make_child(cx, sa, chosen->suite, spi_in, spi_out, std::move(keys), false, *local_ts, *remote_ts);
  install_inbound(cx, fresh);
  Payloads reply{make_sa({proposal_of(chosen->suite, chosen->number, spi_in, WithDh::Yes)}),
                 {PayloadType::Nonce, false, nonce}};
  if (ke) reply.push_back(make_ke(*ke));
  reply.push_back(make_ts(PayloadType::TsI, *remote_ts));
  reply.push_back(make_ts(PayloadType::TsR, *local_ts));
  respond(cx, sa, Exchange::CreateChildSa, reply);

  const bool collides =
      sa.request && sa.request->task.kind == TaskKind::RekeyChild && sa.request->task.spi_in == old->sa.spi_in;
  if (collides) {
    sa.request->rival = RivalRekey{spi_in, std::min(parts->nonce, nonce)};
  } else {
    old->replaced = true;
    old->drop_at = cx.now + kDropReplaced;
    ++status.child_rekeys;
    note(cx, Level::Info,
         fmt::format("Child SA rekeyed by the peer: {:08x}_i {:08x}_o ({})", spi_in.value(), spi_out.value(),
                     ipsec::to_string(chosen->suite)));
  }
  // RFC 7296 2.8: we go on sending with the old one until the peer deletes it; it may not have our answer yet.
  sa.children.push_back(std::move(fresh));
}

/* <-- CREATE_CHILD_SA { SA, Nr, [KEr], TSi, TSr } */
void IkePeer::Impl::on_child_rekey_response(Context& cx, IkeSa& sa, Request r, const Payloads& payloads) {
  if (error_in(payloads)) return rekey_refused(cx, sa, r, payloads);
  const auto parts = parse_parts(payloads);
  const auto chosen =
      parts && single(parts->proposals) ? choose(parts->proposals, config.esp, WithDh::Yes) : std::nullopt;
  const auto local_ts = parts ? narrow(parts->ts_i, any_ipv4()) : std::nullopt;
  const auto remote_ts = parts ? narrow(parts->ts_r, any_ipv4()) : std::nullopt;
  Reader spi(chosen ? Bytes(chosen->spi) : Bytes());
  const Spi spi_out{spi.u32()};
  const bool has_group = chosen && chosen->suite.dh != DhGroup::None;
  const bool group_fits =
      chosen &&
      (!has_group || (r.ke && parts->ke && parts->ke->group == r.ke->group() && chosen->suite.dh == r.ke->group()));
  if (!chosen || !local_ts || !remote_ts || !spi.done() || !group_fits) {
    return failed(cx, sa, "the peer's answer to a Child SA rekey is malformed", false);
  }
  SecretBytes shared;
  if (has_group) {
    auto secret = r.ke->shared_secret(parts->ke->value);
    if (!secret) return failed(cx, sa, "the peer's answer to a Child SA rekey holds " + secret.error(), false);
    shared = std::move(*secret);
  }
  auto keys = derive_child_keys(sa.suite.prf, chosen->suite, sa.keys.d.view(), shared.view(), r.nonce, parts->nonce);
  Child fresh = make_child(cx, sa, chosen->suite, r.new_spi, spi_out, std::move(keys), true, *local_ts, *remote_ts);
  install_inbound(cx, fresh);

  Child* old = sa.child_in(r.task.spi_in);
  const auto& rival = r.rival;
  // RFC 7296 2.8.1: the Child SA that was made with the lowest of the four nonces is redundant; who made it deletes it.
  const bool ours_is_redundant =
      rival && sa.child_in(rival->spi_in) != nullptr && std::min(r.nonce, parts->nonce) < rival->lowest_nonce;
  if (ours_is_redundant) {
    fresh.replaced = true;
    const Spi redundant = fresh.sa.spi_in;
    sa.children.insert(sa.children.begin(), std::move(fresh));
    if (old = sa.child_in(r.task.spi_in); old != nullptr) {
      old->replaced = true;
      old->drop_at = cx.now + kDropReplaced;
    }
    note(cx, Level::Info, "Child SA rekeyed by both sides at once: ours is redundant and deleted");
    return queue(cx, sa, {TaskKind::DeleteChild, redundant});
  }
  if (rival) {
    if (Child* theirs = sa.child_in(rival->spi_in)) {
      theirs->replaced = true;
      theirs->drop_at = cx.now + kDropReplaced;
    }
  }
  ++status.child_rekeys;
  note(cx, Level::Info,
       fmt::format("Child SA rekeyed: {:08x}_i {:08x}_o ({})", fresh.sa.spi_in.value(), spi_out.value(),
                   ipsec::to_string(chosen->suite)));
  use_outbound(cx, fresh);
  if (old != nullptr) old->replaced = true;
  sa.children.push_back(std::move(fresh));
  queue(cx, sa, {TaskKind::DeleteChild, r.task.spi_in});
}

void IkePeer::Impl::rekey_refused(Context& cx, IkeSa& sa, const Request& r, const Payloads& payloads) {
  const NotifyType error = *error_in(payloads);
  Child* child = sa.child_in(r.task.spi_in);
  if (error == NotifyType::InvalidKePayload && r.task.kind == TaskKind::RekeyChild && child != nullptr) {
    // The peer prefers another of our groups: put it first from here on, and ask again at once.
    const auto n = find_notify(payloads, NotifyType::InvalidKePayload);
    Reader group(n->data);
    const auto wanted = DhGroup{group.u16()};
    const auto it = std::ranges::find(config.esp, wanted, &EspSuite::dh);
    if (group.done() && it != config.esp.end() && it != config.esp.begin()) {
      std::rotate(config.esp.begin(), it, it + 1);
      return queue(cx, sa, r.task);
    }
  }
  if (error == NotifyType::ChildSaNotFound && child != nullptr && !r.rival) {
    // RFC 7296 2.25.1: the peer does not have it any more.
    remove_child(cx, sa, r.task.spi_in);
    return child_lost(cx, sa, "the peer has lost the Child SA (CHILD_SA_NOT_FOUND)");
  }
  const auto wait = jittered(kRetryRekey);
  if (r.task.kind == TaskKind::RekeyIke) {
    sa.rekey_at = cx.now + wait;
  } else if (child != nullptr) {
    child->rekey_at = cx.now + wait;
    if (r.rival) {
      child->replaced = true;
      child->drop_at = cx.now + kDropReplaced;
    }
  }
  if (error == NotifyType::TemporaryFailure) return;
  status.last_error = "rekey: " + explain(error, config);
  note(cx, Level::Warning, status.last_error);
}

/* --> CREATE_CHILD_SA { SA, Ni, KEi }   <-- CREATE_CHILD_SA { SA, Nr, KEr } */
void IkePeer::Impl::answer_ike_rekey(Context& cx, IkeSa& sa, const Payloads& payloads,
                                     const std::vector<Proposal>& offered) {
  const auto answer = [&](NotifyType t) { respond(cx, sa, Exchange::CreateChildSa, {make_notify(t)}); };
  const auto parts = parse_parts(payloads);
  if (!parts || !parts->ke) return answer(NotifyType::InvalidSyntax);
  const auto chosen = choose(offered, config.ike);
  if (!chosen) return answer(NotifyType::NoProposalChosen);
  if (parts->ke->group != chosen->suite.dh)
    return respond(cx, sa, Exchange::CreateChildSa, {invalid_ke(chosen->suite.dh)});
  Reader spi(chosen->spi);
  const std::uint64_t spi_i = spi.u64();
  if (!spi.done() || spi_i == 0) return answer(NotifyType::InvalidSyntax);
  const auto ke = entropy.answer_key_exchange(chosen->suite.dh, parts->ke->value);
  if (!ke) return answer(NotifyType::InvalidSyntax);

  auto fresh = std::make_unique<IkeSa>();
  fresh->initiator = false;
  fresh->spi_i = spi_i;
  fresh->spi_r = entropy.u64() | 1;
  fresh->suite = chosen->suite;
  Buffer nonce(kNonce);
  entropy.fill(nonce);
  const auto seed = skeyseed_rekey(sa.suite.prf, sa.keys.d.view(), ke->secret.view(), parts->nonce, nonce);
  fresh->keys = derive_ike_keys(fresh->suite, seed.view(), parts->nonce, nonce, fresh->spi_i, fresh->spi_r);
  respond(cx, sa, Exchange::CreateChildSa,
          {make_sa({proposal_of(fresh->suite, chosen->number, ike_spi_octets(fresh->spi_r))}),
           {PayloadType::Nonce, false, nonce},
           make_ke(*ke)});
  replace_ike_sa(cx, sa, std::move(fresh), false);
}

/* <-- CREATE_CHILD_SA { SA, Nr, KEr } */
void IkePeer::Impl::on_ike_rekey_response(Context& cx, IkeSa& sa, Request r, const Payloads& payloads) {
  if (error_in(payloads)) {
    rekey_refused(cx, sa, r, payloads);
    return pump(cx, sa);
  }
  const auto parts = parse_parts(payloads);
  const auto chosen = parts && single(parts->proposals) ? choose(parts->proposals, config.ike) : std::nullopt;
  Reader spi(chosen ? Bytes(chosen->spi) : Bytes());
  const std::uint64_t spi_r = spi.u64();
  const bool fits = chosen && spi.done() && spi_r != 0 && parts->ke && parts->ke->group == r.ke->group() &&
                    chosen->suite.dh == r.ke->group();
  if (!fits) return failed(cx, sa, "the peer's answer to an IKE SA rekey is malformed", false);
  const auto shared = r.ke->shared_secret(parts->ke->value);
  if (!shared) return failed(cx, sa, "the peer's answer to an IKE SA rekey holds " + shared.error(), false);
  auto fresh = std::make_unique<IkeSa>();
  fresh->initiator = true;
  fresh->spi_i = r.new_ike_spi;
  fresh->spi_r = spi_r;
  fresh->suite = chosen->suite;
  const auto seed = skeyseed_rekey(sa.suite.prf, sa.keys.d.view(), shared->view(), r.nonce, parts->nonce);
  fresh->keys = derive_ike_keys(fresh->suite, seed.view(), r.nonce, parts->nonce, fresh->spi_i, fresh->spi_r);
  replace_ike_sa(cx, sa, std::move(fresh), true);
}

// RFC 7296 2.8: the new IKE SA inherits the Child SAs; the initiator of the rekey deletes the old one.
void IkePeer::Impl::replace_ike_sa(Context& cx, IkeSa& old, std::unique_ptr<IkeSa> fresh, bool by_us) {
  fresh->state = IkeSa::State::Established;
  fresh->local = old.local;
  fresh->remote = old.remote;
  fresh->nat_local = old.nat_local;
  fresh->nat_remote = old.nat_remote;
  fresh->forced_encap = old.forced_encap;
  fresh->peer_fragments = old.peer_fragments;
  fresh->created = cx.now;
  fresh->established = cx.now;
  fresh->last_heard = cx.now;
  fresh->last_sent = cx.now;
  fresh->rekey_at = cx.now + jittered(std::chrono::duration_cast<Duration>(config.ike_lifetime) * 28000 / 28800);
  fresh->hard_at = cx.now + config.ike_lifetime;
  make_ciphers(*fresh);
  fresh->children = std::move(old.children);
  old.children.clear();
  for (const Task& t : old.tasks) {
    if (t.kind == TaskKind::RekeyChild || t.kind == TaskKind::DeleteChild) fresh->tasks.push_back(t);
  }
  old.tasks.clear();
  old.rekey_at.reset();
  old.drop_at = cx.now + kDropReplaced;
  ++status.ike_rekeys;
  note(cx, Level::Info,
       fmt::format("IKE SA rekeyed{}: {:016x}_i {:016x}_r ({})", by_us ? "" : " by the peer", fresh->spi_i,
                   fresh->spi_r, ipsec::to_string(fresh->suite)));
  sas.push_back(std::move(fresh));
  if (by_us) queue(cx, old, {TaskKind::DeleteIke});
  pump(cx, *sas.back());
}

}  // namespace cgw::ipsec
