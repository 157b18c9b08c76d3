// Adj-RIBs-In: what becomes of received routes, and the walks that judge or remove what is there.
#include <algorithm>

#include "bgp/ribs.hpp"

namespace cgw::bgp {
namespace {

// Prefixes looked at in one piece of work: about a millisecond.
constexpr std::uint32_t kSweepPiece = 4096;

}  // namespace

std::size_t Ribs::receive(NeighborId n, const Update& update, TimePoint now) {
  Neighbor& me = neighbor(n);
  Rib& rib = families_[update.family];
  for (const Nlri& r : update.withdrawn) {
    if (const auto c = rib.table.withdraw(n, r)) changed(rib, *c);
  }
  if (update.announced.empty()) return 0;
  const AttributeId received = pool_.intern(*update.attributes);
  if (received == AttributeId{}) return update.announced.size();
  const RoutePolicy* policy = me.routes.import_policy[update.family].get();
  const auto class_of = [&](const Nlri& r) {
    return policy ? policy->class_of(r.prefix) : std::optional<std::uint64_t>{0};
  };
  std::optional<std::uint64_t> judged = class_of(update.announced.front());
  AttributeId accepted = judge(me, update.announced.front(), *update.attributes, received);
  const std::uint32_t since = seconds(now);
  std::size_t refused = 0;
  for (const Nlri& r : update.announced) {
    const auto now_class = policy ? class_of(r) : judged;
    if ((!now_class || now_class != judged) && &r != &update.announced.front()) {
      pool_.release(accepted);
      accepted = judge(me, r, *update.attributes, received);
      judged = now_class;
    }
    const auto c = rib.table.put(n, r, received, accepted, since);
    if (c) changed(rib, *c);
    refused += c ? 0U : 1U;
  }
  pool_.release(accepted);
  pool_.release(received);
  return refused;
}

// Held for the caller; none: filtered.
AttributeId Ribs::judge(const Neighbor& n, const Nlri& nlri, const PathAttributes& a, AttributeId received) {
  const RoutePolicy* policy = n.routes.import_policy[nlri.prefix.address.family()].get();
  if (policy == nullptr && taken_unchanged(n.routes.import, a)) {
    // Most routes of most neighbors: no copy is needed to see that.
    if (!refusal(router_, n.routes.import, a).empty()) return {};
    pool_.hold(received);
    return received;
  }
  policy::Route route{.prefix = nlri.prefix, .attributes = a};
  LocalValues local;
  if (!take_in(router_, n.routes.import, route.attributes, local).empty()) return {};
  route.weight = local.weight;
  if (policy != nullptr && !policy->apply(route, {n.routes.address, true})) return {};
  if (route.next_hop == policy::NextHopRule::PeerAddress) route.attributes.next_hop = n.routes.address;
  local = {route.weight, route.tag};
  if (local == LocalValues{} && route.attributes == a) {
    pool_.hold(received);
    return received;
  }
  return pool_.intern(route.attributes, local);
}

AttributeId Ribs::accept(const Neighbor& n, const Nlri& nlri, AttributeId received) {
  return judge(n, nlri, pool_.attributes(received), received);
}

void Ribs::sweep(Sweep::Kind kind, NeighborId n) {
  for (const Family f : kFamilies)
    sweep(kind, n, f);
}

// One that is under way starts again: what it has passed may have changed.
void Ribs::sweep(Sweep::Kind kind, NeighborId n, Family f) {
  const Sweep fresh{kind, f, n, 0};
  std::erase_if(sweeps_, [&](const Sweep& s) { return s.same(fresh); });
  if (families_[f].table.prefixes().size() > 0) sweeps_.push_back(fresh);
}

bool Ribs::has_work() const {
  return !sweeps_.empty() || families_.v4.aggregates.has_work() || families_.v6.aggregates.has_work();
}

void Ribs::work() {
  if (!sweeps_.empty()) step_sweep(sweeps_.front());
  for (const Family f : kFamilies)
    if (families_[f].aggregates.has_work()) step_aggregates(families_[f]);
}

// The front one.
void Ribs::step_sweep(Sweep& s) {
  Rib& rib = families_[s.family];
  const std::uint32_t end = std::min(rib.table.prefixes().limit(), s.at + kSweepPiece);
  for (; s.at < end; ++s.at) {
    if (rib.table.prefixes().in_use(PrefixId{s.at})) visit(s, rib, PrefixId{s.at});
  }
  if (s.at < rib.table.prefixes().limit()) return;
  if (s.kind == Sweep::Kind::RemoveLeftover) neighbor(s.neighbor).epochs[s.family] = 0;
  sweeps_.pop_front();
}

void Ribs::visit(const Sweep& s, Rib& rib, PrefixId id) {
  const Standing& standing = rib.table.standing(s.neighbor.value());
  const auto leftover = [&](const Path& p) { return p.neighbor == s.neighbor.value() && !standing.fresh(p.epoch); };
  TableChange c{.id = id};
  switch (s.kind) {
    case Sweep::Kind::RemoveLeftover: c = rib.table.remove_if(id, leftover); break;
    case Sweep::Kind::RemoveOlder:
      c = rib.table.remove_if(id, [&](const Path& p) { return leftover(p) && !standing.last(p.epoch); });
      break;
    case Sweep::Kind::RemoveAll:
      c = rib.table.remove_if(id, [&](const Path& p) { return p.neighbor == s.neighbor.value(); });
      break;
    case Sweep::Kind::Accept: {
      const Neighbor& n = neighbor(s.neighbor);
      const Prefix prefix = rib.table.prefixes().prefix(id);
      c = rib.table.accept_anew(id, s.neighbor, [&](const Path& p) {
        return accept(n, {prefix, p.path_id}, p.received);
      });
      break;
    }
    case Sweep::Kind::LongLived: {
      // The best path may stay, but is told with LLGR_STALE, or no more.
      const Path* best = rib.table.best(id);
      const bool told_otherwise = best != nullptr && leftover(*best);
      c = rib.table.decide(id);
      c.best |= told_otherwise;
      break;
    }
    case Sweep::Kind::Decide: c = rib.table.decide(id); break;
  }
  changed(rib, c);
}

bool Ribs::sweeping(Sweep::Kind kind, NeighborId n, Family f) const {
  return std::ranges::any_of(sweeps_, [&](const Sweep& s) { return s.same({kind, f, n, 0}); });
}

void Ribs::finish_removing(NeighborId n, Family f) {
  sweep(Sweep::Kind::RemoveLeftover, n, f);
  while (sweeping(Sweep::Kind::RemoveLeftover, n, f))
    work();
  neighbor(n).epochs[f] = 0;
}

}  // namespace cgw::bgp
