#include <map>
#include <set>

#include <fmt/format.h>

#include "config/config.hpp"

namespace cgw::config {
namespace {

constexpr std::size_t kStaticLimit = 100;  // static routes a VGW connection takes
constexpr std::uint32_t kLeastMtuV6 = 1280;

class Validator {
 public:
  Validator(const Config& c, const Secrets* secrets, const Places& places)
      : config_(c),
        secrets_(secrets),
        places_(places) {}

  Findings run() {
    for (const auto& c : config_.connections)
      connection(c);
    if (config_.connections.empty()) warn("", "no vpn connection is configured: there is nothing to do");
    bgp();
    routes();
    for (auto& d : missing_names(config_.policy, places_))
      out_.warnings.push_back(std::move(d));
    return std::move(out_);
  }

 private:
  void error(std::string_view place, std::string text) {
    out_.errors.push_back({.line = line_of(places_, place), .text = std::move(text)});
  }
  void warn(std::string_view place, std::string text) {
    out_.warnings.push_back({.line = line_of(places_, place), .text = "warning: " + std::move(text)});
  }

  void connection(const Connection& c) {
    const std::string place = "vpn connection " + c.id;
    if (c.tunnels.empty()) error(place, fmt::format("{}: it has no tunnel: add 'tunnel 1'", place));
    if (c.tunnels.size() == 1)
      warn(place, fmt::format("{}: one tunnel only; AWS's maintenance will interrupt it", place));
    for (const auto& [number, t] : c.tunnels) {
      tunnel(fmt::format("{} tunnel {}", place, number), fmt::format("{} / tunnel {}", place, number), t);
    }
  }

  // name: as messages have it.
  void tunnel(const std::string& name, const std::string& place, const Tunnel& t) {
    const auto needs = [&](bool there, std::string_view line) {
      if (!there) error(place, fmt::format("{}: '{}' is missing", name, line));
    };
    needs(t.vpn_gateway_outside || t.vpn_gateway_any, "vpn-gateway outside-address A.B.C.D");
    if (t.vpn_gateway_any) any_outside(name, place, t);
    needs(t.vpn_gateway_inside.has_value(), "vpn-gateway inside-address A.B.C.D");
    needs(t.customer_gateway_inside.has_value(), "customer-gateway inside-address A.B.C.D/M");
    authentication(name, place, t);
    if (t.vpn_gateway_outside && !outside_.emplace(*t.vpn_gateway_outside, name).second) {
      error(place + " / vpn-gateway outside-address",
            fmt::format("{}: vpn-gateway outside-address {} is also that of {}", name,
                        t.vpn_gateway_outside->to_string(), outside_[*t.vpn_gateway_outside]));
    }
    outside_family(name, place, t);
    if (!interfaces_.emplace(t.interface, name).second) {
      error(place + " / interface",
            fmt::format("{}: interface {} is also that of {}", name, t.interface, interfaces_[t.interface]));
    }
    if (t.vpn_gateway_inside) neighbors_.insert(*t.vpn_gateway_inside);
    if (t.customer_gateway_inside) inside(name, place, t);
    // The name is not shown: it may be a key by mistake.
    if (secrets_ != nullptr && !t.pre_shared_key.empty() && !secrets_->contains(t.pre_shared_key)) {
      error(
          place + " / pre-shared-key",
          fmt::format("{}: the secrets file has no key of the name that 'pre-shared-key' gives: add a line 'NAME KEY' "
                      "to it",
                      name));
    }
    if (t.child_lifetime >= t.ike_lifetime) {
      warn(place + " / esp lifetime", fmt::format("{}: esp lifetime is not below ike lifetime; AWS demands it", name));
    }
  }

