#include "daemon/neighbors.hpp"

#include "bgp/configured_policy.hpp"
#include "daemon/routing.hpp"

namespace cgw::neighbors {
namespace {

using bgp::policy::Default;

bgp::policy::Filters filters_in(const config::NeighborFamily& f, Default otherwise) {
  return {f.prefix_list_in, f.filter_list_in, f.route_map_in, otherwise};
}
bgp::policy::Filters filters_out(const config::NeighborFamily& f, Default otherwise) {
  return {f.prefix_list_out, f.filter_list_out, f.route_map_out, otherwise};
}

std::optional<bgp::RemovePrivateAs> remove_private(config::RemovePrivateAs r, bgp::Asn remote) {
  using enum config::RemovePrivateAs;
  if (r == No) return std::nullopt;
  return bgp::RemovePrivateAs{
      .all = r == All || r == AllReplace, .replace = r == OnlyReplace || r == AllReplace, .keep = remote};
}

bgp::SessionConfig session(const config::Config& config, const config::Neighbor& n, const IpAddress& local) {
  const config::Bgp& b = *config.bgp;
  bgp::SessionConfig s;
  s.local_as = bgp::Asn{b.asn};
  s.remote_as = bgp::Asn{n.remote_as};
  s.router_id = router(config).router_id;
  s.local_address = local;
  s.remote_address = n.address;
  s.hold_time = n.hold.value_or(b.hold);
  s.keepalive_time = n.keepalive.value_or(b.keepalive);
  s.passive = n.passive;
  s.send_hold_time = bgp::default_send_hold_time(s.hold_time);
  return s;
}

// The lines of an address family, all but its filters.
void apply_family(bgp::NeighborConfig& out, Family family, const config::NeighborFamily& f) {
  if (f.addpath_tx_all_paths) out.session.capabilities.add_path[family] = bgp::AddPath::Send;
  bgp::ImportRules& in = out.routes.import;
  in.allow_own_as = f.allowas_in.value_or(0);
  in.weight = f.weight.value_or(0);
  bgp::ExportRules& rules = out.routes.export_rules[family];
  if (f.as_override) rules.as_override = out.session.remote_as;
  rules.next_hop_self = f.next_hop_self;
  rules.remove_private_as = remove_private(f.remove_private_as, out.session.remote_as);
  rules.reflector_client = out.routes.reflector_client = f.route_reflector_client;
  out.routes.default_originate[family] = f.default_originate;
  out.soft_reconfiguration_inbound = f.soft_reconfiguration_inbound;
  if (!f.maximum_prefix) return;
  out.limit[family].maximum = f.maximum_prefix->limit;
  if (f.maximum_prefix->restart) out.limit[family].pause = std::chrono::minutes(*f.maximum_prefix->restart);
}

}  // namespace

bgp::Router router(const config::Config& c) {
  const auto id = config::bgp_identifier(c);
  const std::uint32_t number = id ? id->v4_value() : 0;
  return {bgp::Asn{c.bgp ? c.bgp->asn : 0}, bgp::RouterId{number}, number};
}

std::optional<bgp::NeighborConfig> of_tunnel(const Common& common, const config::Connection& c,
                                             const config::Tunnel& t) {
  const config::Config& config = common.config;
  if (!config.bgp || !t.vpn_gateway_inside || c.routing == config::Routing::Static) return std::nullopt;
  const auto it = config.bgp->neighbors.find(*t.vpn_gateway_inside);
  if (it == config.bgp->neighbors.end() || it->second.shutdown) return std::nullopt;
  if (router(config).router_id == bgp::RouterId{}) return std::nullopt;
  const config::Neighbor& n = it->second;
  const config::NeighborFamily& f = n.ipv4;
  bgp::NeighborConfig out = routing::tunnel_neighbor(session(config, n, t.customer_gateway_inside->address));
  apply_family(out, Family::V4, f);
  // AWS resets the session past these numbers (VPN quotas).
  const std::uint32_t limit = c.target == config::Target::Tgw ? 1000 : 100;
  out.routes.maximum_prefix_out.v4 = n.maximum_prefix_out.value_or(limit);

  const bgp::BehindTunnel tunnel{t.interface, c.id, t.number};
  const auto policy = [&](bgp::policy::Filters filters) {
    return std::make_shared<const bgp::ConfiguredPolicy>(
        bgp::policy::NeighborPolicy(common.policy, Family::V4, std::move(filters)), tunnel);
  };
  out.routes.import_policy.v4 =
      std::make_shared<const TunnelImport>(common.outer, policy(filters_in(f, Default::TunnelImport)));
  const auto out_filters = filters_out(f, Default::Permit);
  if (out_filters.none()) return out;
  out.routes.export_rules.v4.scope = bgp::Scope::NotFromTunnels;
  out.routes.export_policy.v4 = policy(out_filters);
  return out;
}

}  // namespace cgw::neighbors
