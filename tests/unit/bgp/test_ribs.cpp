#include <doctest/doctest.h>

#include "bgp/configured_policy.hpp"
#include "tests/unit/bgp/ribs_bench.hpp"

using namespace cgw;
using namespace cgw::bgp;
using namespace cgw::bgp::test;

namespace {

using Bench = RibsBench;

// Denies a prefix, and prefers what passes.
struct Deny final : RoutePolicy {
  explicit Deny(const char* p, std::uint32_t pref = 100) : prefix(Prefix::parse(p).value()), local_pref(pref) {}
  bool apply(policy::Route& r, const PolicyContext&) const override {
    if (local_pref != 100) r.attributes.local_pref = local_pref;
    return r.prefix != prefix;
  }
  std::optional<std::uint64_t> class_of(const Prefix& p) const override { return p == prefix ? 1 : 0; }
  bool looks_at_neighbor() const override { return false; }
  Prefix prefix;
  std::uint32_t local_pref;
};

constexpr const char* kNet = "192.0.2.0/24";
constexpr const char* kOther = "198.51.100.0/24";

}  // namespace

TEST_CASE("a route goes to every other neighbor, with our AS and next hop; not back; MED stays behind") {
  Bench b;
  const auto a = b.add(Asn{1}), c = b.add(Asn{2});
  PathAttributes from = path({1, 9});
  from.med = 5;
  b.announce(a, {kNet}, from);
  const PathAttributes* told = b.told(c, kNet);
  REQUIRE(told != nullptr);
  CHECK(told->as_path_text() == "65000 1 9");
  CHECK(told->next_hop == address(200));
  CHECK_FALSE(told->med);
  CHECK(b.told(a, kNet) == nullptr);
  b.withdraw(a, {kNet});
  CHECK(b.told(c, kNet) == nullptr);
  CHECK(b.ribs.table(Family::V4).prefixes().size() == 0);
}

TEST_CASE("routes of one set of attributes share a message, whatever came between") {
  Bench b;
  const auto a = b.add(Asn{1}), c = b.add(Asn{2});
  b.settle();
  const auto before = b.views.at(c).updates();
  b.announce(a, {"10.0.0.0/16"}, path({1}));
  b.announce(a, {"10.1.0.0/16"}, path({1, 2}));
  b.announce(a, {"10.2.0.0/16"}, path({1}));
  b.settle();
  CHECK(b.views.at(c).updates() == before + 2);
}

TEST_CASE("a slow neighbor is told the last state only") {
  Bench b;
  const auto a = b.add(Asn{1}), c = b.add(Asn{2});
  b.settle();
  const auto before = b.views.at(c).updates();
  for (std::uint32_t i = 0; i < 50; ++i)
    b.announce(a, {kNet}, path({1, 100 + i}));
  b.announce(a, {kOther}, path({1}));
  b.withdraw(a, {kOther});
  b.settle();
  CHECK(b.views.at(c).updates() == before + 1);
  CHECK(b.told(c, kNet)->as_path_text() == "65000 1 149");
}

TEST_CASE("with little room one message goes at a time, and nothing is lost") {
  Bench b;
  const auto a = b.add(Asn{1}), c = b.add(Asn{2});
  for (std::uint32_t i = 0; i < 100; ++i) {
    const std::string p = "10." + std::to_string(i) + ".0.0/16";
    b.announce(a, {p.c_str()}, path({1, 100 + i}));
  }
  std::size_t rounds = 0;
  for (; b.ribs.has_output(c); ++rounds)
    b.views.at(c).read(b.ribs.output(c, 1));
  CHECK(rounds >= 100);
  CHECK(b.views.at(c).routes().size() == 100);
}

TEST_CASE("End-of-RIB follows the first feed, once per session and family [RFC 4724 2]") {
  Bench b;
  const auto a = b.add(Asn{1});
  b.settle();
  CHECK(b.views.at(a).ends_of_rib() == 2);
  const auto c = b.add(Asn{2});
  b.announce(c, {kNet}, path({2}));
  b.settle();
  CHECK(b.views.at(a).ends_of_rib() == 2);
}