  // Who calls is known by IDi, after IKE_SA_INIT was answered for all of them alike.
  void any_outside(const std::string& name, const std::string& place, const Tunnel& t) {
    const std::string at = place + " / vpn-gateway outside-address";
    const auto needs = [&](bool there, std::string_view line) {
      if (!there) error(at, fmt::format("{}: '{}' is missing; 'vpn-gateway outside-address any' needs it", name, line));
    };
    needs(!t.initiate, "no initiate");
    needs(t.remote_identity.has_value(), "remote-identity fqdn NAME");
    needs(t.local_identity || t.customer_gateway_outside || t.local_address || !t.certificate.empty(),
          "local-identity fqdn NAME");
    if (t.hw_offload) error(at, fmt::format("{}: hw-offload needs an interface, which an address tells", name));
    if (any_.empty()) {
      any_.emplace_back(name, t);
      return;
    }
    if (t.ike_proposals != any_.front().second.ike_proposals) {
      error(at, fmt::format("{}: its 'ike proposal' is not that of {}; tunnels with 'vpn-gateway outside-address any' "
                            "need the same, since IKE_SA_INIT does not say who calls",
                            name, any_.front().first));
    }
    for (const auto& [other, of] : any_) {
      if (t.remote_identity && of.remote_identity == t.remote_identity)
        error(place + " / remote-identity", fmt::format("{}: its remote-identity is also that of {}", name, other));
    }
    any_.emplace_back(name, t);
  }

  void outside_family(const std::string& name, const std::string& place, const Tunnel& t) {
    if (!t.vpn_gateway_outside) return;
    const IpAddress& theirs = *t.vpn_gateway_outside;
    if (t.local_address && t.local_address->family() != theirs.family()) {
      error(place + " / local-address",
            fmt::format("{}: local-address {} and vpn-gateway outside-address {} are not of one family", name,
                        t.local_address->to_string(), theirs.to_string()));
    }
    // It is an identity first of all, and the peer may know us by that one.
    if (t.customer_gateway_outside && t.customer_gateway_outside->family() != theirs.family()) {
      warn(place + " / customer-gateway outside-address",
           fmt::format("{}: customer-gateway outside-address {} and vpn-gateway outside-address {} are not of one "
                       "family; AWS's always are",
                       name, t.customer_gateway_outside->to_string(), theirs.to_string()));
    }
  }

  // A shared key or certificates, not both; a certificate with all that goes with it.
  void authentication(const std::string& name, const std::string& place, const Tunnel& t) {
    if (t.certificate.empty()) {
      if (t.pre_shared_key.empty())
        error(place, fmt::format("{}: 'pre-shared-key NAME' or 'certificate FILE' is missing", name));
      for (const auto& [word, file] : {std::pair("private-key", &t.private_key),
                                       std::pair("ca-certificate", &t.ca_certificate), std::pair("crl", &t.crl)}) {
        if (!file->empty()) error(place + " / " + word, fmt::format("{}: '{}' needs a 'certificate FILE'", name, word));
      }
      return;
    }
    if (!t.pre_shared_key.empty()) {
      error(place + " / certificate",
            fmt::format("{}: both 'pre-shared-key' and 'certificate' are there; take one away", name));
    }
    const auto needs = [&](bool there, std::string_view line) {
      if (!there)
        error(place + " / certificate", fmt::format("{}: '{}' is missing; 'certificate' needs it", name, line));
    };
    needs(!t.private_key.empty(), "private-key FILE");
    needs(!t.ca_certificate.empty(), "ca-certificate FILE");
    // Any certificate of the CA would do otherwise, another customer gateway's too.
    needs(t.remote_identity.has_value(), "remote-identity dn CN=...");
  }

  void inside(const std::string& name, const std::string& place, const Tunnel& t) {
    const Prefix ours = t.customer_gateway_inside->subnet();
    const std::string our_place = place + " / customer-gateway inside-address";
    for (const auto& [other, of] : inside_) {
      if (!other.contains(ours) && !ours.contains(other)) continue;
      error(our_place,
            other == ours
                ? fmt::format("{}: inside subnet {} is also that of {}", name, ours.to_string(), of)
                : fmt::format("{}: inside subnet {} overlaps {} of {}", name, ours.to_string(), other.to_string(), of));
    }
    inside_.emplace_back(ours, name);
    if (!t.vpn_gateway_inside) return;
    const IpAddress& theirs = *t.vpn_gateway_inside;
    const std::string their_place = place + " / vpn-gateway inside-address";
    if (theirs.family() != ours.address.family()) {
      return error(their_place, fmt::format("{}: inside addresses {} and {} are not of one family", name,
                                            t.customer_gateway_inside->to_string(), theirs.to_string()));
    }
    // RFC 8200 5: the kernel takes IPv6 off a link that carries less.
    if (!theirs.is_v4() && t.mtu && *t.mtu < kLeastMtuV6) {
      error(place + " / mtu",
            fmt::format("{}: mtu {} is too small for IPv6 inside: {} at least", name, *t.mtu, kLeastMtuV6));
    }
    if (!ours.contains(theirs)) {
      error(their_place,
            fmt::format("{}: vpn-gateway inside-address {} is not in {}", name, theirs.to_string(), ours.to_string()));
    }
    if (t.customer_gateway_inside->address == theirs)
      error(their_place, fmt::format("{}: both inside addresses are {}", name, theirs.to_string()));
  }

