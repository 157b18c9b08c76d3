#include "kernel/xfrm_difference.hpp"

#include <algorithm>

namespace cgw::kernel::xfrm {

Difference compare(std::span<const ExpectedSa> sas, std::span<const Policy> policies, std::span<const SaInfo> there,
                   std::span<const Policy> policies_there, std::span<const IfId> settled) {
  Difference out;
  const auto is_settled = [&](IfId id) { return std::ranges::find(settled, id) != settled.end(); };
  for (const auto& sa : sas) {
    const auto alive = [&](const SaInfo& t) {
      return t.name == sa.name && t.id == sa.id && t.reqid == sa.id.value() && !t.larval;
    };
    if (std::ranges::none_of(there, alive)) out.lost.push_back(sa);
  }
  for (const auto& t : there) {
    const auto ours = [&](const ExpectedSa& sa) { return sa.name == t.name && sa.id == t.id; };
    if (is_settled(t.id) && t.reqid == t.id.value() && std::ranges::none_of(sas, ours)) out.strange_sas.push_back(t);
  }
  for (const auto& p : policies) {
    if (std::ranges::find(policies_there, p) == policies_there.end()) out.wrong_policies.push_back(p);
  }
  for (const auto& t : policies_there) {
    const auto ours = [&](const Policy& p) { return p.same_place(t); };
    if (is_settled(t.id) && std::ranges::none_of(policies, ours)) out.strange_policies.push_back(t);
  }
  return out;
}

}  // namespace cgw::kernel::xfrm
