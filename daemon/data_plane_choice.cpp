#include "daemon/data_plane_choice.hpp"

#include <fmt/format.h>

#include "kernel/capability.hpp"

namespace cgw {
namespace {

// What the kernel's ESP lacks for this configuration, and who needs it; empty: nothing.
std::string why_not_over_ipv6(const config::Config& config) {
  for (const auto& connection : config.connections) {
    for (const auto& [number, t] : connection.tunnels) {
      if (!t.vpn_gateway_outside || t.vpn_gateway_outside->is_v4() || t.shutdown) continue;
      const std::string why = kernel::why_no_esp_over_ipv6();
      if (why.empty()) return {};
      return fmt::format("{}, and vpn connection {} tunnel {} has the outside address {}", why, connection.id, number,
                         t.vpn_gateway_outside->to_string());
    }
  }
  return {};
}

}  // namespace

Result<ChosenPlane, std::string> choose_data_plane(const config::Config& config, int udp4500, int udp4500_v6) {
  const config::DataPlane wanted = config.data_plane;
  kernel::Capability c = kernel::probe_capability();
  if (c.why_not_kernel.empty() && wanted != config::DataPlane::Userspace) c.why_not_kernel = why_not_over_ipv6(config);
  if (!c.nexthop_objects) {
    return fail(
        std::string("this kernel has no nexthop objects (Linux 5.3 or newer is needed), or cgwd lacks CAP_NET_ADMIN"));
  }
  const bool kernel_fits = c.why_not_kernel.empty();
  if (wanted == config::DataPlane::Kernel && !kernel_fits) {
    return fail("data-plane kernel: " + c.why_not_kernel + "; use 'data-plane auto' or 'data-plane userspace'");
  }
  ChosenPlane out;
  const bool in_kernel = kernel_fits && wanted != config::DataPlane::Userspace;
  if (!in_kernel && !c.tun) return fail("data-plane userspace: " + c.why_not_userspace);
  auto plane = in_kernel ? kernel::make_xfrm_plane(udp4500, udp4500_v6)
                         : kernel::make_userspace_plane(udp4500, udp4500_v6, config.plane_threads);
  if (!plane) return fail("data plane: " + plane.error().to_string());
  out.plane = std::move(*plane);
  switch (wanted) {
    case config::DataPlane::Kernel:
    case config::DataPlane::Userspace: out.reason = "as configured"; break;
    case config::DataPlane::Auto:
      out.reason = in_kernel ? "auto: this kernel has ESP and xfrm interfaces" : "auto: " + c.why_not_kernel;
      break;
  }
  return out;
}

}  // namespace cgw
