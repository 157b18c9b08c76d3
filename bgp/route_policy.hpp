#pragma once
#include "bgp/attribute_pool.hpp"
#include "bgp/types.hpp"

namespace cgw::bgp {

// The neighbor a route comes from or goes to, as far as a policy may look at it.
struct PolicyContext {
  IpAddress neighbor;
  Asn neighbor_as;
  bool ebgp = true;
  bool operator==(const PolicyContext&) const = default;
};

// What an operator wants done to routes: route-maps and the lists they use. Immutable; another policy is another
// object.
class RoutePolicy {
 public:
  virtual ~RoutePolicy() = default;
  // False: denied; the attributes then mean nothing.
  virtual bool apply(const Nlri& nlri, const PolicyContext& context, PathAttributes& attributes,
                     LocalValues& local) const = 0;
  // Whether the answer depends on the prefix. If not, one answer serves all routes with the same attributes.
  virtual bool looks_at_prefix() const = 0;
  // Whether it depends on the context.
  virtual bool looks_at_neighbor() const = 0;
};

}  // namespace cgw::bgp
