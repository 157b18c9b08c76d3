#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "bgp/policy/policy_set.hpp"

namespace cgw::bgp::policy {

// What export has to do about NEXT_HOP after the map has spoken.
enum class NextHopRule : std::uint8_t {
  Usual,        // the map said nothing
  Given,        // it is in the attributes: leave it
  PeerAddress,  // our address of the session
  Unchanged,    // leave it, whatever next-hop-self says
};

// A route under evaluation: maps change it as they go.
struct Route {
  Prefix prefix;
  PathAttributes attributes;
  std::uint32_t weight = 0, tag = 0;
  NextHopRule next_hop = NextHopRule::Usual;
};

// What a map may ask beside the route.
struct Context {
  enum class Direction : std::uint8_t { Import, Export, Originate };
  Direction direction = Direction::Import;
  IpAddress peer;               // Import: the neighbor
  std::string_view interface;   // of the next hop; empty: not known
  std::string_view connection;  // of the tunnel behind it; empty: none
  unsigned tunnel = 0;
  Protocol protocol = Protocol::Bgp;
};

// What happened, line by line, for `test policy`.
struct Step {
  std::string where;  // "route-map IN permit 10"
  std::string what;   // "matches: as-path UP (seq 5 permit ^65001_)"
};
using Trace = std::vector<Step>;

// Applies a map as FRR does. Entries are tried in order; one matches when all its matches do.
//  - A deny entry that matches denies.
//  - A permit entry that matches sets, then asks the map it calls, whose denial denies, then ends the map or goes on.
//  - Who goes on and meets an entry that does not match is denied unless a later one permits; past the last entry the
//    last word stands. A map that does not exist, has no entries, or calls deeper than ten denies.
// Only a permitted route may be used: sets before a denial have changed it already.
bool apply(const PolicySet& set, std::string_view route_map, Route& route, const Context& context,
           Trace* trace = nullptr);

}  // namespace cgw::bgp::policy
