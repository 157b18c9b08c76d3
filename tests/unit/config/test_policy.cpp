// Lists and route-maps: what FRR 8.4.4 writes is read and written alike.
#include <doctest/doctest.h>

#include <string>

#include "config/commands.hpp"
#include "config/config.hpp"

namespace {

using namespace cgw::config;

Config read(const std::string& text) {
  auto c = parse(text, "f");
  if (!c) FAIL(c.error().front().to_string());
  return std::move(*c);
}
std::string complaint(const std::string& text) {
  const auto c = parse(text, "f");
  return c ? "" : c.error().front().to_string();
}
// Without the line of the hostname.
std::string rendered(const std::string& text) {
  const std::string all = render(read(text));
  return all.substr(all.find('\n') + 1);
}

constexpr const char* kWritten =
    "ip prefix-list A description some text\n"
    "ip prefix-list A seq 10 permit 10.0.0.0/8 ge 9 le 24\n"
    "ip prefix-list A seq 15 permit 0.0.0.0/0 le 32\n"
    "ip prefix-list A seq 20 deny any\n"
    "ip prefix-list B seq 5 permit 10.1.0.0/16 ge 17 le 24\n"
    "ip prefix-list B seq 10 permit 10.1.0.0/16\n"
    "ip prefix-list E description empty one\n"
    "ipv6 prefix-list A6 seq 5 permit 2001:db8::/32 ge 33\n"
    "ipv6 prefix-list A6 seq 10 permit any\n"
    "bgp as-path access-list UP seq 3 deny _65002$\n"
    "bgp as-path access-list UP seq 5 permit ^65001_\n"
    "bgp as-path access-list UP seq 10 permit .*\n"
    "bgp community-list 1 seq 5 permit 65000:1 no-export\n"
    "bgp community-list 100 seq 5 permit 65000:.*\n"
    "bgp community-list expanded CE seq 5 permit _65000:[0-9]+_\n"
    "bgp community-list standard CS seq 5 permit internet\n"
    "bgp community-list standard CS seq 10 deny 65000:2\n"
    "bgp extcommunity-list 10 seq 5 permit rt 4200000000:3\n"
    "bgp extcommunity-list expanded XE seq 5 permit RT:65.*\n"
    "bgp extcommunity-list standard XS seq 5 permit rt 65000:1 soo 1.2.3.4:5\n"
    "bgp large-community-list 10 seq 5 permit 65000:1:3\n"
    "bgp large-community-list expanded LE seq 5 deny 65000:.*\n"
    "bgp large-community-list standard LS seq 5 permit 65000:1:1 65000:1:2\n"
    "route-map RM permit 10\n"
    " call RM2\n"
    " description what it is\n"
    " match as-path UP\n"
    " match community 1 exact-match\n"
    " match ip address prefix-list A\n"
    " on-match next\n"
    " set as-path exclude 3 4\n"
    " set as-path prepend 1 2\n"
    " set community 65000:1 65000:2 additive\n"
    " set local-preference 210\n"
    " set metric +10\n"
    " set weight 7\n"
    "exit\n"
    "!\n"
    "route-map RM permit 20\n"
    " match extcommunity XS\n"
    " match interface eth0\n"
    " match ip next-hop address 1.2.3.4\n"
    " match ip next-hop prefix-list A\n"
    " match large-community LS\n"
    " match local-preference 5\n"
    " match metric 4\n"
    " match origin igp\n"
    " match peer local\n"
    " match tag 9\n"
    " on-match goto 40\n"
    " set comm-list CS delete\n"
    " set extcommunity rt 65000:1 65000:2\n"
    " set ip next-hop peer-address\n"
    " set large-community 1:2:3 additive\n"
    " set origin egp\n"
    " set tag 5\n"
    "exit\n"
    "!\n"
    "route-map RM deny 30\n"
    " match ipv6 address prefix-list A6\n"
    " match ipv6 next-hop address 2001:db8::1\n"
    " set as-path prepend last-as 3\n"
    " set community none\n"
    " set ipv6 next-hop global 2001:db8::1\n"
    " set large-comm-list LS delete\n"
    " set local-preference +5\n"
    " set metric -5\n"
    "exit\n"
    "!\n";

struct Refused {
  const char *text, *complaint;
};
constexpr Refused kRefused[] = {
    {"ip prefix-list A permit 10.0.0.0/8 ge 24 le 20",
     "f:1:1: % Invalid prefix range for 10.0.0.0/8: Make sure that mask length <= ge <= le"},
    {"ip prefix-list A permit 10.0.0.0/8 le 7",
     "f:1:1: % Invalid prefix range for 10.0.0.0/8: Make sure that mask length <= ge <= le"},
    {"ip prefix-list A permit 10.0.0.0/8 ge 33", "f:1:39: % Unknown command: ip prefix-list A permit 10.0.0.0/8 ge 33"},
    {"ip prefix-list A permit 10.0.0.0/33", "f:1:1: % '10.0.0.0/33': the prefix length must be 0 to 32"},
    {"ip prefix-list A permit 2001:db8::/32", "f:1:1: % 2001:db8::/32 is no IPv4 prefix"},
    {"ipv6 prefix-list A permit 10.0.0.0/8", "f:1:1: % 10.0.0.0/8 is no IPv6 prefix"},
    {"ip prefix-list A seq 5 permit", "f:1:30: % Command incomplete: ip prefix-list A seq 5 permit"},
    {"no ip prefix-list NOPE", "f:1:1: % Can't find specified prefix-list"},
    {"bgp as-path access-list X permit abc", "f:1:1: % Invalid character in as-path access-list abc"},
    {"no bgp as-path access-list NOPE", "f:1:1: % bgp as-path access-list NOPE doesn't exist"},
    {"bgp community-list standard X permit 1:70000",
     "f:1:1: % Malformed community-list value: '1:70000' is no community: AA:NN, both up to 65535, or a well-known "
     "name"},
    {"bgp large-community-list standard X permit 1:2",
     "f:1:1: % Malformed community-list value: '1:2' is no large community: AA:BB:CC, each up to 4294967295"},
    {"bgp extcommunity-list standard X permit 1:1",
     "f:1:1: % Malformed community-list value: '? 1:1' is no extended community: rt or soo, and ASN:NN or A.B.C.D:NN"},
    {"bgp community-list standard 155 permit 1:1",
     "f:1:1: % 155: 1 to 99 are standard lists, 100 to 500 expanded ones"},
    {"no bgp community-list standard NOPE", "f:1:1: % Can't find community-list"},
    {"bgp community-list standard X permit 1:1\nbgp community-list expanded X permit 1:1",
     "f:2:1: % Community name conflict, X is already a standard list"},
    {"route-map R permit", "f:1:19: % Command incomplete: route-map R permit"},
    {"route-map R permit 0", "f:1:20: % Unknown command: route-map R permit 0"},
    {"no route-map NOPE", "f:1:1: % Could not find route-map NOPE"},
    {"route-map R permit 10\n set community bogus",
     "f:2:2: % Malformed communities attribute 'bogus': 'bogus' is no community: AA:NN, both up to 65535, or a "
     "well-known "
     "name"},
    {"route-map R permit 10\n set community additive", "f:2:2: % Malformed communities attribute 'additive'"},
    {"route-map R permit 10\n set as-path prepend 0", "f:2:2: % '0' is no AS number (1 to 4294967295)"},
    {"route-map R permit 10\n set as-path prepend 4294967296",
     "f:2:2: % '4294967296' is no AS number (1 to 4294967295)"},
    {"route-map R permit 10\n set metric foo", "f:2:13: % Unknown command: set metric foo"},
    {"route-map R permit 10\n set metric +", "f:2:13: % Unknown command: set metric +"},
    {"route-map R permit 10\n on-match goto 10", "f:2:2: % Can't jump backwards: 10 is not behind 10"},
    {"route-map R permit 10\n continue 5", "f:2:2: % Can't jump backwards: 5 is not behind 10"},
    {"route-map R permit 10\n call R", "f:2:2: % a route-map cannot call itself"},
};

}  // namespace

