#include "rib/rib.hpp"

#include <algorithm>

namespace cgw::rib {
namespace {

bool is(const Path& p, Protocol protocol, ExitId exit) {
  return p.protocol == protocol && p.exit == exit;
}

// As good as each other for sharing the load: no rule before Oldest tells them apart.
bool equal_cost(const Path& a, const Path& b) {
  const Rule r = compare(a, b).rule;
  return a.protocol == b.protocol && (r == Rule::Same || r >= Rule::Oldest);
}

}  // namespace

void Rib::touch(Table::iterator it) {
  if (it->second.dirty) return;
  it->second.dirty = true;
  dirty_.push_back(it->first);
}

void Rib::update(const Prefix& prefix, Path path) {
  const auto it = table_.try_emplace(prefix).first;
  Entry& e = it->second;
  e.retained = false;
  const auto old = std::ranges::find_if(e.paths, [&](const Path& p) { return is(p, path.protocol, path.exit); });
  if (old == e.paths.end()) {
    e.paths.push_back(std::move(path));
  } else {
    path.learned = old->learned;
    if (path == *old) return;
    *old = std::move(path);
  }
  touch(it);
}

void Rib::withdraw(const Prefix& prefix, Protocol protocol, ExitId exit) {
  const auto it = table_.find(prefix);
  if (it == table_.end()) return;
  if (std::erase_if(it->second.paths, [&](const Path& p) { return is(p, protocol, exit); }) > 0) touch(it);
}

void Rib::replace(const Prefix& prefix, Protocol protocol, std::vector<Path> paths) {
  const auto it = paths.empty() ? table_.find(prefix) : table_.try_emplace(prefix).first;
  if (it == table_.end()) return;
  Entry& e = it->second;
  bool changed = false;
  const auto gone = [&](const Path& old) {
    if (old.protocol != protocol) return false;
    return std::ranges::none_of(paths, [&](const Path& p) { return p.exit == old.exit; });
  };
  changed |= std::erase_if(e.paths, gone) > 0;
  for (Path& path : paths) {
    e.retained = false;
    const auto old = std::ranges::find_if(e.paths, [&](const Path& p) { return is(p, protocol, path.exit); });
    if (old == e.paths.end()) {
      e.paths.push_back(std::move(path));
      changed = true;
      continue;
    }
    path.learned = old->learned;
    changed |= path != *old;
    *old = std::move(path);
  }
  if (changed) touch(it);
}

void Rib::withdraw_all(Protocol protocol, ExitId exit, bool retain) {
  for (auto it = table_.begin(); it != table_.end(); ++it) {
    Entry& e = it->second;
    if (std::erase_if(e.paths, [&](const Path& p) { return is(p, protocol, exit); }) == 0) continue;
    e.retained = retain && e.paths.empty();
    touch(it);
  }
}

void Rib::release_retained() {
  for (auto it = table_.begin(); it != table_.end(); ++it) {
    if (!it->second.retained) continue;
    it->second.retained = false;
    touch(it);
  }
}

void Rib::set_fitness(ExitId exit, Fitness f) {
  if (!fitness_.contains(exit) || fitness_[exit] != f) {
    fitness_[exit] = f;
    const auto groups = by_exit_.find(exit);
    if (groups != by_exit_.end()) stale_groups_.insert(groups->second.begin(), groups->second.end());
  }
}

void Rib::set_followed(std::optional<ExitId> exit) {
  if (followed_ == exit) return;
  followed_ = exit;
  for (auto it = table_.begin(); it != table_.end(); ++it) {
    const auto is_static = [](const Path& p) { return p.protocol == Protocol::Static; };
    if (std::ranges::any_of(it->second.paths, is_static)) touch(it);
  }
}

PlanChanges Rib::take_changes() {
  PlanChanges routes, out;
  std::vector<Prefix> empty;
  for (const Prefix& p : std::exchange(dirty_, {}))
    settle(table_.find(p), routes, empty);
  for (const Prefix& p : empty)
    table_.erase(p);

  for (const GroupId id : std::exchange(stale_groups_, {})) {
    const auto it = groups_.find(id);
    if (it == groups_.end() || it->second.users == 0) continue;
    Group& g = it->second;
    auto active = active_of(g.ranking);
    if (g.published && active == g.active) continue;
    g.published = true;
    g.active = std::move(active);
    out.push_back(GroupSet{id, g.ranking.exits, g.active});
  }
  out.insert(out.end(), std::make_move_iterator(routes.begin()), std::make_move_iterator(routes.end()));
  for (const GroupId id : std::exchange(unused_, {})) {
    const auto it = groups_.find(id);
    if (it == groups_.end() || it->second.users > 0) continue;
    if (it->second.published) out.push_back(GroupGone{id});
    for (const ExitId e : it->second.ranking.exits)
      by_exit_[e].erase(id);
    by_ranking_.erase(it->second.ranking);
    groups_.erase(it);
    free_ids_.push_back(id);
  }
  return out;
}

// Ranks one prefix and moves it to the group it belongs to now.
void Rib::settle(Table::iterator it, PlanChanges& routes, std::vector<Prefix>& empty) {
  Entry& e = it->second;
  e.dirty = false;
  rank(e.paths, followed_);
  const bool ours = e.paths.empty() ? e.retained : e.paths.front().protocol != Protocol::Connected;
  if (!ours) {
    if (e.group) {
      routes.push_back(RouteGone{it->first});
      leave(*e.group);
      e.group.reset();
    }
    if (e.paths.empty()) empty.push_back(it->first);
    return;
  }
  Ranking r;
  const Path* before = nullptr;
  for (const Path& p : e.paths) {
    if (std::ranges::find(r.exits, p.exit) != r.exits.end()) continue;
    r.exits.push_back(p.exit);
    r.equal.push_back(maximum_paths_ > 1 && before != nullptr && equal_cost(*before, p));
    before = &p;
  }
  const Protocol protocol = e.paths.empty() ? e.protocol : e.paths.front().protocol;
  const GroupId id = join(std::move(r));
  if (e.group) leave(*e.group);
  if (e.group != id || e.protocol != protocol) routes.push_back(RouteSet{it->first, id, protocol});
  e.group = id;
  e.protocol = protocol;
}

void Rib::leave(GroupId id) {
  if (--groups_.at(id).users == 0) unused_.insert(id);
}

GroupId Rib::join(Ranking ranking) {
  const auto known = by_ranking_.find(ranking);
  if (known != by_ranking_.end()) {
    ++groups_.at(known->second).users;
    if (!groups_.at(known->second).published) stale_groups_.insert(known->second);
    return known->second;
  }
  GroupId id{next_id_};
  if (free_ids_.empty()) {
    ++next_id_;
  } else {
    id = free_ids_.back();
    free_ids_.pop_back();
  }
  for (const ExitId e : ranking.exits)
    by_exit_[e].insert(id);
  by_ranking_[ranking] = id;
  groups_[id] = Group{.ranking = std::move(ranking), .active = {}, .users = 1, .published = false};
  stale_groups_.insert(id);
  return id;
}

std::vector<ExitId> Rib::active_of(const Ranking& r) const {
  std::size_t first = r.exits.size();
  Fitness best = Fitness::Down;
  for (std::size_t i = 0; i < r.exits.size(); ++i) {
    if (fitness_of(r.exits[i]) < best) {
      best = fitness_of(r.exits[i]);
      first = i;
    }
  }
  std::vector<ExitId> out;
  for (std::size_t i = first; i < r.exits.size() && out.size() < maximum_paths_; ++i) {
    if (i > first && !r.equal[i]) break;
    if (fitness_of(r.exits[i]) == best) out.push_back(r.exits[i]);
  }
  return out;
}

Fitness Rib::fitness_of(ExitId exit) const {
  const auto it = fitness_.find(exit);
  return it == fitness_.end() ? Fitness::Down : it->second;
}

std::size_t Rib::prefixes() const {
  return table_.size();
}

RouteView Rib::view_of(const Prefix& prefix, const Entry& e) const {
  RouteView v{.prefix = prefix, .group = e.group.value_or(GroupId{}), .candidates = {}, .blackhole = false};
  std::vector<ExitId> active;
  if (e.group) {
    active = groups_.at(*e.group).active;
    v.blackhole = active.empty();
  }
  for (const Path& p : e.paths) {
    Candidate c{.path = p, .best = &p == &e.paths.front()};
    if (!c.best) c.lost_by = compare(e.paths.front(), p, followed_).rule;
    c.active = std::ranges::find(active, p.exit) != active.end();
    v.candidates.push_back(std::move(c));
  }
  return v;
}

std::optional<RouteView> Rib::find(const Prefix& prefix) const {
  const auto it = table_.find(prefix);
  if (it == table_.end()) return std::nullopt;
  return view_of(prefix, it->second);
}

std::vector<RouteView> Rib::view() const {
  std::vector<RouteView> out;
  out.reserve(table_.size());
  for (const auto& [prefix, e] : table_)
    out.push_back(view_of(prefix, e));
  return out;
}

std::vector<GroupSet> Rib::groups() const {
  std::vector<GroupSet> out;
  for (const auto& [id, g] : groups_)
    out.push_back({id, g.ranking.exits, g.active});
  return out;
}

}  // namespace cgw::rib
