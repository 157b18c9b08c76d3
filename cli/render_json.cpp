#include <fmt/format.h>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "cli/render.hpp"
#include "config/config.hpp"

namespace cgw::cli {
namespace {

namespace json = boost::json;

// FRR's form: two blanks a level, no blank before or after the colon.
void write(const json::value& v, unsigned depth, std::string& out) {
  const std::string inner(2 * (depth + 1), ' '), outer(2 * depth, ' ');
  const char* separator = "\n";
  if (v.is_object()) {
    out += '{';
    for (const auto& [key, member] : v.as_object()) {
      out += separator + inner + json::serialize(json::string(key)) + ':';
      write(member, depth + 1, out);
      separator = ",\n";
    }
    out += "\n" + outer + '}';
  } else if (v.is_array()) {
    out += '[';
    for (const auto& member : v.as_array()) {
      out += separator + inner;
      write(member, depth + 1, out);
      separator = ",\n";
    }
    out += "\n" + outer + ']';
  } else if (v.is_double()) {
    out += fmt::format("{:.3f}", v.as_double());
  } else {
    out += json::serialize(v);
  }
}

json::value or_null(const std::optional<IpAddress>& a) {
  return a ? json::value(a->to_string()) : json::value(nullptr);
}

json::array strings(const std::vector<std::string>& list) {
  json::array out;
  for (const auto& s : list)
    out.push_back(json::value(s));
  return out;
}

std::string_view word(config::Target t) {
  switch (t) {
    case config::Target::Vgw: return "vgw";
    case config::Target::Tgw: return "tgw";
    case config::Target::Other: return "other";
  }
  return "";
}
std::string_view word(config::DataPlane p) {
  switch (p) {
    case config::DataPlane::Auto: return "auto";
    case config::DataPlane::Kernel: return "kernel";
    case config::DataPlane::Userspace: return "userspace";
  }
  return "";
}
std::string_view word(config::WhenDown w) {
  switch (w) {
    case config::WhenDown::Blackhole: return "blackhole";
    case config::WhenDown::Unreachable: return "unreachable";
    case config::WhenDown::Remove: return "remove";
  }
  return "";
}

json::object tunnel_tree(const config::Tunnel& t) {
  return {{"tunnel", t.number},
          {"interface", t.interface},
          {"customerGatewayOutsideAddress", or_null(t.customer_gateway_outside)},
          {"customerGatewayInsideAddress",
           t.customer_gateway_inside ? json::value(t.customer_gateway_inside->to_string()) : json::value(nullptr)},
          {"vpnGatewayOutsideAddress",
           t.vpn_gateway_any ? json::value("any") : json::value(or_null(t.vpn_gateway_outside))},
          {"vpnGatewayInsideAddress", or_null(t.vpn_gateway_inside)},
          {"localAddress", t.local_address ? json::value(t.local_address->to_string()) : json::value("auto")},
          {"preSharedKey", t.pre_shared_key},
          {"ikeProposals", strings(t.ike_proposals)},
          {"espProposals", strings(t.esp_proposals)},
          {"ikeLifetime", t.ike_lifetime.count()},
          {"espLifetime", t.child_lifetime.count()},
          {"dpdInterval", t.dpd_interval.count()},
          {"replayWindow", t.replay_window},
          {"initiate", t.initiate},
          {"probe", t.probe},
          {"probeIntervalMsec", t.probe_interval.count()},
          {"probeMisses", t.probe_misses},
          {"mtu", t.mtu ? json::value(*t.mtu) : json::value("auto")},
          {"preference", t.preference ? json::value(*t.preference) : json::value(nullptr)},
          {"shutdown", t.shutdown}};
}

std::string_view name(config::RemovePrivateAs r) {
  switch (r) {
    case config::RemovePrivateAs::No: return "";
    case config::RemovePrivateAs::Only: return "all-private";
    case config::RemovePrivateAs::OnlyReplace: return "all-private replace";
    case config::RemovePrivateAs::All: return "all";
    case config::RemovePrivateAs::AllReplace: return "all replace";
  }
  return "";
}

json::object family_tree(const config::NeighborFamily& f) {
  const auto& m = f.maximum_prefix;
  return {{"prefixListIn", f.prefix_list_in},
          {"prefixListOut", f.prefix_list_out},
          {"filterListIn", f.filter_list_in},
          {"filterListOut", f.filter_list_out},
          {"routeMapIn", f.route_map_in},
          {"routeMapOut", f.route_map_out},
          {"addpathTxAllPaths", f.addpath_tx_all_paths},
          {"allowasIn", f.allowas_in ? json::value(*f.allowas_in) : json::value(nullptr)},
          {"asOverride", f.as_override},
          {"defaultOriginate", f.default_originate},
          {"maximumPrefix", m ? json::value(m->limit) : json::value(nullptr)},
          {"maximumPrefixRestartMinutes", m && m->restart ? json::value(*m->restart) : json::value(nullptr)},
          {"nextHopSelf", f.next_hop_self},
          {"removePrivateAs", name(f.remove_private_as)},
          {"routeReflectorClient", f.route_reflector_client},
          {"softReconfigurationInbound", f.soft_reconfiguration_inbound},
          {"weight", f.weight ? json::value(*f.weight) : json::value(nullptr)}};
}

json::value bgp_tree(const std::optional<config::Bgp>& b) {
  if (!b) return nullptr;
  json::array neighbors, networks;
  for (const auto& [address, n] : b->neighbors) {
    neighbors.push_back(json::object{
        {"address", address.to_string()},
        {"remoteAs", n.remote_as},
        {"description", n.description},
        {"keepalive", n.keepalive.value_or(b->keepalive).count()},
        {"holdTime", n.hold.value_or(b->hold).count()},
        {"maximumPrefixOut", n.maximum_prefix_out ? json::value(*n.maximum_prefix_out) : json::value(nullptr)},
        {"passive", n.passive},
        {"shutdown", n.shutdown},
        {"ipv4Unicast", family_tree(n.ipv4)}});
  }
  for (const auto& p : b->networks)
    networks.push_back(json::value(p.to_string()));
  return json::object{{"as", b->asn},
                      {"routerId", or_null(b->router_id)},
                      {"keepalive", b->keepalive.count()},
                      {"holdTime", b->hold.count()},
                      {"neighbors", std::move(neighbors)},
                      {"networks", std::move(networks)}};
}

}  // namespace

std::string pretty(const json::value& v) {
  std::string out;
  write(v, 0, out);
  return out + '\n';
}

json::value config_tree(const std::string& text) {
  const auto c = config::parse(text, "running-config");
  if (!c) return nullptr;
  json::array connections, routes;
  for (const auto& one : c->connections) {
    json::array tunnels;
    for (const auto& [number, t] : one.tunnels)
      tunnels.push_back(tunnel_tree(t));
    connections.push_back(json::object{{"id", one.id},
                                       {"customerGateway", one.customer_gateway},
                                       {"gateway", one.gateway},
                                       {"target", word(one.target)},
                                       {"routing", one.routing == config::Routing::Static ? "static" : "dynamic"},
                                       {"tunnels", std::move(tunnels)}});
  }
  for (const auto& r : c->static_routes) {
    routes.push_back(json::object{{"prefix", r.prefix.to_string()},
                                  {"via", r.next_hop ? r.next_hop->to_string() : r.connection},
                                  {"distance", r.distance}});
  }
  return json::object{{"hostname", c->hostname},
                      {"dataPlane", word(c->data_plane)},
                      {"dataPlaneThreads", c->plane_threads},
                      {"tunnelsDown", word(c->when_down)},
                      {"connections", std::move(connections)},
                      {"bgp", bgp_tree(c->bgp)},
                      {"staticRoutes", std::move(routes)}};
}

}  // namespace cgw::cli