TEST_CASE("what FRR writes is read and written alike") {
  CHECK(rendered(kWritten) == kWritten);
}

TEST_CASE("lists number themselves by fives, and the same rule twice is one") {
  CHECK(rendered("ip prefix-list A permit 10.0.0.0/8\nip prefix-list A permit 10.0.0.0/8\n"
                 "ip prefix-list A seq 7 deny 11.0.0.0/8\nip prefix-list A permit any\n") ==
        "ip prefix-list A seq 5 permit 10.0.0.0/8\nip prefix-list A seq 7 deny 11.0.0.0/8\n"
        "ip prefix-list A seq 10 permit any\n");
  CHECK(rendered("bgp as-path access-list X permit ^1_2 $\nbgp as-path access-list X permit ^1_2 $\n") ==
        "bgp as-path access-list X seq 5 permit ^1_2 $\n");
}

TEST_CASE("FRR: a prefix loses its host bits, ge and le come in either order, communities are sorted, each once") {
  CHECK(rendered("ip prefix-list B permit 10.1.2.3/16 le 24 ge 17\n") ==
        "ip prefix-list B seq 5 permit 10.1.0.0/16 ge 17 le 24\n");
  CHECK(rendered("bgp community-list 1 permit no-export 65000:1 65000:1\n") ==
        "bgp community-list 1 seq 5 permit 65000:1 no-export\n");
}

