#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bgp/policy/apply.hpp"

namespace cgw::bgp::policy {

// What stands when a neighbor has no filter of its own in a direction.
enum class Default : std::uint8_t {
  Permit,        // iBGP
  Deny,          // RFC 8212: an eBGP neighbor that is no tunnel
  TunnelImport,  // all but the default route and what RFC 6890 keeps out of routing
};

// The filters of one neighbor, family and direction, as configured; empty: none.
struct Filters {
  std::string prefix_list, filter_list, route_map;
  Default otherwise = Default::Permit;
  bool none() const { return prefix_list.empty() && filter_list.empty() && route_map.empty(); }
  auto operator<=>(const Filters&) const = default;
};

// What a result depends on beside the route's attributes, so that callers know how far one may be used again.
struct Dependence {
  bool prefix = false;   // ask class_of()
  bool context = false;  // match interface, tunnel, source-protocol, peer or tag: of the single path
};

// Import or export policy of one neighbor: prefix-list, then filter-list, then route-map; a filter that is named and
// does not exist denies (FRR). Immutable, shares the set.
class NeighborPolicy {
 public:
  NeighborPolicy(std::shared_ptr<const PolicySet> set, Family family, Filters filters);

  bool apply(Route& route, const Context& context, Trace* trace = nullptr) const;

  // Routes with the same attributes, context and class meet the same fate: callers keep the result by attribute set and
  // class. The class says which of the policy's prefix lists permit the prefix, and is 0 where it has none. None: there
  // are more than 64 lists, apply anew.
  std::optional<std::uint64_t> class_of(const Prefix& p) const;
  const Dependence& depends_on() const { return depends_on_; }

  // Neighbors with equal policies may share what export has made, unless it depends on the context.
  bool operator==(const NeighborPolicy& o) const {
    return set_ == o.set_ && family_ == o.family_ && filters_ == o.filters_;
  }

 private:
  void look_at(std::string_view route_map, std::vector<std::string>& seen);
  bool by_default(const Route& route, Trace* trace) const;

  std::shared_ptr<const PolicySet> set_;
  Family family_;
  Filters filters_;
  Dependence depends_on_;
  std::vector<const PrefixList*> lists_;  // that the prefix is looked up in, each once
};

}  // namespace cgw::bgp::policy
