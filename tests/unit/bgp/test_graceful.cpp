// What becomes of a neighbor's routes when its session ends, by itself and between two speakers.
#include <doctest/doctest.h>

#include "tests/unit/bgp/ribs_bench.hpp"
#include "tests/unit/bgp/speaker_pair.hpp"

using namespace cgw;
using namespace cgw::bgp;
using namespace cgw::bgp::test;

namespace {

constexpr const char* kNet = "192.0.2.0/24";
constexpr const char* kOther = "198.51.100.0/24";
const TimePoint kNow{std::chrono::hours{1}};
using Changes = RetainedRoutes::Changes;

Negotiated agreed(Seconds restart_time = Seconds{120}, bool forwarding = true) {
  Negotiated n;
  n.families = {true, false};
  n.graceful_restart = GracefulRestart{false, true, restart_time, {forwarding, {}}};
  return n;
}

Capabilities graceful(bool notification = true, Seconds long_lived = Seconds{0}) {
  Capabilities c = default_capabilities();
  c.graceful_restart = GracefulRestart{false, notification, Seconds{120}, {true, {}}};
  if (long_lived > Seconds{0}) c.long_lived.v4 = LongLived{true, long_lived};
  return c;
}

// `a` has told `b` a route.
struct Pair : SpeakerPair {
  explicit Pair(const Capabilities& c = graceful()) : SpeakerPair(c) {
    start();
    originate(a, kNet);
    REQUIRE(b.knows(kNet));
    reachable = false;
  }
};

}  // namespace

