// What no single line can see, each with the line it stands on.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "config/config.hpp"
#include "tests/support/aws_file.hpp"

namespace {

using namespace cgw;
using namespace cgw::config;
using cgw::test::replaced;

const std::string kGood = R"(vpn connection v
 tunnel 1
  customer-gateway inside-address 169.254.10.2/30
  vpn-gateway outside-address 203.0.113.10
  vpn-gateway inside-address 169.254.10.1
  pre-shared-key k1
 tunnel 2
  customer-gateway inside-address 169.254.11.2/30
  vpn-gateway outside-address 203.0.113.14
  vpn-gateway inside-address 169.254.11.1
  pre-shared-key k2
router bgp 65000
 neighbor 169.254.10.1 remote-as 64512
 neighbor 169.254.11.1 remote-as 64512
 address-family ipv4 unicast
  network 10.0.0.0/8
)";
const Secrets kSecrets{{"k1", SecretBytes(std::string_view("a"))}, {"k2", SecretBytes(std::string_view("b"))}};

// Tunnel 2 with IPv6 outside and inside.
const std::string kInsideV6 =
    replaced(replaced(replaced(replaced(kGood, "169.254.11.2/30", "fd00::2/126"), "203.0.113.14", "2001:db8::14"),
                      "inside-address 169.254.11.1", "inside-address fd00::1"),
             " neighbor 169.254.11.1 remote-as 64512\n", "");

std::string joined(const Diagnostics& list) {
  std::string out;
  for (auto d : list) {
    d.file = "f";
    out += (out.empty() ? "" : " | ") + d.to_string();
  }
  return out;
}

Findings findings(const std::string& text, const Secrets* secrets = &kSecrets) {
  Places places;
  const auto c = parse(text, "f", {}, &places);
  if (!c) FAIL(c.error().front().to_string());
  return validate(*c, secrets, places);
}

struct Case {
  std::string text, said;
};

}  // namespace

TEST_CASE("a good configuration has no findings, and its 'no' form here makes none") {
  CHECK(joined(findings(kGood).errors) == "");
  CHECK(joined(findings(kGood).warnings) == "");
}

TEST_CASE("each error is one, and names the line to look at") {
  for (const auto& c : std::vector<Case>{
           {replaced(kGood, "  vpn-gateway outside-address 203.0.113.14\n", ""),
            "f:7: vpn connection v tunnel 2: 'vpn-gateway outside-address A.B.C.D' is missing"},
           {replaced(kGood, "  customer-gateway inside-address 169.254.11.2/30\n", ""),
            "f:7: vpn connection v tunnel 2: 'customer-gateway inside-address A.B.C.D/M' is missing"},
           {replaced(kGood, "  pre-shared-key k1\n", ""),
            "f:2: vpn connection v tunnel 1: 'pre-shared-key NAME' or 'certificate FILE' is missing"},
           {kGood + "vpn connection w\n", "f:17: vpn connection w: it has no tunnel: add 'tunnel 1'"},
           {replaced(kGood, "203.0.113.14", "203.0.113.10"),
            "f:9: vpn connection v tunnel 2: vpn-gateway outside-address 203.0.113.10 is also that of vpn connection v "
            "tunnel 1"},
           {kGood + "vpn connection v\n tunnel 1\n  interface x\n tunnel 2\n  interface x\n",
            "f:21: vpn connection v tunnel 2: interface x is also that of vpn connection v tunnel 1"},
           {replaced(kGood, "169.254.11.1\n  pre", "169.254.12.1\n  pre") + " neighbor 169.254.12.1 remote-as 1\n"
                                                                            " no neighbor 169.254.11.1 remote-as\n",
            "f:10: vpn connection v tunnel 2: vpn-gateway inside-address 169.254.12.1 is not in 169.254.11.0/30"},
           {replaced(kGood, "169.254.11.2/30", "169.254.11.1/30"),
            "f:10: vpn connection v tunnel 2: both inside addresses are 169.254.11.1"},
           {replaced(kGood, "pre-shared-key k2", "pre-shared-key A-real-key-by-mistake"),
            "f:11: vpn connection v tunnel 2: the secrets file has no key of the name that 'pre-shared-key' gives: add "
            "a "
            "line 'NAME KEY' to it"},
           {kGood + "router bgp 65000\n neighbor 192.0.2.99 remote-as 64512\n",
            "f:18: neighbor 192.0.2.99: it is no tunnel's vpn-gateway inside-address"},
           {kGood + "ip route 10.1.0.0/16 w\n",
            "f:17: ip route 10.1.0.0/16 w: there is no vpn connection of this name"},
           {kGood + "ip route 10.1.0.0/16 192.0.2.99\n",
            "f:17: ip route 10.1.0.0/16 192.0.2.99: the next hop is no tunnel's vpn-gateway inside-address"},
           {replaced(kGood, "  pre-shared-key k2\n", "  pre-shared-key k2\n  local-address 2001:db8::2\n"),
            "f:12: vpn connection v tunnel 2: local-address 2001:db8::2 and vpn-gateway outside-address 203.0.113.14 "
            "are "
            "not of one family"},
           {replaced(kGood, "vpn-gateway inside-address 169.254.11.1", "vpn-gateway inside-address fd00::1") +
                " no neighbor 169.254.11.1 remote-as\nvpn connection v\n routing static\n",
            "f:10: vpn connection v tunnel 2: inside addresses 169.254.11.2/30 and fd00::1 are not of one family"},
           {kInsideV6,
            "f:10: vpn connection v tunnel 2: BGP runs over IPv4 inside addresses only; with IPv6 inside say "
            "'routing static'"},
           {kInsideV6 + "vpn connection v\n routing static\nip route 10.1.0.0/16 v\n",
            "f:18: ip route 10.1.0.0/16 v: tunnel 2 of v carries IPv6 only, by its inside addresses"},
           {kInsideV6 + "vpn connection v\n routing static\n tunnel 2\n  mtu 1279\n",
            "f:19: vpn connection v tunnel 2: mtu 1279 is too small for IPv6 inside: 1280 at least"},
       }) {
    CHECK(joined(findings(c.text).errors) == c.said);
  }
}

