// aggregate-address: routes of our own that stand for those we have.
#include <set>

#include <doctest/doctest.h>

#include "tests/unit/bgp/bench.hpp"
#include "tests/unit/bgp/ribs_bench.hpp"

using namespace cgw;
using namespace cgw::bgp;
using namespace cgw::bgp::test;

namespace {

constexpr const char* kWhole = "10.0.0.0/8";
constexpr const char* kPart = "10.1.0.0/16";
constexpr const char* kOtherPart = "10.2.0.0/16";

Aggregate aggregate(const char* prefix, bool summary_only = false, bool as_set = false) {
  return {Prefix::parse(prefix).value(), summary_only, as_set};
}

// Routes from 1 and 2; 3, which takes AS_SETs, listens.
struct Summaries : RibsBench {
  Summaries() {
    one = add(Asn{1});
    two = add(Asn{2});
    listener = add(Asn{3});
    views.erase(listener);
    ribs.down(listener, Leftover::Gone);
    contexts[listener].accept_as_sets = true;
    up(listener);
  }
  const PathAttributes* heard(const char* prefix) { return told(listener, prefix); }
  std::uint32_t parts(const char* prefix) {
    settle();
    return ribs.aggregates(Family::V4).parts(Prefix::parse(prefix).value());
  }

  NeighborId one, two, listener;
};

}  // namespace

