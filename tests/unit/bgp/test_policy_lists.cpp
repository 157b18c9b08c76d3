// Prefix-lists, as-path access-lists and community-lists. "FRR:" marks what was seen of FRR 8.4.4.
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <random>

#include "policy_bench.hpp"

using namespace policy_bench;

namespace {

bool permits(const PrefixList& l, const char* prefix) {
  return l.apply(*Prefix::parse(prefix)).action == Action::Permit;
}

template <class T>
CommunityRule<T> standard(std::uint32_t seq, Action action, std::vector<T> what) {
  return {seq, action, std::move(what)};
}
template <class T>
CommunityRule<T> expanded(std::uint32_t seq, Action action, const char* text) {
  return {seq, action, regex(text)};
}

}  // namespace

TEST_CASE("a prefix-list without rules permits everything, one with rules denies what none of them matches") {
  CHECK(permits(PrefixList(), "10.0.0.0/8"));
  const PrefixList one({prefix_rule(5, Action::Permit, "10.0.0.0/8")});
  CHECK(permits(one, "10.0.0.0/8"));
  CHECK(!permits(one, "11.0.0.0/8"));
  CHECK(one.apply(*Prefix::parse("11.0.0.0/8")).rule == nullptr);
}

TEST_CASE("ge and le bound the length; one alone leaves the other bound open") {
  const auto only = [](std::optional<std::uint8_t> ge, std::optional<std::uint8_t> le) {
    const PrefixList l({prefix_rule(5, Action::Permit, "10.0.0.0/8", ge, le)});
    std::string lengths;
    for (const int n : {7, 8, 9, 16, 24, 25, 32}) {
      const auto p = Prefix::of(IpAddress::v4(0x0a000000), static_cast<std::uint8_t>(n));
      if (l.apply(p).action == Action::Permit) lengths += std::to_string(n) + " ";
    }
    return lengths;
  };
  CHECK(only({}, {}) == "8 ");
  CHECK(only(9, {}) == "9 16 24 25 32 ");
  CHECK(only({}, 24) == "8 9 16 24 ");
  CHECK(only(16, 24) == "16 24 ");
  CHECK(only(8, 8) == "8 ");
}

TEST_CASE("the lowest number decides, in whatever order rules are given and however specific they are") {
  const PrefixList l(
      {prefix_rule(20, Action::Permit, "0.0.0.0/0", {}, 32), prefix_rule(10, Action::Deny, "10.0.0.0/8", {}, 32),
       prefix_rule(5, Action::Permit, "10.1.0.0/16", {}, 24), prefix_rule(15, Action::Permit, "10.1.2.0/24")});
  CHECK(permits(l, "10.1.2.0/24"));
  CHECK(!permits(l, "10.1.2.0/25"));
  CHECK(!permits(l, "10.2.0.0/16"));
  CHECK(permits(l, "172.16.0.0/12"));
  CHECK(l.apply(*Prefix::parse("10.1.2.0/24")).rule->to_string() == "seq 5 permit 10.1.0.0/16 le 24");
}

TEST_CASE("an IPv6 list knows nothing of IPv4, and the other way round") {
  const PrefixList six({prefix_rule(5, Action::Permit, "::/0", {}, 128)});
  CHECK(permits(six, "2001:db8::/32"));
  CHECK(!permits(six, "0.0.0.0/0"));
  const PrefixList four({prefix_rule(5, Action::Permit, "0.0.0.0/0", {}, 32)});
  CHECK(!permits(four, "::/0"));
}

