// From configuration lines to decisions.
#include <doctest/doctest.h>

#include <boost/json/object.hpp>

#include "daemon/policy.hpp"
#include "daemon/policy_test.hpp"

namespace {

using namespace cgw;

bgp::policy::PolicySet compiled(const std::string& text) {
  const auto c = config::parse(text, "f");
  REQUIRE(c);
  auto set = compile_policy(c->policy);
  REQUIRE(set);
  return std::move(*set);
}

std::string answer(const bgp::policy::PolicySet& set, const std::string& request) {
  const auto a = test_policy(set, "test policy route-map " + request);
  return a ? std::string(a->as_object().at("text").as_string()) : a.error();
}

constexpr const char* kEveryLine =
    "ip prefix-list TEN permit 10.0.0.0/8 le 24\nip prefix-list HOP permit any\nipv6 prefix-list SIX permit any\n"
    "bgp as-path access-list UP permit _65001_\nbgp community-list standard C permit 1:1\n"
    "bgp large-community-list expanded L permit ^1:2:\nbgp extcommunity-list standard X permit rt 1:1\n"
    "route-map M permit 10\n match as-path UP\n match community C\n match extcommunity X\n match interface cgw1\n"
    " match ip address prefix-list TEN\n match ip next-hop address 192.0.2.1\n match ip next-hop prefix-list HOP\n"
    " match large-community L\n match local-preference 100\n match metric 5\n match origin egp\n match peer 192.0.2.1\n"
    " match source-protocol bgp\n match tag 3\n match tunnel vpn-1 2\n on-match next\n"
    " set as-path exclude 7\n set as-path prepend 9 9\n set comm-list C delete\n set community 2:2 additive\n"
    " set extcommunity soo 2:2\n set ip next-hop 198.51.100.1\n set large-community 3:3:3\n set local-preference +50\n"
    " set metric -2\n set origin igp\n set tag 4\n set weight 8\nroute-map M permit 20\n set as-path prepend last-as "
    "1\n";

constexpr const char* kRoute =
    "M 10.1.0.0/16 as-path 65001 7 community 1:1 extcommunity rt 1:1 large-community 1:2:3 metric 5 local-preference "
    "100 "
    "origin egp next-hop 192.0.2.1 peer 192.0.2.1 interface cgw1 tunnel vpn-1 2 tag 3 source-protocol bgp direction in";

}  // namespace

TEST_CASE("every match and every set reaches the engine") {
  const auto set = compiled(kEveryLine);
  const std::string text = answer(set, kRoute);
  CAPTURE(text);
  CHECK(
      text.ends_with("  as-path: 65001 7 -> 9 9 9 65001\n"
                     "  community: 1:1 -> 2:2\n"
                     "  extcommunity: RT:1:1 -> RT:1:1 SoO:2:2\n"
                     "  large-community: 1:2:3 -> 3:3:3\n"
                     "  local-preference: 100 -> 150\n"
                     "  metric: 5 -> 3\n"
                     "  next-hop: 192.0.2.1 -> 198.51.100.1\n"
                     "  origin: egp -> igp\n"
                     "  tag: 3 -> 4\n"
                     "  weight: 0 -> 8\n"
                     "Result: permitted"));
}

TEST_CASE("each match can fail alone, and the trace says which") {
  const auto set = compiled(kEveryLine);
  for (const auto& [from, to, says] : std::vector<std::tuple<std::string, std::string, std::string>>{
           {"10.1.0.0/16", "11.1.0.0/16", "match ip address prefix-list TEN: no (no rule matches)"},
           {"65001 7", "65002 7", "match as-path UP: no (no rule matches)"},
           {"community 1:1 ext", "community 1:2 ext", "match community C: no (no rule matches)"},
           {"rt 1:1", "soo 1:1", "match extcommunity X: no (no rule matches)"},
           {"1:2:3", "1:3:3", "match large-community L: no (no rule matches)"},
           {"metric 5", "metric 6", "match metric 5: no (it is 6)"},
           {"local-preference 100", "local-preference 99", "match local-preference 100: no (it is 99)"},
           {"origin egp", "origin igp", "match origin egp: no (it is igp)"},
           {"next-hop 192.0.2.1", "next-hop 192.0.2.2", "match ip next-hop address 192.0.2.1: no (it is 192.0.2.2)"},
           {"peer 192.0.2.1", "peer 192.0.2.2", "match peer 192.0.2.1: no (it is 192.0.2.2)"},
           {"interface cgw1", "interface cgw2", "match interface cgw1: no (it is cgw2)"},
           {"vpn-1 2", "vpn-1 1", "match tunnel vpn-1 2: no (it came by vpn-1 1)"},
           {"tag 3", "tag 4", "match tag 3: no (it is 4)"},
           {"protocol bgp", "protocol static", "match source-protocol bgp: no (it is static)"},
           {"direction in", "direction out", "it is asked where routes come in, not where they go out"}}) {
    std::string route = kRoute;
    route.replace(route.find(from), from.size(), to);
    CAPTURE(route);
    const std::string text = answer(set, route);
    CAPTURE(text);
    CHECK(text.find(says) != std::string::npos);
  }
}

TEST_CASE("a question that is none is told what is wrong with it") {
  const auto set = compiled("route-map M permit 10\n");
  CHECK(answer(set, "X 10.0.0.0/8") == "% there is no route-map X");
  CHECK(answer(set, "M") == "% Command incomplete: test policy route-map NAME PREFIX");
  CHECK(answer(set, "M 10.0.0.1/8") == "% '10.0.0.1/8' has host bits set: 10.0.0.0/8 is meant?");
  CHECK(answer(set, "M 10.0.0.0/8 colour red") ==
        "% 'colour' is nothing that a route has; see 'test policy route-map NAME ?'");
  for (const char* wrong :
       {"metric", "metric x", "metric 1 2", "as-path 0", "community 1:70000", "extcommunity 1:1", "next-hop 1.2.3",
        "origin no", "tunnel vpn-1", "direction up", "tag -1", "weight 4294967296"})
    CHECK(answer(set, std::string("M 10.0.0.0/8 ") + wrong).find("its value is none") != std::string::npos);
}

TEST_CASE("an expression that does not compile is refused, with its line") {
  config::Places places;
  const auto c = config::parse(
      "bgp as-path access-list X permit 1\nbgp as-path access-list X permit (1\nbgp community-list expanded E permit "
      "[\n"
      "bgp large-community-list 100 permit *\n",
      "f", {}, &places);
  REQUIRE(c);
  const auto set = compile_policy(c->policy, places);
  REQUIRE(!set);
  REQUIRE(set.error().size() == 3);
  CHECK(set.error()[0].line == 2);
  CHECK(set.error()[0].text.starts_with("% can't compile regexp (1: "));
  CHECK(set.error()[1].line == 3);
  CHECK(set.error()[2].line == 4);
}