TEST_SUITE("bgp/aggregates") {
  TEST_CASE("an aggregate is there while it has a part, and says that it hides their paths [RFC 4271 9.2.2.2]") {
    Summaries b;
    b.ribs.set_aggregates({aggregate(kWhole)});
    CHECK(b.heard(kWhole) == nullptr);
    b.announce(b.one, {kPart}, path({1, 7}));
    const auto* a = b.heard(kWhole);
    REQUIRE(a != nullptr);
    CHECK(a->as_path_text() == "65000");
    CHECK(a->atomic_aggregate);
    CHECK(a->aggregator == std::pair(kUs, IpAddress::v4(1)));
    CHECK(b.heard(kPart) != nullptr);
    b.announce(b.two, {kOtherPart}, path({2}));
    b.withdraw(b.one, {kPart});
    CHECK(b.heard(kWhole) != nullptr);
    b.withdraw(b.two, {kOtherPart});
    CHECK(b.heard(kWhole) == nullptr);
    CHECK(b.ribs.table(Family::V4).prefixes().size() == 0);
  }

  TEST_CASE("routes that were there before the aggregate was configured are its parts as well") {
    Summaries b;
    b.announce(b.one, {kPart, "10.3.0.0/16", "11.0.0.0/8"}, path({1}));
    b.ribs.set_aggregates({aggregate(kWhole)});
    CHECK(b.heard(kWhole) != nullptr);
    CHECK(b.parts(kWhole) == 2);
  }

  TEST_CASE("a route of the same prefix and a wider one are no parts, nor is another aggregate") {
    Summaries b;
    b.ribs.set_aggregates({aggregate(kWhole), aggregate("0.0.0.0/0"), aggregate("10.0.0.0/7")});
    b.announce(b.one, {kWhole}, path({1}));
    CHECK(b.parts(kWhole) == 0);
    CHECK(b.parts("10.0.0.0/7") == 1);
    CHECK(b.parts("0.0.0.0/0") == 1);
    CHECK(b.heard(kWhole)->as_path_text() == "65000 1");
    // Ours is preferred to theirs, and is then no part of the others.
    b.announce(b.two, {kPart}, path({2}));
    CHECK(b.heard(kWhole)->as_path_text() == "65000");
    CHECK(b.parts("10.0.0.0/7") == 1);
  }

  TEST_CASE("of several parts the worst origin counts, and that one of them hides something") {
    Summaries b;
    b.ribs.set_aggregates({aggregate(kWhole, false, true)});
    PathAttributes egp = path({1}), incomplete = path({1});
    egp.origin = Origin::Egp;
    incomplete.origin = Origin::Incomplete;
    incomplete.atomic_aggregate = true;
    b.announce(b.one, {kPart}, egp);
    CHECK(b.heard(kWhole)->origin == Origin::Egp);
    CHECK_FALSE(b.heard(kWhole)->atomic_aggregate);
    b.announce(b.one, {kOtherPart}, incomplete);
    CHECK(b.heard(kWhole)->origin == Origin::Incomplete);
    CHECK(b.heard(kWhole)->atomic_aggregate);
    b.withdraw(b.one, {kOtherPart});
    CHECK(b.heard(kWhole)->origin == Origin::Egp);
    CHECK_FALSE(b.heard(kWhole)->atomic_aggregate);
  }

  TEST_CASE("with as-set the path begins with what all have in common and names the rest") {
    Summaries b;
    b.ribs.set_aggregates({aggregate(kWhole, false, true)});
    PathAttributes x = path({1, 5, 6}), y = path({1, 5, 7, 8});
    x.communities = {3, 1};
    y.communities = {1, 2};
    b.announce(b.one, {kPart}, x);
    CHECK(b.heard(kWhole)->as_path_text() == "65000 1 5 6");
    b.announce(b.one, {kOtherPart}, y);
    CHECK(b.heard(kWhole)->as_path_text() == "65000 1 5 {6,7,8}");
    CHECK(b.heard(kWhole)->communities == std::vector<Community>{1, 2, 3});
    // Who does not take AS_SETs is not told [RFC 9774 3].
    CHECK(b.told(b.two, kWhole) == nullptr);
    b.withdraw(b.one, {kPart});
    CHECK(b.heard(kWhole)->as_path_text() == "65000 1 5 7 8");
    CHECK(b.told(b.two, kWhole) != nullptr);
  }

  TEST_CASE("with summary-only the parts are not told, and are again when it goes") {
    Summaries b;
    b.announce(b.one, {kPart, "11.0.0.0/8"}, path({1}));
    CHECK(b.heard(kPart) != nullptr);
    b.ribs.set_aggregates({aggregate(kWhole, true)});
    CHECK(b.heard(kWhole) != nullptr);
    CHECK(b.heard(kPart) == nullptr);
    CHECK(b.heard("11.0.0.0/8") != nullptr);
    b.announce(b.two, {kOtherPart}, path({2}));
    CHECK(b.heard(kOtherPart) == nullptr);
    // A neighbor that comes later hears no more.
    b.up(b.two);
    CHECK(b.told(b.two, kPart) == nullptr);
    b.ribs.set_aggregates({aggregate(kWhole)});
    CHECK(b.heard(kPart) != nullptr);
    CHECK(b.heard(kOtherPart) != nullptr);
    CHECK(b.heard(kWhole) != nullptr);
    b.ribs.set_aggregates({aggregate(kWhole, true)});
    CHECK(b.heard(kPart) == nullptr);
    b.ribs.set_aggregates({});
    CHECK(b.heard(kWhole) == nullptr);
    CHECK(b.heard(kPart) != nullptr);
    CHECK(b.ribs.aggregates(Family::V4).suppressed().empty());
  }

  TEST_CASE("an aggregate that goes and comes back before it was gone stands as if it had stayed") {
    Summaries b;
    b.announce(b.one, {kPart}, path({1}));
    b.ribs.set_aggregates({aggregate(kWhole, true)});
    b.settle();
    b.ribs.set_aggregates({});
    b.ribs.set_aggregates({aggregate(kWhole, true)});
    CHECK(b.heard(kWhole) != nullptr);
    CHECK(b.heard(kPart) == nullptr);
    CHECK(b.parts(kWhole) == 1);
  }

  TEST_CASE("one that goes before its parts are found counts nothing any more") {
    Summaries b;
    b.announce(b.one, {kPart, kOtherPart}, path({1}));
    b.ribs.set_aggregates({aggregate(kWhole), aggregate("0.0.0.0/0")});
    b.settle();
    b.ribs.set_aggregates({aggregate(kWhole), aggregate("0.0.0.0/0", false, true)});
    b.ribs.set_aggregates({aggregate(kWhole)});
    b.withdraw(b.one, {kPart});
    CHECK(b.ribs.aggregates(Family::V4).parts(Prefix::parse("0.0.0.0/0").value()) == 0);
    CHECK(b.parts(kWhole) == 1);
    CHECK(b.heard("0.0.0.0/0") == nullptr);
  }

  TEST_CASE("a change of as-set is one of the path alone") {
    Summaries b;
    b.announce(b.one, {kPart}, path({1, 7}));
    b.ribs.set_aggregates({aggregate(kWhole, true)});
    CHECK(b.heard(kWhole)->as_path_text() == "65000");
    b.ribs.set_aggregates({aggregate(kWhole, false, true)});
    CHECK(b.heard(kWhole)->as_path_text() == "65000 1 7");
    CHECK(b.heard(kPart) != nullptr);
    CHECK(b.parts(kWhole) == 1);
  }

  TEST_CASE("networks of our own are parts; of the aggregate's own prefix they are beside it") {
    Summaries b;
    b.ribs.set_aggregates({aggregate(kWhole)});
    PathAttributes ours;
    b.ribs.originate(Prefix::parse(kPart).value(), ours, {}, kStart);
    CHECK(b.parts(kWhole) == 1);
    b.ribs.originate(Prefix::parse(kWhole).value(), ours, {}, kStart);
    b.settle();
    b.ribs.set_aggregates({});
    CHECK(b.heard(kWhole) != nullptr);
    CHECK_FALSE(b.heard(kWhole)->aggregator.has_value());
  }

  TEST_CASE("whatever happens, parts and what is told are those of a plain count") {
    Summaries b;
    Seeded random{11};
    const auto below = [&](std::uint32_t n) {
      std::uint8_t octets[2];
      random.fill(octets);
      return static_cast<std::uint32_t>(octets[0] << 8 | octets[1]) % n;
    };
    std::set<std::string> there;
    bool configured = false, summary_only = false;
    for (int i = 0; i < 3000; ++i) {
      const std::string p = "10." + std::to_string(below(40)) + ".0.0/16";
      switch (below(8)) {
        case 0:
          configured = below(3) != 0;
          summary_only = below(2) == 0;
          b.ribs.set_aggregates(configured ? std::vector{aggregate(kWhole, summary_only, below(2) == 0)}
                                           : std::vector<Aggregate>{});
          break;
        case 1:
        case 2:
        case 3:
          b.withdraw(b.one, {p.c_str()});
          there.erase(p);
          break;
        case 4: b.ribs.work(); break;
        default: b.announce(b.one, {p.c_str()}, path({1, 100 + below(3)})); there.insert(p);
      }
      if (i % 50 != 49) continue;
      b.settle();
      CHECK(b.parts(kWhole) == (configured ? there.size() : 0));
      CHECK((b.heard(kWhole) != nullptr) == (configured && !there.empty()));
      const bool hidden = configured && summary_only;
      const std::size_t told = b.views.at(b.listener).routes().size() - (configured && !there.empty() ? 1 : 0);
      CHECK(told == (hidden ? 0 : there.size()));
    }
    for (const auto& p : there)
      b.withdraw(b.one, {p.c_str()});
    b.ribs.set_aggregates({});
    b.settle();
    CHECK(b.ribs.table(Family::V4).prefixes().size() == 0);
    CHECK(b.ribs.aggregates(Family::V4).suppressed().empty());
  }
}
