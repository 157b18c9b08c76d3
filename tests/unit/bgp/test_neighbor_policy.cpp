// What filters a neighbor's routes, and how far a result may be used again.
#include <doctest/doctest.h>

#include "bgp/policy/neighbor_policy.hpp"
#include "policy_bench.hpp"

using namespace policy_bench;

namespace {

std::shared_ptr<const PolicySet> lists() {
  PolicySet set;
  set.prefix_lists["TEN"] = PrefixList({prefix_rule(5, Action::Permit, "10.0.0.0/8", {}, 32)});
  set.prefix_lists["EMPTY"] = PrefixList();
  set.prefix_lists["SIXTEEN"] = PrefixList({prefix_rule(5, Action::Permit, "0.0.0.0/0", 16, 16)});
  set.as_path_lists.emplace("UP", AsPathList({{5, Action::Permit, regex("^65001_")}}));
  set.route_maps["RAISE"] = {{permit(10, {}, {SetLocalPreference{{Number::How::Set, 200}}})}};
  set.route_maps["BY-LIST"] = {{permit(10, {MatchPrefixList{Family::V4, "TEN"}}), calling(permit(20), "DEEP")}};
  set.route_maps["DEEP"] = {{permit(10, {MatchPrefixList{Family::V4, "SIXTEEN"}, MatchPrefixList{Family::V4, "TEN"}}),
                             calling(permit(20), "DEEP")}};
  set.route_maps["BY-TAG"] = {{calling(permit(10), "TAG")}};
  set.route_maps["TAG"] = {{permit(10, {MatchTag{1}})}};
  return std::make_shared<const PolicySet>(std::move(set));
}

bool permits(const Filters& f, Route r = route()) {
  return NeighborPolicy(lists(), Family::V4, f).apply(r, from_neighbor());
}

}  // namespace

TEST_CASE("FRR: a neighbor's filter that is named and does not exist denies; a prefix-list without rules permits") {
  CHECK(permits({.prefix_list = "TEN"}));
  CHECK(!permits({.prefix_list = "TEN"}, route("172.16.0.0/16")));
  CHECK(permits({.prefix_list = "EMPTY"}));
  CHECK(!permits({.prefix_list = "NOPE"}));
  CHECK(permits({.filter_list = "UP"}));
  CHECK(!permits({.filter_list = "UP"}, route("10.0.0.0/16", {7})));
  CHECK(!permits({.filter_list = "NOPE"}));
  CHECK(permits({.route_map = "RAISE"}));
  CHECK(!permits({.route_map = "NOPE"}));
}

TEST_CASE("prefix-list, filter-list and route-map must all permit") {
  const Filters all{.prefix_list = "TEN", .filter_list = "UP", .route_map = "RAISE"};
  Route r = route();
  CHECK(NeighborPolicy(lists(), Family::V4, all).apply(r, from_neighbor()));
  CHECK(r.attributes.local_pref == 200U);
  CHECK(!permits(all, route("172.16.0.0/16")));
  CHECK(!permits(all, route("10.0.0.0/16", {7})));
}

TEST_CASE("[RFC 8212] without a filter an eBGP neighbor that is no tunnel is refused everything") {
  CHECK(permits({}));
  CHECK(!permits({.otherwise = Default::Deny}));
  CHECK(permits({.route_map = "RAISE", .otherwise = Default::Deny}));
}

