// State trees in, text out; FRR's own answers (8.4.4) are the models.
#include <doctest/doctest.h>

#include <string>

#include <boost/json/parse.hpp>

#include "cli/render.hpp"
#include "tests/unit/cli/cli_bench.hpp"

namespace {

using namespace cgw::cli;
using cgw::test::content;
namespace json = boost::json;

std::string model(const std::string& file) {
  return content(std::string(TEST_FOLDER "/frr-8.4.4/") + file);
}

json::value tunnel(int number, const char* changes = "{}") {
  json::value t = json::parse(R"({
    "tunnel":1,"interface":"cgw1","outsideAddress":"203.0.113.10","verdict":"up","reason":"probe answered",
    "sinceMsec":3723000,"active":true,
    "ike":{"state":"Established","suite":"aes256gcm16-prfsha384-ecp384"},
    "child":{"installed":true,"suite":"aes256gcm16","udpEncap":false},
    "probe":{"enabled":true,"rttMsec":0.34,"lossPercent":0.0,"missedInARow":0,"everAnswered":true},
    "bgp":{"configured":true,"state":"Established","prefixesReceived":2,"prefixesSent":1},
    "mtu":1446,"mss":1406,"octetsIn":1532,"octetsOut":999,"drops":{"replay":0}})");
  t.as_object()["tunnel"] = number;
  const json::value merge = json::parse(changes);
  for (const auto& [key, v] : merge.as_object()) {
    auto& old = t.as_object()[key];
    if (v.is_object() && old.is_object()) {
      for (const auto& [inner, w] : v.as_object())
        old.as_object()[inner] = w;
    } else {
      old = v;
    }
  }
  return t;
}

std::string vpn_of(json::array tunnels, json::value active) {
  return render_vpn(
      json::object{{"dataPlane", {{"name", "kernel"}, {"reason", "auto: this kernel has ESP and xfrm interfaces"}}},
                   {"connections",
                    {json::object{{"id", "vpn-1"},
                                  {"customerGateway", "cgw-1"},
                                  {"gateway", ""},
                                  {"target", "tgw"},
                                  {"routing", "dynamic"},
                                  {"activeTunnel", std::move(active)},
                                  {"tunnels", std::move(tunnels)}}}},
                   {"lastChange", nullptr}});
}

// The row of the only tunnel.
std::string row(const char* changes) {
  const std::string all = vpn_of({tunnel(1, changes)}, nullptr);
  const auto from = all.find("\n1 ") + 1;
  return all.substr(from, all.find('\n', from) - from);
}

}  // namespace

TEST_CASE("show bgp summary is FRR's, character for character") {
  CHECK(render_bgp_summary(json::parse(model("bgp_summary.json"))) == model("bgp_summary.txt"));
}

TEST_CASE("show ip route is FRR's, character for character") {
  CHECK(render_ip_route(json::parse(model("ip_route.json"))) == model("ip_route.txt"));
}

TEST_CASE("json is written as FRR writes it, character for character") {
  CHECK(pretty(json::parse(model("ip_route.json"))) == model("ip_route.json"));
  CHECK(pretty(json::parse("{}")) == "{\n}\n");
  CHECK(pretty(json::parse(R"({"a":[],"b":{},"c":[1,"\u0007\"x"],"d":0.25})")) ==
        "{\n  \"a\":[\n  ],\n  \"b\":{\n  },\n  \"c\":[\n    1,\n    \"\\u0007\\\"x\"\n  ],\n  \"d\":0.250\n}\n");
}

TEST_CASE("show bgp summary without BGP says so in FRR's words") {
  CHECK(render_bgp_summary(json::parse("{}")) == "% BGP instance not found\n");
}

TEST_CASE("routes are sorted as numbers; more paths, more next hops and blackholes have their lines") {
  const std::string text = render_ip_route(json::parse(R"({
    "10.10.0.0/16":[{"protocol":"static","selected":true,"distance":255,"metric":0,"blackhole":true,"uptime":"00:00:09",
                     "nexthops":[{"unreachable":true,"fib":true}]}],
    "10.9.0.0/16":[
      {"protocol":"bgp","selected":true,"distance":20,"metric":100,"uptime":"1d02h03m",
       "nexthops":[{"ip":"169.254.10.1","interfaceName":"cgw1","weight":1,"fib":true},
                   {"ip":"169.254.11.1","interfaceName":"cgw2","weight":1,"fib":true}]},
      {"protocol":"bgp","distance":20,"metric":200,"uptime":"00:00:01",
       "nexthops":[{"ip":"169.254.12.1","interfaceName":"cgw3","weight":1}]}],
    "not a prefix":[{}], "0.0.0.0/0":7})"));
  CHECK(text.substr(text.find("B>*")) ==
        "B>* 10.9.0.0/16 [20/100] via 169.254.10.1, cgw1, weight 1, 1d02h03m\n"
        "  *                      via 169.254.11.1, cgw2, weight 1, 1d02h03m\n"
        "B   10.9.0.0/16 [20/200] via 169.254.12.1, cgw3, weight 1, 00:00:01\n"
        "S>* 10.10.0.0/16 [255/0] unreachable (blackhole), weight 1, 00:00:09\n");
}

TEST_CASE("show running-config is framed as FRR's") {
  CHECK(render_running_config(json::object{{"text", "hostname edge1\n"}}) ==
        "Building configuration...\n\nCurrent configuration:\n!\nhostname edge1\nend\n");
}

