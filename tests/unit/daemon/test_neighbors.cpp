#include <doctest/doctest.h>

#include "daemon/neighbors.hpp"
#include "daemon/policy.hpp"

using namespace cgw;

namespace {

const char* const kPolicies =
    "ip prefix-list P seq 5 permit 10.0.0.0/8 le 24\n"
    "ip prefix-list D seq 5 permit 0.0.0.0/0 le 32\n"
    "bgp as-path access-list A seq 5 permit ^64512$\n"
    "route-map M permit 10\n set local-preference 300\nexit\n"
    "route-map M1500 permit 10\n set metric 1500\nexit\n";

// The neighbor of tunnel 1, with these lines of its address family.
bgp::NeighborConfig neighbor(const std::string& lines, const std::string& router = {},
                             config::Target target = config::Target::Vgw) {
  const std::string text = std::string(kPolicies) + "router bgp 65000\n bgp router-id 192.0.2.1\n" +
                           " neighbor 169.254.10.1 remote-as 64512\n" + router + " address-family ipv4 unicast\n" +
                           lines + " exit-address-family\nexit\n";
  auto c = config::parse(text, "test");
  REQUIRE_MESSAGE(c.has_value(), (c ? "" : c.error().front().to_string()));
  config::Tunnel t;
  t.number = 1;
  t.interface = "cgw1";
  t.vpn_gateway_outside = IpAddress::parse("203.0.113.10").value();
  t.vpn_gateway_inside = IpAddress::parse("169.254.10.1").value();
  t.customer_gateway_inside = InterfaceAddress::parse("169.254.10.2/30").value();
  config::Connection connection{.id = "vpn-1", .target = target};
  connection.tunnels[1] = t;
  c->connections.push_back(connection);
  const neighbors::Common common{*c, std::make_shared<const bgp::policy::PolicySet>(compile_policy(c->policy).value()),
                                 std::make_shared<const OuterPaths>(std::vector{*t.vpn_gateway_outside})};
  auto n = neighbors::of_tunnel(common, c->connections.front(), t);
  REQUIRE(n.has_value());
  return *std::move(n);
}

std::string line(const std::string& words) {
  return "  neighbor 169.254.10.1 " + words + "\n";
}

// What the policy makes of a route; none: denied.
std::optional<bgp::policy::Route> through(const std::shared_ptr<const bgp::RoutePolicy>& policy, const char* prefix,
                                          std::vector<bgp::Asn> path = {bgp::Asn{64512}}) {
  bgp::policy::Route r;
  r.prefix = Prefix::parse(prefix).value();
  r.attributes.as_path = {{bgp::AsPathSegment::Type::Sequence, std::move(path)}};
  if (!policy->apply(r, {.neighbor = IpAddress::parse("169.254.10.1").value()})) return std::nullopt;
  return r;
}

}  // namespace

TEST_SUITE_BEGIN("daemon/neighbors");

TEST_CASE("a tunnel's neighbor, when nothing is said: no bogons, no default, nothing but ours, AWS's limits") {
  const auto n = neighbor("");
  CHECK(n.session.local_as == bgp::Asn{65000});
  CHECK(n.session.remote_as == bgp::Asn{64512});
  CHECK(n.session.router_id == bgp::RouterId{0xc0000201});
  CHECK(n.session.hold_time == Seconds{30});
  CHECK(n.routes.tunnel);
  CHECK(n.routes.maximum_prefix_out.v4 == 100);
  CHECK(n.routes.export_rules.v4.scope == bgp::Scope::Own);
  CHECK(n.routes.export_rules.v4.next_hop == IpAddress::parse("169.254.10.2").value());
  CHECK(n.routes.export_policy.v4 == nullptr);
  CHECK(through(n.routes.import_policy.v4, "10.0.0.0/8"));
  CHECK(through(n.routes.import_policy.v4, "100.64.0.0/10"));
  CHECK_FALSE(through(n.routes.import_policy.v4, "0.0.0.0/0"));
  CHECK_FALSE(through(n.routes.import_policy.v4, "127.0.0.0/8"));
  CHECK_FALSE(through(n.routes.import_policy.v4, "169.254.10.0/30"));
  CHECK(neighbor("", "", config::Target::Tgw).routes.maximum_prefix_out.v4 == 1000);
  CHECK(neighbor("", " neighbor 169.254.10.1 maximum-prefix-out 7\n").routes.maximum_prefix_out.v4 == 7);
}

