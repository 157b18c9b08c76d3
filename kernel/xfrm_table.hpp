#pragma once
#include <functional>
#include <optional>

#include "kernel/xfrm.hpp"
#include "kernel/xfrm_message.hpp"

// SAs and policies as they are in the kernel.
namespace cgw::kernel::xfrm {

// Removes the SAs and policies for which the predicate holds. What vanished meanwhile is not counted.
KernelResult<std::size_t> remove_sas(RequestSocket& socket, const std::function<bool(const SaInfo&)>& which);
KernelResult<std::size_t> remove_policies(RequestSocket& socket, const std::function<bool(const PolicyInfo&)>& which);

// Not being there is no error: nullopt, or nothing done.
KernelResult<std::optional<SaInfo>> find_sa(RequestSocket& socket, const SaName& name);
KernelResult<void> remove_sa(RequestSocket& socket, const SaName& name);
KernelResult<void> remove_policy(RequestSocket& socket, IfId id, PolicyDirection d, const Selectors& s);

}  // namespace cgw::kernel::xfrm
