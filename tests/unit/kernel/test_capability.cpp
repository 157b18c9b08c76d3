#include <doctest/doctest.h>

#include "kernel/capability.hpp"
#include "kernel/data_plane.hpp"

namespace cgw::kernel {
namespace {

TEST_SUITE("kernel/capability") {
  TEST_CASE("whatever this machine lacks is named, and only that") {
    const Capability c = probe_capability();
    CAPTURE(c.why_not_kernel);
    CAPTURE(c.why_not_userspace);
    CHECK((c.kernel_esp && c.xfrm_interface) == c.why_not_kernel.empty());
    CHECK(c.tun == c.why_not_userspace.empty());
    const std::string v6 = why_no_esp_over_ipv6();
    CAPTURE(v6);
    // No kernel has ESP over IPv6 and not over IPv4 here.
    CHECK((c.kernel_esp || !v6.empty()));
  }
}

}  // namespace
}  // namespace cgw::kernel
