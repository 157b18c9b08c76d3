#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "bgp/policy/prefix_list.hpp"
#include "bgp/policy/regex.hpp"
#include "bgp/types.hpp"

namespace cgw::bgp::policy {

// The text that expanded lists match, of one community: "65000:1", "65000:1:2", "RT:65000:1".
std::string text_of(Community c);
std::string text_of(const LargeCommunity& c);
std::string text_of(ExtendedCommunity c);

// bgp community-list standard NAME seq SEQ permit|deny COMMUNITY...
// bgp community-list expanded NAME seq SEQ permit|deny REGEX
template <class T>
struct CommunityRule {
  std::uint32_t seq = 0;
  Action action = Action::Deny;
  std::variant<std::vector<T>, Regex> what;  // a standard rule's communities, in order
  std::string to_string() const;
};

// The first rule by number that matches decides; none: denied. Of PathAttributes' three kinds of communities.
template <class T>
class CommunityList {
 public:
  explicit CommunityList(std::vector<CommunityRule<T>> rules);

  struct Verdict {
    Action action;
    const CommunityRule<T>* rule;  // null: none matched
  };
  // A standard rule matches when the route has all its communities; exact: and no other. An expanded one looks at the
  // text of all communities in order, exact or not.
  Verdict apply(std::span<const T> communities, bool exact) const;
  // Whether `set comm-list NAME delete` takes this one away: here each community stands alone.
  bool permits(const T& community) const;

 private:
  std::vector<CommunityRule<T>> rules_;
};

extern template class CommunityList<Community>;
extern template class CommunityList<LargeCommunity>;
extern template class CommunityList<ExtendedCommunity>;

}  // namespace cgw::bgp::policy
