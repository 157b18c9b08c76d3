#include <doctest/doctest.h>

#include <string>

#include "config/commands.hpp"
#include "config/config.hpp"

namespace {

using namespace cgw::config;

std::string complaint(const std::string& text) {
  const auto c = parse(text, "f");
  return c ? "" : c.error().front().to_string();
}

constexpr const char* kWhole = R"(hostname edge1
data-plane userspace threads 4
tunnels-down unreachable
vpn connection vpn-1
 customer-gateway cgw-1
 target tgw tgw-1
 routing static
 tunnel 1
  interface cgw1
  customer-gateway outside-address 192.0.2.1
  customer-gateway inside-address 169.254.10.2/30
  vpn-gateway outside-address 198.51.100.1
  vpn-gateway inside-address 169.254.10.1
  local-address 10.0.0.1
  pre-shared-key vpn-1-tunnel1
  ike proposal aes256gcm16-prfsha384-ecp384 aes128-sha256-modp2048
  esp proposal aes256gcm16-ecp384
  ike lifetime 14400
  ike reauth-time 86400
  esp lifetime 1800
  esp rekey packets 1000000
  esp rekey bytes 4000000000000
  dpd interval 20
  replay-window 512
  no initiate
  probe interval 200
  probe misses 5
  mtu 1400
  preference 7
  shutdown
 tunnel 2
  interface cgw2
  no probe
router bgp 65000
 bgp router-id 192.0.2.1
 timers bgp 5 15
 neighbor 169.254.10.1 remote-as 64512
 neighbor 169.254.10.1 description AWS tunnel 1
 neighbor 169.254.10.1 timers 3 9
 neighbor 169.254.10.1 passive
 neighbor 169.254.10.1 shutdown
 neighbor 169.254.10.1 maximum-prefix-out 90
 address-family ipv4 unicast
  network 10.1.0.0/16
  neighbor 169.254.10.1 activate
 exit-address-family
exit
ip route 10.2.0.0/16 169.254.10.1 200
ip route 10.3.0.0/16 vpn-1
)";

}  // namespace

TEST_CASE("an outside address is one that a host can have, of either family") {
  const auto with = [](const std::string& row) { return "vpn connection v\n tunnel 1\n  " + row + "\n"; };
  for (const std::string row : {"vpn-gateway outside-address", "customer-gateway outside-address", "local-address"}) {
    for (const std::string good : {"2001:db8::1", "fd00::1", "192.0.2.1", "::1"}) {
      const auto c = parse(with(row + " " + good), "f");
      REQUIRE_MESSAGE(c, row, " ", good);
      CHECK(render(*c).find(row + " " + good + "\n") != std::string::npos);
    }
    for (const auto& [bad, said] : {std::pair<std::string, std::string>{"fe80::1", "is link-local"},
                                    {"febf::1", "is link-local"},
                                    {"ff02::1", "is a group's address"},
                                    {"::", "is no host's address"},
                                    {"0.0.0.0", "is no host's address"},
                                    {"224.0.0.1", "is no host's address"},
                                    {"::ffff:192.0.2.1", "is an IPv4 address"},
                                    {"2001:db8::x", "Unknown command"}})
      CHECK_MESSAGE(complaint(with(row + " " + bad)).find(said) != std::string::npos, complaint(with(row + " " + bad)));
  }
}

TEST_CASE("the BGP identifier is configured, or an IPv4 address of ours: outside before inside [RFC 4271 4.2]") {
  std::string text = kWhole;
  const auto identifier = [&] { return bgp_identifier(*parse(text, "f"))->to_string(); };
  const auto change = [&](const std::string& from, const std::string& to) {
    text.replace(text.find(from), from.size(), to);
  };
  CHECK(identifier() == "192.0.2.1");
  change("bgp router-id 192.0.2.1", "bgp router-id 192.0.2.7");
  CHECK(identifier() == "192.0.2.7");
  change(" bgp router-id 192.0.2.7\n", "");
  CHECK(identifier() == "192.0.2.1");
  change("outside-address 192.0.2.1", "outside-address 2001:db8::1");
  CHECK(identifier() == "169.254.10.2");
  change("  interface cgw2\n", "  interface cgw2\n  customer-gateway outside-address 192.0.2.9\n");
  CHECK(identifier() == "192.0.2.9");
  CHECK_FALSE(bgp_identifier(*parse("router bgp 65000\n", "f")));
}

