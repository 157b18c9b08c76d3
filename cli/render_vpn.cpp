#include <algorithm>
#include <array>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "cli/render.hpp"
#include "cli/tree.hpp"

namespace cgw::cli {
namespace {

using boost::json::value;
using Row = std::vector<std::string>;

std::string table(const std::vector<Row>& rows) {
  std::vector<std::size_t> width;
  for (const auto& row : rows) {
    width.resize(std::max(width.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i)
      width[i] = std::max(width[i], row[i].size());
  }
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i)
      line += fmt::format("{:<{}}", row[i], i + 1 < row.size() ? width[i] + 2 : 0);
    out += line.substr(0, line.find_last_not_of(' ') + 1) + '\n';
  }
  return out;
}

// 1532 octets: "1.5K"
std::string octets(std::int64_t n) {
  constexpr std::array kUnits{"", "K", "M", "G", "T"};
  double v = static_cast<double>(n);
  std::size_t unit = 0;
  while (v >= 1000 && unit + 1 < kUnits.size()) {
    v /= 1000;
    ++unit;
  }
  return unit == 0 ? fmt::format("{}", n) : fmt::format("{:.1f}{}", v, kUnits[unit]);
}

std::string ago(std::int64_t msec) {
  const auto s = msec / 1000;
  if (s < 86400) return fmt::format("{:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
  return fmt::format("{}d{:02}h{:02}m", s / 86400, s / 3600 % 24, s / 60 % 60);
}

std::string probe_words(const value& t) {
  const auto& p = at(t, "probe");
  if (!flag(p, "enabled")) return "off";
  if (!flag(p, "everAnswered")) return "no answer yet";
  if (integer(p, "missedInARow") > 0) return fmt::format("{} missed", integer(p, "missedInARow"));
  if (at(p, "rttMsec").is_null()) return "waiting";
  const auto loss = number(at(p, "lossPercent"));
  return fmt::format("ok {:.1f} ms{}", number(at(p, "rttMsec")), loss > 0 ? fmt::format(" {:.0f}% lost", loss) : "");
}

std::string state_words(const value& t) {
  const std::string verdict = text(t, "verdict");
  if (verdict == "down") return "DOWN";
  return (flag(t, "active") ? "ACTIVE" : "standby") + (verdict == "up" ? std::string() : " (" + verdict + ")");
}

Row tunnel_row(const value& t) {
  const auto& bgp = at(t, "bgp");
  const bool has_bgp = flag(bgp, "configured");
  return {fmt::format("{}", integer(t, "tunnel")),
          text(t, "outsideAddress"),
          text(t, "interface"),
          text(at(t, "ike"), "state"),
          flag(at(t, "child"), "installed") ? "INSTALLED" : "-",
          probe_words(t),
          has_bgp ? text(bgp, "state") : "-",
          has_bgp ? fmt::format("{}/{}", integer(bgp, "prefixesReceived"), integer(bgp, "prefixesSent")) : "-",
          fmt::format("{}/{}", octets(integer(t, "octetsIn")), octets(integer(t, "octetsOut"))),
          state_words(t),
          ago(integer(t, "sinceMsec"))};
}

// "certificate 'CN=cgw' until 2027-01-01 00:00 UTC (38 days); peer 'CN=vgw' until ..., RSA-2048, RSASSA-PSS with ..."
std::string certificates(const value& authentication) {
  const auto one = [](const value& c) {
    const auto left = integer(c, "daysLeft");
    return fmt::format("'{}' until {} ({})", text(c, "subject"), text(c, "notAfter"),
                       left < 0 ? std::string("EXPIRED") : fmt::format("{} day{}", left, left == 1 ? "" : "s"));
  };
  std::string out = "certificate " + one(at(authentication, "certificate"));
  const auto& peer = at(authentication, "peerCertificate");
  if (peer.is_object()) out += "; peer " + one(peer) + ", by " + text(authentication, "peer");
  return out;
}

// "3 replayed, 1 bad ICV": those that there are.
std::string counts(const value& by_reason) {
  std::vector<std::string> words;
  if (!by_reason.is_object()) return {};
  for (const auto& [reason, n] : by_reason.as_object()) {
    if (number(n) > 0)
      words.push_back(fmt::format("{} {}", static_cast<std::int64_t>(number(n)), std::string_view(reason)));
  }
  return fmt::format("{}", fmt::join(words, ", "));
}

// What an engineer wants to know of a tunnel beyond its row.
std::string details(const value& t) {
  std::string out;
  const std::string label = fmt::format("  tunnel {}: ", integer(t, "tunnel"));
  const auto& child = at(t, "child");
  if (flag(child, "installed")) {
    out += fmt::format("{}{}, ESP {}{}, MTU {}, MSS {}{}\n", label, text(at(t, "ike"), "suite"), text(child, "suite"),
                       flag(child, "udpEncap") ? " in UDP" : "", integer(t, "mtu"), integer(t, "mss"),
                       text(at(t, "authentication"), "method") == "pre-shared key" ? ", pre-shared key" : "");
  }
  if (const auto& a = at(t, "authentication"); text(a, "method") == "certificate")
    out += label + certificates(a) + '\n';
  if (text(t, "verdict") != "up") out += label + text(t, "verdict") + ": " + text(t, "reason") + '\n';
  if (const auto dropped = counts(at(t, "drops")); !dropped.empty()) out += label + "dropped: " + dropped + '\n';
  return out;
}

std::string connection(const value& c) {
  const auto& active = at(c, "activeTunnel");
  std::vector<std::string> about;
  for (const char* key : {"customerGateway", "gateway", "target", "routing"}) {
    if (!text(c, key).empty()) about.push_back(text(c, key));
  }
  std::string out =
      fmt::format("VPN {}  ({})  active: {}\n", text(c, "id"), fmt::join(about, ", "),
                  active.is_null() ? "none" : fmt::format("tunnel {}", static_cast<std::int64_t>(number(active))));
  std::vector<Row> rows{
      {"Tun", "Outside", "Interface", "IKE", "Child", "Probe", "BGP", "Rx/Tx pfx", "In/Out", "State", "Since"}};
  for (const auto& t : list(c, "tunnels"))
    rows.push_back(tunnel_row(t));
  out += table(rows);
  for (const auto& t : list(c, "tunnels"))
    out += details(t);
  return out;
}

}  // namespace

std::string render_vpn(const value& tree) {
  const auto& plane = at(tree, "dataPlane");
  std::string out = fmt::format("Data plane: {} ({})", text(plane, "name"), text(plane, "reason"));
  if (const auto threads = integer(plane, "threads"); threads > 1)
    out += fmt::format(", {} threads a tunnel each way", threads);
  out += "\n";
  for (const auto& c : list(tree, "connections"))
    out += "\n" + connection(c);
  if (const auto ignored = counts(at(tree, "ikeIgnored")); !ignored.empty())
    out += "\nIKE datagrams ignored: " + ignored + '\n';
  const auto& last = at(tree, "lastChange");
  if (last.is_object())
    out += fmt::format("\nLast change: {} ago  {}\n", ago(integer(last, "agoMsec")), text(last, "text"));
  return out;
}

}  // namespace cgw::cli
