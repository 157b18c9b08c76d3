#include "bgp/eligibility.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace cgw::bgp {

std::string loop(const PathAttributes& a, const OwnIdentity& own) {
  std::size_t met = 0;
  for (const auto& s : a.as_path)
    met += static_cast<std::size_t>(std::ranges::count(s.asns, own.local_as));
  if (met > own.allow_own_as) return fmt::format("AS_PATH holds our own AS {}", own.local_as.value());
  if (a.originator_id == own.router_id) return "its ORIGINATOR_ID is our router id";
  if (own.cluster_id && std::ranges::find(a.cluster_list, *own.cluster_id) != a.cluster_list.end())
    return "its CLUSTER_LIST holds our cluster id";
  return {};
}

}  // namespace cgw::bgp
