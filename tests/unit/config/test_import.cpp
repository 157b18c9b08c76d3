// AWS's file in, configuration or one line of complaint out.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "config/aws_import.hpp"
#include "tests/support/aws_file.hpp"

namespace {

using namespace cgw;
using namespace cgw::config;
using namespace cgw::test;

Prefix prefix(std::string_view text) {
  return *Prefix::parse(text);
}

Result<Imported, Diagnostics> import(const std::string& xml, const ImportOptions& options = {}) {
  return import_aws_xml(xml, "aws.xml", options);
}

std::string complaint(const std::string& xml) {
  const auto r = import(xml);
  if (r) return "";
  std::string all;
  for (const auto& d : r.error())
    all += (all.empty() ? "" : " | ") + d.to_string();
  return all;
}

bool mentions(const std::vector<std::string>& lines, std::string_view words) {
  return std::ranges::any_of(lines, [&](const auto& l) { return l.find(words) != std::string::npos; });
}

std::string value(const SecretBytes& s) {
  return {s.view().begin(), s.view().end()};
}

const std::string kVgw = aws_file(AwsRouting::Bgp);
const std::string kStatic = aws_file(AwsRouting::Static);

constexpr const char* kVgwConfig = R"(hostname cgw
vpn connection vpn-0159ce993cd96ff0c
 customer-gateway cgw-06854f63a3c55c541
 target vgw vgw-0ec8c63b5de573c46
 routing dynamic
 tunnel 1
  interface cgw1
  customer-gateway outside-address 192.0.2.10
  customer-gateway inside-address 169.254.10.2/30
  vpn-gateway outside-address 203.0.113.10
  vpn-gateway inside-address 169.254.10.1
  pre-shared-key vpn-0159ce993cd96ff0c-tunnel1
 exit
 tunnel 2
  interface cgw2
  customer-gateway outside-address 192.0.2.10
  customer-gateway inside-address 169.254.11.2/30
  vpn-gateway outside-address 203.0.113.14
  vpn-gateway inside-address 169.254.11.1
  pre-shared-key vpn-0159ce993cd96ff0c-tunnel2
 exit
exit
!
router bgp 65000
 neighbor 169.254.10.1 remote-as 64512
 neighbor 169.254.10.1 description AWS tunnel 1
 neighbor 169.254.11.1 remote-as 64512
 neighbor 169.254.11.1 description AWS tunnel 2
 address-family ipv4 unicast
  network 192.168.77.0/24
 exit-address-family
exit
!
)";

}  // namespace

TEST_CASE("a dynamic connection to a VGW becomes a whole configuration, and its keys go apart") {
  const auto r = import(kVgw, {.local_networks = {prefix("192.168.77.0/24")}});
  REQUIRE_MESSAGE(r, complaint(kVgw));
  CHECK(render(r->config) == kVgwConfig);
  REQUIRE(r->secrets.size() == 2);
  CHECK(value(r->secrets.at("vpn-0159ce993cd96ff0c-tunnel1")) == kKey1);
  CHECK(value(r->secrets.at("vpn-0159ce993cd96ff0c-tunnel2")) == kKey2);
  CHECK(r->warnings.empty());
  const auto findings = validate(r->config, &r->secrets);
  CHECK(findings.errors.empty());
  CHECK(findings.warnings.empty());
}

TEST_CASE("what was imported reads back as it was") {
  for (const auto& xml : {kVgw, kStatic, aws_file(AwsRouting::Bgp, "")}) {
    const auto r = import(xml, {.local_networks = {prefix("10.1.0.0/16")}, .vpc_cidrs = {prefix("10.50.0.0/16")}});
    REQUIRE(r);
    const auto again = parse(render(r->config), "f");
    REQUIRE(again);
    CHECK(*again == r->config);
  }
}

TEST_CASE("a connection to a transit gateway has an empty gateway id") {
  for (const auto* empty : {"", "   ", "tgw-0123"}) {
    const auto r = import(aws_file(AwsRouting::Bgp, empty));
    REQUIRE(r);
    CHECK(r->config.connections[0].target == Target::Tgw);
    CHECK(r->config.connections[0].routing == Routing::Dynamic);
  }
  CHECK(import(aws_file(AwsRouting::Bgp, " vgw-01 "))->config.connections[0].gateway == "vgw-01");
}

