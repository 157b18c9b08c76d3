// Route maps. "FRR:" marks what was seen of FRR 8.4.4, for a route from an eBGP neighbor.
#include <doctest/doctest.h>

#include "policy_bench.hpp"

using namespace policy_bench;

namespace {

using How = Number::How;

const Match kNever = MatchMetric{99};

bool hit(const PolicySet& lists, Match m, Route r = route(), const Context& c = from_neighbor()) {
  PolicySet set = lists;
  set.route_maps["M"] = {{permit(10, {std::move(m)})}};
  return permits(set, r, c);
}

// The route after one set.
Route after(std::vector<Set> sets, Route r = route(), PolicySet set = {}) {
  set.route_maps["M"] = {{permit(10, {}, std::move(sets))}};
  CHECK(permits(set, r));
  return r;
}

Route with_communities(std::initializer_list<const char*> words) {
  Route r = route();
  r.attributes.communities = communities(words);
  return r;
}

std::string text(const Route& r) {
  std::string out;
  for (const Community c : r.attributes.communities)
    out += (out.empty() ? "" : " ") + community_text(c);
  return out;
}

}  // namespace

TEST_CASE("a map permits by an entry that matches, and denies when none does, when it is empty, when it is missing") {
  Route r = route();
  CHECK(permits(with_map({permit(10)}), r));
  CHECK(!permits(with_map({deny(10)}), r));
  CHECK(!permits(with_map({permit(10, {kNever})}), r));
  CHECK(permits(with_map({deny(10, {kNever}), permit(20)}), r));
  CHECK(!permits(with_map({}), r));
  CHECK(!permits(PolicySet{}, r));
}

TEST_CASE("all matches of an entry have to match") {
  Route r = route();
  CHECK(permits(with_map({permit(10, {MatchMetric{0}, MatchOrigin{Origin::Igp}})}), r));
  CHECK(!permits(with_map({permit(10, {MatchMetric{0}, MatchOrigin{Origin::Egp}})}), r));
}

TEST_CASE("FRR: who goes on after a match and meets an entry that does not match is denied") {
  Route r = route();
  CHECK(!permits(with_map({then(permit(10)), permit(20, {kNever})}), r));
  CHECK(!permits(with_map({then(permit(10)), deny(20, {kNever})}), r));
  CHECK(permits(with_map({then(permit(10)), permit(20, {kNever}), permit(30)}), r));
}

TEST_CASE("FRR: going on past the last entry permits") {
  Route r = route();
  CHECK(permits(with_map({then(permit(10, {}, {SetWeight{1}}))}), r));
  CHECK(r.weight == 1);
  Route other = route();
  CHECK(permits(with_map({then(permit(10, {}, {SetWeight{1}}), 50), permit(20, {}, {SetWeight{2}})}), other));
  CHECK(other.weight == 1);
}

TEST_CASE("FRR: going on at a number that is not there goes on at the next one") {
  Route r = route();
  CHECK(permits(with_map({then(permit(10, {}, {SetWeight{1}}), 15), permit(20, {}, {SetTag{2}})}), r));
  CHECK(r.weight == 1);
  CHECK(r.tag == 2);
  // Never back, whatever the number says.
  Route again = route();
  CHECK(permits(with_map({permit(5, {kNever}), then(permit(10), 5), permit(20, {}, {SetTag{7}})}), again));
  CHECK(again.tag == 7);
}

TEST_CASE("FRR: later entries see what earlier ones have set") {
  Route r = route();
  CHECK(permits(
      with_map({then(permit(10, {}, {SetMetric{{How::Set, 40}}})), permit(20, {MatchMetric{40}}, {SetWeight{9}})}), r));
  CHECK(r.weight == 9);
}

TEST_CASE("FRR: a called map sets after its caller; its denial denies, its absence says nothing") {
  PolicySet set = with_map({calling(permit(10, {}, {SetMetric{{How::Set, 40}}}), "C")});
  Route r = route();
  CHECK(permits(set, r));
  set.route_maps["C"] = {{permit(10, {}, {SetMetric{{How::Set, 50}}})}};
  CHECK(permits(set, r));
  CHECK(r.attributes.med == 50U);
  set.route_maps["C"] = {{deny(10)}};
  set.route_maps["M"].entries.push_back(permit(20));
  CHECK(!permits(set, r));
  // And the caller goes on after it.
  set.route_maps["C"] = {{permit(10)}};
  set.route_maps["M"].entries[0].go_on = 0;
  set.route_maps["M"].entries[1].sets = {SetTag{3}};
  CHECK(permits(set, r));
  CHECK(r.tag == 3);
}