  void bgp() {
    bool dynamic = false;
    for (const auto& c : config_.connections) {
      if (c.routing != Routing::Dynamic) continue;
      dynamic = true;
      for (const auto& [number, t] : c.tunnels) {
        if (t.vpn_gateway_inside && !t.vpn_gateway_inside->is_v4()) {
          error(fmt::format("vpn connection {} / tunnel {} / vpn-gateway inside-address", c.id, number),
                fmt::format("vpn connection {} tunnel {}: BGP runs over IPv4 inside addresses only; with IPv6 inside "
                            "say 'routing static'",
                            c.id, number));
          continue;
        }
        const bool known =
            config_.bgp && t.vpn_gateway_inside && config_.bgp->neighbors.contains(*t.vpn_gateway_inside);
        if (!known && t.vpn_gateway_inside) {
          warn(fmt::format("vpn connection {} / tunnel {}", c.id, number),
               fmt::format(
                   "vpn connection {} tunnel {}: routing is dynamic but no 'neighbor {} remote-as' is configured", c.id,
                   number, t.vpn_gateway_inside->to_string()));
        }
      }
    }
    if (!config_.bgp) return;
    for (const auto& [address, n] : config_.bgp->neighbors) {
      const std::string place = fmt::format("router bgp / neighbor {} remote-as", address.to_string());
      if (!neighbors_.contains(address)) {
        error(place, fmt::format("neighbor {}: it is no tunnel's vpn-gateway inside-address", address.to_string()));
      }
      if (n.remote_as == config_.bgp->asn)
        warn(place, fmt::format("neighbor {}: remote-as is our own AS; AWS speaks eBGP", address.to_string()));
    }
    if (dynamic && config_.bgp->networks.empty()) {
      warn("router bgp", "nothing is announced to AWS: add 'network A.B.C.D/M' under 'address-family ipv4 unicast'");
    }
    if (config_.bgp->networks.size() > 100) {
      warn(
          "router bgp",
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
      const std::string place =
          fmt::format("ip route {} {}", r.prefix.to_string(), r.next_hop ? r.next_hop->to_string() : r.connection);
      if (r.next_hop && !neighbors_.contains(*r.next_hop)) {
        error(place, place + ": the next hop is no tunnel's vpn-gateway inside-address");
      }
      if (!r.next_hop && !ids.contains(r.connection)) {
        error(place, place + ": there is no vpn connection of this name");
      }
      if (!r.next_hop) {
        ++count[r.connection];
        without_ipv4(r, place);
      }
    }
    for (const auto& [id, n] : count) {
      if (n > kStaticLimit)
        warn("vpn connection " + id, fmt::format("{} static routes to {}: AWS takes {}", n, id, kStaticLimit));
    }
  }

  void without_ipv4(const StaticRoute& r, const std::string& place) {
    for (const auto& c : config_.connections) {
      if (c.id != r.connection) continue;
      for (const auto& [number, t] : c.tunnels) {
        if (!t.vpn_gateway_inside || t.vpn_gateway_inside->is_v4()) continue;
        error(place,
              fmt::format("{}: tunnel {} of {} carries IPv6 only, by its inside addresses", place, number, c.id));
      }
    }
  }

  const Config& config_;
  const Secrets* secrets_;
  const Places& places_;
  Findings out_;
  std::map<IpAddress, std::string> outside_;
  std::vector<std::pair<std::string, Tunnel>> any_;  // without an outside address
  std::map<std::string, std::string> interfaces_;
  std::vector<std::pair<Prefix, std::string>> inside_;
  std::set<IpAddress> neighbors_;
};

}  // namespace

Findings validate(const Config& c, const Secrets* secrets, const Places& places) {
  return Validator(c, secrets, places).run();
}

}  // namespace cgw::config
