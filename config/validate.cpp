#include <map>
#include <set>

#include <fmt/format.h>

#include "config/config.hpp"

namespace cgw::config {
namespace {

constexpr std::size_t kStaticLimit = 100;  // static routes a VGW connection takes

class Validator {
 public:
  Validator(const Config& c, const Secrets* secrets) : config_(c), secrets_(secrets) {}

  Findings run() {
    for (const auto& c : config_.connections)
      connection(c);
    if (config_.connections.empty()) warn("no vpn connection is configured: there is nothing to do");
    bgp();
    routes();
    return std::move(out_);
  }

 private:
  void error(std::string text) { out_.errors.push_back({.text = std::move(text)}); }
  void warn(std::string text) { out_.warnings.push_back({.text = "warning: " + std::move(text)}); }

  void connection(const Connection& c) {
    if (c.tunnels.empty()) error(fmt::format("vpn connection {}: it has no tunnel", c.id));
    if (c.tunnels.size() == 1)
      warn(fmt::format("vpn connection {}: one tunnel only; AWS's maintenance will interrupt it", c.id));
    for (const auto& [number, t] : c.tunnels)
      tunnel(fmt::format("vpn connection {} tunnel {}", c.id, number), t);
  }

  void tunnel(const std::string& name, const Tunnel& t) {
    const auto needs = [&](bool there, std::string_view line) {
      if (!there) error(fmt::format("{}: '{}' is missing", name, line));
    };
    needs(t.vpn_gateway_outside.has_value(), "vpn-gateway outside-address A.B.C.D");
    needs(t.vpn_gateway_inside.has_value(), "vpn-gateway inside-address A.B.C.D");
    needs(t.customer_gateway_inside.has_value(), "customer-gateway inside-address A.B.C.D/M");
    needs(!t.pre_shared_key.empty(), "pre-shared-key NAME");
    if (t.vpn_gateway_outside && !outside_.emplace(*t.vpn_gateway_outside, name).second) {
      error(fmt::format("{}: vpn-gateway outside-address {} is also that of {}", name,
                        t.vpn_gateway_outside->to_string(), outside_[*t.vpn_gateway_outside]));
    }
    if (!interfaces_.emplace(t.interface, name).second) {
      error(fmt::format("{}: interface {} is also that of {}", name, t.interface, interfaces_[t.interface]));
    }
    if (t.vpn_gateway_inside && t.customer_gateway_inside) inside(name, t);
    if (secrets_ != nullptr && !t.pre_shared_key.empty() && !secrets_->contains(t.pre_shared_key)) {
      error(fmt::format("{}: the secrets file has no '{}': add a line '{} KEY'", name, t.pre_shared_key,
                        t.pre_shared_key));
    }
    if (t.child_lifetime >= t.ike_lifetime) {
      warn(fmt::format("{}: esp lifetime is not below ike lifetime; AWS demands it", name));
    }
  }

  void inside(const std::string& name, const Tunnel& t) {
    const IpAddress& theirs = *t.vpn_gateway_inside;
    neighbors_.insert(theirs);
    if (!t.customer_gateway_inside->subnet().contains(theirs)) {
      error(fmt::format("{}: vpn-gateway inside-address {} is not in {}", name, theirs.to_string(),
                        t.customer_gateway_inside->subnet().to_string()));
    }
    if (t.customer_gateway_inside->address == theirs)
      error(fmt::format("{}: both inside addresses are {}", name, theirs.to_string()));
    if (!inside_.emplace(t.customer_gateway_inside->subnet(), name).second) {
      error(fmt::format("{}: inside subnet {} is also that of {}", name,
                        t.customer_gateway_inside->subnet().to_string(), inside_[t.customer_gateway_inside->subnet()]));
    }
  }

  void bgp() {
    bool dynamic = false;
    for (const auto& c : config_.connections) {
      if (c.routing != Routing::Dynamic) continue;
      dynamic = true;
      for (const auto& [number, t] : c.tunnels) {
        const bool known =
            config_.bgp && t.vpn_gateway_inside && config_.bgp->neighbors.contains(*t.vpn_gateway_inside);
        if (!known && t.vpn_gateway_inside) {
          warn(fmt::format(
              "vpn connection {} tunnel {}: routing is dynamic but no 'neighbor {} remote-as' is configured", c.id,
              number, t.vpn_gateway_inside->to_string()));
        }
      }
    }
    if (!config_.bgp) return;
    for (const auto& [address, n] : config_.bgp->neighbors) {
      if (!neighbors_.contains(address)) {
        error(fmt::format("neighbor {}: it is no tunnel's vpn-gateway inside-address", address.to_string()));
      }
      if (n.remote_as == config_.bgp->asn)
        warn(fmt::format("neighbor {}: remote-as is our own AS; AWS speaks eBGP", address.to_string()));
    }
    if (dynamic && config_.bgp->networks.empty()) {
      warn("nothing is announced to AWS: add 'network A.B.C.D/M' under 'address-family ipv4 unicast'");
    }
    if (config_.bgp->networks.size() > 100) {
      warn(
          fmt::format("{} networks: a VGW resets the session past 100 prefixes, a TGW past 1000; the rest is held back",
                      config_.bgp->networks.size()));
    }
  }

  void routes() {
    std::set<std::string> ids;
    for (const auto& c : config_.connections)
      ids.insert(c.id);
    std::map<std::string, std::size_t> count;
    for (const auto& r : config_.static_routes) {
      if (r.next_hop && !neighbors_.contains(*r.next_hop)) {
        error(fmt::format("ip route {} {}: the next hop is no tunnel's vpn-gateway inside-address",
                          r.prefix.to_string(), r.next_hop->to_string()));
      }
      if (!r.next_hop && !ids.contains(r.connection)) {
        error(
            fmt::format("ip route {} {}: there is no vpn connection of this name", r.prefix.to_string(), r.connection));
      }
      ++count[r.connection];
    }
    for (const auto& [id, n] : count) {
      if (n > kStaticLimit) warn(fmt::format("{} static routes to {}: AWS takes {}", n, id, kStaticLimit));
    }
  }

  const Config& config_;
  const Secrets* secrets_;
  Findings out_;
  std::map<IpAddress, std::string> outside_;
  std::map<std::string, std::string> interfaces_;
  std::map<Prefix, std::string> inside_;
  std::set<IpAddress> neighbors_;
};

}  // namespace

Findings validate(const Config& c, const Secrets* secrets) {
  return Validator(c, secrets).run();
}

}  // namespace cgw::config
