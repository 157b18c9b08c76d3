// The trees of BGP routes against FRR 8.4.4's JSON of the same routes from the same neighbors.
#include <algorithm>
#include <fstream>
#include <sstream>

#include <doctest/doctest.h>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "base/communities.hpp"
#include "daemon/bgp_tree.hpp"

using namespace cgw;
using namespace cgw::bgp;
namespace json = boost::json;

namespace {

json::value frr(const std::string& name) {
  std::ifstream file(FRR_FOLDER "/" + name + ".json");
  std::stringstream all;
  all << file.rdbuf();
  return json::parse(all.str());
}

struct Fixed : Random {
  void fill(std::span<std::uint8_t> out) override { std::ranges::fill(out, std::uint8_t{7}); }
};

IpAddress ip(const std::string& text) {
  return IpAddress::parse(text).value();
}
Prefix prefix(const std::string& text) {
  return Prefix::parse(text).value();
}

// Our end of three sessions: two neighbors of other ASs, one of our own.
struct Bench {
  Bench() : speaker({Asn{65000}, RouterId{0x0a630001}, 0}, {}, random) {
    first = add("10.99.0.20", 64801);
    second = add("10.99.0.21", 64802);
    inner = add("10.99.0.22", 65000);
  }

  NeighborId add(const std::string& address, std::uint32_t asn) {
    NeighborConfig c;
    c.session.local_as = Asn{65000};
    c.session.remote_as = Asn{asn};
    c.session.router_id = RouterId{0x0a630001};
    c.session.local_address = ip("10.99.0.1");
    c.session.remote_address = ip(address);
    c.session.passive = true;
    c.session.capabilities.families.v6 = true;
    c.routes.address = c.session.remote_address;
    c.routes.import.remote_as = Asn{asn};
    c.routes.import.kind = asn == 65000 ? SourceKind::Ibgp : SourceKind::Ebgp;
    for (const Family f : kFamilies) {
      c.routes.export_rules[f].kind = c.routes.import.kind;
      c.routes.export_rules[f].local_as = Asn{65000};
      c.routes.export_rules[f].next_hop = f == Family::V4 ? ip("10.99.0.1") : ip("fd00:99::1");
    }
    const NeighborId n = speaker.add(c);
    speaker.step(now, n, Start{});
    speaker.step(now, n, Connected{ConnectionId::Incoming});
    say(n, encode_open({.asn = Asn{asn},
                        .hold_time = Seconds{90},
                        .router_id = RouterId{c.session.remote_address.v4_value()},
                        .capabilities = c.session.capabilities}));
    say(n, frame(MessageType::Keepalive, {}));
    REQUIRE(speaker.status(n).state == State::Established);
    return n;
  }
  void say(NeighborId n, std::vector<std::uint8_t> octets) {
    speaker.step(now, n, Received{ConnectionId::Incoming, std::move(octets)});
  }
  // From the neighbor, who needs no next hop written when it is its own address.
  void announce(NeighborId n, PathAttributes a, std::initializer_list<const char*> prefixes) {
    UpdateContext c;
    const auto& session = speaker.config(n).session;
    c.ebgp = session.remote_as != session.local_as;
    c.local_as = session.remote_as;
    c.remote_as = Asn{65000};
    c.families = {true, true};
    if (a.next_hop == IpAddress{}) a.next_hop = session.remote_address;
    std::vector<Nlri> routes;
    for (const char* p : prefixes)
      routes.push_back({prefix(p), 0});
    const auto messages = encode_announce(routes, routes[0].prefix.address.family(), a, c);
    REQUIRE(messages);
    for (const auto& m : *messages)
      say(n, m);
  }
  void originate(const char* p) {
    PathAttributes a;
    a.next_hop = prefix(p).address.is_v4() ? ip("10.99.0.1") : ip("fd00:99::1");
    a.med = 0;
    speaker.originate(prefix(p), a, {.weight = 32768}, now);
  }
  void settle() {
    while (speaker.has_work())
      for (auto& [n, action] : speaker.work(now))
        if (std::holds_alternative<SendBytes>(action)) speaker.step(now, n, Written{ConnectionId::Incoming});
  }
  BgpView view() const {
    return {speaker, RouterId{0x0a630001}, Asn{65000},
            "vm",    now + Seconds{60},    std::chrono::system_clock::time_point{}};
  }

