// Lines that are refused, and with what words.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "config/commands.hpp"
#include "config/config.hpp"

namespace {

using namespace cgw::config;

std::string complaint(const std::string& text, const SuiteChecker& suites = {}) {
  const auto c = parse(text, "f", suites);
  return c ? "" : c.error().front().to_string();
}

struct Line {
  Mode mode;
  const char* text;
  const char* complaint;
};

std::string around(Mode mode) {
  switch (mode) {
    case Mode::Exec:
    case Mode::Config: return "";
    case Mode::Vpn: return "vpn connection v\n";
    case Mode::VpnTunnel: return "vpn connection v\n tunnel 1\n";
    case Mode::Router: return "router bgp 65000\n";
    case Mode::RouterAf: return "router bgp 65000\n address-family ipv4 unicast\n";
    case Mode::RouteMap: return "route-map M permit 10\n";
  }
  return "";
}

constexpr Line kRefused[] = {
    {Mode::Config, "bogus", "f:1:1: % Unknown command: bogus"},
    {Mode::Config, "  vpn bogus x", "f:1:7: % Unknown command: vpn bogus x"},
    {Mode::Config, "hostname", "f:1:9: % Command incomplete: hostname"},
    {Mode::Config, "hostname a b", "f:1:12: % Unknown command: hostname a b"},
    {Mode::Config, "no", "f:1:3: % Command incomplete: no"},
    {Mode::Config, "no bogus", "f:1:4: % Unknown command: no bogus"},
    {Mode::Config, "show vpn", "f:1:1: % Unknown command: show vpn"},
    {Mode::Config, "data-plane bogus", "f:1:12: % Unknown command: data-plane bogus"},
    {Mode::Config, "data-plane kernel threads 2", "f:1:19: % Unknown command: data-plane kernel threads 2"},
    {Mode::Config, "router bgp 0", "f:1:12: % Unknown command: router bgp 0"},
    {Mode::Config, "router bgp 4294967296", "f:1:12: % Unknown command: router bgp 4294967296"},
    {Mode::Config, "router bgp 65000x", "f:1:12: % Unknown command: router bgp 65000x"},
    {Mode::Config, "router bgp -1", "f:1:12: % Unknown command: router bgp -1"},
    {Mode::Config, "no vpn connection nowhere", "f:1:1: % There is no vpn connection nowhere"},
    {Mode::Config, "no router bgp", "f:1:1: % Can't find BGP instance"},
    {Mode::Config, "ip route 10.0.0.1/8 v", "f:1:1: % '10.0.0.1/8' has host bits set: 10.0.0.0/8 is meant?"},
    {Mode::Config, "ip route 10.0.0.0/33 v", "f:1:1: % '10.0.0.0/33': the prefix length must be 0 to 32"},
    {Mode::Config, "ip route ::/0 v", "f:1:1: % ::/0 is no IPv4 prefix"},
    {Mode::Config, "ip route 10.0.0.0/8 2001:db8::1", "f:1:1: % 2001:db8::1 is no IPv4 address"},
    {Mode::Config, "ip route 10.0.0.0/8 v 0", "f:1:23: % Unknown command: ip route 10.0.0.0/8 v 0"},
    {Mode::Config, "no ip route 10.0.0.0/8 v", "f:1:1: % There is no route 10.0.0.0/8 by v"},
    {Mode::Vpn, " tunnel 0", "f:2:9: % Unknown command: tunnel 0"},
    {Mode::Vpn, " tunnel 65", "f:2:9: % Unknown command: tunnel 65"},
    {Mode::Vpn, " no tunnel 2", "f:2:2: % There is no tunnel 2"},
    {Mode::Vpn, " no target bogus", "f:2:12: % Unknown command: no target bogus"},
    {Mode::VpnTunnel, "mtu 1400x", "f:3:5: % Unknown command: mtu 1400x"},
    {Mode::VpnTunnel, "mtu 575", "f:3:5: % Unknown command: mtu 575"},
    {Mode::VpnTunnel, "mtu 9217", "f:3:5: % Unknown command: mtu 9217"},
    {Mode::VpnTunnel, "mtu automatic", "f:3:5: % Unknown command: mtu automatic"},
    {Mode::VpnTunnel, "local-address 1.2.3", "f:3:15: % Unknown command: local-address 1.2.3"},
    {Mode::VpnTunnel, "vpn-gateway outside-address 2001:db8::x",
     "f:3:29: % Unknown command: vpn-gateway outside-address 2001:db8::x"},
    {Mode::VpnTunnel, "customer-gateway inside-address 169.254.10.2",
     "f:3:33: % Unknown command: customer-gateway inside-address 169.254.10.2"},
    {Mode::VpnTunnel, "customer-gateway inside-address 169.254.10.2/64",
     "f:3:1: % '169.254.10.2/64': the prefix length must be 0 to 32"},
    {Mode::VpnTunnel, "interface sixteen-letters-",
     "f:3:1: % 'sixteen-letters-' is no interface name: at most 15 characters, none of them / : %"},
    {Mode::VpnTunnel, "interface a/b",
     "f:3:1: % 'a/b' is no interface name: at most 15 characters, none of them / : %"},
    {Mode::VpnTunnel, "interface a:b",
     "f:3:1: % 'a:b' is no interface name: at most 15 characters, none of them / : %"},
    {Mode::VpnTunnel, "interface a%d",
     "f:3:1: % 'a%d' is no interface name: at most 15 characters, none of them / : %"},
    {Mode::VpnTunnel, "interface ..", "f:3:1: % '..' is no interface name: at most 15 characters, none of them / : %"},
    {Mode::VpnTunnel, "interface .", "f:3:1: % '.' is no interface name: at most 15 characters, none of them / : %"},
    {Mode::VpnTunnel, "p m", "f:3:1: % Ambiguous command: p m"},
    {Mode::Vpn, "no t", "f:2:4: % Ambiguous command: no t"},
    {Mode::VpnTunnel, "ike lifetime 899", "f:3:14: % Unknown command: ike lifetime 899"},
    {Mode::VpnTunnel, "ike proposal", "f:3:13: % Command incomplete: ike proposal"},
    {Mode::VpnTunnel, "probe interval 19", "f:3:16: % Unknown command: probe interval 19"},
    {Mode::VpnTunnel, "i", "f:3:1: % Ambiguous command: i"},
    {Mode::Router, "timers bgp 10 2", "f:2:1: % hold time must be either 0 or greater than 3"},
    {Mode::Router, "neighbor 1.2.3.4 shutdown", "f:2:1: % Specify remote-as or peer-group commands first"},
    {Mode::Router, "no neighbor 1.2.3.4 remote-as", "f:2:1: % There is no neighbor 1.2.3.4"},
    {Mode::Router, "neighbor 1.2.3 remote-as 1", "f:2:10: % Unknown command: neighbor 1.2.3 remote-as 1"},
    {Mode::Router, "router bgp 65001", "f:2:1: % BGP is already running; AS is 65000"},
    {Mode::Router, "no router bgp 65001", "f:2:1: % BGP is already running; AS is 65000"},
    {Mode::Router, "no address-family ipv4 unicast",
     "f:2:1: % Unknown command: no address-family ipv4 unicast (it has no 'no' form)"},
    {Mode::RouterAf, "no network 10.0.0.0/8", "f:3:1: % Can't find static route specified"},
    {Mode::RouterAf, "network 10.0.0.1/8", "f:3:1: % '10.0.0.1/8' has host bits set: 10.0.0.0/8 is meant?"},
};

}  // namespace