TEST_CASE("maps that call each other deny at the eleventh call") {
  Route r = route();
  CHECK(!permits(with_map({calling(permit(10), "M")}), r));
  const auto chain = [](int length) {
    PolicySet set = with_map({calling(permit(10), "1")});
    for (int i = 1; i <= length; ++i)
      set.route_maps[std::to_string(i)] = {{i < length ? calling(permit(10), std::to_string(i + 1)) : permit(10)}};
    return set;
  };
  CHECK(permits(chain(10), r));
  CHECK(!permits(chain(11), r));
}

TEST_CASE("a list that does not exist matches nothing") {
  const PolicySet none;
  CHECK(!hit(none, MatchPrefixList{Family::V4, "X"}));
  CHECK(!hit(none, MatchNextHopList{Family::V4, "X"}));
  CHECK(!hit(none, MatchAsPath{"X"}));
  CHECK(!hit(none, MatchCommunity{"X"}));
  CHECK(!hit(none, MatchLargeCommunity{"X"}));
  CHECK(!hit(none, MatchExtendedCommunity{"X"}));
}

TEST_CASE("FRR: prefix and next hop by prefix-list; in a map a list without rules matches nothing") {
  PolicySet set;
  set.prefix_lists["EMPTY"] = PrefixList();
  set.prefix_lists["TEN"] = PrefixList({prefix_rule(5, Action::Permit, "10.0.0.0/8", {}, 16)});
  set.prefix_lists["HOP"] = PrefixList({prefix_rule(5, Action::Permit, "192.0.2.1/32")});
  set.prefix_lists["HOPS"] = PrefixList({prefix_rule(5, Action::Permit, "192.0.2.0/24")});
  set.ipv6_prefix_lists["ALL"] = PrefixList({prefix_rule(5, Action::Permit, "::/0", {}, 128)});
  CHECK(!hit(set, MatchPrefixList{Family::V4, "EMPTY"}));
  CHECK(hit(set, MatchPrefixList{Family::V4, "TEN"}));
  CHECK(!hit(set, MatchPrefixList{Family::V4, "TEN"}, route("10.0.0.0/17")));
  CHECK(!hit(set, MatchPrefixList{Family::V6, "ALL"}));
  CHECK(hit(set, MatchPrefixList{Family::V6, "ALL"}, route("2001:db8::/32")));
  CHECK(hit(set, MatchNextHopList{Family::V4, "HOP"}));
  CHECK(!hit(set, MatchNextHopList{Family::V4, "HOPS"}));
  CHECK(hit(set, MatchNextHop{*IpAddress::parse("192.0.2.1")}));
  CHECK(!hit(set, MatchNextHop{*IpAddress::parse("192.0.2.2")}));
}

TEST_CASE("FRR: a value that is absent counts as 0") {
  CHECK(hit({}, MatchLocalPreference{0}));
  CHECK(!hit({}, MatchLocalPreference{100}));
  CHECK(!hit({}, MatchMetric{1}));
  CHECK(!hit({}, MatchTag{66}));
  Route r = route();
  r.attributes.local_pref = 100;
  r.attributes.med = 7;
  r.tag = 66;
  CHECK(hit({}, MatchLocalPreference{100}, r));
  CHECK(hit({}, MatchMetric{7}, r));
  CHECK(hit({}, MatchTag{66}, r));
}

TEST_CASE("as-path, communities and origin are matched by their lists and names") {
  PolicySet set;
  set.as_path_lists.emplace("UP", AsPathList({{5, Action::Permit, regex("^65001_7_8$")}}));
  set.community_lists.emplace("C", CommunityList<Community>({{5, Action::Permit, communities({"1:1"})}}));
  set.large_community_lists.emplace("L", CommunityList<LargeCommunity>({{5, Action::Permit, regex("^1:2:3$")}}));
  set.extended_community_lists.emplace("X", CommunityList<ExtendedCommunity>({{5, Action::Permit, regex("^RT:1:1$")}}));
  Route r = route("10.0.0.0/16", {65001, 7, 8});
  r.attributes.communities = communities({"1:1", "2:2"});
  r.attributes.large_communities = {{1, 2, 3}};
  r.attributes.extended_communities = {*parse_extended_community("rt", "1:1")};
  r.attributes.origin = Origin::Egp;
  CHECK(hit(set, MatchAsPath{"UP"}, r));
  CHECK(!hit(set, MatchAsPath{"UP"}));
  CHECK(hit(set, MatchCommunity{"C", false}, r));
  CHECK(!hit(set, MatchCommunity{"C", true}, r));
  CHECK(hit(set, MatchLargeCommunity{"L", false}, r));
  CHECK(hit(set, MatchExtendedCommunity{"X"}, r));
  CHECK(hit(set, MatchOrigin{Origin::Egp}, r));
  CHECK(!hit(set, MatchOrigin{Origin::Igp}, r));
}