TEST_CASE("a tunnel imports all but the default route and what cannot be routed, unless a filter says otherwise") {
  const Filters tunnel{.otherwise = Default::TunnelImport};
  for (const char* good : {"10.0.0.0/16", "172.31.0.0/16", "192.168.0.0/24", "100.64.0.0/10", "8.8.8.0/24",
                           "223.255.255.0/24", "0.0.0.0/1", "2001:db8::/32", "fd00::/8", "2000::/3"}) {
    CAPTURE(good);
    CHECK(permits(tunnel, route(good)));
  }
  for (const char* bad :
       {"0.0.0.0/0", "0.0.0.0/8", "127.0.0.0/8", "127.0.0.1/32", "169.254.10.0/30", "224.0.0.0/4", "240.0.0.0/4",
        "255.255.255.255/32", "::/0", "::1/128", "::ffff:10.0.0.0/104", "fe80::/64", "ff02::/16"}) {
    CAPTURE(bad);
    CHECK(!permits(tunnel, route(bad)));
  }
  CHECK(permits({.route_map = "RAISE", .otherwise = Default::TunnelImport}, route("0.0.0.0/0")));
}

TEST_CASE("prefixes of one class meet the same fate, through every map that is called") {
  const NeighborPolicy p(lists(), Family::V4, {.prefix_list = "EMPTY", .route_map = "BY-LIST"});
  CHECK(p.depends_on().prefix);
  const auto of = [&](const char* prefix) { return *p.class_of(*Prefix::parse(prefix)); };
  CHECK(of("10.0.0.0/9") == of("10.128.0.0/24"));
  CHECK(of("172.16.0.0/16") == of("192.168.0.0/16"));
  CHECK(of("10.0.0.0/16") != of("10.0.0.0/24"));
  CHECK(of("172.16.0.0/16") != of("172.16.0.0/24"));
  CHECK(of("10.0.0.0/16") != of("172.16.0.0/16"));
}

TEST_CASE("a policy that looks at no prefix has one class, one that asks for the tag depends on the path") {
  const NeighborPolicy plain(lists(), Family::V4, {.filter_list = "UP", .route_map = "RAISE"});
  CHECK(!plain.depends_on().prefix);
  CHECK(!plain.depends_on().context);
  CHECK(plain.class_of(*Prefix::parse("10.0.0.0/8")) == 0U);
  CHECK(NeighborPolicy(lists(), Family::V4, {.route_map = "BY-TAG"}).depends_on().context);
  CHECK(NeighborPolicy(lists(), Family::V4, {.otherwise = Default::TunnelImport}).depends_on().prefix);
}

TEST_CASE("more than 64 lists are too many for a class") {
  for (const std::size_t count : {64U, 65U}) {
    PolicySet set;
    std::vector<RouteMapEntry> entries;
    for (std::uint32_t i = 0; i < count; ++i) {
      const auto name = std::to_string(i);
      set.prefix_lists[name] = PrefixList({prefix_rule(5, Action::Permit, "10.0.0.0/8")});
      entries.push_back(permit(i + 1, {MatchPrefixList{Family::V4, name}}));
    }
    set.route_maps["M"] = {entries};
    const NeighborPolicy p(std::make_shared<const PolicySet>(std::move(set)), Family::V4, {.route_map = "M"});
    CHECK(p.class_of(*Prefix::parse("10.0.0.0/8")).has_value() == (count == 64));
  }
}

TEST_CASE("policies are equal when the set, the family and the filters are the same") {
  const auto set = lists();
  const NeighborPolicy a(set, Family::V4, {.route_map = "RAISE"});
  CHECK(a == NeighborPolicy(set, Family::V4, {.route_map = "RAISE"}));
  CHECK(!(a == NeighborPolicy(set, Family::V6, {.route_map = "RAISE"})));
  CHECK(!(a == NeighborPolicy(set, Family::V4, {.route_map = "BY-LIST"})));
  CHECK(!(a == NeighborPolicy(lists(), Family::V4, {.route_map = "RAISE"})));
}

TEST_CASE("a trace names the filter that refused") {
  Trace trace;
  Route r = route("172.16.0.0/16");
  CHECK(!NeighborPolicy(lists(), Family::V4, {.prefix_list = "TEN"}).apply(r, from_neighbor(), &trace));
  REQUIRE(trace.size() == 1);
  CHECK(trace[0].where == "prefix-list TEN");
  CHECK(trace[0].what == "denied: no rule matches");
}