TEST_CASE("iBGP routes stay among eBGP neighbors and reflector clients [RFC 4271 9.2.1.1, RFC 4456]") {
  Bench b;
  const auto i1 = b.add(kUs), i2 = b.add(kUs), e = b.add(Asn{1});
  NeighborRoutes client = b.routes(kUs, 9);
  client.reflector_client = true;
  for (const Family f : kFamilies)
    client.export_rules[f].reflector_client = true;
  const auto rc = b.add(kUs, &client);
  b.announce(i1, {kNet}, path({7}));
  CHECK(b.told(i2, kNet) == nullptr);
  CHECK(b.told(e, kNet)->as_path_text() == "65000 7");
  const PathAttributes* reflected = b.told(rc, kNet);
  REQUIRE(reflected != nullptr);
  CHECK(reflected->originator_id == RouterId{101});
  CHECK(reflected->cluster_list == std::vector<std::uint32_t>{1});
  CHECK(reflected->next_hop == address(77));
  b.announce(rc, {kOther}, path({8}));
  CHECK(b.told(i1, kOther) != nullptr);
  // What it has originated is not reflected to it.
  PathAttributes own = path({7});
  own.originator_id = RouterId{104};
  b.announce(i1, {"203.0.113.0/24"}, own);
  CHECK(b.told(rc, "203.0.113.0/24") == nullptr);
}

TEST_CASE("a route that has been here before is remembered and not used") {
  Bench b;
  const auto e = b.add(Asn{1}), i = b.add(kUs), w = b.add(Asn{2});
  b.announce(e, {kNet}, path({1, 65000, 3}));
  PathAttributes looped = path({7});
  looped.cluster_list = {1};
  b.announce(i, {kOther}, looped);
  CHECK(b.told(w, kNet) == nullptr);
  CHECK(b.told(w, kOther) == nullptr);
  CHECK(b.ribs.table(Family::V4).counts(e).received == 1);
  CHECK(b.ribs.table(Family::V4).counts(e).accepted == 0);
  NeighborRoutes r = b.config[e];
  r.import.allow_own_as = 1;
  b.ribs.configure(e, r);
  CHECK(b.told(w, kNet) != nullptr);
}

TEST_CASE("well-known communities are honoured [RFC 1997, 7999, 8326]") {
  Bench b;
  const auto e = b.add(Asn{1}), e2 = b.add(Asn{2}), i = b.add(kUs);
  const auto with = [](Community c) {
    PathAttributes a = path({1});
    a.communities = {c};
    return a;
  };
  b.announce(e, {"10.1.0.0/16"}, with(well_known::kNoExport));
  CHECK(b.told(e2, "10.1.0.0/16") == nullptr);
  CHECK(b.told(i, "10.1.0.0/16") != nullptr);
  b.announce(e, {"10.2.0.0/16"}, with(well_known::kNoAdvertise));
  CHECK(b.told(i, "10.2.0.0/16") == nullptr);
  b.announce(e, {"10.3.0.0/16"}, with(well_known::kGracefulShutdown));
  CHECK(b.told(i, "10.3.0.0/16")->local_pref == 0);
  b.announce(e, {"10.4.0.0/32"}, with(well_known::kBlackhole));
  CHECK(b.told(e2, "10.4.0.0/32") == nullptr);
}