TEST_CASE("where a route comes from: interface, tunnel, protocol") {
  Context c = from_neighbor();
  CHECK(!hit({}, MatchInterface{""}, route(), c));
  CHECK(!hit({}, MatchTunnel{"", 0}, route(), c));
  c.interface = "cgw1";
  c.connection = "vpn-1";
  c.tunnel = 2;
  CHECK(hit({}, MatchInterface{"cgw1"}, route(), c));
  CHECK(!hit({}, MatchInterface{"cgw2"}, route(), c));
  CHECK(hit({}, MatchTunnel{"vpn-1", 2}, route(), c));
  CHECK(!hit({}, MatchTunnel{"vpn-1", 1}, route(), c));
  CHECK(!hit({}, MatchTunnel{"vpn-2", 2}, route(), c));
  CHECK(hit({}, MatchProtocol{Protocol::Bgp}, route(), c));
  c.protocol = Protocol::Static;
  CHECK(!hit({}, MatchProtocol{Protocol::Bgp}, route(), c));
  CHECK(hit({}, MatchProtocol{Protocol::Static}, route(), c));
}

TEST_CASE(
    "FRR: 'match peer' asks for the neighbor on the way in, for 'local' at the origin, and for nobody on the way out") {
  using enum Context::Direction;
  const MatchPeer neighbor{*IpAddress::parse("192.0.2.1")}, other{*IpAddress::parse("192.0.2.3")}, local{};
  Context c = from_neighbor();
  const auto hits = [&](Context::Direction d) {
    c.direction = d;
    return std::vector{hit({}, neighbor, route(), c), hit({}, other, route(), c), hit({}, local, route(), c)};
  };
  CHECK(hits(Import) == std::vector{true, false, false});
  CHECK(hits(Originate) == std::vector{false, false, true});
  CHECK(hits(Export) == std::vector{false, false, false});
}

TEST_CASE("FRR: numbers are set, raised and lowered, from 0 where there is none, and stop at the ends") {
  CHECK(after({SetLocalPreference{{How::Add, 10}}}).attributes.local_pref == 10U);
  CHECK(after({SetLocalPreference{{How::Subtract, 10}}}).attributes.local_pref == 0U);
  CHECK(after({SetLocalPreference{{How::Set, 200}}}).attributes.local_pref == 200U);
  Route r = route();
  r.attributes.med = 3;
  CHECK(after({SetMetric{{How::Add, 5}}}).attributes.med == 5U);
  CHECK(after({SetMetric{{How::Add, 5}}}, r).attributes.med == 8U);
  CHECK(after({SetMetric{{How::Subtract, 5}}}, r).attributes.med == 0U);
  r.attributes.med = 4294967290;
  CHECK(after({SetMetric{{How::Add, 10}}}, r).attributes.med == 4294967295U);
  CHECK(after({SetMetric{{How::Add, 5}}}, r).attributes.med == 4294967295U);
}

TEST_CASE("FRR: the AS path grows in front, repeats its first AS, and loses every occurrence of an excluded one") {
  const Route r = route("10.0.0.0/16", {65001, 7, 8});
  const auto path = [&](std::vector<Set> sets) { return after(std::move(sets), r).attributes.as_path_text(); };
  CHECK(path({PrependAsPath{asns({9, 8})}}) == "9 8 65001 7 8");
  CHECK(path({PrependLastAs{3}}) == "65001 65001 65001 65001 7 8");
  CHECK(path({PrependAsPath{asns({9, 8})}, ExcludeAsPath{asns({8})}}) == "9 65001 7");
  CHECK(path({ExcludeAsPath{asns({8})}, PrependAsPath{asns({9, 8})}}) == "9 8 65001 7");
  CHECK(path({ExcludeAsPath{asns({65001, 7, 8})}}).empty());
  CHECK(after({PrependLastAs{2}}, route("10.0.0.0/16", {})).attributes.as_path_text().empty());
  CHECK(after({PrependAsPath{asns({5, 5})}}, route("10.0.0.0/16", {})).attributes.as_path_text() == "5 5");
}