  Fixed random;
  Speaker speaker;
  TimePoint now{};
  NeighborId first, second, inner;
};

PathAttributes from(std::initializer_list<std::uint32_t> path, std::optional<std::uint32_t> med = std::nullopt) {
  PathAttributes a;
  AsPathSegment s;
  for (const auto asn : path)
    s.asns.emplace_back(asn);
  if (!s.asns.empty()) a.as_path.push_back(s);
  a.med = med;
  return a;
}

// What tests/unit/cli/frr-8.4.4 was captured from.
void tell_all(Bench& b) {
  b.announce(b.first, from({64801}, 0), {"10.0.0.0/16", "10.1.0.0/16", "172.16.100.128/25"});
  b.announce(b.second, from({64802, 64801}, 200), {"10.0.0.0/16", "10.1.0.0/16", "0.0.0.0/0"});
  auto rich = from({64802, 4200000001, 65001});
  rich.origin = Origin::Incomplete;
  rich.communities = {0xfde80001, 0xfde80002, 0xffffff01};
  rich.large_communities = {{65010, 1, 2}};
  rich.extended_communities = {0x0002fde800000064};
  rich.atomic_aggregate = true;
  rich.aggregator = {Asn{65001}, ip("192.0.2.1")};
  b.announce(b.second, rich, {"10.9.9.0/24"});
  auto reflected = from({64999}, 5);
  reflected.local_pref = 200;
  reflected.originator_id = RouterId{0x01020304};
  reflected.cluster_list = {0x05060708, 0x09090909};
  b.announce(b.inner, reflected, {"10.0.0.0/16"});
  auto far = from({});
  far.origin = Origin::Egp;
  far.local_pref = 100;
  far.next_hop = ip("203.0.113.7");
  b.announce(b.inner, far, {"10.55.0.0/16"});
  b.speaker.set_next_hop(ip("203.0.113.7"), false, 0);
  b.announce(b.first, from({64801, 65000}), {"10.66.0.0/16"});
  auto six = from({64801}, 0);
  six.next_hop = ip("fd00:99::20");
  b.announce(b.first, six, {"2001:db8:1::/48"});
  six = from({64802});
  six.next_hop = ip("fd00:99::21");
  b.announce(b.second, six, {"2001:db8:1::/48", "2001:db8:1234:5678::/64"});
  for (const char* p : {"10.44.0.0/16", "192.168.50.0/24", "2001:db8:aaaa::/48"})
    b.originate(p);
  b.settle();
}

// Without what no two runs share: versions, times, the order of paths. FRR's hosts have told no name.
json::value plain(const json::value& v) {
  if (v.is_array()) {
    json::array out;
    for (const auto& one : v.as_array())
      out.push_back(plain(one));
    std::ranges::sort(out, {}, [](const json::value& x) { return json::serialize(x); });
    return out;
  }
  if (!v.is_object()) return v;
  json::object out;
  for (const auto& [key, one] : v.as_object()) {
    for (const std::string_view skipped : {"version", "tableVersion", "lastUpdate", "totalRoutes", "totalPaths"})
      if (key == skipped) goto next;
    out[key] = plain(one);
  next:;
  }
  return out;
}

}  // namespace

TEST_CASE("show bgp ipv4|ipv6 unicast json is FRR's, key for key and value for value") {
  Bench b;
  tell_all(b);
  CHECK(json::serialize(plain(bgp_table_tree(b.view(), Family::V4))) == json::serialize(plain(frr("bgp_table"))));
  CHECK(json::serialize(plain(bgp_table_tree(b.view(), Family::V6))) == json::serialize(plain(frr("bgp_table_v6"))));
  CHECK(json::serialize(plain(bgp_table_tree(b.view(), Family::V4, b.inner))) ==
        json::serialize(plain(frr("bgp_neighbor_routes"))));
  const auto tree = bgp_table_tree(b.view(), Family::V4);
  CHECK(tree.at("totalPaths").to_number<int>() == 11);
}

TEST_CASE("show bgp ipv4|ipv6 unicast PREFIX json is FRR's, key for key and value for value") {
  Bench b;
  tell_all(b);
  const std::pair<const char*, const char*> cases[] = {{"bgp_prefix_reflected", "10.0.0.0/16"},
                                                       {"bgp_prefix_communities", "10.9.9.0/24"},
                                                       {"bgp_prefix_local", "192.168.50.0/24"},
                                                       {"bgp_prefix_invalid", "10.55.0.0/16"},
                                                       {"bgp_prefix_v6", "2001:db8:1::/48"}};
  for (const auto& [name, p] : cases) {
    CAPTURE(name);
    auto model = frr(name);
    // FRR tells a route of another AS to him from whom it has it.
    if (std::string_view(name) == "bgp_prefix_v6") model.at("advertisedTo").as_object().stable_erase("10.99.0.20");
    CHECK(json::serialize(plain(bgp_prefix_tree(b.view(), prefix(p)))) == json::serialize(plain(model)));
  }
  CHECK(bgp_prefix_tree(b.view(), prefix("10.200.0.0/16")).as_object().empty());
  CHECK(bgp_prefix_tree(b.view(), prefix("10.66.0.0/16")).as_object().empty());  // filtered: our own AS
}