TEST_SUITE("bgp/graceful") {
  TEST_CASE("routes of a session that ends gracefully are stale for the neighbor's restart time [RFC 4724 4.2]") {
    RetainedRoutes r;
    CHECK(r.down(kNow, agreed(), true, {}) == PerFamily<Leftover>{Leftover::Stale, Leftover::Gone});
    CHECK(r.next_deadline() == kNow + Seconds{120});
    CHECK(r.tick(kNow + Seconds{120} - Millis{1}).empty());
    CHECK(r.tick(kNow + Seconds{120}) == Changes{{Family::V4, Leftover::Gone}});
    CHECK_FALSE(r.next_deadline());
  }

  TEST_CASE("they are gone at once when the end was not graceful, the time is none, or the family was not named") {
    RetainedRoutes r;
    CHECK(r.down(kNow, agreed(), false, {}) == PerFamily<Leftover>{});
    CHECK(r.down(kNow, agreed(Seconds{0}), true, {}) == PerFamily<Leftover>{});
    Negotiated other = agreed();
    other.graceful_restart->forwarding = {{}, true};
    CHECK(r.down(kNow, other, true, {}) == PerFamily<Leftover>{});
    CHECK_FALSE(r.next_deadline());
  }

  TEST_CASE("a neighbor's time is cut to what is configured") {
    RetainedRoutes r;
    r.down(kNow, agreed(), true, {.maximum_restart_time = Seconds{5}});
    CHECK(r.next_deadline() == kNow + Seconds{5});
  }

  TEST_CASE("a new session keeps them where forwarding was preserved, until its End-of-RIB or the stale time") {
    RetainedRoutes r;
    r.down(kNow, agreed(), true, {});
    CHECK(r.up(kNow + Seconds{10}, agreed(), {}).empty());
    CHECK(r.next_deadline() == kNow + Seconds{370});
    CHECK(r.tick(kNow + Seconds{370}) == Changes{{Family::V4, Leftover::Gone}});
    r.down(kNow, agreed(), true, {});
    r.up(kNow, agreed(), {});
    r.end_of_rib(Family::V4);
    CHECK_FALSE(r.next_deadline());
    CHECK(r.dead().empty());
  }

  TEST_CASE("a new session without the capability, the family or its F bit ends them [RFC 4724 4.2]") {
    Negotiated without, not_forwarding = agreed(Seconds{120}, false), not_family = agreed();
    without.families = {true, false};
    not_family.families = {false, true};
    for (const Negotiated& n : {without, not_forwarding, not_family}) {
      RetainedRoutes r;
      r.down(kNow, agreed(), true, {});
      CHECK(r.up(kNow, n, {}) == Changes{{Family::V4, Leftover::Gone}});
    }
  }

  TEST_CASE("behind the restart time the long-lived one begins, and goes on under a new session [RFC 9494 4.2]") {
    Negotiated n = agreed();
    n.long_lived.v4 = LongLived{true, Seconds{1000}};
    RetainedRoutes r;
    r.down(kNow, n, true, {.maximum_long_lived_time = Seconds{600}});
    CHECK(r.tick(kNow + Seconds{120}) == Changes{{Family::V4, Leftover::LongLived}});
    CHECK(r.next_deadline() == kNow + Seconds{720});
    CHECK(r.up(kNow + Seconds{200}, n, {}).empty());
    CHECK(r.next_deadline() == kNow + Seconds{720});
    CHECK(r.tick(kNow + Seconds{720}) == Changes{{Family::V4, Leftover::Gone}});
    // Its own F bit decides.
    n.long_lived.v4->forwarding = false;
    r.down(kNow, n, true, {});
    r.tick(kNow + Seconds{120});
    CHECK(r.up(kNow + Seconds{121}, n, {}) == Changes{{Family::V4, Leftover::Gone}});
    n.graceful_restart->restart_time = Seconds{0};
    CHECK(r.down(kNow, n, true, {}).v4 == Leftover::LongLived);
  }

  TEST_CASE("a restarted speaker waits for those who help and have not restarted themselves [RFC 4724 4.1]") {
    const NeighborId x{1}, y{2}, z{3};
    RestartDeferral d;
    d.expect(x, {true, true});
    CHECK_FALSE(d.deferring());  // nothing has restarted
    d.begin(kNow + Seconds{60});
    for (const NeighborId n : {x, y, z})
      d.expect(n, {true, false});
    Negotiated restarted = agreed();
    restarted.graceful_restart->restarted = true;
    d.up(x, restarted);
    d.up(y, agreed());
    d.up(z, Negotiated{.families = {true, false}});
    CHECK(d.deferring(Family::V4));
    CHECK_FALSE(d.deferring(Family::V6));
    CHECK_FALSE(d.end());
    d.end_of_rib(y, Family::V4);
    CHECK_FALSE(d.deferring());
    CHECK(d.end());
    CHECK_FALSE(d.end());
    CHECK_FALSE(d.next_deadline());
  }

  TEST_CASE("and not for ever") {
    RestartDeferral d;
    d.begin(kNow + Seconds{60});
    d.expect(NeighborId{1}, {true, false});
    d.tick(kNow + Seconds{60} - Millis{1});
    CHECK(d.deferring());
    d.tick(kNow + Seconds{60});
    CHECK(d.end());
  }
}

