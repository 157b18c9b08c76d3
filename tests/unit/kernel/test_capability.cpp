#include <doctest/doctest.h>

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
  }
}

}  // namespace
}  // namespace cgw::kernel
