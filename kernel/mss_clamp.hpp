#pragma once
#include <map>
#include <string>

#include "kernel/error.hpp"

namespace cgw::kernel {

struct ClampedLink {
  std::uint32_t mss_v4 = 0, mss_v6 = 0;
  bool operator==(const ClampedLink&) const = default;
};
using ClampedLinks = std::map<std::string, ClampedLink>;

// Makes the nft table "inet cgwd" clamp the MSS of TCP SYNs that enter or leave these interfaces (forwarded
// and our own), in one transaction. An empty map removes the table. before: what an earlier call set; then only
// interfaces are moved where that is all, and the table is replaced whole where it is not.
KernelResult<void> set_mss_clamp(const ClampedLinks& links, const ClampedLinks& before = {});

}  // namespace cgw::kernel
