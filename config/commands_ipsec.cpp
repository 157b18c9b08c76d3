// Rows of `tunnel` blocks that say how IKE and ESP work; what certificates need is in commands_auth.cpp.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "config/tunnel_rows.hpp"

namespace cgw::config {
namespace {

using Lines = std::vector<Rendered>;
using Done = Result<void, std::string>;

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
Lines show_initiate(const Config& c, const Cursor& at) {
  return line_if(!tunnel_at(c, at).initiate, "no initiate");
}

constexpr Command kIpsec[] = {
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
};

}  // namespace

std::span<const Command> ipsec_rows() {
  return kIpsec;
}

}  // namespace cgw::config
