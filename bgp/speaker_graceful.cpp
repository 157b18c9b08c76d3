// What stays of a neighbor's routes when its session ends or it tells all again, and our own restart.
#include "bgp/speaker.hpp"

namespace cgw::bgp {
namespace {

// RFC 7313 4: "an upper bound on how long ... stale routes are retained" between the marks of a refresh.
constexpr Seconds kRefreshTime{360};

}  // namespace

void Speaker::down(Turn& t, NeighborId n, SessionDown&& d) {
  Neighbor& me = neighbor(n);
  auto leftover = me.retained.down(t.now, me.agreed, d.graceful, me.config.graceful);
  if (!ribs_.sources()[n.value()].usable) {
    me.retained.dead();
    leftover = {};
  }
  ribs_.down(n, leftover);
  me.in_flight = 0;
  me.refresh_end = {};
  t.out.push_back({n, std::move(d)});
  if (leftover == PerFamily<Leftover>{}) t.out.push_back({n, PathsGone{}});
}

void Speaker::set_usable(NeighborId n, bool usable) {
  ribs_.set_usable(n, usable);
  if (usable) return;
  apply(n, neighbor(n).retained.dead());
  arm(n);
}

void Speaker::apply(NeighborId n, const RetainedRoutes::Changes& changes) {
  for (const auto& c : changes)
    ribs_.leftover(n, c.family, c.leftover);
}

void Speaker::refresh(Turn& t, NeighborId n, const RefreshRequested& r) {
  auto& at = neighbor(n).refresh_end[r.family];
  switch (r.kind) {
    case RefreshKind::Request: ribs_.refresh(n, r.family, neighbor(n).agreed.enhanced_route_refresh); return;
    case RefreshKind::Begin:
      ribs_.begin_refresh(n, r.family);
      at = t.now + kRefreshTime;
      return;
    case RefreshKind::End:
      ribs_.end_refresh(n, r.family);
      at.reset();
      return;
  }
}

void Speaker::expire(Turn& t, NeighborId n) {
  Neighbor& me = neighbor(n);
  const bool had =
      me.retained.leftover(Family::V4) != Leftover::Gone || me.retained.leftover(Family::V6) != Leftover::Gone;
  apply(n, me.retained.tick(t.now));
  const bool has =
      me.retained.leftover(Family::V4) != Leftover::Gone || me.retained.leftover(Family::V6) != Leftover::Gone;
  if (had && !has && me.session && status(n).state != State::Established) t.out.push_back({n, PathsGone{}});
  for (const Family f : kFamilies) {
    if (me.refresh_end[f] && *me.refresh_end[f] <= t.now) refresh(t, n, {f, RefreshKind::End});
  }
  arm(n);
}

void Speaker::follow_restart() {
  for (const Family f : kFamilies)
    ribs_.defer(f, restart_.deferring(f));
  if (!restart_.end()) return;
  for (Neighbor& n : neighbors_)
    if (n.session) n.session->end_restart();
}

}  // namespace cgw::bgp