TEST_CASE("FRR: continue is on-match; the later of two lines with one meaning counts") {
  CHECK(rendered("route-map R permit 10\n continue\n") == "route-map R permit 10\n on-match next\nexit\n!\n");
  CHECK(rendered("route-map R permit 10\n continue 40\n") == "route-map R permit 10\n on-match goto 40\nexit\n!\n");
  CHECK(rendered("route-map R permit 10\n set metric 5\n set metric +7\n set as-path prepend 1\n set as-path prepend "
                 "last-as 2\nroute-map R deny 10\n") ==
        "route-map R deny 10\n set as-path prepend last-as 2\n set metric +7\nexit\n!\n");
}

TEST_CASE("'no' takes away a rule by its number or its words, an entry, or all of it") {
  const std::string two = "ip prefix-list A seq 5 permit 10.0.0.0/8\nip prefix-list A seq 10 deny any\n";
  CHECK(rendered(two + "no ip prefix-list A seq 5\n") == "ip prefix-list A seq 10 deny any\n");
  CHECK(rendered(two + "no ip prefix-list A deny any\n") == "ip prefix-list A seq 5 permit 10.0.0.0/8\n");
  CHECK(rendered(two + "no ip prefix-list A permit 10.0.0.0/8\n") == "ip prefix-list A seq 10 deny any\n");
  CHECK(complaint(two + "no ip prefix-list A permit 11.0.0.0/8\n") == "f:3:1: % Can't find specified prefix-list");
  CHECK(rendered(two + "no ip prefix-list A\n").empty());
  const std::string maps = "route-map R permit 10\nroute-map R permit 20\n";
  CHECK(rendered(maps + "no route-map R permit 10\n") == "route-map R permit 20\nexit\n!\n");
  CHECK(rendered(maps + "no route-map R\n").empty());
  CHECK(complaint(maps + "no route-map R deny 10\n") == "f:3:1: % Could not find route-map entry R 10");
}

TEST_CASE("a list's or map's line that is wrong says so in FRR's words") {
  for (const auto& r : kRefused) {
    CAPTURE(r.text);
    CHECK(complaint(r.text) == r.complaint);
  }
}

TEST_CASE("a name that nothing has is a warning, with its line") {
  Places places;
  const auto c = parse(
      "route-map R permit 10\n match as-path NOPE\n match ip address prefix-list NOPE\n match community NOPE "
      "exact-match\n set large-comm-list NOPE delete\n call NOPE\n",
      "f", {}, &places);
  REQUIRE(c);
  std::string all;
  for (const auto& d : missing_names(c->policy, places))
    all += std::to_string(d.line) + " " + d.text + "\n";
  CHECK(all ==
        "2 warning: route-map R 10: 'match as-path': there is no bgp as-path access-list NOPE\n"
        "4 warning: route-map R 10: 'match community': there is no bgp community-list NOPE\n"
        "3 warning: route-map R 10: 'match ip address prefix-list': there is no ip prefix-list NOPE\n"
        "5 warning: route-map R 10: 'set large-comm-list': there is no bgp large-community-list NOPE\n"
        "6 warning: route-map R 10: 'call': there is no route-map NOPE\n");
  CHECK(missing_names(parse(kWritten, "f")->policy, {}).size() == 1);  // RM2
}

TEST_CASE("a neighbor's lines of the address family are written in FRR's order") {
  const std::string lines =
      "router bgp 65000\n neighbor 192.0.2.9 remote-as 65009\n address-family ipv4 unicast\n  network 10.0.0.0/8\n"
      "  neighbor 192.0.2.9 addpath-tx-all-paths\n  neighbor 192.0.2.9 next-hop-self\n"
      "  neighbor 192.0.2.9 remove-private-AS all replace-AS\n  neighbor 192.0.2.9 as-override\n"
      "  neighbor 192.0.2.9 default-originate\n  neighbor 192.0.2.9 soft-reconfiguration inbound\n"
      "  neighbor 192.0.2.9 maximum-prefix 100 restart 5\n  neighbor 192.0.2.9 allowas-in\n"
      "  neighbor 192.0.2.9 weight 33\n  neighbor 192.0.2.9 prefix-list A in\n  neighbor 192.0.2.9 route-map RM in\n"
      "  neighbor 192.0.2.9 route-map RM out\n  neighbor 192.0.2.9 filter-list UP in\n exit-address-family\nexit\n!\n";
  CHECK(rendered(lines) == lines);
  CHECK(read(lines).bgp->neighbors.begin()->second.ipv4.maximum_prefix->restart == 5);
}
