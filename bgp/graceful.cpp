#include "bgp/graceful.hpp"

#include <algorithm>

namespace cgw::bgp {
namespace {

// The neighbor's words in its new OPEN: it has gone on forwarding by these routes (F, RFC 4724 3, RFC 9494 3.1).
bool forwarding_preserved(const Negotiated& agreed, Family f, Leftover leftover) {
  if (!agreed.families[f]) return false;
  if (leftover == Leftover::LongLived) return agreed.long_lived[f] && agreed.long_lived[f]->forwarding;
  return agreed.graceful_restart && agreed.graceful_restart->forwarding[f].value_or(false);
}

}  // namespace

PerFamily<Leftover> RetainedRoutes::down(TimePoint now, const Negotiated& agreed, bool graceful,
                                         const GracefulConfig& config) {
  families_ = {};
  up_ = false;
  PerFamily<Leftover> out;
  if (!graceful) return out;
  for (const Family f : kFamilies) {
    Retained& r = families_[f];
    if (!agreed.families[f] || !agreed.retains(f)) continue;
    const Seconds restart = std::min(agreed.graceful_restart->restart_time, config.maximum_restart_time);
    if (agreed.long_lived[f]) r.long_lived = std::min(agreed.long_lived[f]->stale_time, config.maximum_long_lived_time);
    if (restart > Seconds{0}) {
      r.leftover = Leftover::Stale;
      r.until = now + restart;
    } else if (r.long_lived > Seconds{0}) {
      // RFC 9494 4.2: without a restart time the long-lived one begins at once.
      r.leftover = Leftover::LongLived;
      r.until = now + r.long_lived;
    }
    out[f] = r.leftover;
  }
  return out;
}

RetainedRoutes::Changes RetainedRoutes::up(TimePoint now, const Negotiated& agreed, const GracefulConfig& config) {
  Changes out;
  up_ = true;
  for (const Family f : kFamilies) {
    Retained& r = families_[f];
    if (r.leftover == Leftover::Gone) continue;
    if (!forwarding_preserved(agreed, f, r.leftover)) {
      drop(f, out);
    } else if (r.leftover == Leftover::Stale) {
      // RFC 4724 4.2: "To put an upper bound on the amount of time a router retains the stale routes, an implementation
      // MAY support a (configurable) timer". The long-lived time goes on.
      r.until = now + config.stale_time;
    }
  }
  return out;
}

RetainedRoutes::Changes RetainedRoutes::dead() {
  Changes out;
  for (const Family f : kFamilies)
    if (families_[f].leftover != Leftover::Gone) drop(f, out);
  return out;
}

RetainedRoutes::Changes RetainedRoutes::tick(TimePoint now) {
  Changes out;
  for (const Family f : kFamilies) {
    Retained& r = families_[f];
    if (!r.until || *r.until > now) continue;
    if (r.leftover == Leftover::Stale && !up_ && r.long_lived > Seconds{0}) {
      r.leftover = Leftover::LongLived;
      r.until = now + r.long_lived;
      out.push_back({f, r.leftover});
    } else {
      drop(f, out);
    }
  }
  return out;
}

void RetainedRoutes::drop(Family f, Changes& out) {
  families_[f] = {};
  out.push_back({f, Leftover::Gone});
}

std::optional<TimePoint> RetainedRoutes::next_deadline() const {
  const auto &a = families_.v4.until, &b = families_.v6.until;
  return a && b ? std::min(a, b) : (a ? a : b);
}

// ---- the restarter

void RestartDeferral::expect(NeighborId n, const PerFamily<bool>& families) {
  if (until_) awaited_[n] = families;
}

// RFC 4724 4.1: "excluding the ones with the 'Restart State' bit set in the received capability and excluding the ones
// that do not advertise the graceful restart capability".
void RestartDeferral::up(NeighborId n, const Negotiated& agreed) {
  const auto it = awaited_.find(n);
  if (it == awaited_.end()) return;
  for (const Family f : kFamilies) {
    const bool helps = agreed.graceful_restart && !agreed.graceful_restart->restarted && agreed.families[f];
    it->second[f] = it->second[f] && helps;
  }
}

void RestartDeferral::end_of_rib(NeighborId n, Family f) {
  if (const auto it = awaited_.find(n); it != awaited_.end()) it->second[f] = false;
}

void RestartDeferral::tick(TimePoint now) {
  if (until_ && *until_ <= now) awaited_.clear();
}

bool RestartDeferral::end() {
  if (!until_ || deferring()) return false;
  until_.reset();
  awaited_.clear();
  return true;
}

bool RestartDeferral::deferring(Family f) const {
  return std::ranges::any_of(awaited_, [&](const auto& a) { return a.second[f]; });
}

}  // namespace cgw::bgp
