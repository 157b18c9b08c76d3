// Names in route-maps that nothing has: such a match matches nothing, such a call says nothing.
#include <fmt/format.h>

#include "config/config.hpp"

namespace cgw::config {

Diagnostics missing_names(const Policy& policy, const Places& places) {
  Diagnostics out;
  const auto list_of = [&](CommunityKind kind) {
    const auto it = policy.community_lists.find(kind);
    return it == policy.community_lists.end() ? Named<CommunityList>{} : it->second;
  };
  const auto check = [&](const std::string& place, const std::string& line, const auto& names, const std::string& name,
                         std::string_view what) {
    if (names.contains(name)) return;
    out.push_back({.line = line_of(places, place + " / " + line),
                   .text = fmt::format("warning: {}: '{}': there is no {} {}", place, line, what, name)});
  };
  using enum CommunityKind;
  for (const auto& [name, map] : policy.route_maps) {
    for (const auto& [sequence, e] : map) {
      const std::string place = fmt::format("route-map {} {}", name, sequence);
      for (const auto& [what, value] : e.matches) {
        const std::string list = value.substr(0, value.find(' ')), line = "match " + what;
        if (what.starts_with("ip ") && what.ends_with("prefix-list"))
          check(place, line, policy.prefix_lists, list, "ip prefix-list");
        if (what.starts_with("ipv6 ") && what.ends_with("prefix-list"))
          check(place, line, policy.ipv6_prefix_lists, list, "ipv6 prefix-list");
        if (what == "as-path") check(place, line, policy.as_path_lists, list, "bgp as-path access-list");
        if (what == "community") check(place, line, list_of(Standard), list, "bgp community-list");
        if (what == "large-community") check(place, line, list_of(Large), list, "bgp large-community-list");
        if (what == "extcommunity") check(place, line, list_of(Extended), list, "bgp extcommunity-list");
      }
      for (const auto& [what, value] : e.sets) {
        const std::string list = value.substr(0, value.find(' ')), line = "set " + what;
        if (what == "comm-list") check(place, line, list_of(Standard), list, "bgp community-list");
        if (what == "large-comm-list") check(place, line, list_of(Large), list, "bgp large-community-list");
      }
      if (!e.call.empty()) check(place, "call", policy.route_maps, e.call, "route-map");
    }
  }
  return out;
}

}  // namespace cgw::config
