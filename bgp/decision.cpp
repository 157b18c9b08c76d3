#include "bgp/decision.hpp"

#include <algorithm>
#include <compare>

namespace cgw::bgp {
namespace {

int sign(std::strong_ordering o) {
  return o < 0 ? -1 : (o > 0 ? 1 : 0);
}

// Less is better.
template <class T>
int lower(const T& a, const T& b) {
  return sign(a <=> b);
}

bool stale(const Candidate& c) {
  return c.llgr_stale || c.keys->llgr_stale;
}

bool same_neighbor_as(const Candidate& a, const Candidate& b) {
  return a.keys->neighbor_as == b.keys->neighbor_as;
}

std::uint32_t med(const Candidate& c, const DecisionOptions& o) {
  return !c.keys->has_med && o.missing_med_as_worst ? 0xffffffff : c.keys->med;
}

// RFC 4456 9: ORIGINATOR_ID stands for the router id of a reflected path.
std::uint32_t router_id(const Candidate& c) {
  return c.keys->originator != 0 ? c.keys->originator : c.source->router_id;
}

bool external(SourceKind k) {
  return k == SourceKind::Ebgp || k == SourceKind::ConfedEbgp;
}

// Of external paths only (RFC 5004); who is compared by router id has no age.
int older(const Candidate& a, const Candidate& b, const DecisionOptions& o) {
  if (o.compare_router_id || !external(a.source->kind) || !external(b.source->kind)) return 0;
  return lower(a.since, b.since);
}

int by_rule(Rule r, const Candidate& a, const Candidate& b, const DecisionOptions& o) {
  switch (r) {
    case Rule::Same: return 0;
    case Rule::LlgrStale: return lower(stale(a), stale(b));
    case Rule::Weight: return lower(b.keys->local.weight, a.keys->local.weight);
    case Rule::LocalPref: return lower(b.keys->local_pref, a.keys->local_pref);
    case Rule::LocalOrigin: return lower(a.source->kind != SourceKind::Local, b.source->kind != SourceKind::Local);
    case Rule::AsPathLength: return o.as_path_ignore ? 0 : lower(a.keys->as_path_length, b.keys->as_path_length);
    case Rule::Origin: return lower(a.keys->origin, b.keys->origin);
    case Rule::Med: return o.always_compare_med || same_neighbor_as(a, b) ? lower(med(a, o), med(b, o)) : 0;
    case Rule::Kind: return lower(a.source->kind == SourceKind::Ibgp, b.source->kind == SourceKind::Ibgp);
    case Rule::IgpMetric: return lower(a.igp_metric, b.igp_metric);
    case Rule::Oldest: return older(a, b, o);
    case Rule::BgpIdentifier: return lower(router_id(a), router_id(b));
    case Rule::ClusterLength: return lower(a.keys->cluster_length, b.keys->cluster_length);
    case Rule::PeerAddress: return lower(a.source->address, b.source->address);
    case Rule::PathId: return lower(a.path_id, b.path_id);
  }
  return 0;
}

Comparison compare_up_to(Rule last, const Candidate& a, const Candidate& b, const DecisionOptions& o) {
  for (auto r = Rule::LlgrStale; r <= last; r = static_cast<Rule>(static_cast<int>(r) + 1)) {
    if (const int order = by_rule(r, a, b, o); order != 0) return {order, r};
  }
  return {};
}

}  // namespace

std::string_view to_string(Rule r) {
  switch (r) {
    case Rule::Same: return "same path";
    case Rule::LlgrStale: return "not long-lived stale";
    case Rule::Weight: return "weight";
    case Rule::LocalPref: return "local preference";
    case Rule::LocalOrigin: return "locally originated";
    case Rule::AsPathLength: return "AS path length";
    case Rule::Origin: return "origin";
    case Rule::Med: return "MED";
    case Rule::Kind: return "eBGP over iBGP";
    case Rule::IgpMetric: return "metric to the next hop";
    case Rule::Oldest: return "older path";
    case Rule::BgpIdentifier: return "BGP identifier";
    case Rule::ClusterLength: return "cluster list length";
    case Rule::PeerAddress: return "neighbor address";
    case Rule::PathId: return "path id";
  }
  return "?";
}

Comparison compare(const Candidate& a, const Candidate& b, const DecisionOptions& o) {
  return compare_up_to(Rule::PathId, a, b, o);
}

std::size_t select(std::span<const Candidate> candidates, const DecisionOptions& o) {
  if (candidates.size() == 1) return 0;
  if (candidates.size() == 2) return compare(candidates[0], candidates[1], o).order <= 0 ? 0 : 1;
  // MED makes the relation intransitive across ASs; within one it is an order. So: winners by AS, then among winners.
  std::vector<std::size_t> order;
  order.reserve(candidates.size());
  for (std::size_t i = 0; i < candidates.size(); ++i)
    order.push_back(i);
  std::ranges::sort(order, {}, [&](std::size_t i) { return std::pair(candidates[i].keys->neighbor_as, i); });
  std::vector<std::size_t> winners;
  for (const std::size_t i : order) {
    const bool first = winners.empty() || !same_neighbor_as(candidates[winners.back()], candidates[i]);
    if (first) {
      winners.push_back(i);
    } else if (compare(candidates[i], candidates[winners.back()], o).order < 0) {
      winners.back() = i;
    }
  }
  return *std::ranges::min_element(
      winners, [&](std::size_t a, std::size_t b) { return compare(candidates[a], candidates[b], o).order < 0; });
}

bool is_multipath(const Candidate& best, const Candidate& other, const DecisionOptions& o) {
  const bool both_internal = best.source->kind == SourceKind::Ibgp && other.source->kind == SourceKind::Ibgp;
  const bool both_external = external(best.source->kind) && external(other.source->kind);
  if ((both_internal ? o.maximum_paths_ibgp : o.maximum_paths) <= 1 || !(both_internal || both_external)) return false;
  if (compare_up_to(Rule::IgpMetric, best, other, o).order != 0) return false;
  return o.multipath_relax || same_neighbor_as(best, other);
}

}  // namespace cgw::bgp