TEST_CASE("a static connection has routes for the prefixes that the caller names, and no BGP") {
  const auto r = import(kStatic, {.vpc_cidrs = {prefix("10.50.0.0/16"), prefix("10.51.0.0/16")}});
  REQUIRE(r);
  CHECK(r->config.connections[0].routing == Routing::Static);
  CHECK(!r->config.bgp);
  REQUIRE(r->config.static_routes.size() == 2);
  CHECK(r->config.static_routes[1].prefix == prefix("10.51.0.0/16"));
  CHECK(r->config.static_routes[1].connection == "vpn-0159ce993cd96ff0c");
  CHECK(r->warnings.empty());
  CHECK(validate(r->config, &r->secrets).errors.empty());
}

TEST_CASE("what AWS's file does not say is asked for") {
  CHECK(mentions(import(kVgw)->warnings, "import again with 'local-network A.B.C.D/M'"));
  CHECK(mentions(import(kStatic)->warnings, "import again with 'vpc-cidr A.B.C.D/M'"));
  CHECK(mentions(import(kVgw, {.vpc_cidrs = {prefix("10.0.0.0/16")}})->warnings, "vpc-cidr is not needed with BGP"));
  CHECK(mentions(import(kStatic, {.local_networks = {prefix("10.0.0.0/16")}})->warnings, "static routes of the"));
  CHECK(mentions(import(replaced(kVgw, "aes-128-cbc", "aes-256-cbc"))->warnings, "aes-256-cbc"));
}

TEST_CASE("lifetimes, hold time and DPD interval are AWS's") {
  std::string xml = replaced(kVgw, "<lifetime>28800<", "<lifetime>14400<");
  xml = replaced(xml, "<lifetime>3600<", "<lifetime>1800<");
  xml = replaced(xml, "<interval>10<", "<interval>20<");
  // The hold time of the second tunnel's AWS side: the last of four.
  xml.replace(xml.rfind("<hold_time>30<"), 14, "<hold_time>60<");
  const auto r = import(xml);
  REQUIRE(r);
  const Tunnel& t = r->config.connections[0].tunnels.at(1);
  CHECK(t.ike_lifetime == Seconds{14400});
  CHECK(t.child_lifetime == Seconds{1800});
  CHECK(t.dpd_interval == Seconds{20});
  CHECK(r->config.connections[0].tunnels.at(2).ike_lifetime == Seconds{28800});
  CHECK(r->config.bgp->hold == Seconds{30});
  CHECK(r->config.bgp->neighbors.at(*IpAddress::parse("169.254.11.1")).hold == Seconds{60});
  CHECK(r->config.bgp->neighbors.at(*IpAddress::parse("169.254.11.1")).keepalive == Seconds{20});
  CHECK(!r->config.bgp->neighbors.at(*IpAddress::parse("169.254.10.1")).hold);
}

TEST_CASE("elements we do not know, comments, CRLF and a byte order mark change nothing") {
  const auto plain = import(kVgw);
  REQUIRE(plain);
  std::string crlf;
  for (const char c : kVgw) {
    if (c == '\n') crlf += '\r';
    crlf += c;
  }
  for (const auto& xml : {replaced(kVgw, "    <ike>", "    <tunnel_cidr>x</tunnel_cidr><ike>"),
                          replaced(kVgw, "    <ike>", "<!-- <ike> --><ike>"), crlf, "\xef\xbb\xbf" + kVgw}) {
    const auto r = import(xml);
    REQUIRE_MESSAGE(r, complaint(xml));
    CHECK(r->config == plain->config);
    CHECK(r->secrets == plain->secrets);
  }
}

TEST_CASE("one tunnel, or three, is taken with a warning") {
  const auto one =
      import("<vpn_connection id=\"vpn-1\">" + aws_tunnel(kAwsTunnel1, AwsRouting::Bgp) + "</vpn_connection>");
  REQUIRE(one);
  CHECK(mentions(one->warnings, "1 tunnels; AWS's connections have 2"));
}

