#include "ipsec/peer.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/overload.hpp"
#include "ipsec/peer_impl.hpp"

namespace cgw::ipsec {
namespace {

constexpr Seconds kHalfOpenLimit{30};
constexpr Seconds kAnswerRepetitions{30};
constexpr std::ptrdiff_t kMaxClosed = 8;
constexpr Seconds kSettle{10};  // two IKE SAs side by side longer than this: one goes

void consider(std::optional<TimePoint>& best, std::optional<TimePoint> at) {
  if (at && (!best || *at < *best)) best = at;
}

}  // namespace

std::string_view to_string(PeerState s) {
  switch (s) {
    case PeerState::Idle: return "Idle";
    case PeerState::Connecting: return "Connecting";
    case PeerState::Established: return "Established";
  }
  return "?";
}

IkePeer::IkePeer(PeerConfig config, Entropy& entropy) : impl_(std::make_unique<Impl>(std::move(config), entropy)) {}
IkePeer::~IkePeer() = default;
Actions IkePeer::step(TimePoint now, const Event& event) {
  return impl_->step(now, event);
}
std::optional<TimePoint> IkePeer::next_deadline() const {
  return impl_->next_deadline();
}
const PeerStatus& IkePeer::status() const {
  return impl_->status;
}
bool IkePeer::owns(std::uint64_t spi_i, std::uint64_t spi_r) const {
  return std::ranges::any_of(impl_->sas,
                             [&](const auto& s) { return s->spi_i == spi_i && (s->spi_r == spi_r || s->spi_r == 0); });
}
const IpAddress& IkePeer::remote() const {
  return impl_->config.remote;
}
std::size_t IkePeer::half_open() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(impl_->sas, [](const auto& s) { return s->state == IkeSa::State::HalfOpen; }));
}
bool IkePeer::repeats_init(Bytes message) const {
  return std::ranges::any_of(impl_->sas, [&](const auto& s) {
    return s->state == IkeSa::State::HalfOpen && std::ranges::equal(s->init_request, message);
  });
}

void IkePeer::enter_spis(std::shared_ptr<IkeSpis> spis, std::size_t number) {
  Impl& impl = *impl_;
  impl.leave_spis();
  impl.spis = std::move(spis);
  impl.number = number;
  impl.enter_spis();
}
std::optional<Arrival> IkePeer::take_arrival() {
  return std::exchange(impl_->arrival, std::nullopt);
}
Actions IkePeer::adopt(TimePoint now, Arrival arrival) {
  return impl_->adopt(now, std::move(arrival));
}
Actions IkePeer::refuse(TimePoint now, Arrival arrival) {
  return impl_->refuse(now, std::move(arrival));
}

std::size_t IkePeer::ike_sas() const {
  return impl_->sas.size();
}

Actions IkePeer::Impl::step(TimePoint now, const Event& event) {
  Context cx{now, {}};
  std::visit([&](const auto& e) { on(cx, e); }, event);
  finish(cx);
  return std::move(cx.out);
}

void IkePeer::Impl::finish(Context& cx) {
  std::erase(sas, nullptr);  // handed over
  std::erase_if(sas, [](const auto& s) { return s->gone; });
  enter_spis();
  refresh_status();
  if (status.state == reported) return;
  if (status.state == PeerState::Established) backoff = {};
  cx.out.push_back(Moved{reported, status.state, std::exchange(moved_why, {})});
  reported = status.state;
}

void IkePeer::Impl::on(Context& cx, const Start&) {
  if (running) return;
  running = true;
  if (!config.initiate) return;
  moved_why = "started";
  connect(cx);
}

void IkePeer::Impl::on(Context& cx, const Stop& e) {
  running = false;
  connect_at.reset();
  moved_why = "stopped";
  for (auto& s : sas) {
    if (e.tell_peer && s->established && s->state == IkeSa::State::Established) {
      s->request.reset();
      send_request(cx, *s, Exchange::Informational, Request{.task = {TaskKind::DeleteIke}}, {make_delete_ike()});
    }
    drop(cx, *s);
  }
  flush_lingering(cx, TimePoint::max());
}

void IkePeer::Impl::on(Context& cx, const Reestablish& e) {
  moved_why = e.why;
  for (auto& s : sas) {
    if (s->state == IkeSa::State::Established) {
      s->request.reset();
      send_request(cx, *s, Exchange::Informational, Request{.task = {TaskKind::DeleteIke}}, {make_delete_ike()});
    }
    drop(cx, *s);
  }
  flush_lingering(cx, TimePoint::max());
  if (running) connect(cx);
}

void IkePeer::Impl::on(Context& cx, const Received& e) {
  const auto h = parse_header(e.message);
  // A wrong length or version is nobody's we know; an older version's packets are not answered (no IKEv1 here).
  if (!h || h->length != e.message.size() || h->major != 2 || !running) return;
  if (h->exchange == Exchange::IkeSaInit) {
    if (!h->response) return on_init_request(cx, *h, e);
    IkeSa* sa = find(h->spi_i, 0);
    if (sa != nullptr) on_init_response(cx, *sa, *h, e);
    return;
  }
  IkeSa* sa = find(h->spi_i, h->spi_r);
  if (sa == nullptr) return;
  if (h->first == PayloadType::Notify) return on_unprotected(cx, *sa, *h, e);
  on_protected(cx, *sa, e, *h);
}

