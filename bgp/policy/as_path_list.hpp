#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

#include "bgp/policy/prefix_list.hpp"
#include "bgp/policy/regex.hpp"

namespace cgw::bgp::policy {

// bgp as-path access-list NAME seq SEQ permit|deny REGEX
struct AsPathRule {
  std::uint32_t seq = 0;
  Action action = Action::Deny;
  Regex regex;
  std::string to_string() const;  // "seq 5 permit ^65001_"
};

// The first rule by number that matches the path's text decides; none: denied.
class AsPathList {
 public:
  explicit AsPathList(std::vector<AsPathRule> rules);

  struct Verdict {
    Action action;
    const AsPathRule* rule;  // null: none matched
  };
  Verdict apply(std::string_view as_path) const;

 private:
  std::vector<AsPathRule> rules_;
};

}  // namespace cgw::bgp::policy
