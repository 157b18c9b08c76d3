// Reauthentication (RFC 7296 2.8.3): "creating a new IKE SA from scratch (using IKE_SA_INIT/IKE_AUTH exchanges, without
// any REKEY_SA Notify payloads), creating new Child SAs within the new IKE SA (without REKEY_SA Notify payloads), and
// finally deleting the old IKE SA (which deletes the old Child SAs as well)."
#include <algorithm>

#include <fmt/format.h>

#include "ipsec/peer_impl.hpp"

namespace cgw::ipsec {
namespace {

constexpr Seconds kRetry{30}, kRetryMax{240};

}  // namespace

void IkePeer::Impl::on(Context& cx, const Renew& e) {
  IkeSa* sa = current();
  if (sa == nullptr) return;
  switch (e.what) {
    case Renew::What::IkeSa: return queue(cx, *sa, {TaskKind::RekeyIke});
    case Renew::What::ChildSa: return queue(cx, *sa, {TaskKind::RekeyChild, sa->current()->sa.spi_in});
    case Renew::What::Liveness: return queue(cx, *sa, {TaskKind::Dpd});
    case Renew::What::Authentication: return start_reauthentication(cx, *sa);
  }
}

// The old one goes on carrying traffic until the new one is up, and is asked again should it not come.
void IkePeer::Impl::start_reauthentication(Context& cx, IkeSa& old) {
  const bool trying = std::ranges::any_of(sas, [](const auto& s) {
    return !s->gone && (s->state == IkeSa::State::InitSent || s->state == IkeSa::State::AuthSent);
  });
  old.reauth_at = cx.now + backoff_of(old.reauth_tries++, kRetry, kRetryMax);
  if (trying) return;
  auto fresh = std::make_unique<IkeSa>();
  IkeSa& sa = *fresh;
  sas.push_back(std::move(fresh));
  sa.created = cx.now;
  sa.replaces = true;
  start_init(cx, sa);
}

// A new one is up: what was there before it was begun is deleted; the peer may have begun one at the same time, and two
// new ones side by side settle as ever. What it sent with is left at once; the peer, who answered, leaves
// it when our DELETE comes.
void IkePeer::Impl::reauthenticated(Context& cx, IkeSa& fresh) {
  if (!fresh.replaces || fresh.current() == nullptr) return;
  for (std::size_t i = 0; i < sas.size(); ++i) {
    IkeSa& old = *sas[i];
    if (&old == &fresh || !old.usable() || *old.established >= fresh.created) continue;
    note(cx, Level::Info, fmt::format("reauthenticated: IKE SA {:016x}_i is deleted", old.spi_i));
    old.doomed = true;
    old.tasks.clear();
    queue(cx, old, {TaskKind::DeleteIke});
  }
  fresh.replaces = false;
}

// RFC 4478: a responder's AUTH_LIFETIME is "the number of seconds" until the initiator must have authenticated anew.
void IkePeer::Impl::set_reauthentication(Context& cx, IkeSa& sa, const Payloads& payloads) {
  if (!sa.authenticated_by_us) return;
  std::optional<Duration> limit;
  if (config.reauth_time > Seconds{0}) limit = config.reauth_time;
  if (const auto told = find_notify(payloads, NotifyType::AuthLifetime)) {
    Reader r(told->data);
    const Duration theirs = Seconds{r.u32()};
    if (r.done() && (!limit || theirs < *limit)) limit = theirs;
  }
  if (!limit) return;
  // A tenth of it, a minute at most, is left for the exchanges.
  const auto at = cx.now + *limit - std::min<Duration>(*limit / 10, Seconds{60});
  if (!sa.reauth_at || at < *sa.reauth_at) sa.reauth_at = at;
}

}  // namespace cgw::ipsec
