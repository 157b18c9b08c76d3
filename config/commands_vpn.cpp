// Rows of `vpn connection` blocks, and those of `tunnel` blocks that say where it is.
#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "config/tunnel_rows.hpp"

namespace cgw::config {
namespace {

using Lines = std::vector<Rendered>;
using Done = Result<void, std::string>;

constexpr std::size_t kInterfaceName = 15;  // IFNAMSIZ less its zero

// ---- vpn connection

Done set_customer_gateway(Config& c, Cursor& at, const Args& a, bool negated) {
  connection_at(c, at).customer_gateway = negated ? "" : a[0];
  return {};
}
Lines show_customer_gateway(const Config& c, const Cursor& at) {
  const auto& v = connection_at(c, at).customer_gateway;
  return line_if(!v.empty(), "customer-gateway " + v);
}

constexpr std::string_view kTargets[] = {"vgw", "tgw", "other"};
Done set_target(Config& c, Cursor& at, const Args& a, bool negated) {
  Connection& v = connection_at(c, at);
  const auto it = negated ? std::begin(kTargets) : std::ranges::find(kTargets, a[0]);
  v.target = Target{static_cast<std::uint8_t>(it - std::begin(kTargets))};
  v.gateway = !negated && a.size() > 1 ? a[1] : "";
  return {};
}
Lines show_target(const Config& c, const Cursor& at) {
  const auto& v = connection_at(c, at);
  std::string line = fmt::format("target {}", kTargets[static_cast<std::size_t>(v.target)]);
  if (!v.gateway.empty()) line += " " + v.gateway;
  return {{std::move(line), {}}};
}

Done set_routing(Config& c, Cursor& at, const Args& a, bool negated) {
  connection_at(c, at).routing = !negated && a[0] == "static" ? Routing::Static : Routing::Dynamic;
  return {};
}
Lines show_routing(const Config& c, const Cursor& at) {
  return {{connection_at(c, at).routing == Routing::Static ? "routing static" : "routing dynamic", {}}};
}

Done enter_tunnel(Config& c, Cursor& at, const Args& a, bool negated) {
  const unsigned number = to_number(a[0]);
  auto& tunnels = connection_at(c, at).tunnels;
  if (negated) {
    if (tunnels.erase(number) == 0) return fail("% There is no tunnel " + a[0]);
    return {};
  }
  tunnels.try_emplace(number, Tunnel{.number = number});
  at = {.mode = Mode::VpnTunnel, .connection = at.connection, .tunnel = number};
  return {};
}
Lines show_tunnels(const Config& c, const Cursor& at) {
  Lines out;
  for (const auto& [number, t] : connection_at(c, at).tunnels) {
    out.push_back({fmt::format("tunnel {}", number), Cursor{Mode::VpnTunnel, at.connection, number}});
  }
  return out;
}

constexpr Command kVpn[] = {
    {.mode = Mode::Vpn,
     .pattern = "customer-gateway WORD",
     .help = "The customer gateway in AWS\nIts id (cgw-...)",
     .apply = set_customer_gateway,
     .render = show_customer_gateway,
     .negatable = true},
    {.mode = Mode::Vpn,
     .pattern = "target {vgw|tgw|other} [WORD]",
     .help = "What the connection is attached to\nvgw: 100 prefixes at most; tgw: 1000\nIts id",
     .apply = set_target,
     .render = show_target,
     .negatable = true},
    {.mode = Mode::Vpn,
     .pattern = "routing {dynamic|static}",
     .help = "How routes are known\nBGP, or the prefixes of `ip route`",
     .apply = set_routing,
     .render = show_routing,
     .negatable = true},
    {.mode = Mode::Vpn,
     .pattern = "tunnel (1-64)",
     .help = "One tunnel\nNumber",
     .apply = enter_tunnel,
     .render = show_tunnels,
     .negatable = true,
     .key_values = 1},
};

// ---- tunnel

Done set_interface(Config& c, Cursor& at, const Args& a, bool negated) {
  // What the kernel takes for a name; '%' would be a pattern to it.
  if (!negated &&
      (a[0].size() > kInterfaceName || a[0].find_first_of("/:%") != std::string::npos || a[0] == "." || a[0] == "..")) {
    return fail(
        fmt::format("% '{}' is no interface name: at most {} characters, none of them / : %", a[0], kInterfaceName));
  }
  tunnel_at(c, at).interface = negated ? "" : a[0];
  return {};
}
Lines show_interface(const Config& c, const Cursor& at) {
  const auto& v = tunnel_at(c, at).interface;
  return line_if(!v.empty(), "interface " + v);
}

// Why no packet of a tunnel can go there or come from there.
std::string_view outside_fault(const IpAddress& a) {
  if (a.is_unspecified()) return "is no host's address";
  const auto octets = a.bytes();
  if (a.is_v4()) return octets[0] >= 224 ? "is no host's address" : "";
  if (octets[0] == 0xff) return "is a group's address";
  if (octets[0] == 0xfe && (octets[1] & 0xc0) == 0x80) return "is link-local: it says nothing beyond one link";
  constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};  // RFC 4291 2.5.5.2
  return std::ranges::equal(octets.first(kMapped.size()), kMapped) ? "is an IPv4 address: write it as one" : "";
}
template <auto Member>
Done set_outside(Config& c, Cursor& at, const Args& a, bool negated) {
  auto& v = tunnel_at(c, at).*Member;
  v.reset();
  if (negated) return {};
  const IpAddress address = *IpAddress::parse(a[0]);
  if (const auto fault = outside_fault(address); !fault.empty()) return fail(fmt::format("% {} {}", a[0], fault));
  v = address;
  return {};
}

// Rows that hold one address.
template <auto Member>
Done set_address(Config& c, Cursor& at, const Args& a, bool negated) {
  tunnel_at(c, at).*Member = negated ? std::nullopt : std::optional(*IpAddress::parse(a[0]));
  return {};
}
Lines show_address(std::string_view words, const std::optional<IpAddress>& v) {
  return line_if(v.has_value(), v ? fmt::format("{} {}", words, v->to_string()) : "");
}

Lines show_our_outside(const Config& c, const Cursor& at) {
  return show_address("customer-gateway outside-address", tunnel_at(c, at).customer_gateway_outside);
}
Done set_their_outside(Config& c, Cursor& at, const Args& a, bool negated) {
  tunnel_at(c, at).vpn_gateway_any = false;
  return set_outside<&Tunnel::vpn_gateway_outside>(c, at, a, negated);
}
Lines show_their_outside(const Config& c, const Cursor& at) {
  return show_address("vpn-gateway outside-address", tunnel_at(c, at).vpn_gateway_outside);
}
Done set_their_outside_any(Config& c, Cursor& at, const Args&, bool negated) {
  tunnel_at(c, at).vpn_gateway_outside.reset();
  tunnel_at(c, at).vpn_gateway_any = !negated;
  return {};
}
Lines show_their_outside_any(const Config& c, const Cursor& at) {
  return line_if(tunnel_at(c, at).vpn_gateway_any, "vpn-gateway outside-address any");
}
Lines show_their_inside(const Config& c, const Cursor& at) {
  return show_address("vpn-gateway inside-address", tunnel_at(c, at).vpn_gateway_inside);
}
Lines show_local_address(const Config& c, const Cursor& at) {
  return show_address("local-address", tunnel_at(c, at).local_address);
}

Done set_our_inside(Config& c, Cursor& at, const Args& a, bool negated) {
  auto& v = tunnel_at(c, at).customer_gateway_inside;
  v.reset();
  if (negated) return {};
  const auto address = InterfaceAddress::parse(a[0]);
  if (!address) return fail("% " + address.error());
  v = *address;
  return {};
}
Lines show_our_inside(const Config& c, const Cursor& at) {
  const auto& v = tunnel_at(c, at).customer_gateway_inside;
  return line_if(v.has_value(), v ? "customer-gateway inside-address " + v->to_string() : "");
}

constexpr Command kTunnel[] = {
    {.mode = Mode::VpnTunnel,
     .pattern = "interface WORD",
     .help = "The tunnel's interface\nName",
     .apply = set_interface,
     .render = show_interface,
     .negatable = true},
    {.mode = Mode::VpnTunnel,
     .pattern = "customer-gateway outside-address A.B.C.D|X:X::X:X",
     .help = "Our side\nPublic address, as AWS knows it: our IKE identity\nAddress",
     .apply = set_outside<&Tunnel::customer_gateway_outside>,
     .render = show_our_outside,
     .negatable = true},
    {.mode = Mode::VpnTunnel,
     .pattern = "customer-gateway inside-address A.B.C.D/M|X:X::X:X/M",
     .help = "Our side\nAddress on the tunnel interface\nAddress and prefix length",
     .apply = set_our_inside,
     .render = show_our_inside,
     .negatable = true},
    {.mode = Mode::VpnTunnel,
     .pattern = "vpn-gateway outside-address A.B.C.D|X:X::X:X",
     .help = "AWS's side\nPublic address\nAddress",
     .apply = set_their_outside,
     .render = show_their_outside,
     .negatable = true},
    {.mode = Mode::VpnTunnel,
     .pattern = "vpn-gateway outside-address any",
     .help = "AWS's side\nPublic address\nUnknown: it calls us, and is known by its remote-identity",
     .apply = set_their_outside_any,
     .render = show_their_outside_any,
     .negatable = true},
    {.mode = Mode::VpnTunnel,
     .pattern = "vpn-gateway inside-address A.B.C.D|X:X::X:X",
     .help = "AWS's side\nAddress in the tunnel: BGP neighbor and probe target\nAddress",
     .apply = set_address<&Tunnel::vpn_gateway_inside>,
     .render = show_their_inside,
     .negatable = true},
    {.mode = Mode::VpnTunnel,
     .pattern = "local-address A.B.C.D|X:X::X:X",
     .help = "Address of this host that the tunnel uses\nAddress",
     .apply = set_outside<&Tunnel::local_address>,
     .render = show_local_address,
     .negatable = true},
    {.mode = Mode::VpnTunnel,
     .pattern = "local-address auto",
     .help = "Address of this host that the tunnel uses\nThe one of the route to AWS",
     .apply = set_auto<&Tunnel::local_address>},
};

}  // namespace

std::span<const Command> vpn_rows() {
  return kVpn;
}
std::span<const Command> tunnel_rows() {
  return kTunnel;
}

}  // namespace cgw::config
