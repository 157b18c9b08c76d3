#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/ip.hpp"

// Lists and route-maps as they are written; what they mean is bgp/policy's.
namespace cgw::config {

template <class T>
using Named = std::map<std::string, T, std::less<>>;
template <class Rule>
using BySequence = std::map<std::uint32_t, Rule>;

struct PrefixListRule {
  bool permit = false;
  bool any = false;  // written as "any"
  Prefix prefix;
  std::optional<std::uint8_t> ge, le;
  bool operator==(const PrefixListRule&) const = default;
};
struct PrefixList {
  std::string description;
  BySequence<PrefixListRule> rules;
  bool operator==(const PrefixList&) const = default;
};

// An as-path access-list's rule, or a community-list's: a regular expression, or a standard list's communities, in
// order.
struct TextRule {
  bool permit = false;
  std::string text;
  bool operator==(const TextRule&) const = default;
};
struct CommunityList {
  bool expanded = false;
  BySequence<TextRule> rules;
  bool operator==(const CommunityList&) const = default;
};
enum class CommunityKind : std::uint8_t { Standard, Large, Extended };
inline constexpr CommunityKind kCommunityKinds[] = {CommunityKind::Standard, CommunityKind::Extended,
                                                    CommunityKind::Large};

struct RouteMapEntry {
  bool permit = false;
  std::string description;
  // The words behind "match" and "set", and their values: {"ip address prefix-list", "A"}. Sets happen in this order,
  // the alphabet's: the one in which FRR writes them.
  std::map<std::string, std::string> matches, sets;
  std::string call;
  std::optional<std::uint32_t> go_on;  // 0: on-match next; else on-match goto
  bool operator==(const RouteMapEntry&) const = default;
};

struct Policy {
  Named<PrefixList> prefix_lists, ipv6_prefix_lists;
  Named<BySequence<TextRule>> as_path_lists;
  std::map<CommunityKind, Named<CommunityList>> community_lists;
  Named<BySequence<RouteMapEntry>> route_maps;
  bool operator==(const Policy&) const = default;
};

}  // namespace cgw::config