TEST_CASE("what is rendered from a configuration that uses every row reads back as the same configuration") {
  const auto first = parse(kWhole, "f");
  REQUIRE_MESSAGE(first, complaint(kWhole));
  const std::string text = render(*first);
  const auto second = parse(text, "f");
  REQUIRE_MESSAGE(second, complaint(text));
  CHECK(*second == *first);
  CHECK(render(*second) == text);
  for (const char* line : {"hostname edge1",
                           "data-plane userspace threads 4",
                           "tunnels-down unreachable",
                           " customer-gateway cgw-1",
                           " target tgw tgw-1",
                           " routing static",
                           "  interface cgw1",
                           "  customer-gateway outside-address 192.0.2.1",
                           "  customer-gateway inside-address 169.254.10.2/30",
                           "  vpn-gateway outside-address 198.51.100.1",
                           "  vpn-gateway inside-address 169.254.10.1",
                           "  local-address 10.0.0.1",
                           "  pre-shared-key vpn-1-tunnel1",
                           "  ike proposal aes256gcm16-prfsha384-ecp384 aes128-sha256-modp2048",
                           "  esp proposal aes256gcm16-ecp384",
                           "  ike lifetime 14400",
                           "  ike reauth-time 86400",
                           "  esp lifetime 1800",
                           "  esp rekey packets 1000000",
                           "  esp rekey bytes 4000000000000",
                           "  dpd interval 20",
                           "  replay-window 512",
                           "  no initiate",
                           "  probe interval 200",
                           "  probe misses 5",
                           "  mtu 1400",
                           "  preference 7",
                           "  shutdown",
                           "  no probe",
                           " bgp router-id 192.0.2.1",
                           " timers bgp 5 15",
                           " neighbor 169.254.10.1 description AWS tunnel 1",
                           " neighbor 169.254.10.1 timers 3 9",
                           " neighbor 169.254.10.1 passive",
                           " neighbor 169.254.10.1 shutdown",
                           " neighbor 169.254.10.1 maximum-prefix-out 90",
                           "  network 10.1.0.0/16",
                           "ip route 10.2.0.0/16 169.254.10.1 200",
                           "ip route 10.3.0.0/16 vpn-1"}) {
    CHECK_MESSAGE(text.find(std::string(line) + "\n") != std::string::npos, line);
  }
}

TEST_CASE("a 'no' form that does not say which one is incomplete, not a crash") {
  CHECK(complaint("no ip route 10.0.0.0/8") == "f:1:23: % Command incomplete: no ip route 10.0.0.0/8");
  CHECK(complaint("no vpn connection") == "f:1:18: % Command incomplete: no vpn connection");
  CHECK(complaint("vpn connection a\n no tunnel") == "f:2:11: % Command incomplete: no tunnel");
  CHECK(complaint("router bgp 1\n address-family ipv4 unicast\n  no network").find("incomplete") != std::string::npos);
  CHECK(complaint("router bgp 1\n neighbor 1.2.3.4 remote-as 2\n no neighbor 1.2.3.4").find("incomplete") !=
        std::string::npos);
  CHECK(complaint("router bgp 1\n no router bgp") == "");
}

TEST_CASE("every wrong line is reported with its place") {
  const auto c = parse("hostname a\nbogus\nvpn connection v\n tunnel 99\n", "cgwd.conf");
  REQUIRE(!c);
  REQUIRE(c.error().size() == 2);
  CHECK(c.error()[0].to_string() == "cgwd.conf:2:1: % Unknown command: bogus");
  CHECK(c.error()[1].line == 4);
}

TEST_CASE("words may be shortened while they stay unambiguous") {
  const auto m = match(Mode::Exec, "sh ip ro");
  REQUIRE(m);
  CHECK(m->command->request == "show ip route");
  CHECK(match(Mode::Exec, "show bogus").error().text == "% Unknown command: show bogus");
  CHECK(match(Mode::Exec, "show ip").error().text == "% Command incomplete: show ip");
}
