#pragma once
#include <cstddef>

#include "kernel/error.hpp"

namespace cgw::kernel {

// if_ids of ours; an SA is ours when its reqid is its if_id and lies here.
inline constexpr std::uint32_t kIfIdFirst = 0x0c670001;
inline constexpr std::uint32_t kIfIdLast = 0x0c67ffff;
constexpr bool is_our_if_id(IfId id) {
  return id.value() >= kIfIdFirst && id.value() <= kIfIdLast;
}

struct XfrmPurged {
  std::size_t states = 0, policies = 0;
};
// Removes every SA and policy whose if_id is ours, whoever installed it. A kernel without XFRM has none.
KernelResult<XfrmPurged> purge_xfrm();

}  // namespace cgw::kernel