TEST_CASE("roles: a leak is not used, and what goes down is marked [RFC 9234 5]") {
  Bench b;
  NeighborRoutes up = b.routes(Asn{1}, 1), down = b.routes(Asn{2}, 2);
  up.import.role = Role::Customer;  // it is our provider
  down.import.role = Role::Provider;
  for (const Family f : kFamilies) {
    up.export_rules[f].role = Role::Customer;
    down.export_rules[f].role = Role::Provider;
  }
  const auto provider = b.add(Asn{1}, &up), customer = b.add(Asn{2}, &down), plain = b.add(Asn{3});
  b.announce(provider, {kNet}, path({1}));
  CHECK(b.told(customer, kNet)->only_to_customer == Asn{1});
  b.announce(customer, {kOther}, path({2}));
  CHECK(b.told(provider, kOther) != nullptr);
  PathAttributes leak = path({2});
  leak.only_to_customer = Asn{5};
  b.announce(customer, {kOther}, leak);
  CHECK(b.told(plain, kOther) == nullptr);
}

TEST_CASE("another import policy judges what is remembered, without asking the neighbor") {
  Bench b;
  const auto a = b.add(Asn{1}), c = b.add(Asn{2});
  NeighborRoutes r = b.config[a];
  r.import_policy.v4 = std::make_shared<Deny>(kNet);
  b.ribs.configure(a, r);
  b.announce(a, {kNet, kOther}, path({1}));
  CHECK(b.told(c, kNet) == nullptr);
  CHECK(b.told(c, kOther) != nullptr);
  r.import_policy.v4 = std::make_shared<Deny>(kOther);
  b.ribs.configure(a, r);
  CHECK(b.told(c, kNet) != nullptr);
  CHECK(b.told(c, kOther) == nullptr);
}

TEST_CASE("another export policy tells anew; equal neighbors share one group") {
  Bench b;
  const auto a = b.add(Asn{1}), c = b.add(Asn{2}), d = b.add(Asn{3});
  b.announce(a, {kNet, kOther}, path({1}));
  b.settle();
  CHECK(b.ribs.groups() == 2);  // one a family
  NeighborRoutes r = b.config[c];
  r.export_policy.v4 = std::make_shared<Deny>(kNet);
  b.ribs.configure(c, r);
  CHECK(b.told(c, kNet) == nullptr);
  CHECK(b.told(c, kOther) != nullptr);
  CHECK(b.told(d, kNet) != nullptr);
  CHECK(b.ribs.groups() == 3);  // IPv6 has no such policy
}

TEST_CASE(
    "a configured route-map decides by prefix and may leave the next hop; our AS is put before its own prepending") {
  auto set = std::make_shared<policy::PolicySet>();
  policy::PrefixRule rule{.seq = 5, .action = policy::Action::Permit, .prefix = Prefix::parse(kNet).value()};
  set->prefix_lists.emplace("NET", policy::PrefixList({rule}));
  policy::RouteMapEntry entry{.sequence = 10, .action = policy::Action::Permit};
  entry.matches = {policy::MatchPrefixList{Family::V4, "NET"}};
  entry.sets = {policy::KeepNextHop{}, policy::PrependAsPath{{Asn{65000}}}, policy::SetMetric{{.value = 7}}};
  set->route_maps["OUT"].entries = {entry};
  Bench b;
  NeighborRoutes r = b.routes(Asn{2}, 2);
  r.export_policy.v4 = std::make_shared<ConfiguredPolicy>(
      policy::NeighborPolicy(set, Family::V4, {.prefix_list = "", .filter_list = "", .route_map = "OUT"}));
  const auto a = b.add(Asn{1}), c = b.add(Asn{2}, &r);
  b.announce(a, {kNet, kOther}, path({1}));
  REQUIRE(b.told(c, kNet) != nullptr);
  CHECK(b.told(c, kNet)->as_path_text() == "65000 65000 1");
  CHECK(b.told(c, kNet)->next_hop == address(77));
  CHECK(b.told(c, kNet)->med == 7);
  CHECK(b.told(c, kOther) == nullptr);
}

