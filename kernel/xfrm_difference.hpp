#pragma once
#include <span>
#include <vector>

#include "kernel/xfrm_message.hpp"
#include "kernel/xfrm_policy.hpp"

// What the kernel holds, against what it should hold. Pure.
namespace cgw::kernel::xfrm {

// An SA of ours as it should be there.
struct ExpectedSa {
  SaName name;
  IfId id;
};

struct Difference {
  std::vector<ExpectedSa> lost;        // not there, or another one in its place
  std::vector<SaInfo> strange_sas;     // in our if_ids, and not of our making
  std::vector<Policy> wrong_policies;  // to be put again: not there, or changed
  std::vector<Policy> strange_policies;
};

// Only the tunnels in `settled` have strangers: in others an earlier process's SAs carry the traffic still.
Difference compare(std::span<const ExpectedSa> sas, std::span<const Policy> policies, std::span<const SaInfo> there,
                   std::span<const Policy> policies_there, std::span<const IfId> settled);

}  // namespace cgw::kernel::xfrm
