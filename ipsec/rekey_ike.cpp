// CREATE_CHILD_SA for the IKE SA (RFC 7296 1.3.2, 2.8, 2.18): rekeys, both sides, and their collisions (2.8.2, 2.25.2).
#include <algorithm>

#include <fmt/format.h>

#include "ipsec/peer_impl.hpp"

namespace cgw::ipsec {
namespace {

constexpr Seconds kAwaitDelete{30};  // of an IKE SA that the peer should delete

}  // namespace

/* CREATE_CHILD_SA { SA, Ni, KEi } --> */
void IkePeer::Impl::start_ike_rekey(Context& cx, IkeSa& sa) {
  Request r;
  r.task.kind = TaskKind::RekeyIke;
  r.new_ike_spi = entropy.u64() | 1;
  r.nonce.resize(kNonceOctets);
  entropy.fill(r.nonce);
  // The group in use is one the peer takes.
  r.ke = entropy.new_key_exchange(sa.ike_group.value_or(sa.suite.dh));
  const Payloads payloads{
      offer(config.ike, ike_spi_octets(r.new_ike_spi)), {PayloadType::Nonce, false, r.nonce}, make_ke(*r.ke)};
  send_request(cx, sa, Exchange::CreateChildSa, std::move(r), payloads);
}

/* --> CREATE_CHILD_SA { SA, Ni, KEi }
   <-- CREATE_CHILD_SA { SA, Nr, KEr, [N(ADDITIONAL_KEY_EXCHANGE)] } */
void IkePeer::Impl::answer_ike_rekey(Context& cx, IkeSa& sa, const Parts& parts) {
  const auto answer = [&](NotifyType t) { respond(cx, sa, {make_notify(t)}); };
  const auto chosen = choose(parts.proposals, config.ike);
  const std::uint64_t spi_i = chosen ? read_ike_spi(chosen->spi) : 0;
  if (spi_i == 0) return answer(NotifyType::NoProposalChosen);
  if (!parts.ke || parts.ke->group != chosen->suite.dh) return respond(cx, sa, {invalid_ke(chosen->suite.dh)});
  auto made = begin_answer(sa, chosen->suite.dh, parts.ke);
  if (!made) return refuse_as_malformed(cx, sa);
  const Proposal ours = proposal_of(chosen->suite, chosen->number, ike_spi_octets(made->ike_spi));
  const Payloads reply{
      make_sa({chosen->with_none(ours)}), {PayloadType::Nonce, false, made->nonce}, make_ke(*made->ke)};
  if (await_followups(cx, sa, made, chosen->suite.more_ke, reply)) return;

  auto fresh = std::make_unique<IkeSa>();
  fresh->initiator = false;
  fresh->spi_i = spi_i;
  fresh->spi_r = made->ike_spi;
  fresh->suite = chosen->suite;
  const auto seed = skeyseed_rekey(sa.suite.prf, sa.keys.d.view(), made->ke->secret.view(), parts.nonce, made->nonce,
                                   made->secrets.view());
  fresh->keys = derive_ike_keys(fresh->suite, seed.view(), parts.nonce, made->nonce, fresh->spi_i, fresh->spi_r);
  finish_answer(cx, sa, *made, reply);
  IkeSa& next = add_successor(cx, sa, std::move(fresh));
  // RFC 7296 2.25.2: "If a peer receives a request to rekey an IKE SA that it is currently rekeying, it SHOULD reply as
  // usual, and SHOULD prepare to close redundant SAs and move inherited Child SAs later based on the nonces".
  if (sa.doing(TaskKind::RekeyIke)) {
    next.undecided = true;
    sa.request->rival = RivalRekey{.spi_r = next.spi_r, .lowest_nonce = lowest_nonce(parts.nonce, made->nonce)};
    return;
  }
  sa.drop_at = cx.now + kAwaitDelete;
  inherit(cx, sa, next);
}

/* <-- CREATE_CHILD_SA { SA, Nr, KEr } */
void IkePeer::Impl::on_ike_rekey_response(Context& cx, IkeSa& sa, Request r, const Payloads& payloads) {
  if (const auto error = error_in(payloads)) {
    // RFC 7296 2.8.2: the peer has finished its own rekey before it noticed ours.
    if (r.rival && follow_rival(cx, sa, *r.rival)) return;
    create_child_refused(cx, sa, r, *error);
    return pump(cx, sa);
  }
  const auto parts = parse_parts(payloads);
  const auto chosen = parts && single(parts->proposals) ? choose(parts->proposals, config.ike) : std::nullopt;
  const std::uint64_t spi_r = chosen ? read_ike_spi(chosen->spi) : 0;
  const bool fits = spi_r != 0 && parts->ke && parts->ke->group == r.ke->group() && chosen->suite.dh == r.ke->group();
  if (fits && follow_up(cx, sa, r, chosen->suite.more_ke, payloads)) return;
  const auto shared = fits ? r.ke->shared_secret(parts->ke->value) : fail(std::string("the wrong things"));
  if (!shared) return abandon(cx, sa, "the peer's answer to an IKE SA rekey holds " + shared.error());
  auto fresh = std::make_unique<IkeSa>();
  fresh->initiator = true;
  fresh->spi_i = r.new_ike_spi;
  fresh->spi_r = spi_r;
  fresh->suite = chosen->suite;
  const auto seed = skeyseed_rekey(sa.suite.prf, sa.keys.d.view(), shared->view(), r.nonce, parts->nonce,
                                   r.followup ? r.followup->secrets.view() : Bytes());
  fresh->keys = derive_ike_keys(fresh->suite, seed.view(), r.nonce, parts->nonce, fresh->spi_i, fresh->spi_r);
  IkeSa& ours = add_successor(cx, sa, std::move(fresh));
  IkeSa* theirs = r.rival ? find_rival(*r.rival) : nullptr;
  if (theirs != nullptr)
    return settle_ike_rekey(cx, sa, ours, *theirs,
                            is_lower(lowest_nonce(r.nonce, parts->nonce), r.rival->lowest_nonce));
  inherit(cx, sa, ours);
  queue(cx, sa, {TaskKind::DeleteIke});
}

// RFC 7296 2.8.2: "The new IKE SA containing the lowest nonce SHOULD be deleted by the node that created it, and the
// other surviving new IKE SA MUST inherit all the Child SAs." Who made the survivor deletes the old one.
void IkePeer::Impl::settle_ike_rekey(Context& cx, IkeSa& old, IkeSa& ours, IkeSa& theirs, bool ours_is_lowest) {
  // The peer uses its own already: it has decided, whatever the nonces say.
  const bool peer_decided = !theirs.undecided;
  theirs.undecided = false;
  if (ours_is_lowest || peer_decided) {
    note(cx, Level::Info, "IKE SA rekeyed by both sides at once: ours is redundant and deleted");
    ours.doomed = true;
    old.drop_at = cx.now + kAwaitDelete;
    if (!peer_decided) inherit(cx, old, theirs);
    return queue(cx, ours, {TaskKind::DeleteIke});
  }
  theirs.doomed = true;
  theirs.drop_at = cx.now + kAwaitDelete;
  inherit(cx, old, ours);
  queue(cx, old, {TaskKind::DeleteIke});
}

IkeSa* IkePeer::Impl::find_rival(const RivalRekey& rival) {
  const auto it = std::ranges::find_if(sas, [&](const auto& s) {
    return !s->gone && !s->initiator && s->spi_r == rival.spi_r && s->state == IkeSa::State::Established;
  });
  return it == sas.end() ? nullptr : it->get();
}

// The peer did not notice our rekey, or has decided for its own: ours is forgotten.
bool IkePeer::Impl::follow_rival(Context& cx, IkeSa& old, const RivalRekey& rival) {
  IkeSa* theirs = find_rival(rival);
  if (theirs == nullptr) return false;
  old.drop_at = cx.now + kAwaitDelete;
  if (!std::exchange(theirs->undecided, false)) return true;
  inherit(cx, old, *theirs);
  return true;
}

// The peer deletes what lost; any other request tells that it has decided for this one.
void IkePeer::Impl::used_by_peer(Context& cx, IkeSa& sa) {
  for (auto& s : sas) {
    if (!s->gone && s->request && s->request->rival && s->request->rival->spi_r == sa.spi_r) {
      follow_rival(cx, *s, *s->request->rival);
      return;
    }
  }
}

IkeSa& IkePeer::Impl::add_successor(Context& cx, const IkeSa& old, std::unique_ptr<IkeSa> fresh) {
  fresh->state = IkeSa::State::Established;
  fresh->local = old.local;
  fresh->remote = old.remote;
  fresh->nat_local = old.nat_local;
  fresh->nat_remote = old.nat_remote;
  fresh->forced_encap = old.forced_encap;
  fresh->peer_fragments = old.peer_fragments;
  fresh->child_group = old.child_group;
  fresh->reauth_at = old.reauth_at;
  fresh->reauth_tries = old.reauth_tries;
  fresh->authenticated_by_us = old.authenticated_by_us;
  fresh->created = cx.now;
  fresh->established = cx.now;
  fresh->last_heard = cx.now;
  fresh->last_sent = cx.now;
  fresh->rekey_at = cx.now + jittered(std::chrono::duration_cast<Duration>(config.ike_lifetime) * 28000 / 28800);
  fresh->hard_at = cx.now + config.ike_lifetime;
  make_ciphers(cx, *fresh);
  sas.push_back(std::move(fresh));
  return *sas.back();
}

// RFC 7296 2.8: the new IKE SA inherits the Child SAs, and with them what was about to be done to them.
void IkePeer::Impl::inherit(Context& cx, IkeSa& old, IkeSa& fresh) {
  fresh.children = std::move(old.children);
  old.children.clear();
  fresh.create_child_at = std::exchange(old.create_child_at, std::nullopt);
  for (const Task& t : std::exchange(old.tasks, {})) {
    const bool of_child =
        t.kind == TaskKind::RekeyChild || t.kind == TaskKind::DeleteChild || t.kind == TaskKind::CreateChild;
    if (of_child) fresh.tasks.push_back(t);
  }
  old.rekey_at.reset();
  ++status.ike_rekeys;
  note(cx, Level::Info,
       fmt::format("IKE SA rekeyed{}: {:016x}_i {:016x}_r ({})", fresh.initiator ? "" : " by the peer", fresh.spi_i,
                   fresh.spi_r, ipsec::to_string(fresh.suite)));
  pump(cx, fresh);
}

}  // namespace cgw::ipsec