void IkePeer::Impl::on(Context& cx, const Tick&) {
  // New SAs may be added while we go through them.
  for (std::size_t i = 0; i < sas.size(); ++i) {
    if (!sas[i]->gone) tick(cx, *sas[i]);
  }
  flush_lingering(cx, cx.now);
  settle_duplicates(cx);
  if (connect_at && *connect_at <= cx.now) connect(cx);
}

void IkePeer::Impl::tick(Context& cx, IkeSa& sa) {
  if (sa.state == IkeSa::State::HalfOpen) {
    if (sa.created + kHalfOpenLimit <= cx.now) drop(cx, sa);
    return;
  }
  if (sa.answering && sa.answering->until <= cx.now) sa.answering.reset();
  if (sa.request && sa.request->next <= cx.now) retransmit(cx, sa);
  if (sa.gone) return;
  if (sa.drop_at && *sa.drop_at <= cx.now) return drop(cx, sa);
  if (sa.state != IkeSa::State::Established) return;
  if (sa.hard_at && *sa.hard_at <= cx.now) return failed(cx, sa, "the IKE SA's lifetime is over", false);
  if (!sa.usable()) return;
  if (sa.rekey_at && *sa.rekey_at <= cx.now) {
    sa.rekey_at.reset();
    queue(cx, sa, {TaskKind::RekeyIke});
  }
  tick_children(cx, sa);
  if (!sa.usable()) return;
  if (sa.reauth_at && *sa.reauth_at <= cx.now) start_reauthentication(cx, sa);
  if (!sa.request && sa.last_heard + config.dpd_interval <= cx.now) queue(cx, sa, {TaskKind::Dpd});
  const bool behind_nat = sa.nat_local || sa.forced_encap;
  if (behind_nat && sa.last_sent + config.nat_keepalive <= cx.now) {
    if (current() == &sa) cx.out.push_back(SendNatKeepalive{sa.local, sa.remote});
    sa.last_sent = cx.now;
  }
}

std::optional<TimePoint> IkePeer::Impl::next_deadline() const {
  std::optional<TimePoint> best = connect_at;
  std::size_t up = 0;
  std::optional<TimePoint> newest;
  for (const Lingering& l : lingering)
    consider(best, l.until);
  for (const auto& s : sas) {
    if (s->request) consider(best, s->request->next);
    if (s->answering) consider(best, s->answering->until);
    if (s->state == IkeSa::State::HalfOpen) consider(best, s->created + kHalfOpenLimit);
    consider(best, s->drop_at);
    if (s->state == IkeSa::State::Established) consider(best, s->hard_at);
    if (!s->usable()) continue;
    consider(best, s->rekey_at);
    consider(best, s->create_child_at);
    consider(best, s->reauth_at);
    for (const Child& c : s->children) {
      consider(best, c.replaced ? c.drop_at : std::optional(c.rekey_at));
      consider(best, c.hard_at);
    }
    if (!s->request) consider(best, s->last_heard + config.dpd_interval);
    if (s->nat_local || s->forced_encap) consider(best, s->last_sent + config.nat_keepalive);
    ++up;
    if (!newest || *s->established > *newest) newest = s->established;
  }
  if (up > 1) consider(best, *newest + kSettle);
  return best;
}

// The one that carries traffic: established, with a Child SA; the newest of several.
IkeSa* IkePeer::Impl::current() {
  IkeSa* best = nullptr;
  for (auto& s : sas) {
    if (!s->usable() || s->current() == nullptr) continue;
    if (best == nullptr || *s->established >= *best->established) best = s.get();
  }
  return best;
}

IkeSa* IkePeer::Impl::find(std::uint64_t spi_i, std::uint64_t spi_r) {
  const auto it =
      std::ranges::find_if(sas, [&](const auto& s) { return !s->gone && s->spi_i == spi_i && s->spi_r == spi_r; });
  return it == sas.end() ? nullptr : it->get();
}

// Both sides initiated: two IKE SAs with a Child SA each. Both ends keep the one with the higher initiator SPI.
void IkePeer::Impl::settle_duplicates(Context& cx) {
  IkeSa* keep = nullptr;
  TimePoint newest{};
  std::size_t up = 0;
  for (auto& s : sas) {
    if (!s->usable()) continue;
    ++up;
    newest = std::max(newest, *s->established);
    if (s->current() != nullptr && (keep == nullptr || s->spi_i > keep->spi_i)) keep = s.get();
  }
  if (up < 2 || keep == nullptr || newest + kSettle > cx.now) return;
  for (auto& s : sas) {
    if (s.get() == keep || !s->usable()) continue;
    s->doomed = true;
    note(cx, Level::Info, fmt::format("two IKE SAs with the peer: {:016x}_i is deleted", s->spi_i));
    s->tasks.clear();
    queue(cx, *s, {TaskKind::DeleteIke});
  }
  use_outbound(cx, *keep->current());
}

