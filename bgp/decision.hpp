#pragma once
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "bgp/attribute_pool.hpp"

// Which of the paths to a prefix is best: RFC 4271 9.1.2.2 as everybody has come to do it, rule by rule.
namespace cgw::bgp {

// How a path came here. Locally originated ones beat learned ones (FRR, IOS).
enum class SourceKind : std::uint8_t { Local, Ebgp, ConfedEbgp, Ibgp };

// Who a path was learned from, as far as paths are compared by it.
struct PathSource {
  SourceKind kind = SourceKind::Ebgp;
  std::uint32_t router_id = 0;
  IpAddress address;
};

struct Candidate {
  const AttributeKeys* keys = nullptr;
  const PathSource* source = nullptr;
  std::uint32_t igp_metric = 0;  // to its NEXT_HOP
  std::uint32_t since = 0;       // seconds on any one clock
  std::uint32_t path_id = 0;
  bool llgr_stale = false;  // by our own timer; the community says it of a neighbor's
};

struct DecisionOptions {
  bool always_compare_med = false;
  bool missing_med_as_worst = false;
  bool as_path_ignore = false;
  bool compare_router_id = false;  // never prefer the older of two eBGP paths
  std::uint32_t maximum_paths = 1;
  std::uint32_t maximum_paths_ibgp = 1;
  bool multipath_relax = false;  // AS_PATHs of equal length, whatever they hold, share traffic
  bool operator==(const DecisionOptions&) const = default;
};

// In the order of application; its words are for `show bgp ... PREFIX` and `show ip route X why`.
enum class Rule : std::uint8_t {
  Same,
  LlgrStale,
  Weight,
  LocalPref,
  LocalOrigin,
  AsPathLength,
  Origin,
  Med,
  Kind,  // eBGP over iBGP
  IgpMetric,
  Oldest,
  BgpIdentifier,
  ClusterLength,
  PeerAddress,
  PathId,
};
std::string_view to_string(Rule r);

// Negative: a is better. A total order but for MED, which compares paths of one neighboring AS only.
struct Comparison {
  int order = 0;
  Rule rule = Rule::Same;
};
Comparison compare(const Candidate& a, const Candidate& b, const DecisionOptions& o);

// The index of the best of at least one: the best of each neighboring AS first, then of these (deterministic MED), so
// that the order of arrival decides nothing.
std::size_t select(std::span<const Candidate> candidates, const DecisionOptions& o);

// May the packets be shared among it and the best path?
bool is_multipath(const Candidate& best, const Candidate& other, const DecisionOptions& o);

}  // namespace cgw::bgp
