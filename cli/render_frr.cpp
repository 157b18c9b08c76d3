// FRR's layouts, column for column: tools read them.
#include <fmt/format.h>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <algorithm>
#include <vector>

#include "base/ip.hpp"
#include "cli/render.hpp"
#include "cli/tree.hpp"

namespace cgw::cli {
namespace {

using boost::json::value;

std::string peer_line(std::string_view address, const value& p) {
  const std::string state = text(p, "state");
  const std::string shown = state == "Established" ? fmt::format("{}", integer(p, "pfxRcd")) : state;
  const std::string desc = text(p, "desc");
  return fmt::format("{:<15} {} {:>10} {:>9} {:>9} {:>8} {:>4} {:>4} {:>8} {:>12} {:>8} {}\n", address,
                     integer(p, "version"), integer(p, "remoteAs"), integer(p, "msgRcvd"), integer(p, "msgSent"),
                     integer(p, "tableVersion"), integer(p, "inq"), integer(p, "outq"), text(p, "peerUptime"), shown,
                     integer(p, "pfxSnt"), desc.empty() ? "N/A" : desc);
}

constexpr const char* kRouteLegend =
    "Codes: K - kernel route, C - connected, S - static, R - RIP,\n"
    "       O - OSPF, I - IS-IS, B - BGP, E - EIGRP, N - NHRP,\n"
    "       T - Table, v - VNC, V - VNC-Direct, A - Babel, F - PBR,\n"
    "       f - OpenFabric,\n"
    "       > - selected route, * - FIB route, q - queued, r - rejected, b - backup\n"
    "       t - trapped, o - offload failure\n\n";

char code(std::string_view protocol) {
  if (protocol == "bgp") return 'B';
  if (protocol == "connected") return 'C';
  if (protocol == "static") return 'S';
  return 'K';
}

std::string hop_words(const value& route, const value& hop) {
  if (flag(hop, "directlyConnected")) return fmt::format(" is directly connected, {}", text(hop, "interfaceName"));
  if (flag(route, "blackhole")) return " unreachable (blackhole), weight 1";
  return fmt::format(" via {}, {}, weight {}", text(hop, "ip"), text(hop, "interfaceName"), integer(hop, "weight"));
}

// A line a next hop; those after the first stand under it.
std::string route_lines(std::string_view prefix, const value& r) {
  const auto& hops = list(r, "nexthops");
  const value none;
  const value& first = hops.empty() ? none : hops.front();
  const auto mark = [](const value& hop) { return flag(hop, "fib") ? '*' : ' '; };
  std::string head =
      fmt::format("{}{}{} {}", code(text(r, "protocol")), flag(r, "selected") ? '>' : ' ', mark(first), prefix);
  if (!flag(first, "directlyConnected")) head += fmt::format(" [{}/{}]", integer(r, "distance"), integer(r, "metric"));
  std::string out = head + hop_words(r, first) + ", " + text(r, "uptime") + '\n';
  for (std::size_t i = 1; i < hops.size(); ++i) {
    out +=
        fmt::format("  {}{:{}}{}, {}\n", mark(hops[i]), "", head.size() - 3, hop_words(r, hops[i]), text(r, "uptime"));
  }
  return out;
}

}  // namespace

std::string render_bgp_summary(const value& tree) {
  const auto& family = at(tree, "ipv4Unicast");
  if (family.is_null()) return "% BGP instance not found\n";
  std::string out = fmt::format(
      "\nIPv4 Unicast Summary (VRF default):\n"
      "BGP router identifier {}, local AS number {} vrf-id {}\n"
      "BGP table version {}\n"
      "RIB entries {}, using {} bytes of memory\n"
      "Peers {}, using {} KiB of memory\n\n"
      "Neighbor        V         AS   MsgRcvd   MsgSent   TblVer  InQ OutQ  Up/Down State/PfxRcd   PfxSnt Desc\n",
      text(family, "routerId"), integer(family, "as"), integer(family, "vrfId"), integer(family, "tableVersion"),
      integer(family, "ribCount"), integer(family, "ribMemory"), integer(family, "peerCount"),
      integer(family, "peerMemory") / 1024);
  const auto& peers = at(family, "peers");
  if (peers.is_object()) {
    for (const auto& [address, p] : peers.as_object())
      out += peer_line(address, p);
  }
  return out + fmt::format("\nTotal number of neighbors {}\n", integer(family, "totalPeers"));
}

std::string render_ip_route(const value& tree) {
  std::string out = kRouteLegend;
  if (!tree.is_object()) return out;
  std::vector<std::pair<Prefix, const value*>> sorted;
  for (const auto& [text_of, entries] : tree.as_object()) {
    if (const auto p = Prefix::parse(text_of)) sorted.emplace_back(*p, &entries);
  }
  std::ranges::sort(sorted, {}, [](const auto& e) { return e.first; });
  for (const auto& [prefix, entries] : sorted) {
    if (!entries->is_array()) continue;
    for (const auto& r : entries->as_array())
      out += route_lines(prefix.to_string(), r);
  }
  return out;
}

std::string render_running_config(const value& tree) {
  return "Building configuration...\n\nCurrent configuration:\n!\n" + text(tree, "text") + "end\n";
}

std::string render_version(const value& tree) {
  const std::string host = text(tree, "hostname");
  return fmt::format("{} {}{}\n", text(tree, "name"), text(tree, "version"), host.empty() ? "" : " (" + host + ")");
}

}  // namespace cgw::cli
