#pragma once
#include <cstdint>
#include <optional>

#include "bgp/policy/apply.hpp"

namespace cgw::bgp {

// The neighbor a route comes from or goes to, as far as a policy may look at it.
struct PolicyContext {
  IpAddress neighbor;
  bool import = true;
  bool operator==(const PolicyContext&) const = default;
};

// What an operator wants done to the routes of one neighbor in one direction. Immutable: another policy is another
// object.
class RoutePolicy {
 public:
  virtual ~RoutePolicy() = default;
  // False: denied; the route then means nothing.
  virtual bool apply(policy::Route& route, const PolicyContext& context) const = 0;
  // Prefixes of one class with the same attributes meet the same fate. None: no two prefixes need do.
  virtual std::optional<std::uint64_t> class_of(const Prefix& p) const = 0;
  // Whether the answer depends on the context.
  virtual bool looks_at_neighbor() const = 0;
};

}  // namespace cgw::bgp
