// An import over a configuration that is there, and the difference that is shown of it.
#include <doctest/doctest.h>

#include <string>

#include "config/aws_import.hpp"
#include "config/diff.hpp"
#include "tests/support/aws_file.hpp"

namespace {

using namespace cgw;
using namespace cgw::config;
using namespace cgw::test;

const std::string kXml = aws_file(AwsRouting::Bgp);

Config imported(const std::string& xml, const Config* existing = nullptr) {
  const auto r = import_aws(xml, "f", {.local_networks = {*Prefix::parse("192.168.77.0/24")}, .existing = existing});
  REQUIRE_MESSAGE(r, r.error().front().to_string());
  return r->config;
}

Config edited(const std::string& lines) {
  const auto c = parse(render(imported(kXml)) + lines, "f");
  REQUIRE_MESSAGE(c, c.error().front().to_string());
  return *c;
}

// What changes when a file is imported over a configuration.
std::string change(const Config& base, const std::string& xml) {
  return difference(base, merge_import(base, imported(xml, &base)));
}

}  // namespace

TEST_CASE("importing the same again changes nothing, whatever was set by hand") {
  const Config base = edited(
      "hostname gw1\nvpn connection vpn-0159ce993cd96ff0c\ntunnel 1\n interface up1\n probe interval 500\n no "
      "initiate\n"
      " ike proposal aes256-sha384-ecp384\nexit\nexit\nrouter bgp 65000\n neighbor 169.254.10.1 passive\n"
      " address-family ipv4 unicast\n  network 10.1.0.0/16\n");
  CHECK(change(base, kXml) == "");
}

TEST_CASE("what changed in AWS is shown with the blocks it stands in, and only that") {
  std::string xml = replaced(kXml, "203.0.113.14", "203.0.113.99");
  xml = replaced(xml, "<lifetime>28800<", "<lifetime>14400<");
  CHECK(change(edited("hostname gw1\n"), xml) == R"(  vpn connection vpn-0159ce993cd96ff0c
   tunnel 1
+   ike lifetime 14400
   tunnel 2
-   vpn-gateway outside-address 203.0.113.14
+   vpn-gateway outside-address 203.0.113.99
)");
}

TEST_CASE("a tunnel with another inside address has another neighbor, and no old one") {
  const std::string xml = replaced(replaced(kXml, "169.254.10.2<", "169.254.12.2<"), "169.254.10.1<", "169.254.12.1<");
  const Config base = edited("ip route 10.9.0.0/16 169.254.10.1\n");
  CHECK(change(base, xml) == R"(  vpn connection vpn-0159ce993cd96ff0c
   tunnel 1
-   customer-gateway inside-address 169.254.10.2/30
+   customer-gateway inside-address 169.254.12.2/30
-   vpn-gateway inside-address 169.254.10.1
+   vpn-gateway inside-address 169.254.12.1
- ip route 10.9.0.0/16 169.254.10.1
+ ip route 10.9.0.0/16 169.254.12.1
  router bgp 65000
-  neighbor 169.254.10.1 remote-as 64512
-  neighbor 169.254.10.1 description AWS tunnel 1
+  neighbor 169.254.12.1 remote-as 64512
+  neighbor 169.254.12.1 description AWS tunnel 1
)");
}

TEST_CASE("another connection is added, with interface names that are free; a second import knows both") {
  std::string xml = replaced(kXml, "vpn-0159ce993cd96ff0c", "vpn-2");
  for (const auto& [old, fresh] :
       {std::pair("203.0.113.10", "198.51.100.1"), std::pair("203.0.113.14", "198.51.100.2"),
        std::pair("169.254.10.2<", "169.254.20.2<"), std::pair("169.254.10.1<", "169.254.20.1<"),
        std::pair("169.254.11.2<", "169.254.21.2<"), std::pair("169.254.11.1<", "169.254.21.1<")})
    xml = replaced(xml, old, fresh);
  const Config base = imported(kXml);
  const Config both = merge_import(base, imported(xml, &base));
  REQUIRE(both.connections.size() == 2);
  CHECK(both.connections[0] == base.connections[0]);
  CHECK(both.connections[1].tunnels.at(2).interface == "cgw2t2");
  CHECK(both.bgp->neighbors.size() == 4);
  CHECK(validate(both, nullptr).errors.empty());
  CHECK(change(both, xml) == "");
  CHECK(change(both, kXml) == "");
}

TEST_CASE("a connection that is static now loses its neighbors, one that is dynamic now its routes") {
  const Config base = imported(kXml);
  const auto r =
      import_aws(aws_file(AwsRouting::Static), "f", {.vpc_cidrs = {*Prefix::parse("10.50.0.0/16")}, .existing = &base});
  REQUIRE(r);
  const Config fixed = merge_import(base, r->config);
  CHECK(fixed.connections[0].routing == Routing::Static);
  CHECK(fixed.bgp->neighbors.empty());
  REQUIRE(fixed.static_routes.size() == 1);
  const Config back = merge_import(fixed, imported(kXml, &fixed));
  CHECK(back.static_routes.empty());
  CHECK(back == base);
}

TEST_CASE("a difference has both signs, and none where there is none") {
  Config a = imported(kXml), b = a;
  CHECK(difference(a, b) == "");
  b.hostname = "other";
  b.bgp->networks.clear();
  CHECK(difference(a, b) ==
        "- hostname cgw\n+ hostname other\n  router bgp 65000\n-  address-family ipv4 unicast\n-   network "
        "192.168.77.0/24\n");
}