TEST_CASE("the trie decides as a plain scan does") {
  std::mt19937 random(1);
  const auto any = [&](unsigned least) {
    const auto length = static_cast<std::uint8_t>(least + random() % (25 - least));
    return Prefix::of(IpAddress::v4(random() & 0x03030300U), length);
  };
  for (int round = 0; round < 200; ++round) {
    std::vector<PrefixRule> rules;
    for (std::uint32_t i = 0; i < 1 + random() % 30; ++i) {
      PrefixRule r{.seq = i + 1, .action = random() % 2 == 0 ? Action::Permit : Action::Deny, .prefix = any(0)};
      if (random() % 2 == 0) r.ge = static_cast<std::uint8_t>(r.prefix.length + random() % 4);
      if (random() % 2 == 0) r.le = static_cast<std::uint8_t>(r.least() + random() % 6);
      rules.push_back(r);
    }
    auto shuffled = rules;
    std::ranges::shuffle(shuffled, random);
    const PrefixList list(shuffled);
    for (int i = 0; i < 50; ++i) {
      const Prefix p = any(0);
      const auto it = std::ranges::find_if(rules, [&](const PrefixRule& r) {
        return r.prefix.contains(p) && p.length >= r.least() && p.length <= r.most();
      });
      const auto v = list.apply(p);
      CHECK((v.rule == nullptr) == (it == rules.end()));
      if (v.rule != nullptr && it != rules.end()) CHECK(v.rule->seq == it->seq);
    }
  }
}

TEST_CASE("an underscore is a blank, a brace, a parenthesis, a comma, or either end") {
  struct Case {
    const char *expression, *path;
    bool hit;
  };
  for (const Case& c :
       {Case{"_65001_", "65001", true}, Case{"_65001_", "7 65001 8", true}, Case{"_5001_", "65001", false},
        Case{"^65001_", "65001 7", true}, Case{"^65001_", "650017", false}, Case{"_7$", "65001 7", true},
        Case{"_7$", "65001 {6,7}", false}, Case{"_7_", "65001 {6,7}", true}, Case{"_6_", "(6 5) 7", true},
        Case{"^$", "", true}, Case{"^$", "1", false}, Case{"^[0-9]+$", "65001", true},
        Case{"^[0-9]+$", "65001 7", false}, Case{".*", "", true}, Case{"^65001( 65001)*$", "65001 65001 65001", true},
        Case{"^(1|2)_3", "2 3", true}, Case{"\\{6", "65001 {6,7}", true}, Case{"^1_{1,2}2$", "1 2", true}}) {
    CAPTURE(c.expression);
    CAPTURE(c.path);
    CHECK(regex(c.expression).matches(c.path) == c.hit);
  }
}

TEST_CASE("an expression is refused with FRR's words") {
  CHECK(as_path_regex_fault("^65001_") == "");
  CHECK(as_path_regex_fault("abc") == "Invalid character in as-path access-list abc");
  CHECK(as_path_regex_fault("[").starts_with("can't compile regexp [: "));
  CHECK(as_path_regex_fault("(65001").starts_with("can't compile regexp (65001: "));
  CHECK(as_path_regex_fault("*65001").starts_with("can't compile regexp *65001: "));
  CHECK(!as_path_regex_fault(std::string(1025, '1')).empty());
  CHECK(as_path_regex_fault(std::string(1024, '1')).empty());
}

TEST_CASE("an expression that makes others backtrack takes no time on a long path") {
  std::string path;
  for (int i = 0; i < 20000; ++i)
    path += "11 ";
  const Regex evil = regex("^(1+ ?)*(1+ ?)*(1+ ?)*2$");
  const auto start = std::chrono::steady_clock::now();
  CHECK(!evil.matches(path));
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(2));
}

TEST_CASE("an as-path access-list: the lowest number that matches decides, none denies") {
  const AsPathList l({{10, Action::Permit, regex(".*")}, {3, Action::Deny, regex("_65002$")}});
  CHECK(l.apply("65001").action == Action::Permit);
  CHECK(l.apply("65001 65002").action == Action::Deny);
  CHECK(l.apply("65001 65002").rule->to_string() == "seq 3 deny _65002$");
  const AsPathList narrow({{5, Action::Permit, regex("^65001$")}});
  CHECK(narrow.apply("7").action == Action::Deny);
  CHECK(narrow.apply("7").rule == nullptr);
}

TEST_CASE("a standard rule wants all its communities; exact: and no other") {
  const CommunityList<Community> l({standard(5, Action::Permit, communities({"2:2", "1:1"}))});
  const auto hits = [&](std::initializer_list<const char*> have, bool exact) {
    return l.apply(communities(have), exact).action == Action::Permit;
  };
  CHECK(hits({"1:1", "2:2", "3:3"}, false));
  CHECK(!hits({"1:1", "3:3"}, false));
  CHECK(!hits({"1:1", "2:2", "3:3"}, true));
  CHECK(hits({"2:2", "1:1", "1:1"}, true));
  CHECK(!hits({}, false));
}

