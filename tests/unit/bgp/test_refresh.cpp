// Route refresh (RFC 2918) and its enhancement by marks (RFC 7313), and limits of what a neighbor may bring.
#include <doctest/doctest.h>

#include "tests/unit/bgp/ribs_bench.hpp"
#include "tests/unit/bgp/speaker_pair.hpp"

using namespace cgw;
using namespace cgw::bgp;
using namespace cgw::bgp::test;

namespace {

constexpr const char* kNet = "192.0.2.0/24";
constexpr const char* kOther = "198.51.100.0/24";

Capabilities enhanced() {
  Capabilities c = default_capabilities();
  c.enhanced_route_refresh = true;
  return c;
}

// `a` has told `b` two routes.
struct Pair : SpeakerPair {
  explicit Pair(const Capabilities& c = enhanced()) : SpeakerPair(c) {
    start();
    originate(a, kNet);
    originate(a, kOther);
    REQUIRE(b.routes() == 2);
  }
};

std::string prefix(int i) {
  return "10." + std::to_string(i / 256) + "." + std::to_string(i % 256) + ".0/24";
}

}  // namespace

TEST_SUITE("bgp/route refresh") {
  TEST_CASE("who asks is told all again, between marks where both know them") {
    for (const bool marks : {true, false}) {
      Pair p(marks ? enhanced() : default_capabilities());
      const auto updates = p.b.status().received.update;
      p.take(p.b, p.b.speaker->clear(p.now, p.b.n, Clear::SoftIn));
      p.settle();
      CHECK(p.a.status().received.route_refresh == 1);
      CHECK(p.b.status().received.route_refresh == (marks ? 2U : 0U));
      CHECK(p.a.status().sent.route_refresh == (marks ? 2U : 0U));
      CHECK(p.b.status().received.update > updates);
      CHECK(p.a.status().sent.update == p.b.status().received.update);
      CHECK(p.b.routes() == 2);
      CHECK(p.b.knows(kNet));
    }
  }

  TEST_CASE("marks stand around all routes, and come behind the End-of-RIB of the beginning [RFC 7313 4]") {
    RibsBench b;
    const auto from = b.add(Asn{1}), to = b.add(Asn{2});
    b.announce(from, {kNet, kOther}, path({1}));
    b.ribs.refresh(to, Family::V4, true);  // before anything has been sent
    const auto first = b.ribs.output(to, 1);
    b.views.at(to).read(first);
    CHECK(first.marks == 0);
    b.settle();
    CHECK(b.views.at(to).ends_of_rib() == 2);
    CHECK(b.views.at(to).refreshes_begun() == 1);
    CHECK(b.views.at(to).refreshes_ended() == 1);
    CHECK(b.views.at(to).routes().size() == 2);
    CHECK_FALSE(b.ribs.has_output(to));
  }

  TEST_CASE("a refresh that is asked for while one goes on begins anew, and all is told in between") {
    RibsBench b;
    const auto from = b.add(Asn{1}), to = b.add(Asn{2});
    for (int i = 0; i < 5000; ++i)
      b.announce(from, {prefix(i).c_str()}, path({1}));
    b.settle();
    b.ribs.refresh(to, Family::V4, true);
    b.views.at(to).read(b.ribs.output(to, 4096));
    b.ribs.refresh(to, Family::V4, true);
    b.settle();
    CHECK(b.views.at(to).refreshes_begun() == 2);
    CHECK(b.views.at(to).refreshes_ended() == 1);
    CHECK(b.views.at(to).routes().size() == 5000);
  }

  TEST_CASE("what a neighbor does not bring again between its marks is gone behind them") {
    RibsBench b;
    const auto from = b.add(Asn{1}), to = b.add(Asn{2});
    b.announce(from, {kNet, kOther}, path({1}));
    CHECK(b.ribs.begin_refresh(from, Family::V4));
    CHECK(b.ribs.table(Family::V4).counts(from).received == 2);
    b.announce(from, {kNet}, path({1}));
    CHECK(b.told(to, kOther) != nullptr);  // stale, and as good as ever
    CHECK(b.ribs.table(Family::V4).counts(from).received == 2);
    b.ribs.end_refresh(from, Family::V4);
    CHECK(b.told(to, kOther) == nullptr);
    CHECK(b.told(to, kNet) != nullptr);
    CHECK(b.ribs.table(Family::V4).counts(from).received == 1);
    CHECK(b.ribs.table(Family::V4).counts(from).accepted == 1);
  }

  TEST_CASE("a refresh of one family says nothing of the other") {
    RibsBench b;
    const auto from = b.add(Asn{1});
    PathAttributes a = path({1});
    a.next_hop = IpAddress::parse("2001:db8::1").value();
    b.announce(from, {kNet}, path({1}));
    b.announce(from, {"2001:db8:1::/48"}, a);
    b.ribs.begin_refresh(from, Family::V4);
    b.ribs.end_refresh(from, Family::V4);
    b.settle();
    CHECK(b.ribs.table(Family::V4).counts(from).received == 0);
    CHECK(b.ribs.table(Family::V6).counts(from).received == 1);
  }

  TEST_CASE("beginnings without an end, and ends without a beginning, cost nothing and lose nothing") {
    RibsBench b;
    const auto from = b.add(Asn{1});
    b.announce(from, {kNet}, path({1}));
    b.ribs.end_refresh(from, Family::V4);
    b.settle();
    CHECK(b.ribs.table(Family::V4).counts(from).received == 1);
    for (int i = 0; i < 20; ++i)
      CHECK(b.ribs.begin_refresh(from, Family::V4) == (i == 0));
    b.announce(from, {kNet}, path({1}));
    b.ribs.end_refresh(from, Family::V4);
    CHECK_FALSE(b.ribs.begin_refresh(from, Family::V4));  // the sweep is under way
    b.settle();
    CHECK(b.ribs.table(Family::V4).counts(from).received == 1);
    for (int i = 0; i < 20; ++i) {
      CHECK(b.ribs.begin_refresh(from, Family::V4));
      b.announce(from, {kNet}, path({1}));
      b.ribs.end_refresh(from, Family::V4);
      b.settle();
    }
    CHECK(b.ribs.table(Family::V4).counts(from).received == 1);
    b.views.erase(from);
    b.ribs.down(from, Leftover::Gone);
    b.settle();
    CHECK(b.ribs.table(Family::V4).prefixes().size() == 0);
  }

  TEST_CASE("a refresh whose end does not come ends by itself") {
    Pair p;
    p.say(p.b, encode_route_refresh(Family::V4, RefreshKind::Begin));
    p.pass(Seconds{359});
    CHECK(p.b.knows(kNet));
    p.pass(Seconds{2});
    CHECK(p.b.status().state == State::Established);
    CHECK_FALSE(p.b.knows(kNet));
    CHECK(p.b.routes() == 0);
  }
}