TEST_CASE("a session that goes takes its routes along; with graceful restart they wait for its return [RFC 4724]") {
  Bench b;
  const auto a = b.add(Asn{1}), c = b.add(Asn{2});
  b.announce(a, {kNet, kOther}, path({1}));
  CHECK(b.told(c, kNet) != nullptr);
  b.views.erase(a);
  b.ribs.down(a, Leftover::Stale);
  CHECK(b.told(c, kNet) != nullptr);
  b.up(a);
  b.announce(a, {kNet}, path({1}));
  CHECK(b.told(c, kOther) != nullptr);
  b.ribs.end_of_rib(a, Family::V4);
  CHECK(b.told(c, kNet) != nullptr);
  CHECK(b.told(c, kOther) == nullptr);
  b.views.erase(a);
  b.ribs.down(a, Leftover::Gone);
  CHECK(b.told(c, kNet) == nullptr);
  CHECK(b.ribs.table(Family::V4).prefixes().size() == 0);
}

TEST_CASE("long-lived stale routes are the last resort and go to those who know them [RFC 9494]") {
  Bench b;
  NeighborRoutes knows = b.routes(Asn{2}, 2);
  for (const Family f : kFamilies)
    knows.export_rules[f].long_lived_capable = true;
  const auto a = b.add(Asn{1}), c = b.add(Asn{2}, &knows), d = b.add(Asn{3});
  b.announce(a, {kNet}, path({1}));
  CHECK(b.told(d, kNet) != nullptr);
  b.views.erase(a);
  b.ribs.down(a, Leftover::Stale);
  b.ribs.leftover(a, Family::V4, Leftover::LongLived);
  CHECK(b.told(d, kNet) == nullptr);
  CHECK(b.told(c, kNet)->communities == std::vector<Community>{well_known::kLlgrStale});
  b.announce(d, {kNet}, path({3, 4, 5, 6}));
  CHECK(b.told(c, kNet)->as_path_text() == "65000 3 4 5 6");
}

TEST_CASE("sessions that come and go faster than the sweeps leave nothing of the old ones") {
  Bench b;
  const auto a = b.add(Asn{1}), c = b.add(Asn{2});
  for (std::uint32_t i = 0; i < 20; ++i) {
    const std::string p = "10." + std::to_string(i) + ".0.0/16";
    b.announce(a, {p.c_str()}, path({1}));
    b.ribs.down(a, Leftover::Gone);
    b.up(a);
  }
  b.announce(a, {kNet}, path({1}));
  b.settle();
  CHECK(b.views.at(c).routes().size() == 1);
  CHECK(b.ribs.table(Family::V4).counts(a).received == 1);
}

TEST_CASE("past maximum-prefix-out routes are held back and named, and follow when there is room") {
  Bench b;
  NeighborRoutes r = b.routes(Asn{2}, 2);
  r.maximum_prefix_out.v4 = 1;
  const auto a = b.add(Asn{1}), c = b.add(Asn{2}, &r);
  b.announce(a, {kNet, kOther}, path({1}));
  CHECK(b.told(c, kNet) != nullptr);
  CHECK(b.told(c, kOther) == nullptr);
  CHECK(b.ribs.advertiser(c, Family::V4)->held_back().size() == 1);
  b.withdraw(a, {kNet});
  CHECK(b.told(c, kOther) != nullptr);
  CHECK(b.told(c, kNet) == nullptr);
  CHECK(b.ribs.advertiser(c, Family::V4)->held_back().empty());
}

TEST_CASE("add-path tells every path by a number of its own, and takes each back [RFC 7911]") {
  Bench b;
  const auto a = b.add(Asn{1}), c = b.add(Asn{2}), all = b.add(kUs, nullptr, true);
  b.announce(a, {kNet}, path({1}));
  b.announce(c, {kNet}, path({2}));
  CHECK(b.told(all, kNet, 1)->as_path_text() == "1");
  CHECK(b.told(all, kNet, 2)->as_path_text() == "2");
  b.withdraw(a, {kNet});
  CHECK(b.told(all, kNet, 1) == nullptr);
  CHECK(b.told(all, kNet, 2) != nullptr);
}

