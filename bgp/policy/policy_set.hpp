#pragma once
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "bgp/policy/as_path_list.hpp"
#include "bgp/policy/community_list.hpp"
#include "bgp/policy/route_map.hpp"

namespace cgw::bgp::policy {

template <class T>
using Named = std::map<std::string, T, std::less<>>;

template <class T>
const T* find(const Named<T>& all, std::string_view name) {
  const auto it = all.find(name);
  return it == all.end() ? nullptr : &it->second;
}

// All lists and maps of a configuration. Filled once, then shared and not changed: another configuration is another
// set.
struct PolicySet {
  Named<PrefixList> prefix_lists, ipv6_prefix_lists;
  Named<AsPathList> as_path_lists;
  Named<CommunityList<Community>> community_lists;
  Named<CommunityList<LargeCommunity>> large_community_lists;
  Named<CommunityList<ExtendedCommunity>> extended_community_lists;
  Named<RouteMap> route_maps;

  const PrefixList* prefix_list(Family f, std::string_view name) const {
    return find(f == Family::V4 ? prefix_lists : ipv6_prefix_lists, name);
  }
};

}  // namespace cgw::bgp::policy
