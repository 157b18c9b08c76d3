// What a configuration says of authentication, and what is left to ask for when AWS's file has no key.
#include <doctest/doctest.h>

#include <algorithm>

#include "config/aws_import.hpp"
#include "config/config.hpp"

namespace cgw::config {
namespace {

constexpr std::string_view kTunnel = R"(vpn connection vpn-1
 tunnel 1
  vpn-gateway outside-address 203.0.113.10
  customer-gateway inside-address 169.254.10.2/30
  vpn-gateway inside-address 169.254.10.1
)";
constexpr std::string_view kCertificates = R"(  certificate /etc/cgwd/cgw.pem
  private-key /etc/cgwd/cgw.key
  ca-certificate /etc/cgwd/ca.pem
  crl /etc/cgwd/crl.pem
  local-identity fqdn cgw.example.com
  remote-identity dn O=Example, CN=vgw 1
)";

Result<Config, Diagnostics> with(std::string_view rows) {
  return parse(std::string(kTunnel) + std::string(rows), "cgwd.conf");
}

// The errors of validation, one a line.
std::string faults(std::string_view rows) {
  const auto c = with(rows);
  REQUIRE(c);
  std::string out;
  for (const auto& d : validate(*c, nullptr).errors)
    out += d.text + '\n';
  return out;
}

std::string without_key(std::string_view outside = "198.51.100.2") {
  const auto tunnel = [&](int n) {
    const std::string d = std::to_string(n), bgp = "<bgp><asn>64512</asn><hold_time>30</hold_time></bgp>";
    const auto side = [&](const std::string& name, const std::string& out, const std::string& in) {
      return "<" + name + "><tunnel_outside_address><ip_address>" + out +
             "</ip_address></tunnel_outside_address><tunnel_inside_address><ip_address>" + in +
             "</ip_address><network_cidr>30</network_cidr></tunnel_inside_address>" + bgp + "</" + name + ">";
    };
    return "<ipsec_tunnel>" + side("customer_gateway", std::string(outside), "169.254.1" + d + ".2") +
           side("vpn_gateway", "203.0.113.1" + d, "169.254.1" + d + ".1") +
           "<ike><lifetime>28800</lifetime></ike><ipsec><lifetime>3600</lifetime></ipsec></ipsec_tunnel>";
  };
  return "<vpn_connection id=\"vpn-1\"><vpn_gateway_id>vgw-1</vpn_gateway_id>" + tunnel(1) + tunnel(2) +
         "</vpn_connection>";
}

std::string warned(const Imported& i, std::string_view start) {
  const auto it = std::ranges::find_if(i.warnings, [&](const std::string& w) { return w.starts_with(start); });
  return it == i.warnings.end() ? "" : *it;
}

}  // namespace

TEST_CASE("certificate rows are read, shown as they were, and taken back by 'no'") {
  const auto c = with(kCertificates);
  REQUIRE(c);
  const Tunnel& t = c->connections[0].tunnels.at(1);
  CHECK(t.certificate == "/etc/cgwd/cgw.pem");
  CHECK(t.private_key == "/etc/cgwd/cgw.key");
  CHECK(t.ca_certificate == "/etc/cgwd/ca.pem");
  CHECK(t.crl == "/etc/cgwd/crl.pem");
  CHECK(t.local_identity == IdentityText{"fqdn", "cgw.example.com"});
  CHECK(t.remote_identity == IdentityText{"dn", "O=Example, CN=vgw 1"});
  CHECK(parse(render(*c), "again") == *c);
  const auto gone = with(std::string(kCertificates) +
                         "  no certificate\n  no private-key\n  no ca-certificate\n  no crl\n  no local-identity\n"
                         "  no remote-identity\n");
  REQUIRE(gone);
  CHECK(*gone == *with(""));
}

TEST_CASE("an identity has a kind, one of four, and a name") {
  CHECK_FALSE(with("  remote-identity key-id a\n"));
  CHECK_FALSE(with("  remote-identity dn\n"));
}

TEST_CASE("either a shared key or certificates, and a certificate with all that it needs") {
  CHECK(faults(kCertificates) == "");
  CHECK(faults("  pre-shared-key one\n") == "");
  CHECK(faults("  pre-shared-key one\n  local-identity fqdn cgw.example.com\n") == "");
  CHECK(faults("") == "vpn connection vpn-1 tunnel 1: 'pre-shared-key NAME' or 'certificate FILE' is missing\n");
  CHECK(faults(std::string(kCertificates) + "  pre-shared-key one\n") ==
        "vpn connection vpn-1 tunnel 1: both 'pre-shared-key' and 'certificate' are there; take one away\n");
  for (const auto* row : {"private-key", "ca-certificate", "remote-identity"}) {
    CAPTURE(row);
    const auto text = faults(std::string(kCertificates) + "  no " + row + "\n");
    CHECK(text.find(std::string("'") + row) != std::string::npos);
    CHECK(std::ranges::count(text, '\n') == 1);
  }
  CHECK(faults("  pre-shared-key one\n  crl /etc/cgwd/crl.pem\n") ==
        "vpn connection vpn-1 tunnel 1: 'crl' needs a 'certificate FILE'\n");
}

TEST_CASE("AWS's file without a key is imported, and what is missing is asked for by name") {
  const auto i = import_aws_xml(without_key(), "aws.xml", {});
  REQUIRE(i);
  CHECK(i->secrets.empty());
  for (const unsigned n : {1U, 2U}) {
    const auto text = warned(*i, "tunnel " + std::to_string(n) + ": the file has no pre-shared key");
    CAPTURE(text);
    for (const auto* word : {"'certificate FILE'", "'private-key FILE'", "'ca-certificate FILE'", "'remote-identity dn",
                             "Secrets Manager", "pre-shared-key vpn-1-tunnel"})
      CHECK(text.find(word) != std::string::npos);
  }
  CHECK_FALSE(validate(i->config, &i->secrets).errors.empty());
}

TEST_CASE("with the files named, only the peer's identity is left to ask for") {
  const auto i = import_aws_xml(without_key(), "aws.xml",
                                {.certificate = "/c.pem", .private_key = "/k.pem", .ca_certificate = "/ca.pem"});
  REQUIRE(i);
  const auto text = warned(*i, "tunnel 1: the file has no pre-shared key");
  CHECK(text.find("FILE") == std::string::npos);
  CHECK(text.find("remote-identity") != std::string::npos);
  Config c = i->config;
  for (auto& [number, t] : c.connections[0].tunnels) {
    CHECK(t.certificate == "/c.pem");
    t.remote_identity = IdentityText{"dn", "CN=vgw" + std::to_string(number)};
  }
  CHECK(validate(c, &i->secrets).errors.empty());
}

TEST_CASE("a customer gateway without an address of its own has none in the configuration") {
  const auto i = import_aws_xml(without_key(""), "aws.xml", {});
  REQUIRE(i);
  CHECK_FALSE(i->config.connections[0].tunnels.at(1).customer_gateway_outside);
}

}  // namespace cgw::config
