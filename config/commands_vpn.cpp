// Rows of `vpn connection` and `tunnel` blocks.
#include <algorithm>
#include <charconv>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "config/rows.hpp"

namespace cgw::config {
namespace {

using Lines = std::vector<Rendered>;
using Done = Result<void, std::string>;

constexpr std::size_t kInterfaceName = 15;  // IFNAMSIZ less its zero

Lines line_if(bool present, std::string text) {
  if (!present) return {};
  return {{std::move(text), {}}};
}

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
Lines show_their_outside(const Config& c, const Cursor& at) {
  return show_address("vpn-gateway outside-address", tunnel_at(c, at).vpn_gateway_outside);
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
  if (!address->address.is_v4()) return fail("% " + a[0] + " is no IPv4 address");
  v = *address;
  return {};
}
Lines show_our_inside(const Config& c, const Cursor& at) {
  const auto& v = tunnel_at(c, at).customer_gateway_inside;
  return line_if(v.has_value(), v ? "customer-gateway inside-address " + v->to_string() : "");
}

// What holds a value of its own or goes by itself: the row `... auto`.
template <auto Member>
Done set_auto(Config& c, Cursor& at, const Args&, bool) {
  (tunnel_at(c, at).*Member).reset();
  return {};
}

Done set_key(Config& c, Cursor& at, const Args& a, bool negated) {
  tunnel_at(c, at).pre_shared_key = negated ? "" : a[0];
  return {};
}
Lines show_key(const Config& c, const Cursor& at) {
  const auto& v = tunnel_at(c, at).pre_shared_key;
  return line_if(!v.empty(), "pre-shared-key " + v);
}

template <auto Member>
Done set_list(Config& c, Cursor& at, const Args& a, bool negated) {
  tunnel_at(c, at).*Member = negated ? std::vector<std::string>{} : std::vector<std::string>(a.begin(), a.end());
  return {};
}
Lines show_list(std::string_view words, const std::vector<std::string>& v) {
  return line_if(!v.empty(), fmt::format("{} {}", words, fmt::join(v, " ")));
}
Lines show_ike_proposals(const Config& c, const Cursor& at) {
  return show_list("ike proposal", tunnel_at(c, at).ike_proposals);
}
Lines show_esp_proposals(const Config& c, const Cursor& at) {
  return show_list("esp proposal", tunnel_at(c, at).esp_proposals);
}

// Rows that hold one number, with a default.
template <auto Member>
Done set_count(Config& c, Cursor& at, const Args& a, bool negated) {
  using Value = std::remove_reference_t<decltype(tunnel_at(c, at).*Member)>;
  std::int64_t v = 0;
  if (!negated) std::from_chars(a[0].data(), a[0].data() + a[0].size(), v);
  tunnel_at(c, at).*Member = negated ? Tunnel{}.*Member : Value(v);
  return {};
}
template <class Value>
Lines show_count(std::string_view words, const Value& v, const Value& by_default) {
  if constexpr (requires { v.count(); }) {
    return line_if(v != by_default, fmt::format("{} {}", words, v.count()));
  } else {
    return line_if(v != by_default, fmt::format("{} {}", words, v));
  }
}
Lines show_ike_lifetime(const Config& c, const Cursor& at) {
  return show_count("ike lifetime", tunnel_at(c, at).ike_lifetime, Tunnel{}.ike_lifetime);
}
Lines show_esp_lifetime(const Config& c, const Cursor& at) {
  return show_count("esp lifetime", tunnel_at(c, at).child_lifetime, Tunnel{}.child_lifetime);
}
Lines show_reauth_time(const Config& c, const Cursor& at) {
  return show_count("ike reauth-time", tunnel_at(c, at).reauth_time, Tunnel{}.reauth_time);
}
Lines show_rekey_packets(const Config& c, const Cursor& at) {
  return show_count("esp rekey packets", tunnel_at(c, at).rekey_packets, Tunnel{}.rekey_packets);
}
Lines show_rekey_bytes(const Config& c, const Cursor& at) {
  return show_count("esp rekey bytes", tunnel_at(c, at).rekey_bytes, Tunnel{}.rekey_bytes);
}
Lines show_dpd(const Config& c, const Cursor& at) {
  return show_count("dpd interval", tunnel_at(c, at).dpd_interval, Tunnel{}.dpd_interval);
}
Lines show_replay(const Config& c, const Cursor& at) {
  return show_count("replay-window", tunnel_at(c, at).replay_window, Tunnel{}.replay_window);
}
Lines show_probe_interval(const Config& c, const Cursor& at) {
  return show_count("probe interval", tunnel_at(c, at).probe_interval, Tunnel{}.probe_interval);
}
Lines show_probe_misses(const Config& c, const Cursor& at) {
  return show_count("probe misses", tunnel_at(c, at).probe_misses, Tunnel{}.probe_misses);
}

template <auto Member>
Done set_flag(Config& c, Cursor& at, const Args&, bool negated) {
  tunnel_at(c, at).*Member = !negated;
  return {};
}
Lines show_initiate(const Config& c, const Cursor& at) {
  return line_if(!tunnel_at(c, at).initiate, "no initiate");
}
Lines show_probe(const Config& c, const Cursor& at) {
  return line_if(!tunnel_at(c, at).probe, "no probe");
}
Lines show_shutdown(const Config& c, const Cursor& at) {
  return line_if(tunnel_at(c, at).shutdown, "shutdown");
}

Done set_mtu(Config& c, Cursor& at, const Args& a, bool negated) {
  tunnel_at(c, at).mtu = negated ? std::nullopt : std::optional(to_number(a[0]));
  return {};
}
Lines show_mtu(const Config& c, const Cursor& at) {
  const auto& v = tunnel_at(c, at).mtu;
  return line_if(v.has_value(), fmt::format("mtu {}", v.value_or(0)));
}

constexpr std::string_view kDf[] = {"copy", "clear"};
Done set_df(Config& c, Cursor& at, const Args& a, bool negated) {
  tunnel_at(c, at).df = !negated && a[0] == kDf[1] ? Df::Clear : Df::Copy;
  return {};
}
Lines show_df(const Config& c, const Cursor& at) {
  return line_if(tunnel_at(c, at).df == Df::Clear, "df clear");
}
Lines show_hw_offload(const Config& c, const Cursor& at) {
  return line_if(tunnel_at(c, at).hw_offload, "hw-offload");
}

Done set_preference(Config& c, Cursor& at, const Args& a, bool negated) {
  tunnel_at(c, at).preference = negated ? std::nullopt : std::optional(to_number(a[0]));
  return {};
}
Lines show_preference(const Config& c, const Cursor& at) {
  const auto& v = tunnel_at(c, at).preference;
  return line_if(v.has_value(), fmt::format("preference {}", v.value_or(0)));
}

constexpr Command kTunnel[] = {
    {.mode = Mode::VpnTunnel,
     .pattern = "interface WORD",
     .help = "The tunnel's interface\nName",
     .apply = set_interface,
     .render = show_interface,
     .negatable = true},
    {.mode = Mode::VpnTunnel,
     .pattern = "customer-gateway outside-address A.B.C.D",
     .help = "Our side\nPublic address, as AWS knows it: our IKE identity\nAddress",
     .apply = set_address<&Tunnel::customer_gateway_outside>,
     .render = show_our_outside,
     .negatable = true},
    {.mode = Mode::VpnTunnel,
     .pattern = "customer-gateway inside-address A.B.C.D/M",
     .help = "Our side\nAddress on the tunnel interface\nAddress and prefix length",
     .apply = set_our_inside,
     .render = show_our_inside,
     .negatable = true},
    {.mode = Mode::VpnTunnel,
     .pattern = "vpn-gateway outside-address A.B.C.D",
     .help = "AWS's side\nPublic address\nAddress",
     .apply = set_address<&Tunnel::vpn_gateway_outside>,
     .render = show_their_outside,
     .negatable = true},
    {.mode = Mode::VpnTunnel,
     .pattern = "vpn-gateway inside-address A.B.C.D",
     .help = "AWS's side\nAddress in the tunnel: BGP neighbor and probe target\nAddress",
     .apply = set_address<&Tunnel::vpn_gateway_inside>,
     .render = show_their_inside,
     .negatable = true},
    {.mode = Mode::VpnTunnel,
     .pattern = "local-address A.B.C.D",
     .help = "Address of this host that the tunnel uses\nAddress",
     .apply = set_address<&Tunnel::local_address>,
     .render = show_local_address,
     .negatable = true},
    {.mode = Mode::VpnTunnel,
     .pattern = "local-address auto",
     .help = "Address of this host that the tunnel uses\nThe one of the route to AWS",
     .apply = set_auto<&Tunnel::local_address>},
    {.mode = Mode::VpnTunnel,
     .pattern = "pre-shared-key WORD",
     .help = "Shared key\nIts name in the secrets file",
     .apply = set_key,
     .render = show_key,
     .negatable = true},
    {.mode = Mode::VpnTunnel,
     .pattern = "ike proposal SUITE...",
     .help = "IKE SA\nAlgorithms, best first\naes256gcm16-prfsha384-ecp384 ...",
     .apply = set_list<&Tunnel::ike_proposals>,
     .render = show_ike_proposals,
     .negatable = true},
    {.mode = Mode::VpnTunnel,
     .pattern = "esp proposal SUITE...",
     .help = "Child SA\nAlgorithms, best first\naes256gcm16-ecp384 ...",
     .apply = set_list<&Tunnel::esp_proposals>,
     .render = show_esp_proposals,
     .negatable = true},
    {.mode = Mode::VpnTunnel,
     .pattern = "ike lifetime (900-86400)",
     .help = "IKE SA\nHard lifetime; rekeyed before\nSeconds",
     .apply = set_count<&Tunnel::ike_lifetime>,
     .render = show_ike_lifetime,
     .negatable = true},
    {.mode = Mode::VpnTunnel,
     .pattern = "ike reauth-time (900-604800)",
     .help = "IKE SA\nAuthenticate the peer anew after so long, make before break; never by default\nSeconds",
     .apply = set_count<&Tunnel::reauth_time>,
     .render = show_reauth_time,
     .negatable = true},
    {.mode = Mode::VpnTunnel,
     .pattern = "esp lifetime (60-86400)",
     .help = "Child SA\nHard lifetime; rekeyed before\nSeconds",
     .apply = set_count<&Tunnel::child_lifetime>,
     .render = show_esp_lifetime,
     .negatable = true},
    {.mode = Mode::VpnTunnel,
     .pattern = "esp rekey packets (1000-3000000000)",
     .help = "Child SA\nNew keys by volume\nAfter so many packets in one direction\nPackets",
     .apply = set_count<&Tunnel::rekey_packets>,
     .render = show_rekey_packets,
     .negatable = true},
    {.mode = Mode::VpnTunnel,
     .pattern = "esp rekey bytes (1000000-4000000000000000)",
     .help = "Child SA\nNew keys by volume\nAfter so many bytes in one direction\nBytes",
     .apply = set_count<&Tunnel::rekey_bytes>,
     .render = show_rekey_bytes,
     .negatable = true},
    {.mode = Mode::VpnTunnel,
     .pattern = "dpd interval (1-3600)",
     .help = "Dead peer detection\nSilence before the peer is asked\nSeconds",
     .apply = set_count<&Tunnel::dpd_interval>,
     .render = show_dpd,
     .negatable = true},
    {.mode = Mode::VpnTunnel,
     .pattern = "replay-window (64-2048)",
     .help = "Anti-replay window\nPackets",
     .apply = set_count<&Tunnel::replay_window>,
     .render = show_replay,
     .negatable = true},
    {.mode = Mode::VpnTunnel,
     .pattern = "initiate",
     .help = "Open the tunnel ourselves (no: wait for the peer)",
     .apply = set_flag<&Tunnel::initiate>,
     .render = show_initiate,
     .negatable = true},
    {.mode = Mode::VpnTunnel,
     .pattern = "probe",
     .help = "ICMP echo through the tunnel (no: never)",
     .apply = set_flag<&Tunnel::probe>,
     .render = show_probe,
     .negatable = true},
    {.mode = Mode::VpnTunnel,
     .pattern = "probe interval (20-60000)",
     .help = "ICMP echo through the tunnel\nPace\nMilliseconds",
     .apply = set_count<&Tunnel::probe_interval>,
     .render = show_probe_interval,
     .negatable = true},
    {.mode = Mode::VpnTunnel,
     .pattern = "probe misses (1-100)",
     .help = "ICMP echo through the tunnel\nUnanswered in a row: the path is dead\nNumber",
     .apply = set_count<&Tunnel::probe_misses>,
     .render = show_probe_misses,
     .negatable = true},
    {.mode = Mode::VpnTunnel,
     .pattern = "mtu (576-9216)",
     .help = "MTU of the interface\nOctets",
     .apply = set_mtu,
     .render = show_mtu,
     .negatable = true},
    {.mode = Mode::VpnTunnel,
     .pattern = "mtu auto",
     .help = "MTU of the interface\nFrom the negotiated algorithms",
     .apply = set_auto<&Tunnel::mtu>},
    {.mode = Mode::VpnTunnel,
     .pattern = "df {copy|clear}",
     .help = "Don't Fragment on ESP packets (kernel data plane)\ncopy: as on the packet inside; clear: they may be "
             "fragmented",
     .apply = set_df,
     .render = show_df,
     .negatable = true},
    {.mode = Mode::VpnTunnel,
     .pattern = "hw-offload",
     .help = "ESP by the network card, if it can (kernel data plane)",
     .apply = set_flag<&Tunnel::hw_offload>,
     .render = show_hw_offload,
     .negatable = true},
    {.mode = Mode::VpnTunnel,
     .pattern = "preference (0-4294967295)",
     .help = "Static routing: the lower is preferred\nNumber",
     .apply = set_preference,
     .render = show_preference,
     .negatable = true},
    {.mode = Mode::VpnTunnel,
     .pattern = "shutdown",
     .help = "Take the tunnel down",
     .apply = set_flag<&Tunnel::shutdown>,
     .render = show_shutdown,
     .negatable = true},
};

}  // namespace

std::span<const Command> vpn_rows() {
  return kVpn;
}
std::span<const Command> tunnel_rows() {
  return kTunnel;
}

}  // namespace cgw::config
