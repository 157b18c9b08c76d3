#include "daemon/data_plane_choice.hpp"

namespace cgw {

Result<ChosenPlane, std::string> choose_data_plane(config::DataPlane wanted, unsigned threads, int udp4500,
                                                   int udp4500_v6) {
  const kernel::Capability c = kernel::probe_capability();
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
                         : kernel::make_userspace_plane(udp4500, udp4500_v6, threads);
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
