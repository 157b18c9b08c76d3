#pragma once
#include <map>
#include <string>

#include "kernel/mss_clamp.hpp"

// The text behind set_mss_clamp(), and the removal that purge() counts.
namespace cgw::kernel {

// nft commands that replace the table whole; one transaction when run together.
KernelResult<std::string> mss_ruleset(const std::map<std::string, ClampedLink>& links);

// False: there was none.
KernelResult<bool> remove_mss_table();

}  // namespace cgw::kernel
