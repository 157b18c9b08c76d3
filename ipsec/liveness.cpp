// Is the peer still there, and where? Doubts become a question (RFC 7296 2.4, 2.21.4); addresses are followed (2.23).
#include <algorithm>

#include <fmt/format.h>

#include "ipsec/peer_impl.hpp"

namespace cgw::ipsec {
namespace {

constexpr Seconds kBetweenChecks{2};  // by our own evidence
constexpr Seconds kBetweenHints{10};  // by what anybody may have sent
constexpr Millis kBetweenStirs{200};
constexpr unsigned kRekeyAt = 3;  // the peer answers, but no ESP comes: has it lost the Child SA?

}  // namespace

// Asks now, unless that was done within `pause`. A request under way asks as well as an empty one would.
void IkePeer::Impl::check(Context& cx, IkeSa& sa, Duration pause) {
  if (sa.gone || sa.state != IkeSa::State::Established || sa.drop_at) return;
  if (sa.checked_at && *sa.checked_at + pause > cx.now) return;
  sa.checked_at = cx.now;
  // A rekey is answered with CHILD_SA_NOT_FOUND by a peer that has lost the Child SA, and replaces it otherwise.
  const Child* child = sa.current();
  const bool rekey = ++sa.doubts == kRekeyAt && child != nullptr;
  if (!sa.request) return queue(cx, sa, rekey ? Task{TaskKind::RekeyChild, child->sa.spi_in} : Task{TaskKind::Dpd});
  if (sa.request->liveness) return;
  sa.request->liveness = true;
  resend(cx, sa);
}

// The request under way, as if for the first time.
void IkePeer::Impl::resend(Context& cx, IkeSa& sa) {
  Request& r = *sa.request;
  r.sent = 0;
  r.next = cx.now + patience(cx, sa, r).value_or(Duration{});
  send_datagrams(cx, sa, r.datagrams);
}

// Something came from the peer, or from who knows its address: an IKE_SA_INIT that waits for an answer goes out again.
void IkePeer::Impl::stir(Context& cx) {
  if (stirred_at && *stirred_at + kBetweenStirs > cx.now) return;
  for (auto& sa : sas) {
    if (sa->gone || sa->state != IkeSa::State::InitSent || !sa->request) continue;
    stirred_at = silent_since = cx.now;
    resend(cx, *sa);
  }
}

// An attempt while there is a tunnel, which goes when the new one is up (as with a reauthentication). If the peer
// answers within the old one after all, it is forgotten.
void IkePeer::Impl::begin_beside(Context& cx) {
  if (!config.initiate || (beside_at && *beside_at + kBetweenHints > cx.now)) return;
  const auto trying = [](const auto& s) {
    return !s->gone && (s->state == IkeSa::State::InitSent || s->state == IkeSa::State::AuthSent);
  };
  if (std::ranges::any_of(sas, trying)) return;
  beside_at = cx.now;
  auto fresh = std::make_unique<IkeSa>();
  IkeSa& sa = *fresh;
  sas.push_back(std::move(fresh));
  sa.created = cx.now;
  sa.replaces = sa.beside = true;
  start_init(cx, sa);
}

void IkePeer::Impl::forget_beside(Context& cx) {
  for (auto& sa : sas) {
    if (!sa->gone && sa->beside && sa->state == IkeSa::State::InitSent) drop(cx, *sa);
  }
}

void IkePeer::Impl::on(Context& cx, const Refused&) {
  refused_at = cx.now;
  for (auto& sa : sas) {
    if (!sa->gone && sa->state == IkeSa::State::InitSent && sa->request)
      sa->request->next = std::min(sa->request->next, cx.now + patience(cx, *sa, *sa->request).value_or(Duration{}));
    check(cx, *sa, kBetweenHints);
  }
}

// Answered again and again, a doubt is put less often.
void IkePeer::Impl::on(Context& cx, const Suspect& e) {
  if (e.hint) stir(cx);
  for (auto& sa : sas) {
    const Duration pause = std::min<Duration>(kBetweenChecks * (1U << std::min(sa->doubts, 8U)), config.dpd_interval);
    check(cx, *sa, e.hint ? kBetweenHints : std::max<Duration>(pause, kBetweenChecks));
  }
}

// ESP that arrives says that the peer lives, though perhaps not its IKE: an answer may take the longer time.
void IkePeer::Impl::on(Context& cx, const EspSeen&) {
  IkeSa* sa = current();
  if (sa == nullptr) return;
  sa->last_heard = cx.now;
  sa->doubts = 0;
  forget_beside(cx);
  if (sa->request) sa->request->liveness = false;
}

void IkePeer::Impl::on(Context& cx, const PathChanged& e) {
  const bool moved = e.local != config.local || e.local_id != config.local_id;
  config.local = e.local;
  config.local_id = e.local_id;
  if (moved && !sas.empty()) {
    moved_why = "our address is now " + e.local.to_string();
    note(cx, Level::Warning, moved_why + ": the SAs are made anew from there");
    // A DELETE from here would be nobody's to the peer; INITIAL_CONTACT tells it.
    for (auto& sa : sas)
      drop(cx, *sa);
    backoff = {};
    return connect(cx);
  }
  // The silence may have been the way's: who is up is asked first.
  if (current() != nullptr) {
    forget_beside(cx);
    beside_at.reset();
  }
  for (std::size_t i = 0; i < sas.size(); ++i) {
    if (sas[i]->gone) continue;
    if (sas[i]->request) resend(cx, *sas[i]);
    check(cx, *sas[i], Duration{});
  }
  if (connect_at) connect(cx);
}

// RFC 7296 1.5, 2.21.4: INVALID_IKE_SPI in answer to our request. Anybody can write it: it is a reason to ask, not to
// believe.
void IkePeer::Impl::on_unprotected(Context& cx, IkeSa& sa, const Header& h, const Received& e) {
  if (!h.response || !sa.request || sa.request->id != h.message_id) return;
  const auto chain = parse_chain(h.first, Bytes(e.message).subspan(kHeaderOctets));
  if (chain) trace(cx, false, e.remote, h, chain->payloads);
  if (!chain || !find_notify(chain->payloads, NotifyType::InvalidIkeSpi)) return;
  check(cx, sa, kBetweenHints);
  if (current() == &sa) begin_beside(cx);
}

void IkePeer::Impl::on(Context& cx, const PeerMapped& e) {
  const auto holds = [&](const auto& sa) { return !sa->gone && sa->child_in(e.spi_in) != nullptr; };
  if (const auto sa = std::ranges::find_if(sas, holds); sa != sas.end()) follow(cx, **sa, e.remote);
}

// RFC 7296 2.23: a NAT in front of the peer may have given it another port or address; authenticated messages and
// ESP that are no repetitions are followed. The port of a Child SA moves with it; with another address it is rekeyed at
// once, since the kernel's SAs are known by their destination.
void IkePeer::Impl::follow(Context& cx, IkeSa& sa, const Endpoint& remote) {
  if (!sa.nat_remote || sa.state != IkeSa::State::Established || remote == sa.remote) return;
  const bool same_address = remote.address == sa.remote.address;
  note(cx, Level::Info, fmt::format("the peer is now at {}, was at {}", remote.to_string(), sa.remote.to_string()));
  sa.remote = remote;
  if (!same_address) {
    if (const Child* c = sa.current()) queue(cx, sa, {TaskKind::RekeyChild, c->sa.spi_in});
    return;
  }
  for (Child& c : sa.children)
    c.sa.remote = remote;
  if (const Child* c = sa.current(); c != nullptr && current() == &sa) use_outbound(cx, *c);
}

}  // namespace cgw::ipsec
