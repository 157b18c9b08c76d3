#include "bgp/ribs.hpp"

#include <algorithm>

namespace cgw::bgp {
namespace {

constexpr NeighborId kOurselves{0};

Provenance provenance(const NeighborRoutes& r) {
  return {r.import.kind, r.reflector_client, r.tunnel};
}

}  // namespace

Ribs::Ribs(const Router& router, const DecisionOptions& options, std::uint64_t seed)
    : router_(router),
      options_(options),
      pool_(seed),
      sources_(1),
      provenance_(1),
      families_{{Family::V4, seed ^ 4, *this}, {Family::V6, seed ^ 6, *this}},
      neighbors_(1) {
  sources_[0].path = {SourceKind::Local, router.router_id.value(), {}};
}

Ribs::~Ribs() = default;

NeighborId Ribs::add_neighbor(const NeighborRoutes& routes) {
  NeighborId id{static_cast<std::uint16_t>(neighbors_.size())};
  if (free_.empty()) {
    neighbors_.emplace_back();
    sources_.emplace_back();
    provenance_.emplace_back();
  } else {
    id = free_.back();
    free_.pop_back();
    for (const Family f : kFamilies)
      if (sweeping(Sweep::Kind::RemoveLeftover, id, f)) finish_removing(id, f);
  }
  neighbor(id).routes = routes;
  sources_[id.value()].path = {routes.import.kind, 0, routes.address};
  sources_[id.value()].usable = true;
  provenance_[id.value()] = provenance(routes);
  return id;
}

void Ribs::remove_neighbor(NeighborId n) {
  down(n, Leftover::Gone);
  neighbor(n).routes = {};
  free_.push_back(n);
}

void Ribs::configure(NeighborId n, const NeighborRoutes& routes) {
  Neighbor& me = neighbor(n);
  const NeighborRoutes before = std::exchange(me.routes, routes);
  sources_[n.value()].path.kind = routes.import.kind;
  sources_[n.value()].path.address = routes.address;
  const Provenance had = std::exchange(provenance_[n.value()], provenance(routes));
  if (had != provenance_[n.value()]) tell_all();
  if (before.import != routes.import || before.import_policy != routes.import_policy) sweep(Sweep::Kind::Accept, n);
  regroup(n);
}

void Ribs::set_options(const DecisionOptions& options) {
  if (options == options_) return;
  options_ = options;
  sweep(Sweep::Kind::Decide, kOurselves);
}

void Ribs::up(NeighborId n, const UpdateContext& agreed, RouterId peer) {
  Neighbor& me = neighbor(n);
  me.up = true;
  me.agreed = agreed;
  me.peer = peer;
  sources_[n.value()].path.router_id = peer.value();
  for (const Family f : kFamilies) {
    if (!agreed.families[f]) {
      sweep(Sweep::Kind::RemoveLeftover, n, f);  // RFC 4724 4.2: nothing will replace it
      continue;
    }
    Rib& rib = families_[f];
    me.out[f] = std::make_unique<Advertiser>(rib.table, pool_, sources_, provenance_, group(group_key(me, f)),
                                             advertiser_config(n, f));
    me.out[f]->set_suppressed(&rib.aggregates.suppressed());
  }
}

void Ribs::down(NeighborId n, const PerFamily<Leftover>& leftover) {
  Neighbor& me = neighbor(n);
  me.up = false;
  me.out = {};
  me.refreshing = {};
  for (const Family f : kFamilies) {
    // Meant for the session that ends here.
    while (sweeping(Sweep::Kind::RemoveAll, n, f))
      work();
    begin_epoch(n, f);
    Standing& s = sources_[n.value()].standing[f];
    s.same_session = false;
    families_[f].table.forget_counts(n);
    this->leftover(n, f, leftover[f]);
    if (leftover[f] != Leftover::Gone) sweep(Sweep::Kind::RemoveOlder, n, f);
  }
}

// What the sweep under way has not reached must not come to life again, and eight epochs tell sessions apart: no more
// must be left behind than that.
void Ribs::begin_epoch(NeighborId n, Family f) {
  if (sweeping(Sweep::Kind::RemoveLeftover, n, f) || ++neighbor(n).epochs[f] >= kEpochs - 2) finish_removing(n, f);
  sources_[n.value()].standing[f].begin_epoch();
}

void Ribs::leftover(NeighborId n, Family f, Leftover leftover) {
  sources_[n.value()].standing[f].leftover = leftover;
  if (leftover == Leftover::Gone) sweep(Sweep::Kind::RemoveLeftover, n, f);
  if (leftover == Leftover::LongLived) sweep(Sweep::Kind::LongLived, n, f);
}

void Ribs::end_of_rib(NeighborId n, Family f) {
  sweep(Sweep::Kind::RemoveLeftover, n, f);
}

void Ribs::refresh(NeighborId n, Family f, bool marked) {
  if (neighbor(n).out[f]) neighbor(n).out[f]->refresh(marked);
}

bool Ribs::begin_refresh(NeighborId n, Family f) {
  bool& refreshing = neighbor(n).refreshing[f];
  if (refreshing || sweeping(Sweep::Kind::RemoveLeftover, n, f)) return false;
  begin_epoch(n, f);
  Standing& s = sources_[n.value()].standing[f];
  s.leftover = Leftover::Stale;
  s.same_session = true;
  return refreshing = true;
}

void Ribs::end_refresh(NeighborId n, Family f) {
  if (std::exchange(neighbor(n).refreshing[f], false)) sweep(Sweep::Kind::RemoveLeftover, n, f);
}

void Ribs::disable(NeighborId n, Family f) {
  neighbor(n).agreed.families[f] = false;
  neighbor(n).out[f].reset();
  sweep(Sweep::Kind::RemoveAll, n, f);
}

void Ribs::set_usable(NeighborId n, bool usable) {
  if (std::exchange(sources_[n.value()].usable, usable) != usable) sweep(Sweep::Kind::Decide, n);
}

void Ribs::set_next_hop(const IpAddress& address, bool reachable, std::uint32_t metric) {
  if (pool_.set_next_hop(address, reachable, metric)) sweep(Sweep::Kind::Decide, kOurselves);
}

void Ribs::originate(const Prefix& p, const PathAttributes& a, const LocalValues& local, TimePoint now) {
  Rib& rib = families_[p.address.family()];
  const AttributeId id = pool_.intern(a, local);
  if (const auto c = rib.table.put(kOurselves, {p, 0}, id, id, seconds(now))) changed(rib, *c);
  pool_.release(id);
}

void Ribs::withdraw(const Prefix& p) {
  Rib& rib = families_[p.address.family()];
  if (const auto c = rib.table.withdraw(kOurselves, {p, 0})) changed(rib, *c);
}

void Ribs::follow_changes() {
  for (const Family f : kFamilies) {
    Rib& rib = families_[f];
    if (rib.changes) continue;
    rib.changes = std::make_unique<ChangeQueue>(rib.table);
    rib.changes->feed();
  }
}

std::vector<Prefix> Ribs::take_changes(Family f, std::size_t most) {
  Rib& rib = families_[f];
  std::vector<Prefix> out;
  while (rib.changes && !deferred_[f] && out.size() < most) {
    const auto id = rib.changes->pop();
    if (!id) break;
    out.push_back(rib.table.prefixes().prefix(*id));
    rib.table.release(*id);
  }
  return out;
}

bool Ribs::has_changes() const {
  return std::ranges::any_of(kFamilies, [&](Family f) {
    const auto& changes = families_[f].changes;
    return changes && !changes->empty() && !deferred_[f];
  });
}

void Ribs::changed(Rib& rib, const TableChange& c) {
  if (c.best) rib.aggregates.changed(c.id);
  if (c.best || c.paths) {
    const Family f = rib.table.prefixes().family();
    for (Neighbor& n : neighbors_) {
      if (n.out[f]) n.out[f]->changed(c);
    }
    if (rib.changes) rib.changes->add(c.id);
    for (ChangeQueue* q : rib.followers)
      q->add(c.id);
  }
  rib.table.settle(c.id);
}

std::uint32_t Ribs::seconds(TimePoint now) {
  if (!start_) start_ = now;
  return latest_ = clock(now);
}

std::uint32_t Ribs::clock(TimePoint now) const {
  return start_ ? static_cast<std::uint32_t>(std::chrono::duration_cast<Seconds>(now - *start_).count()) : 0;
}

// ---- export

GroupKey Ribs::group_key(const Neighbor& n, Family f) const {
  GroupKey key;
  key.family = f;
  key.rules = n.routes.export_rules[f];
  key.context = n.agreed;
  key.policy = n.routes.export_policy[f];
  key.policy_context.import = false;
  // What only reading asks must not part neighbors.
  key.context.remote_as = {};
  key.context.local_address = {};
  key.context.add_path_receive = {};
  key.context.families = {};
  key.context.enforce_first_as = true;
  if (key.policy && key.policy->looks_at_neighbor()) {
    key.policy_context.neighbor = n.routes.address;
  }
  return key;
}

std::shared_ptr<UpdateGroup> Ribs::group(GroupKey key) {
  std::erase_if(groups_, [](const auto& g) { return g.expired(); });
  for (const auto& g : groups_) {
    if (auto there = g.lock(); there->key() == key) return there;
  }
  auto fresh = std::make_shared<UpdateGroup>(std::move(key), router_, pool_);
  groups_.push_back(fresh);
  return fresh;
}

AdvertiserConfig Ribs::advertiser_config(NeighborId n, Family f) const {
  const Neighbor& me = neighbor(n);
  return {.neighbor = n,
          .router_id = me.peer.value(),
          .maximum_prefix = me.routes.maximum_prefix_out[f],
          .add_path = me.agreed.add_path_send[f],
          .default_originate = me.routes.default_originate[f]};
}

void Ribs::tell_all() {
  for (Neighbor& n : neighbors_) {
    for (const Family f : kFamilies) {
      if (n.out[f]) n.out[f]->tell_all();
    }
  }
}

void Ribs::regroup(NeighborId n) {
  Neighbor& me = neighbor(n);
  for (const Family f : kFamilies) {
    if (!me.out[f]) continue;
    me.out[f]->configure(advertiser_config(n, f));
    GroupKey key = group_key(me, f);
    if (key != me.out[f]->group().key()) me.out[f]->set_group(group(std::move(key)));
  }
}

Output Ribs::output(NeighborId n, std::size_t room) {
  for (const Family f : kFamilies) {
    auto& out = neighbor(n).out[f];
    if (out && !out->idle() && !deferred_[f]) return out->next(room);
  }
  return {};
}

bool Ribs::has_output(NeighborId n) const {
  return std::ranges::any_of(kFamilies, [&](Family f) {
    const Advertiser* a = advertiser(n, f);
    return a != nullptr && !a->idle() && !deferred_[f];
  });
}

const Advertiser* Ribs::advertiser(NeighborId n, Family f) const {
  return neighbor(n).out[f].get();
}

}  // namespace cgw::bgp
