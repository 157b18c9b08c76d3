#pragma once
#include <chrono>
#include <string>

#include <boost/json/value.hpp>

#include "base/result.hpp"
#include "bgp/speaker.hpp"

// The speaker's routes as state trees, with FRR's keys. Pure.
namespace cgw {

struct BgpView {
  const bgp::Speaker& speaker;
  bgp::RouterId router_id;
  bgp::Asn asn;
  std::string hostname;
  TimePoint now;
  std::chrono::system_clock::time_point wall;  // the same moment
};

// Prefixes shown at most: more would keep the daemon from its other work.
inline constexpr std::size_t kMostRoutesShown = 20'000;

// All paths of a family, or those of one neighbor.
boost::json::value bgp_table_tree(const BgpView& v, Family f, std::optional<bgp::NeighborId> of = std::nullopt);
// One prefix in detail, or the longest that holds the address. An empty object when there is none.
boost::json::value bgp_prefix_tree(const BgpView& v, const Prefix& prefix);
boost::json::value bgp_prefix_tree(const BgpView& v, const IpAddress& address);

// What a neighbor was told, what it has sent, and what of that policy has refused.
enum class NeighborRoutesView : std::uint8_t { Advertised, Received, Filtered };
boost::json::value bgp_neighbor_routes_tree(const BgpView& v, Family f, bgp::NeighborId n, NeighborRoutesView which);

// The answer to a request: show bgp table|prefix|neighbor ipv4|ipv6 [PREFIX | ADDRESS | ADDRESS WHICH]
Result<boost::json::value, std::string> show_bgp_routes(const BgpView& v, std::string_view request);

}  // namespace cgw