namespace {

struct Bad {
  const char* what;
  std::string xml;
  std::string complaint;  // the whole of it
};

std::vector<Bad> bad_files() {
  const std::string key1(kKey1);
  return {
      {"empty", "", "aws.xml: is empty: download the configuration again"},
      {"blank", " \n\t\n", "aws.xml: is empty: download the configuration again"},
      {"not XML", "Amazon Web Services\nVirtual Private Cloud\n",
       "aws.xml: holds no XML element: it is not AWS's XML file (choose vendor 'Generic', or member "
       "CustomerGatewayConfiguration of 'aws ec2 describe-vpn-connections')"},
      {"another document", "<?xml version=\"1.0\"?>\n<html><body>Sign in</body></html>\n",
       "aws.xml:2:2: the outermost element is <html>; AWS's customer gateway configuration begins with "
       "<vpn_connection>: use the XML, not the text for another vendor"},
      {"malformed", replaced(kVgw, "</ike>", "</ikke>"),
       "aws.xml:42:7: not well-formed XML (Start-end tags mismatch): the file is truncated or damaged; download it "
       "again"},
      {"DTD", replaced(kVgw, "?>\n", "?>\n<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]>\n"),
       "aws.xml:2:1: <!DOCTYPE is refused: AWS's file has none; download it again"},
      {"UTF-16", std::string("<\0v\0p\0n\0", 8), "aws.xml:1:2: holds a zero octet: it is not UTF-8; save it as UTF-8"},
      {"Latin-1", replaced(kVgw, "<mode>main", "<mode>m\xe4in"),
       "aws.xml:40:14: octet 0xe4 is not UTF-8; save the file as UTF-8"},
      {"oversized", kVgw + std::string(kMaxImportOctets, ' '),
       "aws.xml: is longer than 1048576 octets; AWS's file has a few thousand: is it the right one?"},
      {"no id", replaced(kVgw, " id=\"vpn-0159ce993cd96ff0c\"", ""),
       "aws.xml:2:2: <vpn_connection> has no id: the file is not complete; download it again"},
      {"two connections", kVgw + "<vpn_connection id=\"vpn-2\"/>\n",
       "aws.xml:113:2: a second <vpn_connection>: import each connection from a file of its own"},
      {"no tunnel", "<vpn_connection id=\"vpn-1\"/>",
       "aws.xml:1:2: there is no <ipsec_tunnel>: the connection is still being made, or the file is not complete; "
       "download it again when its state is 'available'"},
      {"one outside address twice", replaced(kVgw, "203.0.113.14", "203.0.113.10"),
       "aws.xml:75:8: tunnel 2: 203.0.113.10 is also another tunnel's outside address; AWS gives each its own: "
       "download the file again"},
      {"key begins with 0", replaced(kVgw, key1, "0123456789abcdef"),
       "aws.xml:41:8: <pre_shared_key> begins with 0, which AWS does not allow: set another key in AWS (modify the "
       "tunnel options) and download the file again"},
      {"short key", replaced(kVgw, key1, "abcdefg"),
       "aws.xml:41:8: <pre_shared_key> has 7 characters, AWS's have 8 to 64: set another key in AWS (modify the tunnel "
       "options) and download the file again"},
      {"long key", replaced(kVgw, key1, std::string(65, 'a')),
       "aws.xml:41:8: <pre_shared_key> has 65 characters, AWS's have 8 to 64: set another key in AWS (modify the "
       "tunnel options) and download the file again"},
      {"key with a blank", replaced(kVgw, key1, "abcdefgh ijkl"),
       "aws.xml:41:8: <pre_shared_key> holds a character that AWS does not allow, at position 9: set another key in "
       "AWS (modify the tunnel options) and download the file again"},
      {"reserved inside address",
       replaced(replaced(kVgw, "169.254.10.2", "169.254.169.254"), "169.254.10.1<", "169.254.169.253<"),
       "aws.xml:11:8: tunnel 1: 169.254.169.252/30 is reserved by AWS and cannot be a tunnel's inside CIDR: choose "
       "another in AWS"},
      {"inside CIDR around a reserved one",
       replaced(replaced(replaced(kVgw, "169.254.10.2", "169.254.5.6"), "169.254.10.1<", "169.254.5.5<"),
                "<network_cidr>30", "<network_cidr>29"),
       "aws.xml:11:8: tunnel 1: 169.254.5.0/29 is reserved by AWS and cannot be a tunnel's inside CIDR: choose another "
       "in AWS"},
      {"inside addresses of two subnets", replaced(kVgw, "169.254.10.1<", "169.254.12.1<"),
       "aws.xml:25:8: tunnel 1: AWS's inside address 169.254.12.1 is not in 169.254.10.0/30: download the file again"},
      {"inside CIDRs of two tunnels overlap",
       replaced(replaced(kVgw, "169.254.11.2", "169.254.10.2"), "169.254.11.1<", "169.254.10.1<"),
       "aws.xml:64:8: tunnel 2: inside CIDR 169.254.10.0/30 overlaps that of tunnel 1: choose another in AWS"},
      {"no address", replaced(kVgw, "169.254.10.2<", "169.254.10.999<"),
       "aws.xml:12:10: <customer_gateway/tunnel_inside_address/ip_address>: '169.254.10.999' is not an IP address: "
       "download the file again"},
      {"line break in an address", replaced(kVgw, "169.254.10.2<", "169.254\n.10.2<"),
       "aws.xml:12:10: <customer_gateway/tunnel_inside_address/ip_address>: '169.254\\x0a.10.2' is not an IP address: "
       "download the file again"},
      {"IPv6 inside", replaced(kVgw, "169.254.10.1<", "fd00::1<"),
       "aws.xml:26:10: <vpn_gateway/tunnel_inside_address/ip_address>: fd00::1 is IPv6, which this version does "
       "not do: choose IPv4 for the inside in AWS"},
      {"lifetime", replaced(kVgw, "28800", "28800s"),
       "aws.xml:38:8: <ike/lifetime>: a number from 900 to 86400 is expected: download the file again"},
      {"AS", replaced(kVgw, "<asn>64512", "<asn>4294967296"),
       "aws.xml:31:10: <vpn_gateway/bgp/asn>: a number from 1 to 4294967295 is expected: download the file again"},
      {"our AS differs",
       kVgw.substr(0, kVgw.rfind("<asn>65000")) + "<asn>65001" + kVgw.substr(kVgw.rfind("<asn>65000") + 10),
       "aws.xml:70:10: AS 65001 here, but 65000 in the first tunnel: download the file again"},
  };
}

}  // namespace