TEST_SUITE("bgp/speaker graceful") {
  TEST_CASE("a neighbor whose TCP fails is believed for its restart time, and no longer") {
    Pair p;
    p.cut();
    CHECK(p.b.knows(kNet));
    CHECK(p.b.paths_gone == 0);
    p.pass(Seconds{119});
    CHECK(p.b.knows(kNet));
    p.pass(Seconds{2});
    CHECK_FALSE(p.b.knows(kNet));
    CHECK(p.b.paths_gone == 1);
    CHECK(p.b.speaker->ribs().table(Family::V4).prefixes().size() == 0);
  }

  TEST_CASE("a verdict that it is dead overrides what it has promised") {
    Pair p;
    p.cut();
    p.b.speaker->set_usable(p.b.n, false);
    p.b.speaker->set_usable(p.b.n, true);
    CHECK_FALSE(p.b.knows(kNet));
    Pair q;
    q.b.speaker->set_usable(q.b.n, false);
    q.cut();
    q.b.speaker->set_usable(q.b.n, true);
    CHECK_FALSE(q.b.knows(kNet));
    CHECK(q.b.paths_gone == 1);
  }

  TEST_CASE("what it does not bring again goes with its End-of-RIB") {
    Pair p;
    p.originate(p.a, kOther);
    CHECK(p.b.routes() == 2);
    p.cut();
    p.a.speaker->withdraw(Prefix::parse(kOther).value());
    p.reachable = true;
    p.pass(Seconds{30});
    CHECK(p.b.status().state == State::Established);
    CHECK(p.b.knows(kNet));
    CHECK_FALSE(p.b.knows(kOther));
    CHECK(p.b.routes() == 1);
    CHECK(p.b.speaker->retained(p.b.n).leftover(Family::V4) == Leftover::Gone);
  }

  TEST_CASE("a NOTIFICATION is survived where both have said so, a Hard Reset never [RFC 8538]") {
    const Notification reset{.code = 6, .subcode = 4, .data = {}};
    Pair p;
    p.step(p.a, Reset{.notification = reset, .why = "test", .pause = Seconds{100}});
    CHECK(p.b.knows(kNet));
    Pair without(graceful(false));
    without.step(without.a, Reset{.notification = reset, .why = "test", .pause = Seconds{100}});
    CHECK_FALSE(without.b.knows(kNet));
    Pair hard;
    hard.step(hard.a, Stop{.cease_subcode = 2, .why = "test"});
    CHECK_FALSE(hard.b.knows(kNet));
    REQUIRE(hard.b.status().last_notification_received);
    CHECK(*hard.b.status().last_notification_received == Notification{6, 9, {6, 2}});
  }

  TEST_CASE("routes that a second failure finds still stale are no more [RFC 4724 4.2]") {
    RibsBench b;
    const auto from = b.add(Asn{1}), to = b.add(Asn{2});
    b.announce(from, {kNet}, path({1}));
    b.ribs.down(from, Leftover::Stale);
    b.up(from);
    b.announce(from, {kOther}, path({1}));
    CHECK(b.told(to, kNet) != nullptr);
    b.views.erase(from);
    b.ribs.down(from, Leftover::Stale);
    CHECK(b.told(to, kNet) == nullptr);
    CHECK(b.told(to, kOther) != nullptr);
  }

  TEST_CASE("long-lived routes are the last resort, then nothing") {
    Pair p(graceful(true, Seconds{3600}));
    p.cut();
    p.pass(Seconds{121});
    const Table& t = p.b.speaker->ribs().table(Family::V4);
    const auto id = t.prefixes().find(Prefix::parse(kNet).value());
    REQUIRE(id);
    CHECK(t.long_lived(*t.best(*id)));
    CHECK(p.b.knows(kNet));
    p.pass(Seconds{3598});
    CHECK(p.b.knows(kNet));
    p.pass(Seconds{2});
    CHECK_FALSE(p.b.knows(kNet));
  }

  TEST_CASE("a restarted speaker tells nothing before it has been told all, says R, and then no more") {
    Pair p;
    p.originate(p.b, kOther);
    p.cut();
    p.begin(p.b, Seconds{300});
    PathAttributes ours;
    p.b.speaker->originate(Prefix::parse(kOther).value(), ours, {}, p.now);
    CHECK(p.b.speaker->restarting());
    p.settle();
    CHECK(p.a.knows(kOther));  // stale
    p.reachable = true;
    p.pass(Seconds{5});
    REQUIRE(p.a.status().state == State::Established);
    CHECK(p.a.status().negotiated->graceful_restart->restarted);
    CHECK_FALSE(p.b.speaker->restarting());
    CHECK(p.b.knows(kNet));
    CHECK(p.a.knows(kOther));
    CHECK(p.a.routes() == 1);
    p.cut();
    p.pass(Seconds{5});
    REQUIRE(p.a.status().state == State::Established);
    CHECK_FALSE(p.a.status().negotiated->graceful_restart->restarted);
  }

  TEST_CASE("a restarted speaker whose neighbor does not come waits for it no longer than it must") {
    Pair p;
    p.cut();
    p.begin(p.b, Seconds{300});
    p.b.speaker->follow_changes();
    PathAttributes ours;
    p.b.speaker->originate(Prefix::parse(kOther).value(), ours, {}, p.now);
    p.pass(Seconds{299});
    CHECK(p.b.speaker->restarting());
    CHECK(p.b.speaker->take_changes(Family::V4, 10).empty());
    p.pass(Seconds{1});
    CHECK_FALSE(p.b.speaker->restarting());
    CHECK(p.b.speaker->take_changes(Family::V4, 10).size() == 1);
  }
}
