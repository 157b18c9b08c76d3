#pragma once
#include <string>

#include "kernel/mss_clamp.hpp"

// The text behind set_mss_clamp(), and the removal that purge() counts.
namespace cgw::kernel {

// nft commands that replace the table whole; one transaction when run together.
KernelResult<std::string> mss_ruleset(const ClampedLinks& links);
// nft commands that move interfaces between the table's sets; empty: it has other sets then.
std::string mss_moves(const ClampedLinks& before, const ClampedLinks& links);

// False: there was none.
KernelResult<bool> remove_mss_table();

}  // namespace cgw::kernel
