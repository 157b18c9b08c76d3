#include "kernel/fib_table.hpp"

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>

#include "base/overload.hpp"

namespace cgw::kernel::fib {

std::size_t Table::HashPrefix::operator()(const Prefix& p) const {
  std::uint64_t h = 0xcbf29ce484222325u ^ p.length;  // FNV-1a
  for (const std::uint8_t octet : p.address.bytes())
    h = (h ^ octet) * 0x100000001b3u;
  return h ^ (h >> 32);
}

void Table::nexthops_seen(std::map<std::uint32_t, Nexthop> now) {
  std::set<std::uint32_t> lost = std::move(suspect_);
  suspect_.clear();
  for (const auto& [id, nexthop] : held_) {
    if (nexthop.is_group()) lost.insert(id);
  }
  std::erase_if(lost, [&](std::uint32_t id) { return now.contains(id); });
  held_ = std::move(now);
  lose_routes(lost);  // the kernel removes a nexthop object together with the routes that use it
}

void Table::forget_routes() {
  for (auto& [prefix, r] : routes_) {
    hold(r, 0);
    r.fallback = Fallback::None;
  }
}

void Table::route_seen(const RouteInfo& seen) {
  Route& r = routes_[seen.prefix];
  if (seen.nexthop_id != 0) hold(r, seen.nexthop_id);
  if (seen.nexthop_id == 0) r.fallback = seen.fallback;
}

void Table::refused(const Op& op) {
  const auto on_nexthop = [this](const NexthopOp& o) {
    held_.erase(o.id);
    if (o.id >= kGroupIdFirst) suspect_.insert(o.id);
  };
  const auto on_route = [this](const RouteOp& o) {
    if (const auto it = routes_.find(o.prefix); it != routes_.end()) hold(it->second, 0);
  };
  const auto on_fallback = [this](const FallbackOp& o) {
    if (const auto it = routes_.find(o.prefix); it != routes_.end()) it->second.fallback = Fallback::None;
  };
  std::visit(Overload{on_nexthop, on_route, on_fallback}, op);
}

void Table::set_exit(rib::ExitId exit, const ExitState& state, Sink& sink) {
  Exit& e = exits_[exit];
  e.state = state;
  sync_exit(e, sink);
  for (auto& [id, g] : groups_)
    sync_group(g, sink);
  restore_routes(sink);
}

void Table::exit_gone(rib::ExitId exit, Sink& sink) {
  const auto it = exits_.find(exit);
  if (it == exits_.end()) return;
  const std::uint32_t id = it->second.id;
  exits_.erase(it);
  sync_groups_of(exit, sink);  // first: the kernel would remove a group together with its last member
  restore_routes(sink);
  claimed_.erase(id);
  if (held_.contains(id)) drop(id, sink);
}

void Table::apply(const rib::PlanChanges& changes, Sink& sink) {
  for (const auto& c : changes)
    std::visit([&](const auto& one) { change(one, sink); }, c);
  restore_routes(sink);
}

void Table::sweep(Sink& sink) {
  swept_ = true;
  for (auto it = routes_.begin(); it != routes_.end();) {
    if (!it->second.wanted) sync_route(it->first, it->second, sink);
    it = it->second.wanted ? std::next(it) : routes_.erase(it);
  }
  std::vector<std::uint32_t> unclaimed;
  // Groups before what they point at.
  for (const bool groups : {true, false}) {
    for (const auto& [id, nexthop] : held_) {
      if (nexthop.is_group() == groups && !claimed_.contains(id)) unclaimed.push_back(id);
    }
  }
  for (const auto id : unclaimed)
    drop(id, sink);
}

void Table::repair(Sink& sink) {
  for (auto& [id, e] : exits_)
    sync_exit(e, sink);
  for (auto& [id, g] : groups_)
    sync_group(g, sink);
  restore_ = true;
  restore_routes(sink);
  if (swept_) sweep(sink);
}

std::optional<std::uint32_t> Table::nexthop_id(rib::GroupId group) const {
  const auto it = groups_.find(group);
  if (it == groups_.end() || !held_.contains(it->second.id)) return std::nullopt;
  return it->second.id;
}

void Table::change(const rib::GroupSet& c, Sink& sink) {
  Group& g = groups_[c.group];
  g.active = c.active;
  sync_group(g, sink);
}

void Table::change(const rib::GroupGone& c, Sink& sink) {
  const auto it = groups_.find(c.group);
  if (it == groups_.end()) return;
  const std::uint32_t id = it->second.id;
  groups_.erase(it);
  claimed_.erase(id);
  if (!held_.contains(id)) return;
  drop(id, sink);
  lose_routes({id});
}

void Table::change(const rib::RouteSet& c, Sink& sink) {
  Route& r = routes_[c.prefix];
  want(r, c.group);
  sync_route(c.prefix, r, sink);
}

void Table::change(const rib::RouteGone& c, Sink& sink) {
  const auto it = routes_.find(c.prefix);
  if (it == routes_.end() || !it->second.wanted) return;
  want(it->second, std::nullopt);
  sync_route(c.prefix, it->second, sink);
  routes_.erase(it);
}

void Table::want(Route& r, std::optional<rib::GroupId> group) {
  if (r.wanted) {
    if (const auto it = groups_.find(r.group); it != groups_.end()) --it->second.users;
  }
  r.wanted = group.has_value();
  r.group = group.value_or(rib::GroupId{});
  if (!group) return;
  if (const auto it = groups_.find(*group); it != groups_.end()) ++it->second.users;
}

void Table::sync_exit(Exit& e, Sink& sink) {
  if (!e.state) return;
  const Nexthop n{.exit = e.state};
  if (e.id == 0 && !claim(e.id, n, kNexthopIdFirst, kBlackholeId - 1)) {
    sink.problem({ENOSPC, fmt::format("nexthop object via {}", e.state->next_hop.to_string()), "ids used up"});
    return;
  }
  put(e.id, n, sink);
}

void Table::sync_group(Group& g, Sink& sink) {
  const Nexthop n{.members = members_of(g, sink)};
  if (n.members.empty()) {
    if (!held_.contains(g.id)) return;
    drop(g.id, sink);  // its routes go with it, in the kernel, and uncover what is behind them
    lose_routes({g.id});
    return;
  }
  if (g.id == 0 && !claim(g.id, n, kGroupIdFirst, kNexthopIdLast)) {
    sink.problem({ENOSPC, "nexthop group", "ids used up"});
    return;
  }
  restore_ = restore_ || (g.users > 0 && !held_.contains(g.id));
  put(g.id, n, sink);
}

void Table::sync_groups_of(rib::ExitId exit, Sink& sink) {
  for (auto& [id, g] : groups_) {
    if (std::ranges::find(g.active, exit) != g.active.end()) sync_group(g, sink);
  }
}

void Table::sync_route(const Prefix& p, Route& r, Sink& sink) {
  const std::uint32_t nexthop = wanted_nexthop(r);
  const Fallback fallback = wanted_fallback(r);
  if (fallback != Fallback::None && fallback != r.fallback) {
    const Put put = r.fallback == Fallback::None ? Put::New : Put::Set;
    r.fallback = fallback;
    sink.emit(FallbackOp{p, fallback, put});
  }
  if (nexthop != r.nexthop_id) {
    const Put put = r.nexthop_id == 0 ? Put::New : Put::Set;
    hold(r, nexthop);
    sink.emit(RouteOp{p, nexthop, put});
  }
  if (fallback == Fallback::None && r.fallback != Fallback::None) {
    r.fallback = fallback;
    sink.emit(FallbackOp{p, fallback, Put::Set});
  }
}

void Table::restore_routes(Sink& sink) {
  if (!std::exchange(restore_, false)) return;
  for (auto& [prefix, r] : routes_) {
    if (r.wanted) sync_route(prefix, r, sink);
  }
}

void Table::put(std::uint32_t id, const Nexthop& n, Sink& sink) {
  const auto it = held_.find(id);
  if (it != held_.end() && it->second == n) return;
  const Put how = it == held_.end() ? Put::New : Put::Replace;
  held_[id] = n;
  sink.emit(NexthopOp{id, n, how});
}

void Table::drop(std::uint32_t id, Sink& sink) {
  held_.erase(id);
  sink.emit(NexthopOp{id, std::nullopt, Put::Set});
}

// Exits whose object the kernel does not hold would make it refuse the whole group.
std::vector<std::uint32_t> Table::members_of(const Group& g, Sink& sink) {
  std::set<std::uint32_t> ids;
  for (const auto exit : g.active) {
    const auto it = exits_.find(exit);
    if (it != exits_.end() && held_.contains(it->second.id)) ids.insert(it->second.id);
  }
  if (ids.empty() && when_down_ == Fib::WhenDown::Blackhole) {
    claimed_.insert(kBlackholeId);
    put(kBlackholeId, Nexthop{.blackhole = true, .blackhole_family = blackhole_family_}, sink);
    ids.insert(kBlackholeId);
  }
  return {ids.begin(), ids.end()};
}

std::uint32_t Table::wanted_nexthop(const Route& r) const {
  if (!r.wanted) return 0;
  return nexthop_id(r.group).value_or(0);
}

Fallback Table::wanted_fallback(const Route& r) const {
  if (!r.wanted) return Fallback::None;
  switch (when_down_) {
    case Fib::WhenDown::Blackhole: return Fallback::Blackhole;
    case Fib::WhenDown::Unreachable: return Fallback::Unreachable;
    case Fib::WhenDown::Remove: return Fallback::None;
  }
  return Fallback::None;
}

// An object that an earlier process left, if one is the same; else a free id.
bool Table::claim(std::uint32_t& id, const Nexthop& n, std::uint32_t first, std::uint32_t last) {
  for (auto it = held_.lower_bound(first); it != held_.end() && it->first <= last; ++it) {
    if (it->second == n && claimed_.insert(it->first).second) {
      id = it->first;
      return true;
    }
  }
  for (std::uint32_t free = first; free <= last; ++free) {
    if (held_.contains(free) || !claimed_.insert(free).second) continue;
    id = free;
    return true;
  }
  return false;
}

void Table::lose_routes(const std::set<std::uint32_t>& groups) {
  if (groups.empty()) return;
  for (auto& [prefix, r] : routes_) {
    if (r.nexthop_id != 0 && groups.contains(r.nexthop_id)) hold(r, 0);
  }
}

void Table::hold(Route& r, std::uint32_t nexthop_id) {
  if (r.nexthop_id != 0) --held_routes_;
  if (nexthop_id != 0) ++held_routes_;
  r.nexthop_id = nexthop_id;
}

}  // namespace cgw::kernel::fib