TEST_CASE("each fault of a file is one line: where, what, and what to do") {
  for (const auto& bad : bad_files()) {
    CAPTURE(bad.what);
    const std::string said = complaint(bad.xml);
    CHECK(said == bad.complaint);
    CHECK(said.find('\n') == std::string::npos);
    CHECK(said.find(kKey1) == std::string::npos);
  }
}

TEST_CASE("a file cut off anywhere is refused, and what is said holds no key") {
  for (std::size_t n = 0; n < kVgw.size() - 1; n += 7) {
    const std::string said = complaint(kVgw.substr(0, n));
    CHECK_MESSAGE(said.starts_with("aws.xml:"), n);
    CHECK_MESSAGE(said.find("k3y") == std::string::npos, n);
  }
}

TEST_CASE("no more tunnels are read than a configuration can hold") {
  std::string xml = "<vpn_connection id=\"vpn-1\">";
  for (int i = 0; i < 65; ++i)
    xml += "<ipsec_tunnel/>";
  CHECK(complaint(xml + "</vpn_connection>") ==
        "aws.xml:1:2: more than 64 tunnels: AWS's connections have 2; download the file again");
}

TEST_CASE("an id in AWS's file cannot bring commands into the configuration") {
  CHECK(complaint(replaced(kVgw, "cgw-06854f63a3c55c541", "cgw-1\nhostname x")) ==
        "aws.xml:2:2: an id in <vpn_connection> holds something else than letters, digits and '-': download the file "
        "again");
  const auto r = import("<vpn_connection id=\"vpn-1&#10;hostname x\"></vpn_connection>");
  REQUIRE(!r);
  CHECK(r.error().front().text.starts_with("an id in <vpn_connection>"));
}
