#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "bgp/speaker.hpp"
#include "health/verdict.hpp"
#include "rib/rib.hpp"

// What bgp, health and rib mean to each other, and what a neighbor is told. No I/O and no clock, so that the simulation
// of whole gateways runs it as the daemon does.
namespace cgw::routing {

rib::Fitness fitness(health::Verdict v);

// The neighbor at the other end of a tunnel, by what a customer gateway is, before any filter: no transit between
// tunnels, and only what is ours goes out.
bgp::NeighborConfig tunnel_neighbor(const bgp::SessionConfig& session);

// A route of the neighbor behind `exit`, which is `from` to the tables.
rib::Path path(rib::ExitId exit, const bgp::PathSource& from, const bgp::PathAttributes& a, std::uint32_t weight,
               TimePoint learned);
// What the router may do with what BGP offers to a prefix: a path of each exit, none for neighbors without one.
using ExitOf = std::function<std::optional<rib::ExitId>(bgp::NeighborId)>;
std::vector<rib::Path> paths(const bgp::Speaker& speaker, const Prefix& prefix, const ExitOf& exit_of, TimePoint now);
// Of what this router originates.
inline constexpr bgp::LocalValues kOwnNetwork{.weight = 32768};  // FRR's, IOS's

// Another tunnel of the same connection.
struct Sibling {
  health::Verdict verdict = health::Verdict::Down;
  bool served = false;  // its BGP session has been established before
};
// MED tells AWS where to send: equal while all tunnels of the connection are fit, lower on the fit ones when another is
// down, so that the way back moves with the way out.
std::uint32_t announced_med(health::Verdict own, std::span<const Sibling> siblings);

// Why traffic has left an exit that is still fit, after these changes; the names are for the words.
std::string why_left(const rib::Rib& rib, rib::ExitId exit, const rib::PlanChanges& changes, std::string_view from,
                     std::string_view to);

}  // namespace cgw::routing