TEST_CASE("our own routes go out with our next hop; default-originate whatever the table holds") {
  Bench b;
  NeighborRoutes r = b.routes(Asn{2}, 2);
  r.default_originate.v4 = true;
  r.export_policy.v4 = std::make_shared<Deny>("0.0.0.0/0");
  const auto e = b.add(Asn{1}), d = b.add(Asn{2}, &r), i = b.add(kUs);
  PathAttributes own;
  own.med = 30;
  b.ribs.originate(Prefix::parse(kNet).value(), own, {.weight = 32768}, kStart);
  CHECK(b.told(e, kNet)->as_path_text() == "65000");
  CHECK(b.told(e, kNet)->med == 30);
  CHECK(b.told(i, kNet)->as_path.empty());
  CHECK(b.told(i, kNet)->next_hop == address(200));
  CHECK(b.told(d, "0.0.0.0/0")->as_path_text() == "65000");
  CHECK(b.told(e, "0.0.0.0/0") == nullptr);
  r.default_originate.v4 = false;
  b.ribs.configure(d, r);
  CHECK(b.told(d, "0.0.0.0/0") == nullptr);
  b.ribs.withdraw(Prefix::parse(kNet).value());
  CHECK(b.told(e, kNet) == nullptr);
}

TEST_CASE("the verdict and the next hop take routes out and bring them back") {
  Bench b;
  const auto a = b.add(Asn{1}), c = b.add(Asn{2});
  b.announce(a, {kNet}, path({1}));
  CHECK(b.told(c, kNet) != nullptr);
  b.ribs.set_usable(a, false);
  CHECK(b.told(c, kNet) == nullptr);
  b.ribs.set_usable(a, true);
  CHECK(b.told(c, kNet) != nullptr);
  b.ribs.set_next_hop(address(77), false, 0);
  CHECK(b.told(c, kNet) == nullptr);
}

TEST_CASE("IPv6 routes take the same way") {
  Bench b;
  const auto a = b.add(Asn{1}), c = b.add(Asn{2});
  PathAttributes p = path({1});
  p.next_hop = IpAddress::parse("2001:db8::1").value();
  b.announce(a, {"2001:db8:1::/48"}, p);
  CHECK(b.told(c, "2001:db8:1::/48")->next_hop == IpAddress::parse("2001:db8::200").value());
}

TEST_CASE("who programs routes is told each prefix once, however often it changed") {
  Bench b;
  const auto a = b.add(Asn{1});
  b.announce(a, {kOther}, path({1}));
  b.ribs.follow_changes();
  for (std::uint32_t i = 0; i < 10; ++i)
    b.announce(a, {kNet}, path({1, i + 1}));
  CHECK(b.ribs.take_changes(Family::V4, 10).size() == 2);
  CHECK(b.ribs.take_changes(Family::V4, 10).empty());
  b.withdraw(a, {kNet, kOther});
  CHECK(b.ribs.take_changes(Family::V4, 1).size() == 1);
  CHECK(b.ribs.take_changes(Family::V4, 10).size() == 1);
  CHECK(b.ribs.table(Family::V4).prefixes().size() == 0);
}

TEST_CASE("a family that is lost to an error takes its routes along, and the next session brings them again") {
  Bench b;
  const NeighborId e = b.add(Asn{65001}), other = b.add(Asn{65002});
  b.announce(e, {"10.0.0.0/8"}, path({65001}));
  b.settle();
  CHECK(b.views.at(other).find("10.0.0.0/8") != nullptr);
  b.ribs.disable(e, Family::V4);
  b.ribs.down(e, Leftover::Gone);  // before all is walked
  b.up(e);
  b.announce(e, {"10.1.0.0/16"}, path({65001}));
  b.settle();
  CHECK(b.views.at(other).find("10.0.0.0/8") == nullptr);
  CHECK(b.views.at(other).find("10.1.0.0/16") != nullptr);
  b.ribs.disable(e, Family::V4);
  b.settle();
  CHECK(b.views.at(other).routes().empty());
  CHECK(b.ribs.advertiser(e, Family::V4) == nullptr);
}