TEST_CASE("FRR: an expanded rule looks at the text of all communities in order, and at none as an empty text") {
  const CommunityList<Community> l({expanded<Community>(5, Action::Permit, "^1:1 2:2 no-export$")});
  CHECK(l.apply(communities({"no-export", "2:2", "1:1"}), false).action == Action::Permit);
  CHECK(l.apply(communities({"no-export", "2:2", "1:1"}), true).action == Action::Permit);
  CHECK(l.apply(communities({"2:2", "1:1"}), false).action == Action::Deny);
  const CommunityList<Community> empty({expanded<Community>(5, Action::Permit, "^$")});
  CHECK(empty.apply({}, false).action == Action::Permit);
  CHECK(empty.apply(communities({"1:1"}), false).action == Action::Deny);
}

TEST_CASE("FRR: 'internet' is every route, even without communities") {
  const CommunityList<Community> l(
      {standard(5, Action::Deny, communities({"1:1"})), standard(10, Action::Permit, communities({"internet"}))});
  CHECK(l.apply({}, false).action == Action::Permit);
  CHECK(l.apply({}, true).action == Action::Permit);
  CHECK(l.apply(communities({"1:1"}), false).action == Action::Deny);
}

TEST_CASE("large and extended communities have lists of the same kind") {
  const CommunityList<LargeCommunity> large({expanded<LargeCommunity>(5, Action::Deny, "^65000:1:"),
                                             standard<LargeCommunity>(10, Action::Permit, {{65000, 2, 2}})});
  CHECK(large.apply(std::vector<LargeCommunity>{{65000, 2, 2}}, true).action == Action::Permit);
  CHECK(large.apply(std::vector<LargeCommunity>{{65000, 1, 9}, {65000, 2, 2}}, false).action == Action::Deny);
  std::vector<ExtendedCommunity> have;
  for (const auto& [kind, value] :
       {std::pair("rt", "1:1"), std::pair("rt", "1.2.3.4:5"), std::pair("rt", "4200000000:6")})
    have.push_back(*parse_extended_community(kind, value));
  const CommunityList<ExtendedCommunity> text(
      {expanded<ExtendedCommunity>(5, Action::Permit, "^RT:1:1 RT:1.2.3.4:5 RT:4200000000:6$")});
  CHECK(text.apply(have, false).action == Action::Permit);
}

TEST_CASE("communities as text, there and back") {
  for (const char* text : {"65000:1", "0:1", "65535:65535", "no-export", "no-advertise", "local-AS", "no-peer",
                           "blackhole", "graceful-shutdown", "llgr-stale", "no-llgr", "internet"}) {
    CAPTURE(text);
    const auto c = parse_community(text);
    REQUIRE(c);
    CHECK(community_text(*c) == text);
  }
  CHECK(parse_community("4294967041") == 0xffffff01U);
  for (const char* text : {"", "1:", ":1", "1:70000", "70000:1", "1:2:3", "bogus", "1:-1", " 1:1", "4294967296"})
    CHECK(!parse_community(text));
  CHECK(parse_community("1:70000").error() ==
        "'1:70000' is no community: AA:NN, both up to 65535, or a well-known name");
  CHECK(large_community_text(*parse_large_community("1:2:4294967295")) == "1:2:4294967295");
  for (const char* text : {"1:2", "1:2:3:4", "1:2:4294967296", "a:b:c"})
    CHECK(!parse_large_community(text));
  for (const char* text : {"65000:1", "65535:4294967295", "1.2.3.4:65535", "4200000000:65535"}) {
    const auto c = parse_extended_community("soo", text);
    REQUIRE(c);
    CHECK(extended_community_line(*c) == "soo " + std::string(text));
    CHECK(extended_community_text(*c) == "SoO:" + std::string(text));
  }
  for (const char* text : {"1", "70000:70000", "1.2.3.4:70000", "2001:db8::1", "1.2.3:4"})
    CHECK(!parse_extended_community("rt", text));
  CHECK(!parse_extended_community("lb", "1:1"));
  CHECK(extended_community_text(0x4004000100000001) == "UNK:64, 4");
}
