// Rows of `tunnel` blocks that say what its traffic meets: the probe, sizes, the choice among tunnels.
#include <fmt/format.h>

#include "config/tunnel_rows.hpp"

namespace cgw::config {
namespace {

using Lines = std::vector<Rendered>;
using Done = Result<void, std::string>;

Lines show_probe_interval(const Config& c, const Cursor& at) {
  return show_count("probe interval", tunnel_at(c, at).probe_interval, Tunnel{}.probe_interval);
}
Lines show_probe_misses(const Config& c, const Cursor& at) {
  return show_count("probe misses", tunnel_at(c, at).probe_misses, Tunnel{}.probe_misses);
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

constexpr Command kTraffic[] = {
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

std::span<const Command> traffic_rows() {
  return kTraffic;
}

}  // namespace cgw::config
