#include "config/config.hpp"

namespace cgw::config {

std::optional<IpAddress> bgp_identifier(const Config& c) {
  if (c.bgp && c.bgp->router_id) return c.bgp->router_id;
  std::optional<IpAddress> inside;
  for (const auto& connection : c.connections) {
    for (const auto& [number, t] : connection.tunnels) {
      if (t.customer_gateway_outside && t.customer_gateway_outside->is_v4()) return t.customer_gateway_outside;
      const bool v4_inside = t.customer_gateway_inside && t.customer_gateway_inside->address.is_v4();
      if (!inside && v4_inside) inside = t.customer_gateway_inside->address;
    }
  }
  return inside;
}

}  // namespace cgw::config
