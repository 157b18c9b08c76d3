#include "bgp/policy/as_path_list.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace cgw::bgp::policy {

std::string AsPathRule::to_string() const {
  return fmt::format("seq {} {} {}", seq, policy::to_string(action), regex.text());
}

AsPathList::AsPathList(std::vector<AsPathRule> rules) : rules_(std::move(rules)) {
  std::ranges::sort(rules_, {}, &AsPathRule::seq);
}

AsPathList::Verdict AsPathList::apply(std::string_view as_path) const {
  for (const AsPathRule& r : rules_) {
    if (r.regex.matches(as_path)) return {r.action, &r};
  }
  return {Action::Deny, nullptr};
}

}  // namespace cgw::bgp::policy
