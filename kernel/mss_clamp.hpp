#pragma once
#include <map>
#include <string>

#include "kernel/error.hpp"

namespace cgw::kernel {

struct ClampedLink {
  std::uint32_t mss_v4 = 0, mss_v6 = 0;
  bool operator==(const ClampedLink&) const = default;
};

// Makes the nft table "inet cgwd" clamp the MSS of TCP SYNs that enter or leave these interfaces (forwarded
// and our own), replacing it whole in one transaction. An empty map removes the table.
KernelResult<void> set_mss_clamp(const std::map<std::string, ClampedLink>& links);

}  // namespace cgw::kernel
