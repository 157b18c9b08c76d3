#pragma once
#include <functional>
#include <optional>
#include <vector>

#include "kernel/xfrm.hpp"
#include "kernel/xfrm_message.hpp"
#include "kernel/xfrm_policy.hpp"

// SAs and policies as they are in the kernel.
namespace cgw::kernel::xfrm {

KernelResult<std::vector<SaInfo>> list_sas(RequestSocket& socket, const std::function<bool(const SaInfo&)>& which);
KernelResult<std::vector<Policy>> list_policies(RequestSocket& socket, const std::function<bool(const Policy&)>& which);

// Removes the SAs and policies for which the predicate holds. What vanished meanwhile is not counted.
KernelResult<std::size_t> remove_sas(RequestSocket& socket, const std::function<bool(const SaInfo&)>& which);
KernelResult<std::size_t> remove_policies(RequestSocket& socket, const std::function<bool(const Policy&)>& which);

// Not being there is no error: nullopt, or nothing done.
KernelResult<std::optional<SaInfo>> find_sa(RequestSocket& socket, const SaName& name);
KernelResult<void> remove_sa(RequestSocket& socket, const SaName& name);
KernelResult<void> remove_policy(RequestSocket& socket, const Policy& p);

}  // namespace cgw::kernel::xfrm