TEST_CASE("a path that begins with a set, or whose first segment is full, gets a new segment") {
  Route r = route();
  r.attributes.as_path = {{.type = AsPathSegment::Type::Set, .asns = asns({7, 8})}};
  CHECK(after({PrependAsPath{asns({9})}}, r).attributes.as_path_text() == "9 {7,8}");
  CHECK(after({PrependLastAs{2}}, r).attributes.as_path_text() == "{7,8}");
  CHECK(after({ExcludeAsPath{asns({7, 8})}}, r).attributes.as_path.empty());
  r.attributes.as_path = {{.asns = std::vector<Asn>(254, Asn(1))}};
  CHECK(after({PrependAsPath{asns({9})}}, r).attributes.as_path.size() == 1);
  const auto full = after({PrependAsPath{asns({9, 9})}}, r).attributes.as_path;
  REQUIRE(full.size() == 2);
  CHECK(full[0].asns.size() == 2);
}

TEST_CASE("a later as-path match sees the path as it has been set") {
  PolicySet set =
      with_map({then(permit(10, {MatchAsPath{"OLD"}}, {PrependAsPath{asns({9})}})), permit(20, {MatchAsPath{"NEW"}})});
  set.as_path_lists.emplace("OLD", AsPathList({{5, Action::Permit, regex("^65001$")}}));
  set.as_path_lists.emplace("NEW", AsPathList({{5, Action::Permit, regex("^9 65001$")}}));
  Route r = route();
  CHECK(permits(set, r));
}

TEST_CASE("FRR: communities are replaced, or added in order, or all removed") {
  const Route r = with_communities({"1:1", "2:2"});
  CHECK(text(after({SetCommunity{communities({"3:3"})}}, r)) == "3:3");
  CHECK(text(after({SetCommunity{communities({"3:3", "1:1"}), true}}, r)) == "1:1 2:2 3:3");
  CHECK(text(after({SetCommunity{}}, r)).empty());
}

TEST_CASE("FRR: 'comm-list delete' takes away what the list permits, each community by itself") {
  const Route r = with_communities({"1:1", "2:2", "3:3"});
  PolicySet set;
  const auto list = [&](const char* name, std::vector<CommunityRule<Community>> rules) {
    set.community_lists.emplace(name, CommunityList<Community>(std::move(rules)));
  };
  list("TWO", {{5, Action::Permit, communities({"1:1", "2:2"})}});
  list("BUT", {{5, Action::Deny, communities({"1:1"})}, {10, Action::Permit, communities({"internet"})}});
  list("TEXT", {{5, Action::Permit, regex("^[12]:")}});
  CHECK(text(after({DeleteCommunities{"TWO"}}, r, set)) == "3:3");
  CHECK(text(after({DeleteCommunities{"BUT"}}, r, set)) == "1:1");
  CHECK(text(after({DeleteCommunities{"TEXT"}}, r, set)) == "3:3");
  CHECK(text(after({DeleteCommunities{"NONE"}}, r, set)) == "1:1 2:2 3:3");
}

TEST_CASE("FRR: large communities behave alike; extended ones are always added, or all removed") {
  Route r = route();
  r.attributes.large_communities = {{1, 1, 1}, {2, 2, 2}};
  using Large = std::vector<LargeCommunity>;
  PolicySet set;
  set.large_community_lists.emplace("L", CommunityList<LargeCommunity>({{5, Action::Permit, Large{{1, 1, 1}}}}));
  CHECK(after({SetLargeCommunity{{{3, 3, 3}}, false}}, r).attributes.large_communities == Large{{3, 3, 3}});
  CHECK(after({SetLargeCommunity{{{0, 0, 1}}, true}}, r).attributes.large_communities ==
        Large{{0, 0, 1}, {1, 1, 1}, {2, 2, 2}});
  CHECK(after({DeleteLargeCommunities{"L"}}, r, set).attributes.large_communities == Large{{2, 2, 2}});
  CHECK(after({SetLargeCommunity{}}, r).attributes.large_communities.empty());
  const auto rt1 = *parse_extended_community("rt", "1:1"), soo2 = *parse_extended_community("soo", "2:2");
  r.attributes.extended_communities = {rt1};
  CHECK(after({SetExtendedCommunity{{soo2}, false}}, r).attributes.extended_communities ==
        std::vector<ExtendedCommunity>{rt1, soo2});
  CHECK(after({SetExtendedCommunity{{}, true}}, r).attributes.extended_communities.empty());
}