TEST_CASE("each refused line says where and what") {
  for (const auto& l : kRefused) {
    CAPTURE(l.text);
    CHECK(complaint(around(l.mode) + l.text) == std::string(l.complaint));
  }
}

TEST_CASE("every wrong line is reported, in order, and the good ones between them hide none") {
  const auto c =
      parse("hostname a\nbogus\n\n! comment\nvpn connection v\n tunnel 99\n tunnel 1\n  mtu 10\n", "cgwd.conf");
  REQUIRE(!c);
  REQUIRE(c.error().size() == 3);
  CHECK(c.error()[0].to_string() == "cgwd.conf:2:1: % Unknown command: bogus");
  CHECK(c.error()[1].to_string() == "cgwd.conf:6:9: % Unknown command: tunnel 99");
  CHECK(c.error()[2].to_string() == "cgwd.conf:8:7: % Unknown command: mtu 10");
}

TEST_CASE("an algorithm is complained of at its own word") {
  const SuiteChecker no_md5{
      [](std::string_view s) { return std::string(s.find("md5") != s.npos ? "MD5 is broken" : ""); },
      [](std::string_view s) { return std::string(s == "null" ? "no such" : ""); }};
  const std::string tunnel = "vpn connection v\n tunnel 1\n";
  CHECK(complaint(tunnel + "  ike proposal aes256 aes128-md5\n", no_md5) == "f:3:23: % MD5 is broken");
  CHECK(complaint(tunnel + "  esp proposal null\n", no_md5) == "f:3:16: % no such");
  CHECK(complaint(tunnel + "  esp proposal aes128-md5\n", no_md5) == "");
  CHECK(complaint(tunnel + "  no ike proposal aes128-md5\n", no_md5) == "");
}

