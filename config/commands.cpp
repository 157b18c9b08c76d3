#include "config/commands.hpp"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "config/rows.hpp"

namespace cgw::config {
namespace {

using Lines = std::vector<Rendered>;
using Done = Result<void, std::string>;

// ---- exec

// A macro, since the compiler joins literals only.
#define CGW_BGP_HELP "Show running system information\nBGP information\nAddress Family\nAddress Family modifier\n"
constexpr Command kExec[] = {
    {.mode = Mode::Exec,
     .pattern = "show vpn [json]",
     .help = "Show running system information\nTunnels, from IKE to routes\nJavaScript Object Notation",
     .request = "show vpn"},
    {.mode = Mode::Exec,
     .pattern = "show bgp summary [json]",
     .help =
         "Show running system information\nBGP information\nSummary of BGP neighbor status\nJavaScript Object Notation",
     .request = "show bgp summary"},
    {.mode = Mode::Exec,
     .pattern = "show ip bgp summary [json]",
     .help = "Show running system information\nIP information\nBGP information\nSummary of BGP neighbor "
             "status\nJavaScript Object Notation",
     .request = "show bgp summary"},
    {.mode = Mode::Exec,
     .pattern = "show bgp {ipv4|ipv6} unicast [json]",
     .help = CGW_BGP_HELP "JavaScript Object Notation",
     .request = "show bgp table"},
    {.mode = Mode::Exec,
     .pattern = "show bgp {ipv4|ipv6} unicast A.B.C.D/M|X:X::X:X/M [json]",
     .help = CGW_BGP_HELP "Network in the BGP routing table to display\nJavaScript Object Notation",
     .request = "show bgp prefix"},
    {.mode = Mode::Exec,
     .pattern = "show bgp {ipv4|ipv6} unicast A.B.C.D|X:X::X:X [json]",
     .help = CGW_BGP_HELP "Network in the BGP routing table to display\nJavaScript Object Notation",
     .request = "show bgp prefix"},
    {.mode = Mode::Exec,
     .pattern = "show bgp {ipv4|ipv6} unicast neighbors A.B.C.D|X:X::X:X "
                "{advertised-routes|received-routes|filtered-routes|routes} [json]",
     .help = CGW_BGP_HELP "Detailed information on TCP and BGP neighbor connections\nNeighbor to display information "
                          "about\nWhat it was told, what it has sent, what of that policy refused, what is "
                          "used\nJavaScript Object Notation",
     .request = "show bgp neighbor"},
    {.mode = Mode::Exec,
     .pattern = "show ip route [json]",
     .help = "Show running system information\nIP information\nIP routing table\nJavaScript Object Notation",
     .request = "show ip route"},
    {.mode = Mode::Exec,
     .pattern = "show running-config [json]",
     .help = "Show running system information\nCurrent operating configuration\nJavaScript Object Notation",
     .request = "show running-config"},
    {.mode = Mode::Exec,
     .pattern = "show version [json]",
     .help = "Show running system information\nWhat is running\nJavaScript Object Notation",
     .request = "show version"},
    {.mode = Mode::Exec,
     .pattern = "debug ike",
     .help = "Log what happens in detail\nEvery IKE message, payload by payload",
     .request = "debug ike",
     .negatable = true},
    {.mode = Mode::Exec,
     .pattern = "rekey vpn WORD tunnel (1-64) {ike|esp|authentication}",
     .help =
         "Make new keys now\nA VPN connection's\nIts id\nOne tunnel\nNumber\nThe IKE SA's, the Child SA's, or all of "
         "it anew, beginning with who both sides are",
     .request = "rekey vpn"},
    {.mode = Mode::Exec,
     .pattern = "test policy route-map WORD LINE...",
     .help =
         "Try something out\nWhat policy makes of a route\nOne route-map\nIts name\nPREFIX [as-path ASN...] [community "
         "AA:NN...] [large-community AA:BB:CC...] [extcommunity {rt|soo} ASN:NN...] [metric N] [local-preference N] "
         "[weight N] [tag N] [origin {igp|egp|incomplete}] [next-hop ADDRESS] [peer ADDRESS] [interface NAME] [tunnel "
         "VPN N] [source-protocol NAME] [direction {in|out|local}]",
     .request = "test policy"},
    {.mode = Mode::Exec,
     .pattern = "import aws LINE...",
     .help = "Make a configuration from a file\nWhat AWS hands out: XML, JSON, the texts for vendors\nFILE [connection "
             "VPN-ID] [local-network "
             "A.B.C.D/M] [vpc-cidr A.B.C.D/M] [certificate FILE] [private-key FILE] [ca-certificate FILE] [--output "
             "FILE] [--secrets FILE]",
     .request = "import aws"},
    {.mode = Mode::Exec,
     .pattern = "terminal length (0-512)",
     .help = "Set terminal line parameters\nLines on a screen\nNumber of lines",
     .request = "terminal length"},
    {.mode = Mode::Exec, .pattern = "enable", .help = "Turn on privileged mode command", .request = "enable"},
    {.mode = Mode::Exec, .pattern = "disable", .help = "Turn off privileged mode command", .request = "disable"},
    {.mode = Mode::Exec, .pattern = "list", .help = "Print command list", .request = "list"},
    {.mode = Mode::Exec, .pattern = "exit", .help = "Exit current mode and down to previous mode", .request = "exit"},
    {.mode = Mode::Exec, .pattern = "quit", .help = "Exit current mode and down to previous mode", .request = "exit"},
};
#undef CGW_BGP_HELP

// ---- global

Done set_hostname(Config& c, Cursor&, const Args& a, bool negated) {
  c.hostname = negated ? Config{}.hostname : a[0];
  return {};
}
Lines show_hostname(const Config& c, const Cursor&) {
  return {{"hostname " + c.hostname, {}}};
}

constexpr std::string_view kPlanes[] = {"auto", "kernel", "userspace"};
// data-plane PLANE [threads N]
Done set_data_plane(Config& c, Cursor&, const Args& a, bool negated) {
  const auto it = negated ? std::begin(kPlanes) : std::ranges::find(kPlanes, a[0]);
  const bool threads = !negated && a.size() > 2;
  c.data_plane = DataPlane{static_cast<std::uint8_t>(it - std::begin(kPlanes))};
  c.plane_threads = threads ? static_cast<std::uint8_t>(to_number(a[2])) : Config{}.plane_threads;
  return {};
}
Lines show_data_plane(const Config& c, const Cursor&) {
  const bool threads = c.plane_threads != Config{}.plane_threads;
  if (c.data_plane == DataPlane::Auto && !threads) return {};
  std::string line = fmt::format("data-plane {}", kPlanes[static_cast<std::size_t>(c.data_plane)]);
  if (threads) line += fmt::format(" threads {}", c.plane_threads);
  return {{std::move(line), {}}};
}

constexpr std::string_view kWhenDown[] = {"blackhole", "unreachable", "remove"};
Done set_tunnels_down(Config& c, Cursor&, const Args& a, bool negated) {
  const auto it = negated ? std::begin(kWhenDown) : std::ranges::find(kWhenDown, a[0]);
  c.when_down = WhenDown{static_cast<std::uint8_t>(it - std::begin(kWhenDown))};
  return {};
}
Lines show_tunnels_down(const Config& c, const Cursor&) {
  if (c.when_down == WhenDown::Blackhole) return {};
  return {{fmt::format("tunnels-down {}", kWhenDown[static_cast<std::size_t>(c.when_down)]), {}}};
}

Done enter_connection(Config& c, Cursor& at, const Args& a, bool negated) {
  const auto it = std::ranges::find(c.connections, a[0], &Connection::id);
  if (negated) {
    if (it == c.connections.end()) return fail("% There is no vpn connection " + a[0]);
    c.connections.erase(it);
    return {};
  }
  if (it == c.connections.end()) c.connections.push_back({.id = a[0]});
  at = {.mode = Mode::Vpn, .connection = a[0]};
  return {};
}
Lines show_connections(const Config& c, const Cursor&) {
  Lines out;
  for (const auto& one : c.connections)
    out.push_back({"vpn connection " + one.id, Cursor{.mode = Mode::Vpn, .connection = one.id}});
  return out;
}

Done set_route(Config& c, Cursor&, const Args& a, bool negated) {
  const auto prefix = Prefix::parse(a[0]);
  if (!prefix) return fail("% " + prefix.error());
  if (!prefix->address.is_v4()) return fail("% " + a[0] + " is no IPv4 prefix");
  StaticRoute r{.prefix = *prefix};
  if (const auto hop = IpAddress::parse(a[1])) {
    if (!hop->is_v4()) return fail("% " + a[1] + " is no IPv4 address");
    r.next_hop = *hop;
  } else {
    r.connection = a[1];
  }
  if (a.size() > 2) r.distance = static_cast<std::uint8_t>(to_number(a[2]));
  const auto same = [&](const StaticRoute& o) {
    return o.prefix == r.prefix && o.next_hop == r.next_hop && o.connection == r.connection;
  };
  const auto gone = std::erase_if(c.static_routes, same);
  if (negated) {
    if (gone == 0) return fail("% There is no route " + r.prefix.to_string() + " by " + a[1]);
    return {};
  }
  c.static_routes.push_back(r);
  return {};
}
Lines show_routes(const Config& c, const Cursor&) {
  Lines out;
  for (const auto& r : c.static_routes) {
    std::string line =
        fmt::format("ip route {} {}", r.prefix.to_string(), r.next_hop ? r.next_hop->to_string() : r.connection);
    if (r.distance != 1) line += fmt::format(" {}", r.distance);
    out.push_back({std::move(line), {}});
  }
  return out;
}

Done enter_router(Config& c, Cursor& at, const Args& a, bool negated) {
  const std::optional<std::uint32_t> asn = a.empty() ? std::nullopt : std::optional(to_number(a[0]));
  if (negated && !c.bgp) return fail(std::string("% Can't find BGP instance"));
  if (c.bgp && asn && c.bgp->asn != *asn) return fail(fmt::format("% BGP is already running; AS is {}", c.bgp->asn));
  if (negated) {
    c.bgp.reset();
    return {};
  }
  if (!c.bgp) c.bgp = Bgp{.asn = *asn};
  at = {.mode = Mode::Router};
  return {};
}
Lines show_router(const Config& c, const Cursor&) {
  if (!c.bgp) return {};
  return {{fmt::format("router bgp {}", c.bgp->asn), Cursor{.mode = Mode::Router}}};
}

constexpr Command kGlobal[] = {
    {.mode = Mode::Config,
     .pattern = "hostname WORD",
     .help = "Name of this gateway\nName",
     .apply = set_hostname,
     .render = show_hostname,
     .negatable = true},
    {.mode = Mode::Config,
     .pattern = "data-plane {auto|userspace} [threads (1-16)]",
     .help =
         "Where ESP happens\nauto: the kernel where it can\nThreads of the userspace data plane\nFor each tunnel, in "
         "each direction (default 1)",
     .apply = set_data_plane,
     .render = show_data_plane,
     .negatable = true},
    {.mode = Mode::Config,
     .pattern = "data-plane {kernel}",
     .help = "Where ESP happens\nXFRM",
     .apply = set_data_plane,
     .negatable = true},
    {.mode = Mode::Config,
     .pattern = "tunnels-down {blackhole|unreachable|remove}",
     .help = "What becomes of prefixes when every tunnel is down\nThe route that is left",
     .apply = set_tunnels_down,
     .render = show_tunnels_down,
     .negatable = true},
    {.mode = Mode::Config,
     .pattern = "vpn connection WORD",
     .help = "Site-to-Site VPN\nOne connection\nIts id in AWS (vpn-...)",
     .apply = enter_connection,
     .render = show_connections,
     .negatable = true,
     .key_values = 1},
    {.mode = Mode::Config,
     .pattern = "ip route A.B.C.D/M WORD [(1-255)]",
     .help = "IP information\nStatic route\nDestination\nNext hop: AWS's inside address of a tunnel, or a vpn "
             "connection\nDistance",
     .apply = set_route,
     .render = show_routes,
     .negatable = true,
     .key_values = 2},
    {.mode = Mode::Config,
     .pattern = "router bgp (1-4294967295)",
     .help = "Enable a routing process\nBGP information\nAS number",
     .apply = enter_router,
     .render = show_router,
     .negatable = true},
};

}  // namespace

std::span<const Command> exec_rows() {
  return kExec;
}
std::span<const Command> global_rows() {
  return kGlobal;
}

std::uint32_t to_number(std::string_view text) {
  std::uint32_t v = 0;
  std::from_chars(text.data(), text.data() + text.size(), v);
  return v;
}

Connection& connection_at(Config& c, const Cursor& at) {
  return *std::ranges::find(c.connections, at.connection, &Connection::id);
}
const Connection& connection_at(const Config& c, const Cursor& at) {
  return *std::ranges::find(c.connections, at.connection, &Connection::id);
}
Tunnel& tunnel_at(Config& c, const Cursor& at) {
  return connection_at(c, at).tunnels.at(at.tunnel);
}
const Tunnel& tunnel_at(const Config& c, const Cursor& at) {
  return connection_at(c, at).tunnels.at(at.tunnel);
}

std::span<const Command> commands() {
  static const std::vector<Command> kAll = [] {
    std::vector<Command> all;
    for (const auto rows :
         {exec_rows(), global_rows(), vpn_rows(), tunnel_rows(), ipsec_rows(), traffic_rows(), authentication_rows(),
          router_rows(), neighbor_family_rows(), prefix_list_rows(), policy_list_rows(), route_map_rows()})
      all.insert(all.end(), rows.begin(), rows.end());
    return all;
  }();
  return kAll;
}

}  // namespace cgw::config
