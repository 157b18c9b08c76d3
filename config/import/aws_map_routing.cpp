// BGP and static routes of a connection that AWS describes.
#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "config/import/aws_map.hpp"

namespace cgw::config {
namespace {

constexpr std::uint32_t kMaxAsn = 4294967295U;

void dynamic(Mapping& m, const Connection& c) {
  auto& bgp = m.out.config.bgp;
  bgp->networks = m.options.local_networks;
  const auto& first = c.tunnels.begin()->second.vpn_gateway_inside;
  m.note(c, fmt::format("routing: BGP, AS {} to AS {}", bgp->asn, bgp->neighbors.at(*first).remote_as));
  if (m.options.local_networks.empty()) {
    m.warn(c,
           "nothing will be announced to AWS, so nothing comes back: import again with 'local-network A.B.C.D/M', or "
           "add 'network A.B.C.D/M' under 'address-family ipv4 unicast'");
  }
  if (!m.options.vpc_cidrs.empty() && !m.several)
    m.warn(c, "vpc-cidr is not needed with BGP and was left out: the routes are learned");
}

// AWS sends us what its own static routes name, nothing else.
void routes_in_aws(Mapping& m, const ConnectionFacts& facts, const Connection& c) {
  if (!facts.routes.empty())
    m.note(c, fmt::format("AWS sends here: {} (static routes of the connection)", fmt::join(facts.routes, ", ")));
  std::vector<std::string> missing;
  for (const Prefix& p : m.options.local_networks) {
    if (std::ranges::find(facts.routes, p.to_string()) == facts.routes.end()) missing.push_back(p.to_string());
  }
  if (missing.empty() || m.several) return;
  std::string text =
      "local-network is not announced with static routing: enter these prefixes as static routes of the connection in "
      "AWS";
  if (!facts.routes.empty()) {
    text = fmt::format(
        "AWS has no static route for {}: 'aws ec2 create-vpn-connection-route --vpn-connection-id {} "
        "--destination-cidr-block {}'",
        fmt::join(missing, ", "), c.id, missing.front());
  }
  m.warn(c, std::move(text));
}

void fixed(Mapping& m, const ConnectionFacts& facts, const Connection& c) {
  const bool given = !m.options.vpc_cidrs.empty();
  const auto& prefixes = given ? m.options.vpc_cidrs : facts.behind_aws;
  for (const Prefix& p : prefixes)
    m.out.config.static_routes.push_back({.prefix = p, .next_hop = {}, .connection = c.id});
  m.note(c, "routing: static");
  if (!given && !prefixes.empty()) {
    std::vector<std::string> text;
    for (const Prefix& p : prefixes)
      text.push_back(p.to_string());
    m.note(c, fmt::format("behind the tunnels by the file: {}", fmt::join(text, ", ")));
  }
  if (prefixes.empty()) {
    m.warn(c, fmt::format("the file does not name the VPC's prefixes: import again with 'vpc-cidr A.B.C.D/M', or add "
                          "'ip route A.B.C.D/M {}'",
                          c.id));
  }
  if (!facts.tells_routing) {
    m.warn(
        c,
        "this sample says nothing of BGP, whatever the connection does: if its routing is dynamic, import the XML or "
        "the JSON instead");
  }
  routes_in_aws(m, facts, c);
}

}  // namespace

void map_bgp(Mapping& m, const TunnelFacts& from, const Connection& c, const Tunnel& t) {
  Values values(from.name, m.wrong);
  const auto their_asn = values.number(from.their_asn, 1, kMaxAsn);
  const auto our_asn = from.our_bgp ? values.number(from.our_asn, 1, kMaxAsn) : std::optional<std::uint32_t>(65000);
  const auto hold = values.number(from.hold_time, 3, 65535);
  if (!from.our_bgp) m.out.warnings.push_back("the file has no AS of the customer gateway: 65000 is assumed");
  if (!their_asn || !our_asn || !hold || !t.vpn_gateway_inside) return;
  auto& b = m.out.config.bgp;
  if (!b) b = Bgp{.asn = *our_asn, .keepalive = Seconds{*hold / 3}, .hold = Seconds{*hold}};
  if (b->asn != *our_asn) {
    m.wrong.at(from.our_asn.at, fmt::format("AS {} here, but {} in the first tunnel: {}", *our_asn, b->asn,
                                            m.several ? "choose one connection with 'connection VPN-ID'" : kAgain));
  }
  Neighbor n{.address = *t.vpn_gateway_inside, .remote_as = *their_asn};
  n.description = m.several ? fmt::format("AWS {} tunnel {}", c.id, t.number) : fmt::format("AWS tunnel {}", t.number);
  if (Seconds{*hold} != b->hold) {
    n.hold = Seconds{*hold};
    n.keepalive = Seconds{*hold / 3};
  }
  b->neighbors[n.address] = std::move(n);
}

void map_routing(Mapping& m, const ConnectionFacts& facts, const Connection& c) {
  if (c.routing == Routing::Dynamic) {
    dynamic(m, c);
  } else {
    fixed(m, facts, c);
  }
  for (const auto& n : facts.notes)
    m.note(c, n);
  for (const auto& w : facts.warnings)
    m.warn(c, w);
  if (!facts.left.empty())
    m.note(c, fmt::format("not taken over, AWS's own matter or not known here: {}", fmt::join(facts.left, ", ")));
}

}  // namespace cgw::config