TEST_CASE("comments, blank lines, CRLF, tabs, a missing last line end and exit words are no trouble") {
  const auto plain = parse("hostname a\nvpn connection v\n tunnel 1\n  mtu 1400\n  shutdown\n", "f");
  REQUIRE(plain);
  for (const char* text : {"hostname a\r\nvpn connection v\r\n tunnel 1\r\n  mtu 1400\r\n  shutdown\r\n",
                           "! c\n# c\n\nhostname\ta\n \t \nvpn  connection  v \ntunnel 1\nmtu 1400\nshutdown",
                           "vpn connection v\n tunnel 1\n  mtu 1400\n  shutdown\n exit\nexit\n!\nhostname a\nend\n",
                           "vpn connection v\ntunnel 1\nmtu 1400\nquit\nexit\nexit\nexit\nhostname a\n"
                           "vpn connection v\ntunnel 1\nshutdown\n"}) {
    const auto c = parse(text, "f");
    REQUIRE_MESSAGE(c, complaint(text));
    CHECK(*c == *plain);
  }
}

TEST_CASE("a line of an outer block may follow without exit, as in FRR") {
  const auto c = parse("vpn connection v\n tunnel 1\n  mtu 1400\n tunnel 2\n routing static\nhostname b\n", "f");
  REQUIRE(c);
  CHECK(c->connections[0].tunnels.size() == 2);
  CHECK(c->connections[0].routing == Routing::Static);
  CHECK(c->hostname == "b");
  CHECK(complaint("hostname a\nmtu 1400\n") == "f:2:1: % Unknown command: mtu 1400");
}

TEST_CASE("the last of two lines counts, and lists do not grow by repetition") {
  const auto c = parse(
      "router bgp 1\n address-family ipv4 unicast\n  network 10.0.0.0/8\n  network 10.0.0.0/8\n"
      "exit\nip route 10.0.0.0/8 v\nip route 10.0.0.0/8 v 5\nhostname a\nhostname b\n",
      "f");
  REQUIRE(c);
  CHECK(c->bgp->networks.size() == 1);
  REQUIRE(c->static_routes.size() == 1);
  CHECK(c->static_routes[0].distance == 5);
  CHECK(c->hostname == "b");
}

TEST_CASE("words may be shortened while they stay unambiguous") {
  struct Short {
    Mode mode;
    const char *text, *pattern;
  };
  for (const auto& s :
       {Short{Mode::Exec, "sh ip ro", "show ip route [json]"}, Short{Mode::Exec, "s ve", "show version [json]"},
        Short{Mode::Exec, "sh ru j", "show running-config [json]"},
        Short{Mode::Exec, "sh b s", "show bgp summary [json]"}, Short{Mode::Exec, "di", "disable"},
        Short{Mode::Config, "d u", "data-plane {auto|userspace} [threads (1-16)]"},
        Short{Mode::Config, "v c x", "vpn connection WORD"}, Short{Mode::VpnTunnel, "m a", "mtu auto"},
        Short{Mode::VpnTunnel, "p i 100", "probe interval (20-60000)"}, Short{Mode::VpnTunnel, "no in", ""},
        Short{Mode::Router, "t b 5 15", "timers bgp (1-65535) (0-65535)"}}) {
    CAPTURE(s.text);
    const auto m = match(s.mode, s.text);
    if (*s.pattern == '\0') {
      REQUIRE(!m);
      CHECK(m.error().text.starts_with("% Ambiguous command"));
    } else {
      REQUIRE(m);
      CHECK(m->command->pattern == s.pattern);
    }
  }
  const auto choice = match(Mode::Config, "data-plane u");
  REQUIRE(choice);
  CHECK(choice->args == Args{"userspace"});
  CHECK(match(Mode::Exec, "show v").error().text == "% Ambiguous command: show v");
  CHECK(match(Mode::Exec, "show bogus").error().text == "% Unknown command: show bogus");
  CHECK(match(Mode::Exec, "show ip").error().text == "% Command incomplete: show ip");
  CHECK(match(Mode::Exec, "").error().text == "% Command incomplete: ");
}

TEST_CASE("help offers what may follow, and after a partial word only what it may become") {
  const auto words = [](Mode mode, const char* line) {
    std::string out;
    for (const auto& c : complete(mode, line))
      out += (out.empty() ? "" : " ") + c.word;
    return out;
  };
  CHECK(words(Mode::Exec, "show ") == "bgp ip running-config version vpn");
  CHECK(words(Mode::Exec, "show v") == "version vpn");
  CHECK(words(Mode::Exec, "show vpn ") == "<cr> json");
  CHECK(words(Mode::Exec, "show bogus ") == "");
  CHECK(words(Mode::Exec, "sh ip b") == "bgp");
  CHECK(words(Mode::VpnTunnel, "mtu ") == "(576-9216) auto");
  CHECK(words(Mode::VpnTunnel, "mtu 1") == "");
  CHECK(words(Mode::VpnTunnel, "mtu 1400") == "(576-9216)");
  CHECK(words(Mode::VpnTunnel, "no probe ") == "<cr> interval misses");
  CHECK(words(Mode::Config, "no data-plane ") == "<cr> auto kernel userspace");
  CHECK(words(Mode::Config, "no vpn connection ") == "WORD");
}
