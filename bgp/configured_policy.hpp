#pragma once
#include <string>

#include "bgp/policy/neighbor_policy.hpp"
#include "bgp/route_policy.hpp"

namespace cgw::bgp {

// The tunnel behind a neighbor, if it is one, for `match interface` and `match tunnel`.
struct BehindTunnel {
  std::string interface, connection;
  unsigned number = 0;
};

// A neighbor's configured filters as the tables ask for them.
class ConfiguredPolicy final : public RoutePolicy {
 public:
  explicit ConfiguredPolicy(policy::NeighborPolicy filters, BehindTunnel tunnel = {})
      : filters_(std::move(filters)),
        tunnel_(std::move(tunnel)) {}

  bool apply(policy::Route& route, const PolicyContext& context) const override {
    policy::Context c;
    c.direction = context.import ? policy::Context::Direction::Import : policy::Context::Direction::Export;
    c.peer = context.neighbor;
    c.interface = tunnel_.interface;
    c.connection = tunnel_.connection;
    c.tunnel = tunnel_.number;
    return filters_.apply(route, c);
  }
  std::optional<std::uint64_t> class_of(const Prefix& p) const override { return filters_.class_of(p); }
  bool looks_at_neighbor() const override { return filters_.depends_on().context; }

 private:
  policy::NeighborPolicy filters_;
  BehindTunnel tunnel_;
};

}  // namespace cgw::bgp
