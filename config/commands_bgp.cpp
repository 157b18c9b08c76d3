// Rows of `router bgp` and its address family; FRR's syntax.
#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "config/rows.hpp"

namespace cgw::config {
namespace {

using Lines = std::vector<Rendered>;
using Done = Result<void, std::string>;

Done set_router_id(Config& c, Cursor&, const Args& a, bool negated) {
  c.bgp->router_id = negated ? std::nullopt : std::optional(*IpAddress::parse(a[0]));
  return {};
}
Lines show_router_id(const Config& c, const Cursor&) {
  if (!c.bgp->router_id) return {};
  return {{"bgp router-id " + c.bgp->router_id->to_string(), {}}};
}

// RFC 4271 4.2; the keepalive is capped at a third of the hold time when the session negotiates.
Result<std::pair<Seconds, Seconds>, std::string> read_timers(const std::string& keepalive, const std::string& hold) {
  const Seconds k{to_number(keepalive)}, h{to_number(hold)};
  if (h == Seconds{1} || h == Seconds{2}) return fail(std::string("% hold time must be either 0 or greater than 3"));
  return std::pair(k, h);
}

Done set_timers(Config& c, Cursor&, const Args& a, bool negated) {
  if (negated) {
    c.bgp->keepalive = Bgp{}.keepalive;
    c.bgp->hold = Bgp{}.hold;
    return {};
  }
  CGW_TRY(const auto timers, read_timers(a[0], a[1]));
  c.bgp->keepalive = timers.first;
  c.bgp->hold = timers.second;
  return {};
}
Lines show_timers(const Config& c, const Cursor&) {
  const Bgp& b = *c.bgp;
  if (b.keepalive == Bgp{}.keepalive && b.hold == Bgp{}.hold) return {};
  return {{fmt::format("timers bgp {} {}", b.keepalive.count(), b.hold.count()), {}}};
}

// FRR's words for a neighbor that is not there yet.
Result<Neighbor*, std::string> neighbor(Config& c, const std::string& address) {
  const auto it = c.bgp->neighbors.find(*IpAddress::parse(address));
  if (it == c.bgp->neighbors.end()) return fail(std::string("% Specify remote-as or peer-group commands first"));
  return &it->second;
}

Done set_remote_as(Config& c, Cursor&, const Args& a, bool negated) {
  const IpAddress address = *IpAddress::parse(a[0]);
  if (negated) {
    if (c.bgp->neighbors.erase(address) == 0) return fail("% There is no neighbor " + a[0]);
    return {};
  }
  Neighbor& n = c.bgp->neighbors[address];
  n.address = address;
  n.remote_as = to_number(a[1]);
  return {};
}

Done set_description(Config& c, Cursor&, const Args& a, bool negated) {
  CGW_TRY(Neighbor* const n, neighbor(c, a[0]));
  n->description = negated ? "" : fmt::format("{}", fmt::join(a.begin() + 1, a.end(), " "));
  return {};
}

Done set_neighbor_timers(Config& c, Cursor&, const Args& a, bool negated) {
  CGW_TRY(Neighbor* const n, neighbor(c, a[0]));
  n->keepalive.reset();
  n->hold.reset();
  if (negated) return {};
  CGW_TRY(const auto timers, read_timers(a[1], a[2]));
  n->keepalive = timers.first;
  n->hold = timers.second;
  return {};
}

Done set_passive(Config& c, Cursor&, const Args& a, bool negated) {
  CGW_TRY(Neighbor* const n, neighbor(c, a[0]));
  n->passive = !negated;
  return {};
}

Done set_neighbor_shutdown(Config& c, Cursor&, const Args& a, bool negated) {
  CGW_TRY(Neighbor* const n, neighbor(c, a[0]));
  n->shutdown = !negated;
  return {};
}

Done set_maximum_prefix_out(Config& c, Cursor&, const Args& a, bool negated) {
  CGW_TRY(Neighbor* const n, neighbor(c, a[0]));
  n->maximum_prefix_out = negated ? std::nullopt : std::optional(to_number(a[1]));
  return {};
}

// A neighbor's lines stand together, as in FRR: the row of remote-as renders them all.
Lines show_neighbors(const Config& c, const Cursor&) {
  Lines out;
  for (const auto& [address, n] : c.bgp->neighbors) {
    const std::string name = "neighbor " + address.to_string();
    out.push_back({fmt::format("{} remote-as {}", name, n.remote_as), {}});
    if (!n.description.empty()) out.push_back({fmt::format("{} description {}", name, n.description), {}});
    if (n.shutdown) out.push_back({name + " shutdown", {}});
    if (n.passive) out.push_back({name + " passive", {}});
    if (n.keepalive && n.hold)
      out.push_back({fmt::format("{} timers {} {}", name, n.keepalive->count(), n.hold->count()), {}});
    if (n.maximum_prefix_out) out.push_back({fmt::format("{} maximum-prefix-out {}", name, *n.maximum_prefix_out), {}});
  }
  return out;
}

Done enter_family(Config&, Cursor& at, const Args&, bool) {
  at = {.mode = Mode::RouterAf};
  return {};
}
Lines show_family(const Config& c, const Cursor&) {
  const auto plain = [](const auto& entry) { return entry.second.ipv4 == NeighborFamily{}; };
  if (c.bgp->networks.empty() && std::ranges::all_of(c.bgp->neighbors, plain)) return {};
  return {{"address-family ipv4 unicast", Cursor{.mode = Mode::RouterAf}}};
}

Done set_network(Config& c, Cursor&, const Args& a, bool negated) {
  const auto p = Prefix::parse(a[0]);
  if (!p) return fail("% " + p.error());
  if (!p->address.is_v4()) return fail("% " + a[0] + " is no IPv4 prefix");
  const auto gone = std::erase(c.bgp->networks, *p);
  if (negated && gone == 0) return fail("% Can't find static route specified");
  if (!negated) c.bgp->networks.push_back(*p);
  return {};
}
Lines show_networks(const Config& c, const Cursor&) {
  Lines out;
  for (const Prefix& p : c.bgp->networks)
    out.push_back({"network " + p.to_string(), {}});
  return out;
}

// IPv4 unicast is what a neighbor is for.
Done activate(Config& c, Cursor&, const Args& a, bool negated) {
  CGW_TRY([[maybe_unused]] const Neighbor* const n, neighbor(c, a[0]));
  if (negated) return fail("% neighbor " + a[0] + " has no other address family: use 'neighbor " + a[0] + " shutdown'");
  return {};
}

constexpr Command kRouter[] = {
    {.mode = Mode::Router,
     .pattern = "bgp router-id A.B.C.D",
     .help = "BGP specific commands\nOverride the router identifier\nAddress",
     .apply = set_router_id,
     .render = show_router_id,
     .negatable = true},
    {.mode = Mode::Router,
     .pattern = "timers bgp (1-65535) (0-65535)",
     .help = "Adjust routing timers\nBGP timers\nKeepalive interval\nHold time",
     .apply = set_timers,
     .render = show_timers,
     .negatable = true},
    {.mode = Mode::Router,
     .pattern = "neighbor A.B.C.D remote-as (1-4294967295)",
     .help = "Specify neighbor router\nNeighbor address\nSpecify a BGP neighbor\nAS of remote neighbor",
     .apply = set_remote_as,
     .render = show_neighbors,
     .negatable = true,
     .key_values = 1},
    {.mode = Mode::Router,
     .pattern = "neighbor A.B.C.D description LINE...",
     .help = "Specify neighbor router\nNeighbor address\nNeighbor specific description\nUp to 80 characters describing "
             "this neighbor",
     .apply = set_description,
     .negatable = true,
     .key_values = 1},
    {.mode = Mode::Router,
     .pattern = "neighbor A.B.C.D timers (1-65535) (0-65535)",
     .help = "Specify neighbor router\nNeighbor address\nBGP per neighbor timers\nKeepalive interval\nHold time",
     .apply = set_neighbor_timers,
     .negatable = true,
     .key_values = 1},
    {.mode = Mode::Router,
     .pattern = "neighbor A.B.C.D passive",
     .help = "Specify neighbor router\nNeighbor address\nDon't send open messages to this neighbor",
     .apply = set_passive,
     .negatable = true,
     .key_values = 1},
    {.mode = Mode::Router,
     .pattern = "neighbor A.B.C.D shutdown",
     .help = "Specify neighbor router\nNeighbor address\nAdministratively shut down this neighbor",
     .apply = set_neighbor_shutdown,
     .negatable = true,
     .key_values = 1},
    {.mode = Mode::Router,
     .pattern = "neighbor A.B.C.D maximum-prefix-out (1-4294967295)",
     .help = "Specify neighbor router\nNeighbor address\nMaximum number of prefixes to be sent to this peer\nMaximum "
             "no. of prefix limit",
     .apply = set_maximum_prefix_out,
     .negatable = true,
     .key_values = 1},
    {.mode = Mode::Router,
     .pattern = "address-family ipv4 unicast",
     .help = "Enter Address Family command mode\nAddress Family\nAddress Family modifier",
     .apply = enter_family,
     .render = show_family},
    {.mode = Mode::RouterAf,
     .pattern = "network A.B.C.D/M",
     .help = "Specify a network to announce via BGP\nIPv4 prefix",
     .apply = set_network,
     .render = show_networks,
     .negatable = true,
     .key_values = 1},
    {.mode = Mode::RouterAf,
     .pattern = "neighbor A.B.C.D activate",
     .help = "Specify neighbor router\nNeighbor address\nEnable the Address Family for this Neighbor",
     .apply = activate,
     .negatable = true,
     .key_values = 1},
};

}  // namespace

std::span<const Command> router_rows() {
  return kRouter;
}

}  // namespace cgw::config