TEST_CASE("outside addresses are of either family, and so are inside ones") {
  const auto v6 = findings(kInsideV6 +
                           "vpn connection v\n routing static\n tunnel 2\n  mtu 1280\n  local-address "
                           "2001:db8::2\n  customer-gateway outside-address 2001:db8::2\n");
  CHECK(joined(v6.errors) == "");
  CHECK(joined(v6.warnings) == "");
  const auto mixed = findings(replaced(kGood, "  pre-shared-key k2\n",
                                       "  pre-shared-key k2\n  customer-gateway outside-address 2001:db8::2\n"));
  CHECK(joined(mixed.errors) == "");
  CHECK(joined(mixed.warnings) ==
        "f:12: warning: vpn connection v tunnel 2: customer-gateway outside-address 2001:db8::2 and vpn-gateway "
        "outside-address 203.0.113.14 are not of one family; AWS's always are");
}

TEST_CASE("inside subnets that are equal, or one within the other, clash; neighbors do not") {
  const auto with = [](const char* subnet) { return replaced(kGood, "169.254.11.2/30", subnet); };
  CHECK(joined(findings(replaced(replaced(replaced(kGood, "169.254.11.2/30", "169.254.10.2/30"), "169.254.11.1",
                                          "169.254.10.1"),
                                 " neighbor 169.254.11.1 remote-as 64512\n", ""))
                   .errors) ==
        "f:8: vpn connection v tunnel 2: inside subnet 169.254.10.0/30 is also that of vpn connection v tunnel 1");
  CHECK(joined(findings(with("169.254.11.2/23")).errors) ==
        "f:8: vpn connection v tunnel 2: inside subnet 169.254.10.0/23 overlaps 169.254.10.0/30 of vpn connection v "
        "tunnel 1");
  // The wide one first.
  CHECK(joined(findings(replaced(kGood, "169.254.10.2/30", "169.254.10.2/23")).errors) ==
        "f:8: vpn connection v tunnel 2: inside subnet 169.254.11.0/30 overlaps 169.254.10.0/23 of vpn connection v "
        "tunnel 1");
  CHECK(joined(findings(with("169.254.11.2/24")).errors) == "");
}

