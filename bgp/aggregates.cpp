#include "bgp/aggregates.hpp"

#include <algorithm>
#include <set>

namespace cgw::bgp {
namespace {

using Type = AsPathSegment::Type;

// Prefixes looked at in one piece of work: about a millisecond.
constexpr std::uint32_t kPiece = 4096;
// Sets of attributes that an aggregate with as-set is made of: past it none of their ASs are named, and the attributes
// say so (ATOMIC_AGGREGATE).
constexpr std::size_t kMostSets = 4096;

// The ASs that the path begins with, before any set.
std::vector<Asn> leading(const PathAttributes& a) {
  std::vector<Asn> out;
  for (const AsPathSegment& s : a.as_path) {
    if (s.type != Type::Sequence) break;
    out.insert(out.end(), s.asns.begin(), s.asns.end());
  }
  return out;
}

std::vector<AsPathSegment> aggregated_path(std::span<const PathAttributes> parts) {
  std::vector<Asn> common = leading(parts.front());
  for (const PathAttributes& a : parts.subspan(1)) {
    const auto path = leading(a);
    common.erase(std::ranges::mismatch(common, path).in1, common.end());
  }
  std::set<Asn> rest;
  for (const PathAttributes& a : parts) {
    for (const AsPathSegment& s : a.as_path)
      if (s.type == Type::Sequence || s.type == Type::Set) rest.insert(s.asns.begin(), s.asns.end());
  }
  for (const Asn a : common)
    rest.erase(a);
  std::vector<AsPathSegment> out;
  if (!common.empty()) out.push_back({Type::Sequence, common});
  if (!rest.empty()) out.push_back({Type::Set, {rest.begin(), rest.end()}});
  return out;
}

template <class T>
void unite(std::vector<T>& into, const std::vector<T>& from) {
  std::vector<T> both;
  std::ranges::set_union(into, from, std::back_inserter(both));
  into = std::move(both);
}

template <class T>
std::vector<T> sorted(std::vector<T> v) {
  std::ranges::sort(v);
  v.erase(std::ranges::unique(v).begin(), v.end());
  return v;
}

}  // namespace

PathAttributes aggregated(std::span<const PathAttributes> parts, bool as_set, const Router& router) {
  PathAttributes out;
  for (const PathAttributes& a : parts) {
    out.origin = std::max(out.origin, a.origin);
    out.atomic_aggregate = out.atomic_aggregate || a.atomic_aggregate;
  }
  out.aggregator = {router.asn, IpAddress::v4(router.router_id.value())};
  if (!as_set || parts.empty()) {
    out.atomic_aggregate = true;
    return out;
  }
  out.as_path = aggregated_path(parts);
  for (const PathAttributes& a : parts) {
    unite(out.communities, sorted(a.communities));
    unite(out.extended_communities, sorted(a.extended_communities));
    unite(out.large_communities, sorted(a.large_communities));
  }
  return out;
}

Aggregates::Aggregates(Table& table, AttributePool& pool, const Router& router)
    : table_(table),
      pool_(pool),
      router_(router) {}

Aggregates::~Aggregates() {
  for (std::uint32_t id = 0; id < parts_.size(); ++id)
    pool_.release(parts_[id]);
}

void Aggregates::configure(const std::vector<Aggregate>& wanted) {
  for (State& s : states_) {
    const auto w = std::ranges::find(wanted, s.config.prefix, &Aggregate::prefix);
    const bool there = w != wanted.end();
    if (there && s.phase != Phase::Going && s.config == *w) continue;
    if (!there) {
      s.phase = Phase::Going;
    } else {
      if (s.config.as_set != w->as_set || s.phase == Phase::Going) reset(s);
      s.config = *w;
    }
    suppressing_ = 0;
  }
  for (const Aggregate& w : wanted) {
    if (std::ranges::any_of(states_, [&](const State& s) { return s.config.prefix == w.prefix; })) continue;
    states_.push_back({.config = w});
  }
}

// What is announced stays until the parts are found anew.
void Aggregates::reset(State& s) {
  s = {.config = s.config, .announced = s.announced};
}

// When nobody counts any more, what has been counted is let go.
bool Aggregates::counting() const {
  return std::ranges::any_of(states_, [](const State& s) { return s.phase != Phase::Going; });
}

// What the prefix is a part of an aggregate with, or none.
AttributeId Aggregates::part(PrefixId id) const {
  if (!counting()) return {};
  const Path* best = table_.best(id);
  const bool aggregate = best != nullptr && best->neighbor == 0 && best->path_id == kPathId;
  return best == nullptr || aggregate ? AttributeId{} : best->accepted;
}

void Aggregates::count(State& s, AttributeId attributes, int by) {
  if (attributes == AttributeId{}) return;
  const auto more = static_cast<std::uint32_t>(by);
  const AttributeKeys& keys = pool_.keys(attributes);
  s.count += more;
  s.origins[keys.origin] += more;
  if (keys.atomic_aggregate) s.atomic += more;
  s.dirty = true;
  if (!s.config.as_set) return;
  if ((s.sets[attributes] += more) == 0) s.sets.erase(attributes);
}

void Aggregates::follow(PrefixId id) {
  if (parts_.size() <= id.value()) parts_.resize(id.value() + 1);
  const AttributeId now = part(id), before = parts_[id.value()];
  if (now == before) return;
  const Prefix prefix = table_.prefixes().prefix(id);
  for (State& s : states_) {
    const bool counted = s.phase == Phase::Standing || (s.phase == Phase::Finding && s.found > id.value());
    if (!counted || s.config.prefix == prefix || !s.config.prefix.contains(prefix)) continue;
    count(s, before, -1);
    count(s, now, 1);
  }
  pool_.hold(now);
  pool_.release(std::exchange(parts_[id.value()], now));
}

bool Aggregates::to_be_suppressed(PrefixId id) const {
  if (id.value() >= parts_.size() || parts_[id.value()] == AttributeId{}) return false;
  const Prefix prefix = table_.prefixes().prefix(id);
  return std::ranges::any_of(states_, [&](const State& s) {
    return s.phase == Phase::Standing && s.config.summary_only && s.config.prefix != prefix &&
           s.config.prefix.contains(prefix);
  });
}

// True: it is told otherwise than before.
bool Aggregates::suppress(PrefixId id) {
  return to_be_suppressed(id) ? suppressed_.set(id.value()) : suppressed_.clear(id.value());
}

bool Aggregates::has_work() const {
  return suppressing_.has_value() || std::ranges::any_of(states_, [](const State& s) {
           return s.phase == Phase::Finding || (s.phase == Phase::Standing && s.dirty);
         });
}

Aggregates::Outcome Aggregates::work() {
  Outcome out;
  walk_parts();
  announce(out);
  if (suppressing_) walk_suppression(out);
  return out;
}

void Aggregates::find(PrefixId id) {
  follow(id);
  const Prefix prefix = table_.prefixes().prefix(id);
  for (State& s : states_) {
    if (s.phase != Phase::Finding || s.found != id.value()) continue;
    if (s.config.prefix != prefix && s.config.prefix.contains(prefix)) count(s, parts_[id.value()], 1);
  }
}

// One walk for all that are at the place of the one that is behind.
void Aggregates::walk_parts() {
  std::uint32_t at = table_.prefixes().limit();
  bool any = false;
  for (const State& s : states_) {
    if (s.phase != Phase::Finding) continue;
    any = true;
    at = std::min(at, s.found);
  }
  if (!any) return;
  const std::uint32_t end = std::min(table_.prefixes().limit(), at + kPiece);
  for (; at < end; ++at) {
    if (table_.prefixes().in_use(PrefixId{at})) find(PrefixId{at});
    for (State& s : states_)
      if (s.phase == Phase::Finding && s.found == at) ++s.found;
  }
  for (State& s : states_) {
    if (s.phase != Phase::Finding || s.found < table_.prefixes().limit()) continue;
    s.phase = Phase::Standing;
    s.dirty = true;
    suppressing_ = 0;
  }
}

void Aggregates::announce(Outcome& out) {
  for (State& s : states_) {
    if (s.phase != Phase::Standing || !std::exchange(s.dirty, false)) continue;
    if (s.count == 0 && !s.announced) continue;
    s.announced = s.count > 0;
    out.routes.emplace_back(s.config.prefix, s.announced ? attributes(s) : AttributeId{});
  }
}

AttributeId Aggregates::attributes(const State& s) const {
  std::vector<PathAttributes> parts;
  const bool as_set = s.config.as_set && s.sets.size() <= kMostSets;
  if (as_set) {
    for (const auto& [id, n] : s.sets)
      parts.push_back(pool_.attributes(id));
  }
  PathAttributes a = aggregated(parts, as_set, router_);
  for (std::uint8_t o = 0; o < s.origins.size(); ++o)
    if (s.origins[o] > 0) a.origin = Origin{o};
  a.atomic_aggregate = a.atomic_aggregate || s.atomic > 0;
  return pool_.intern(a, {.weight = 32768});  // as FRR's own routes
}

void Aggregates::walk_suppression(Outcome& out) {
  const std::uint32_t end = std::min(table_.prefixes().limit(), *suppressing_ + kPiece);
  for (; *suppressing_ < end; ++*suppressing_) {
    const PrefixId id{*suppressing_};
    if (!table_.prefixes().in_use(id)) continue;
    follow(id);
    if (suppress(id)) out.again.push_back(id);
  }
  if (*suppressing_ < table_.prefixes().limit()) return;
  suppressing_.reset();
  // Their parts are told again.
  std::erase_if(states_, [&](const State& s) {
    if (s.phase != Phase::Going) return false;
    if (s.announced) out.routes.emplace_back(s.config.prefix, AttributeId{});
    return true;
  });
}

std::uint32_t Aggregates::parts(const Prefix& p) const {
  const auto s = std::ranges::find(states_, p, [](const State& state) { return state.config.prefix; });
  return s == states_.end() || s->phase == Phase::Going ? 0 : s->count;
}

}  // namespace cgw::bgp
