#include "bgp/policy/community_list.hpp"

#include <algorithm>
#include <type_traits>

#include <fmt/format.h>

#include "base/communities.hpp"

namespace cgw::bgp::policy {
namespace {

template <class T>
std::vector<T> in_order(std::span<const T> communities) {
  std::vector<T> out(communities.begin(), communities.end());
  std::ranges::sort(out);
  const auto rest = std::ranges::unique(out);
  out.erase(rest.begin(), rest.end());
  return out;
}

template <class T>
std::string text_of_all(const std::vector<T>& communities) {
  std::string out;
  for (const T& c : communities)
    out += (out.empty() ? "" : " ") + text_of(c);
  return out;
}

// "internet" in a standard rule stands for any route, even where the match is to be exact (FRR).
template <class T>
bool means_all(const std::vector<T>& rule) {
  if constexpr (std::is_same_v<T, Community>) return std::ranges::find(rule, kInternetCommunity) != rule.end();
  return false;
}

}  // namespace

std::string text_of(Community c) {
  return community_text(c);
}
std::string text_of(const LargeCommunity& c) {
  return large_community_text(c);
}
std::string text_of(ExtendedCommunity c) {
  return extended_community_text(c);
}

template <class T>
std::string CommunityRule<T>::to_string() const {
  const auto* regex = std::get_if<Regex>(&what);
  return fmt::format("seq {} {} {}", seq, policy::to_string(action),
                     regex != nullptr ? regex->text() : text_of_all(std::get<std::vector<T>>(what)));
}

template <class T>
CommunityList<T>::CommunityList(std::vector<CommunityRule<T>> rules) : rules_(std::move(rules)) {
  std::ranges::sort(rules_, {}, &CommunityRule<T>::seq);
  for (auto& r : rules_) {
    if (auto* standard = std::get_if<std::vector<T>>(&r.what)) *standard = in_order(std::span<const T>(*standard));
  }
}

template <class T>
auto CommunityList<T>::apply(std::span<const T> communities, bool exact) const -> Verdict {
  const std::vector<T> own = in_order(communities);
  std::optional<std::string> text;
  for (const auto& r : rules_) {
    bool hit = false;
    if (const auto* standard = std::get_if<std::vector<T>>(&r.what)) {
      hit = means_all(*standard) || (exact ? own == *standard : std::ranges::includes(own, *standard));
    } else {
      if (!text) text = text_of_all(own);
      hit = std::get<Regex>(r.what).matches(*text);
    }
    if (hit) return {r.action, &r};
  }
  return {Action::Deny, nullptr};
}

template <class T>
bool CommunityList<T>::permits(const T& community) const {
  for (const auto& r : rules_) {
    const auto* standard = std::get_if<std::vector<T>>(&r.what);
    const bool hit = standard != nullptr ? means_all(*standard) || std::ranges::binary_search(*standard, community)
                                         : std::get<Regex>(r.what).matches(text_of(community));
    if (hit) return r.action == Action::Permit;
  }
  return false;
}

template struct CommunityRule<Community>;
template struct CommunityRule<LargeCommunity>;
template struct CommunityRule<ExtendedCommunity>;
template class CommunityList<Community>;
template class CommunityList<LargeCommunity>;
template class CommunityList<ExtendedCommunity>;

}  // namespace cgw::bgp::policy