TEST_CASE("show vpn joins a tunnel's layers in one row") {
  CHECK(
      vpn_of({tunnel(1), tunnel(2, R"({"interface":"cgw2","outsideAddress":"203.0.113.140","active":false,
                 "verdict":"degraded","reason":"BGP session is not established","sinceMsec":90061000,
                 "bgp":{"state":"Active","prefixesReceived":0,"prefixesSent":0},"octetsIn":12345678,"drops":{"replay":3}})")},
             1) ==
      "Data plane: kernel (auto: this kernel has ESP and xfrm interfaces)\n"
      "\n"
      "VPN vpn-1  (cgw-1, tgw, dynamic)  active: tunnel 1\n"
      "Tun  Outside        Interface  IKE          Child      Probe      BGP          Rx/Tx pfx  In/Out     State      "
      "         Since\n"
      "1    203.0.113.10   cgw1       Established  INSTALLED  ok 0.3 ms  Established  2/1        1.5K/999   ACTIVE     "
      "         01:02:03\n"
      "2    203.0.113.140  cgw2       Established  INSTALLED  ok 0.3 ms  Active       0/0        12.3M/999  standby "
      "(degraded)  1d01h01m\n"
      "  tunnel 1: aes256gcm16-prfsha384-ecp384, ESP aes256gcm16, MTU 1446, MSS 1406\n"
      "  tunnel 2: aes256gcm16-prfsha384-ecp384, ESP aes256gcm16, MTU 1446, MSS 1406\n"
      "  tunnel 2: degraded: BGP session is not established\n"
      "  tunnel 2: dropped: 3 replay\n");
}

TEST_CASE("what came to the IKE ports and was nobody's is counted by reason") {
  const auto with = [](const std::string& ignored) {
    return render_vpn(json::parse(R"({"dataPlane":{"name":"kernel","reason":"auto"},"connections":[],"ikeIgnored":)" +
                                  ignored + "}"));
  };
  CHECK(with(R"({"IKEv1":2,"no IKE message":0,"of an unknown IKE SA":7})") ==
        "Data plane: kernel (auto)\n\nIKE datagrams ignored: 2 IKEv1, 7 of an unknown IKE SA\n");
  CHECK(with(R"({"IKEv1":0})") == "Data plane: kernel (auto)\n");
  CHECK(with("null") == "Data plane: kernel (auto)\n");
}

TEST_CASE("each state of a tunnel has its word") {
  const auto has = [](const char* changes, const char* word) {
    const std::string r = row(changes);
    CAPTURE(r);
    CHECK(r.find(word) != std::string::npos);
  };
  has(R"({"verdict":"down"})", "  DOWN  ");
  has(R"({"verdict":"draining","active":false})", "standby (draining)");
  has(R"({"verdict":"draining"})", "ACTIVE (draining)");
  has(R"({"child":{"installed":false}})", "  -  ");
  has(R"({"bgp":{"configured":false}})", "  -    -  ");
  has(R"({"probe":{"enabled":false}})", "  off  ");
  has(R"({"probe":{"everAnswered":false}})", "  no answer yet  ");
  has(R"({"probe":{"missedInARow":52}})", "  52 missed  ");
  has(R"({"probe":{"rttMsec":null}})", "  waiting  ");
  has(R"({"probe":{"lossPercent":12.4}})", "ok 0.3 ms 12% lost");
  has(R"({"octetsIn":1000,"octetsOut":999999999999})", "1.0K/1000.0G");
  has(R"({"octetsIn":0,"octetsOut":1000000000000000})", "0/1000.0T");
}

TEST_CASE("no active tunnel, ESP in UDP and the last change are told") {
  CHECK(vpn_of({}, nullptr).find("active: none\n") != std::string::npos);
  CHECK(vpn_of({tunnel(1, R"({"child":{"udpEncap":true}})")}, 1).find("ESP aes256gcm16 in UDP, MTU") !=
        std::string::npos);
  CHECK(render_vpn(json::parse(R"({"lastChange":{"agoMsec":4000,"text":"tunnel 1 -> tunnel 2"}})"))
            .ends_with("\nLast change: 00:00:04 ago  tunnel 1 -> tunnel 2\n"));
}

TEST_CASE("a tree of another shape is rendered as empty, never an error") {
  for (const char* text :
       {"null", "[]", "7", R"({"connections":7,"ipv4Unicast":[]})",
        R"({"connections":[7,{"tunnels":[null,{"bgp":7,"drops":[1]}]}],"10.0.0.0/8":[7,{"nexthops":{}}]})"}) {
    const json::value v = json::parse(text);
    CHECK(!render_vpn(v).empty());
    CHECK(!render_bgp_summary(v).empty());
    CHECK(!render_ip_route(v).empty());
    CHECK(!render_running_config(v).empty());
    CHECK(!render_version(v).empty());
  }
}

TEST_CASE("the configuration's tree has every setting, and no key") {
  const json::value tree = config_tree(R"(hostname edge1
data-plane userspace
tunnels-down remove
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
  pre-shared-key name1
  ike proposal aes256gcm16-prfsha384-ecp384
  esp proposal aes256gcm16-ecp384
  no initiate
  probe interval 200
  preference 7
router bgp 65000
 neighbor 169.254.10.1 remote-as 64512
 neighbor 169.254.10.1 timers 3 9
 neighbor 169.254.10.1 maximum-prefix-out 90
 address-family ipv4 unicast
  network 10.1.0.0/16
exit
ip route 10.2.0.0/16 169.254.10.1 200
)");
  CHECK(pretty(tree) == content(TEST_FOLDER "/running_config.json"));
  CHECK(config_tree("bogus").is_null());
}