TEST_CASE("an address shows the longest prefix that holds it") {
  Bench b;
  tell_all(b);
  CHECK(bgp_prefix_tree(b.view(), ip("10.9.9.9")).at("prefix") == "10.9.9.0/24");
  CHECK(bgp_prefix_tree(b.view(), ip("10.66.0.1")).at("prefix") == "0.0.0.0/0");
  CHECK(bgp_prefix_tree(b.view(), ip("2001:db8:2::1")).as_object().empty());
}

TEST_CASE("a path's last update is when it came, by the clock on the wall") {
  Bench b;
  b.now += Seconds{100};
  tell_all(b);
  BgpView v = b.view();
  v.now = b.now + Seconds{30};
  v.wall = std::chrono::system_clock::from_time_t(1795563840);
  const auto at = bgp_prefix_tree(v, prefix("10.9.9.0/24")).at("paths").at(0).at("lastUpdate");
  CHECK(at.at("epoch").to_number<std::int64_t>() == 1795563810);
  CHECK(at.at("string").as_string().ends_with("2026\n"));
}

TEST_CASE("a neighbor's advertised, received and filtered routes") {
  Bench b;
  tell_all(b);
  const auto of = [&](NeighborId n, NeighborRoutesView w) {
    return bgp_neighbor_routes_tree(b.view(), Family::V4, n, w);
  };
  const auto keys = [](const json::value& routes) {
    std::vector<std::string> out;
    for (const auto& [key, route] : routes.as_object())
      out.emplace_back(key);
    return out;
  };
  using enum NeighborRoutesView;
  const auto told = of(b.inner, Advertised), model = frr("bgp_advertised");
  CHECK(keys(told) == keys(model));
  CHECK(keys(told.at("advertisedRoutes")) == keys(model.at("advertisedRoutes")));
  for (const auto& [key, route] : model.at("advertisedRoutes").as_object()) {
    CAPTURE(key);
    // FRR shows the weight, and our own routes' next hop before it is written.
    const auto& ours = told.at("advertisedRoutes").at(key);
    CHECK(keys(ours) == keys(route));
    for (const char* same : {"path", "bgpOriginCode", "locPrf", "network"})
      CHECK(ours.at(same) == route.at(same));
  }
  const auto received = of(b.first, Received);
  CHECK(keys(received.at("receivedRoutes")) ==
        std::vector<std::string>{"10.0.0.0/16", "10.1.0.0/16", "10.66.0.0/16", "172.16.100.128/25"});
  CHECK(received.at("filteredPrefixCounter").to_number<int>() == 1);
  CHECK(keys(of(b.first, Filtered).at("receivedRoutes")) == std::vector<std::string>{"10.66.0.0/16"});
}

TEST_CASE("requests find their tree, and what is wrong with them is said") {
  Bench b;
  tell_all(b);
  const auto ask = [&](const char* words) { return show_bgp_routes(b.view(), words); };
  CHECK(ask("show bgp table ipv6")->at("totalRoutes").to_number<int>() == 3);
  CHECK(ask("show bgp prefix ipv4 10.9.9.0/24")->at("prefix") == "10.9.9.0/24");
  CHECK(ask("show bgp prefix ipv4 10.9.9.9")->at("prefix") == "10.9.9.0/24");
  CHECK(ask("show bgp neighbor ipv4 10.99.0.22 routes")->at("routes").as_object().size() == 2);
  CHECK(ask("show bgp neighbor ipv4 10.99.0.20 filtered-routes")->at("totalPrefixCounter").to_number<int>() == 1);
  CHECK(ask("show bgp neighbor ipv4 10.99.0.99 routes")->at("warning") == "No such neighbor in this view/vrf");
  CHECK(ask("show bgp prefix ipv4 2001:db8::/32").error() == "% 2001:db8::/32 is no address or prefix of ipv4");
  CHECK(ask("show bgp prefix ipv4 x").error() == "% x is no address or prefix of ipv4");
  for (const char* words :
       {"show bgp table", "show bgp table ipv5", "show bgp table ipv4 x", "show bgp prefix ipv4", "show bgp x ipv4"})
    CHECK(ask(words).error().starts_with("% Unknown command: show bgp"));
}
