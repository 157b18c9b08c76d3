#pragma once
#include <cstdint>
#include <span>
#include <string>

#include "bgp/session_ribs.hpp"
#include "health/verdict.hpp"
#include "rib/rib.hpp"

// What bgp, health and rib mean to each other, and what a neighbor is told. No I/O and no clock, so that the simulation
// of whole gateways runs it as the daemon does.
namespace cgw::routing {

rib::Fitness fitness(health::Verdict v);

// A route of the neighbor behind `exit`.
rib::Path path(rib::ExitId exit, const IpAddress& next_hop, bgp::RouterId neighbor, const bgp::PathAttributes& a,
               TimePoint learned);

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