TEST_CASE("FRR: the next hop is set, taken from the neighbor, or left alone, for routes of the family only") {
  Route r = route();
  r.attributes.next_hop = *IpAddress::parse("9.9.9.9");
  const auto given = after({SetNextHop{*IpAddress::parse("8.8.8.8")}}, r);
  CHECK(given.attributes.next_hop.to_string() == "8.8.8.8");
  CHECK(given.next_hop == NextHopRule::Given);
  const auto peer = after({SetNextHopToPeer{Family::V4}}, r);
  CHECK(peer.attributes.next_hop.to_string() == "192.0.2.1");
  CHECK(peer.next_hop == NextHopRule::PeerAddress);
  const auto kept = after({KeepNextHop{}}, r);
  CHECK(kept.attributes.next_hop.to_string() == "9.9.9.9");
  CHECK(kept.next_hop == NextHopRule::Unchanged);
  CHECK(after({SetNextHop{*IpAddress::parse("2001:db8::1")}}, r).next_hop == NextHopRule::Usual);
  Context out = from_neighbor();
  out.direction = Context::Direction::Export;
  CHECK(permits(with_map({permit(10, {}, {SetNextHopToPeer{Family::V4}})}), r, out));
  CHECK(r.attributes.next_hop.to_string() == "9.9.9.9");
  CHECK(r.next_hop == NextHopRule::PeerAddress);
}

TEST_CASE("weight, tag and origin are set; a deny entry that matches sets nothing") {
  const Route r = after({SetWeight{55}, SetTag{66}, SetOrigin{Origin::Incomplete}});
  CHECK(r.weight == 55);
  CHECK(r.tag == 66);
  CHECK(r.attributes.origin == Origin::Incomplete);
}

TEST_CASE("a trace names each step, why it went as it did, and the one that decided") {
  PolicySet set =
      with_map({permit(10, {MatchAsPath{"UP"}}),
                then(permit(20, {MatchPrefixList{Family::V4, "TEN"}}, {SetLocalPreference{{How::Add, 50}}})),
                calling(permit(30), "C")});
  set.as_path_lists.emplace("UP", AsPathList({{5, Action::Deny, regex("_65001_")}}));
  set.prefix_lists["TEN"] = PrefixList({prefix_rule(5, Action::Permit, "10.0.0.0/8", {}, 16)});
  set.route_maps["C"] = {{deny(10, {MatchMetric{5}}), permit(20)}};
  Route r = route();
  Trace trace;
  CHECK(apply(set, "M", r, from_neighbor(), &trace));
  std::string text;
  for (const auto& s : trace)
    text += s.where + ": " + s.what + "\n";
  CHECK(text ==
        "route-map M permit 10: match as-path UP: no (seq 5 deny _65001_)\n"
        "route-map M permit 20: match ip address prefix-list TEN: yes (seq 5 permit 10.0.0.0/8 le 16)\n"
        "route-map M permit 20: set local-preference +50\n"
        "route-map M permit 20: goes on at 30\n"
        "route-map M permit 30: call C\n"
        "route-map C deny 10: match metric 5: no (it is 0)\n"
        "route-map C permit 20: permitted: it matches\n"
        "route-map M permit 30: permitted: it matches\n");
}

TEST_CASE("steps are said in the words they are configured with") {
  const auto rt = *parse_extended_community("rt", "1:1");
  for (const auto& [step, words] : std::vector<std::pair<Set, const char*>>{
           {SetMetric{{How::Subtract, 5}}, "metric -5"},
           {PrependAsPath{asns({1, 2})}, "as-path prepend 1 2"},
           {PrependLastAs{2}, "as-path prepend last-as 2"},
           {ExcludeAsPath{asns({3})}, "as-path exclude 3"},
           {SetCommunity{communities({"1:1", "no-export"}), true}, "community 1:1 no-export additive"},
           {SetCommunity{}, "community none"},
           {SetLargeCommunity{{{1, 2, 3}}, false}, "large-community 1:2:3"},
           {SetExtendedCommunity{{rt}, false}, "extcommunity rt 1:1"},
           {SetExtendedCommunity{{}, true}, "extcommunity none"},
           {DeleteCommunities{"C"}, "comm-list C delete"},
           {DeleteLargeCommunities{"L"}, "large-comm-list L delete"},
           {SetNextHop{*IpAddress::parse("2001:db8::1")}, "ipv6 next-hop global 2001:db8::1"},
           {SetNextHopToPeer{Family::V4}, "ip next-hop peer-address"},
           {KeepNextHop{}, "ip next-hop unchanged"},
           {SetOrigin{Origin::Egp}, "origin egp"}}) {
    CHECK(to_string(step) == words);
  }
  CHECK(to_string(Match(MatchCommunity{"C", true})) == "community C exact-match");
  CHECK(to_string(Match(MatchPeer{})) == "peer local");
  CHECK(to_string(Match(MatchTunnel{"vpn-1", 2})) == "tunnel vpn-1 2");
}
