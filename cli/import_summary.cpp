#include "cli/import_summary.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include <fmt/format.h>

namespace cgw::cli {
namespace {

using Row = std::array<std::string, 6>;

std::string shown(const std::optional<IpAddress>& a) {
  return a ? a->to_string() : "-";
}

std::string_view shown(config::Target target) {
  switch (target) {
    case config::Target::Vgw: return "vgw";
    case config::Target::Tgw: return "tgw";
    case config::Target::Other: return "other";
  }
  return "";
}

std::string routing_of(const config::Config& c, const config::Tunnel& t) {
  if (!c.bgp || !t.vpn_gateway_inside) return "static";
  const auto n = c.bgp->neighbors.find(*t.vpn_gateway_inside);
  return n == c.bgp->neighbors.end() ? "static" : fmt::format("BGP {} - {}", c.bgp->asn, n->second.remote_as);
}

std::string authentication_of(const config::Imported& i, const config::Tunnel& t) {
  if (!t.certificate.empty()) return "certificate";
  if (t.pre_shared_key.empty()) return "missing";
  return t.pre_shared_key + (i.secrets.contains(t.pre_shared_key) ? "" : " (key missing)");
}

}  // namespace

std::string import_summary(const config::Imported& imported) {
  std::vector<Row> rows{{"Tunnel", "Outside", "AWS outside", "Inside", "AWS inside", "Routing"}};
  std::string out;
  std::vector<std::string> last{"Key"};
  for (const auto& c : imported.config.connections) {
    out += fmt::format("{} to {} {}, from {}\n", c.id, shown(c.target), c.gateway.empty() ? "-" : c.gateway,
                       imported.format);
    for (const auto& [number, t] : c.tunnels) {
      rows.push_back(
          {imported.config.connections.size() > 1 ? fmt::format("{} {}", c.id, number) : std::to_string(number),
           shown(t.customer_gateway_outside), shown(t.vpn_gateway_outside),
           t.customer_gateway_inside ? t.customer_gateway_inside->to_string() : "-", shown(t.vpn_gateway_inside),
           routing_of(imported.config, t)});
      last.push_back(authentication_of(imported, t));
    }
  }
  std::array<std::size_t, 6> width{};
  for (const Row& r : rows) {
    for (std::size_t i = 0; i < r.size(); ++i)
      width[i] = std::max(width[i], r[i].size());
  }
  for (std::size_t n = 0; n < rows.size(); ++n) {
    for (std::size_t i = 0; i < width.size(); ++i)
      out += fmt::format("{:<{}}  ", rows[n][i], width[i]);
    out += last[n] + "\n";
  }
  return out;
}

}  // namespace cgw::cli