TEST_CASE("each warning stops nothing and names its line where it has one") {
  for (const auto& c : std::vector<Case>{
           {"hostname a\n", "f: warning: no vpn connection is configured: there is nothing to do"},
           {replaced(kGood, "  network 10.0.0.0/8\n", ""),
            "f:12: warning: nothing is announced to AWS: add 'network A.B.C.D/M' under 'address-family ipv4 unicast'"},
           {replaced(kGood, " neighbor 169.254.11.1 remote-as 64512\n", ""),
            "f:7: warning: vpn connection v tunnel 2: routing is dynamic but no 'neighbor 169.254.11.1 remote-as' is "
            "configured"},
           {replaced(kGood, "remote-as 64512", "remote-as 65000"),
            "f:13: warning: neighbor 169.254.10.1: remote-as is our own AS; AWS speaks eBGP"},
           {replaced(kGood, "  pre-shared-key k2\n", "  pre-shared-key k2\n  ike lifetime 3600\n"),
            "f:7: warning: vpn connection v tunnel 2: esp lifetime is not below ike lifetime; AWS demands it"},
           {replaced(kGood, "  pre-shared-key k2\n", "  pre-shared-key k2\n  ike lifetime 3600\n  esp lifetime 3600\n"),
            "f:13: warning: vpn connection v tunnel 2: esp lifetime is not below ike lifetime; AWS demands it"},
       }) {
    const auto f = findings(c.text);
    CHECK(joined(f.errors) == "");
    CHECK(joined(f.warnings) == c.said);
  }
  const auto one = findings(
      "vpn connection v\n routing static\n tunnel 1\n  customer-gateway inside-address 169.254.10.2/30\n"
      "  vpn-gateway outside-address 203.0.113.10\n  vpn-gateway inside-address 169.254.10.1\n"
      "  pre-shared-key k1\n");
  CHECK(joined(one.warnings) == "f:1: warning: vpn connection v: one tunnel only; AWS's maintenance will interrupt it");
}

TEST_CASE("AWS's limits are warned of at the first beyond them") {
  std::string networks = kGood, routes = kGood;
  for (int i = 0; i < 99; ++i)
    networks += "  network 172.16." + std::to_string(i) + ".0/24\n";
  for (int i = 0; i < 100; ++i)
    routes += "ip route 172.16." + std::to_string(i) + ".0/24 v\n";
  CHECK(findings(networks).warnings.empty());
  CHECK(joined(findings(networks + "  network 172.17.0.0/16\n").warnings).starts_with("f:12: warning: 101 networks"));
  CHECK(findings(routes).warnings.empty());
  CHECK(joined(findings(routes + "ip route 172.17.0.0/16 v\n").warnings) ==
        "f:1: warning: 101 static routes to v: AWS takes 100");
  // By next hop they are no connection's.
  CHECK(findings(routes + "ip route 172.17.0.0/16 169.254.10.1\n").warnings.empty());
}

TEST_CASE("secrets are checked only when there are any to check against") {
  const Secrets none;
  CHECK(findings(kGood, nullptr).errors.empty());
  CHECK(findings(kGood, &none).errors.size() == 2);
}
TEST_CASE("a peer of unknown address does not get called, has a name of its own, and shares the IKE proposals") {
  const std::string any = replaced(kGood, "  vpn-gateway outside-address 203.0.113.10\n",
                                   "  vpn-gateway outside-address any\n  no initiate\n  remote-identity fqdn one\n"
                                   "  local-identity fqdn hub\n");
  CHECK(joined(findings(any).errors) == "");
  const auto said = [&](const std::string& from, const std::string& to) {
    return joined(findings(replaced(any, from, to)).errors);
  };
  CHECK(said("  no initiate\n", "").find("'no initiate' is missing") != std::string::npos);
  CHECK(said("  remote-identity fqdn one\n", "").find("'remote-identity fqdn NAME' is missing") != std::string::npos);
  CHECK(said("  local-identity fqdn hub\n", "").find("'local-identity fqdn NAME' is missing") != std::string::npos);
  const std::string two = replaced(any, "  vpn-gateway outside-address 203.0.113.14\n",
                                   "  vpn-gateway outside-address any\n  no initiate\n  remote-identity fqdn two\n"
                                   "  local-identity fqdn hub\n");
  CHECK(joined(findings(two).errors) == "");
  CHECK(joined(findings(replaced(two, "fqdn two", "fqdn one")).errors).find("remote-identity is also that of") !=
        std::string::npos);
  CHECK(joined(findings(replaced(two, "fqdn two", "fqdn two\n  ike proposal aes256-sha256-ecp256")).errors)
            .find("'ike proposal' is not that of") != std::string::npos);
}