TEST_SUITE("bgp/prefix limit") {
  TEST_CASE("a neighbor near its limit is warned of once, and again when it has come down in between") {
    PrefixLimit limit{.maximum = 100, .warning_percent = 80};
    PrefixWarning w;
    CHECK(w.look(limit, Family::V4, 79).empty());
    CHECK(w.look(limit, Family::V4, 80) ==
          "the neighbor announces 80 prefixes of IPv4 unicast, 80 % of maximum-prefix 100");
    CHECK(w.look(limit, Family::V4, 100).empty());
    CHECK(w.look(limit, Family::V4, 101).empty());  // the session ends
    CHECK(w.look(limit, Family::V4, 50).empty());
    CHECK_FALSE(w.look(limit, Family::V4, 81).empty());
    limit.maximum = 0;
    CHECK(w.look(limit, Family::V4, 0).empty());
  }

  TEST_CASE("the limit passed ends the session, unless only a warning is wanted") {
    PrefixLimit limit{.maximum = 100};
    CHECK_FALSE(past(limit, Family::V4, {.received = 100}));
    const auto end = past(limit, Family::V4, {.received = 101});
    REQUIRE(end);
    CHECK(end->notification == Notification{6, 1, {}});
    limit.warning_only = true;
    CHECK_FALSE(past(limit, Family::V4, {.received = 101}));
    PrefixWarning w;
    CHECK(w.look(limit, Family::V4, 101).find("only warned of") != std::string::npos);
    CHECK(w.look(limit, Family::V4, 102).empty());
  }

  TEST_CASE("without a restart the session stays down until somebody clears it") {
    SpeakerPair p;
    p.b.config.limit.v4 = {.maximum = 1, .pause = {}};
    p.start();
    p.originate(p.a, kNet);
    p.originate(p.a, kOther);
    CHECK(p.b.status().state == State::Idle);
    CHECK(p.a.status().last_notification_received == Notification{6, 1, {}});
    p.pass(Seconds{3600});
    CHECK(p.b.status().state == State::Idle);
    p.a.speaker->withdraw(Prefix::parse(kOther).value());
    p.take(p.b, p.b.speaker->clear(p.now, p.b.n, Clear::Hard));
    p.pass(Seconds{120});
    CHECK(p.b.status().state == State::Established);
    CHECK(p.b.routes() == 1);
  }

  TEST_CASE("with one it comes back by itself") {
    SpeakerPair p;
    p.b.config.limit.v4 = {.maximum = 1, .pause = Seconds{600}};
    p.start();
    p.originate(p.a, kNet);
    p.originate(p.a, kOther);
    CHECK(p.b.status().state != State::Established);
    p.a.speaker->withdraw(Prefix::parse(kOther).value());
    p.pass(Seconds{400});
    CHECK(p.b.status().state != State::Established);
    p.pass(Seconds{400});
    CHECK(p.b.status().state == State::Established);
  }

  TEST_CASE("routes with long attributes are too many before their number is") {
    SpeakerPair p;
    p.b.config.limit.v4.maximum_octets = 20'000;
    p.start();
    PathAttributes a;
    a.communities.assign(900, 0x00010002);
    for (int i = 0; i < 10; ++i) {
      a.communities[0] = static_cast<Community>(i);
      p.a.speaker->originate(Prefix::parse(prefix(i)).value(), a, {}, p.now);
    }
    p.settle();
    CHECK(p.b.status().state != State::Established);
    CHECK(p.a.status().last_notification_received == Notification{6, 8, {}});
    CHECK(p.b.status().last_reset.find("memory") != std::string::npos);
  }

  TEST_CASE("memory is counted back when routes change and go") {
    RibsBench b;
    const auto from = b.add(Asn{1});
    const auto octets = [&] { return b.ribs.table(Family::V4).counts(from).octets; };
    b.announce(from, {kNet}, path({1}));
    const auto one = octets();
    CHECK(one > 0);
    PathAttributes longer = path({1});
    longer.communities.assign(100, 7);
    b.announce(from, {kNet, kOther}, longer);
    CHECK(octets() > 2 * one + 800);
    b.announce(from, {kNet}, path({1}));
    b.withdraw(from, {kOther});
    CHECK(octets() == one);
    b.withdraw(from, {kNet});
    CHECK(octets() == 0);
  }
}