TEST_CASE("no filter lets a route in that covers a tunnel's outside address") {
  for (const auto& lines : {std::string(), line("prefix-list D in")}) {
    const auto n = neighbor(lines);
    const auto& policy = n.routes.import_policy.v4;
    CHECK_FALSE(through(policy, "0.0.0.0/0"));
    CHECK_FALSE(through(policy, "203.0.113.0/24"));
    CHECK_FALSE(through(policy, "203.0.113.10/32"));
    CHECK(through(policy, "203.0.113.11/32"));
    CHECK(policy->class_of(Prefix::parse("203.0.113.0/24").value()) !=
          policy->class_of(Prefix::parse("203.0.113.11/32").value()));
  }
}

TEST_CASE("filters of both directions; with one outwards more than what is ours may go") {
  const auto in = neighbor(line("prefix-list P in") + line("filter-list A in") + line("route-map M in"));
  CHECK(through(in.routes.import_policy.v4, "10.1.0.0/16")->attributes.local_pref == 300);
  CHECK_FALSE(through(in.routes.import_policy.v4, "192.168.0.0/16"));
  CHECK_FALSE(through(in.routes.import_policy.v4, "10.1.0.0/16", {bgp::Asn{64512}, bgp::Asn{1}}));
  CHECK(in.routes.export_rules.v4.scope == bgp::Scope::Own);
  const auto out = neighbor(line("prefix-list P out") + line("filter-list A out") + line("route-map M1500 out"));
  CHECK(out.routes.export_rules.v4.scope == bgp::Scope::NotFromTunnels);
  CHECK(through(out.routes.export_policy.v4, "10.1.0.0/16")->attributes.med == 1500);
  CHECK_FALSE(through(out.routes.export_policy.v4, "192.168.0.0/16"));
  CHECK_FALSE(through(out.routes.export_policy.v4, "10.1.0.0/16", {bgp::Asn{7}}));
}

TEST_CASE("every other line of the address family has its effect") {
  CHECK(neighbor(line("addpath-tx-all-paths")).session.capabilities.add_path.v4 == bgp::AddPath::Send);
  CHECK(neighbor(line("allowas-in")).routes.import.allow_own_as == 3);
  CHECK(neighbor(line("allowas-in 5")).routes.import.allow_own_as == 5);
  CHECK(neighbor(line("weight 33")).routes.import.weight == 33);
  CHECK(neighbor(line("as-override")).routes.export_rules.v4.as_override == bgp::Asn{64512});
  CHECK(neighbor(line("next-hop-self")).routes.export_rules.v4.next_hop_self);
  CHECK(neighbor(line("route-reflector-client")).routes.reflector_client);
  CHECK(neighbor(line("route-reflector-client")).routes.export_rules.v4.reflector_client);
  CHECK(neighbor(line("default-originate")).routes.default_originate.v4);
  CHECK(neighbor(line("soft-reconfiguration inbound")).soft_reconfiguration_inbound);
  CHECK(neighbor(line("maximum-prefix 50")).limit.v4.maximum == 50);
  CHECK(neighbor(line("maximum-prefix 50 restart 2")).limit.v4.pause == std::chrono::minutes{2});
  const auto replace = neighbor(line("remove-private-AS all replace-AS")).routes.export_rules.v4.remove_private_as;
  REQUIRE(replace.has_value());
  CHECK(*replace == bgp::RemovePrivateAs{.all = true, .replace = true, .keep = bgp::Asn{64512}});
}

TEST_SUITE_END();