void IkePeer::Impl::connect(Context& cx) {
  connect_at.reset();
  if (!running || !config.initiate) return;
  const auto trying = [](const auto& s) {
    return !s->gone && (s->state == IkeSa::State::InitSent || s->state == IkeSa::State::AuthSent);
  };
  if (std::ranges::any_of(sas, trying) || current() != nullptr) return;
  auto fresh = std::make_unique<IkeSa>();
  IkeSa& sa = *fresh;
  sas.push_back(std::move(fresh));
  sa.created = cx.now;
  start_init(cx, sa);
}

// A peer that refuses is asked after a pause that grows; one that is silent is asked again at once, since the
// retransmissions were the pause.
void IkePeer::Impl::connect_after(Context& cx, bool refused) {
  if (!running || !config.initiate) return;
  Duration wait = Millis{50};
  if (refused) {
    backoff = backoff == Duration{} ? Duration(config.retry_first) : std::min<Duration>(backoff * 2, config.retry_max);
    wait = jittered(backoff);
  }
  connect_at = cx.now + wait;
}

void IkePeer::Impl::failed(Context& cx, IkeSa& sa, std::string why, bool refused) {
  say_failure(cx, sa.established ? "IKE SA lost: " : "IKE attempt failed: ", std::move(why));
  drop(cx, sa);
  if (current() == nullptr) connect_after(cx, refused);
}

void IkePeer::Impl::drop(Context& cx, IkeSa& sa) {
  sa.tasks.clear();
  sa.request.reset();
  sa.answering.reset();
  sa.gone = true;
  forget_children(cx, sa);
}

// RFC 7296 2.1: "the responder MUST remember each response until it receives a request whose sequence number is larger
// than or equal to the sequence number in the response plus its window size"; here: for a while.
void IkePeer::Impl::close(Context& cx, IkeSa& sa) {
  sa.tasks.clear();
  sa.request.reset();
  sa.answering.reset();
  sa.state = IkeSa::State::Closed;
  sa.drop_at = cx.now + kAnswerRepetitions;
  forget_children(cx, sa);
  const auto closed = [](const auto& s) { return !s->gone && s->state == IkeSa::State::Closed; };
  if (std::ranges::count_if(sas, closed) > kMaxClosed) (*std::ranges::find_if(sas, closed))->gone = true;
}

void IkePeer::Impl::lost(Context& cx, IkeSa& sa, std::string why) {
  say_failure(cx, "IKE SA lost: ", std::move(why));
  close(cx, sa);
  if (current() == nullptr) connect_after(cx, true);
}

void IkePeer::Impl::abandon(Context& cx, IkeSa& sa, std::string why) {
  say_failure(cx, "IKE SA given up: ", std::move(why));
  sa.doomed = true;
  sa.tasks.clear();
  queue(cx, sa, {TaskKind::DeleteIke});
  if (current() == nullptr) connect_after(cx, true);
}

void IkePeer::Impl::say_failure(Context& cx, std::string_view what, std::string why) {
  status.last_error = why;
  moved_why = why;
  if (why == said) return;
  said = why;
  note(cx, Level::Warning, std::string(what) + why);
}

Duration IkePeer::Impl::jittered(Duration d) {
  const auto tenth = static_cast<std::uint64_t>(std::max<Duration::rep>(d.count() / 10, 1));
  return d - Duration(static_cast<Duration::rep>(entropy.below(tenth)));
}

Duration IkePeer::Impl::backoff_of(unsigned n, Duration first, Duration max) {
  Duration wait = first;
  for (unsigned i = 0; i < n && wait < max; ++i)
    wait *= 2;
  wait = std::min(wait, max);
  return wait - Duration(static_cast<Duration::rep>(entropy.below(static_cast<std::uint64_t>(wait.count()) / 2)));
}

void IkePeer::Impl::refresh_status() {
  IkeSa* sa = current();
  status.child.reset();
  status.child_installed.reset();
  status.child_rekey_at.reset();
  if (sa == nullptr) {
    const auto open = [](const auto& s) { return s->state != IkeSa::State::Closed; };
    status.state = running && (connect_at || std::ranges::any_of(sas, open)) ? PeerState::Connecting : PeerState::Idle;
    status.ike_suite.reset();
    status.ike_established.reset();
    status.ike_rekey_at.reset();
    status.reauthentication_at.reset();
    status.spi_i = status.spi_r = 0;
    return;
  }
  status.state = PeerState::Established;
  status.spi_i = sa->spi_i;
  status.spi_r = sa->spi_r;
  status.initiator = sa->initiator;
  status.ike_suite = sa->suite;
  status.ike_established = sa->established;
  status.ike_rekey_at = sa->rekey_at;
  status.reauthentication_at = sa->reauth_at;
  status.nat_local = sa->nat_local;
  status.nat_remote = sa->nat_remote;
  const Child& c = *sa->current();
  status.child = c.sa;
  status.child->in = {};
  status.child->out = {};
  status.child_installed = c.installed;
  status.child_rekey_at = c.rekey_at;
}

}  // namespace cgw::ipsec
