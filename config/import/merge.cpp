// An import over a configuration that is there: what AWS says changes, what was set by hand stays.
#include <algorithm>

#include <fmt/format.h>

#include "config/aws_import.hpp"

namespace cgw::config {
namespace {

class Merger {
 public:
  Merger(Config base, const Config& fresh) : out_(std::move(base)), fresh_(fresh) {}

  Config run() {
    for (const Connection& c : fresh_.connections) {
      const auto old = std::ranges::find(out_.connections, c.id, &Connection::id);
      if (old == out_.connections.end()) {
        add(c);
      } else {
        take_over(*old, c);
      }
      static_routes(c);
    }
    bgp();
    return std::move(out_);
  }

 private:
  void add(Connection c) {
    for (auto& [number, t] : c.tunnels) {
      if (interface_taken(t.interface)) t.interface = fmt::format("cgw{}t{}", out_.connections.size() + 1, number);
    }
    out_.connections.push_back(std::move(c));
  }
  bool interface_taken(const std::string& name) const {
    return std::ranges::any_of(out_.connections, [&](const Connection& c) {
      return std::ranges::any_of(c.tunnels, [&](const auto& entry) { return entry.second.interface == name; });
    });
  }

  void take_over(Connection& to, const Connection& from) {
    to.customer_gateway = from.customer_gateway;
    to.gateway = from.gateway;
    to.target = from.target;
    to.routing = from.routing;
    std::erase_if(to.tunnels, [&](const auto& entry) {
      const bool gone = !from.tunnels.contains(entry.first);
      if (gone) forget(entry.second, std::nullopt);
      return gone;
    });
    for (const auto& [number, fresh] : from.tunnels) {
      const auto [old, is_new] = to.tunnels.try_emplace(number, fresh);
      if (is_new) continue;
      const bool moved = old->second.vpn_gateway_inside != fresh.vpn_gateway_inside || to.routing == Routing::Static;
      if (moved) forget(old->second, fresh.vpn_gateway_inside);
      take_over(old->second, fresh);
    }
  }

  static void take_over(Tunnel& to, const Tunnel& from) {
    to.vpn_gateway_outside = from.vpn_gateway_outside;
    if (from.customer_gateway_outside) to.customer_gateway_outside = from.customer_gateway_outside;
    to.customer_gateway_inside = from.customer_gateway_inside;
    to.vpn_gateway_inside = from.vpn_gateway_inside;
    if (!from.pre_shared_key.empty()) to.pre_shared_key = from.pre_shared_key;
    for (const auto file : {&Tunnel::certificate, &Tunnel::private_key, &Tunnel::ca_certificate}) {
      if (!(from.*file).empty()) to.*file = from.*file;
    }
    if (!from.ike_proposals.empty()) to.ike_proposals = from.ike_proposals;
    if (!from.esp_proposals.empty()) to.esp_proposals = from.esp_proposals;
    to.ike_lifetime = from.ike_lifetime;
    to.child_lifetime = from.child_lifetime;
    to.dpd_interval = from.dpd_interval;
    if (from.replay_window != Tunnel{}.replay_window) to.replay_window = from.replay_window;
  }

  // AWS's inside address of a tunnel is gone, or is another now.
  void forget(const Tunnel& old, const std::optional<IpAddress>& now) {
    if (!old.vpn_gateway_inside) return;
    if (out_.bgp) out_.bgp->neighbors.erase(*old.vpn_gateway_inside);
    if (!now)
      std::erase_if(out_.static_routes, [&](const StaticRoute& r) { return r.next_hop == old.vpn_gateway_inside; });
    for (StaticRoute& r : out_.static_routes) {
      if (r.next_hop == old.vpn_gateway_inside) r.next_hop = now;
    }
  }

  void static_routes(const Connection& c) {
    if (c.routing == Routing::Dynamic)
      std::erase_if(out_.static_routes, [&](const StaticRoute& r) { return r.connection == c.id; });
    for (const StaticRoute& r : fresh_.static_routes) {
      const auto same = [&](const StaticRoute& o) { return o.prefix == r.prefix && o.connection == r.connection; };
      if (r.connection == c.id && std::ranges::none_of(out_.static_routes, same)) out_.static_routes.push_back(r);
    }
  }

  void bgp() {
    if (!fresh_.bgp) return;
    if (!out_.bgp) {
      out_.bgp = fresh_.bgp;
      return;
    }
    Bgp& to = *out_.bgp;
    to.asn = fresh_.bgp->asn;
    for (const auto& [address, n] : fresh_.bgp->neighbors) {
      const auto [old, is_new] = to.neighbors.try_emplace(address, n);
      old->second.remote_as = n.remote_as;
      const Seconds hold = n.hold.value_or(fresh_.bgp->hold);
      if (is_new && hold != to.hold) {
        old->second.hold = hold;
        old->second.keepalive = n.keepalive.value_or(fresh_.bgp->keepalive);
      }
    }
    for (const Prefix& p : fresh_.bgp->networks) {
      if (std::ranges::find(to.networks, p) == to.networks.end()) to.networks.push_back(p);
    }
  }

  Config out_;
  const Config& fresh_;
};

}  // namespace

Config merge_import(Config base, const Config& fresh) {
  return Merger(std::move(base), fresh).run();
}

}  // namespace cgw::config
