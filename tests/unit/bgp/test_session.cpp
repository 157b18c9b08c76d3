#include <doctest/doctest.h>

#include "tests/unit/bgp/bench.hpp"

using namespace cgw;
using namespace cgw::bgp;
using namespace cgw::bgp::test;

namespace {

using Notified = std::vector<std::pair<int, int>>;

}  // namespace

TEST_SUITE("bgp/session") {
  TEST_CASE("a session comes up by dialling: Idle, Connect, OpenSent, OpenConfirm, Established [RFC 4271 8.2.2]") {
    Bench b;
    CHECK(b.state() == State::Idle);
    CHECK(all<Dial>(b.step(Start{})).size() == 1);
    CHECK(b.state() == State::Connect);
    b.step(Connected{kOut});
    CHECK(b.state() == State::OpenSent);
    b.open(kOut);
    CHECK(b.state() == State::OpenConfirm);
    const auto actions = b.keepalive(kOut);
    CHECK(b.state() == State::Established);
    CHECK(all<SessionUp>(actions).size() == 1);
    CHECK(b.session.status().hold_time == Seconds{30});
    CHECK(b.session.status().keepalive_time == Seconds{10});
  }

  TEST_CASE("a passive session waits in Active and is called; one not started refuses") {
    Bench idle;
    CHECK(all<Close>(idle.step(Connected{kIn})).size() == 1);
    auto c = our_config();
    c.passive = true;
    Bench b(c);
    CHECK(all<Dial>(b.step(Start{})).empty());
    CHECK(b.state() == State::Active);
    CHECK(all<SessionUp>(b.up(kIn)).size() == 1);
    b.step(Disconnected{kIn, "reset"});
    CHECK(b.state() == State::Active);
    CHECK(all<SessionUp>(b.up(kIn)).size() == 1);
  }

  TEST_CASE("both call at once: the connection of the higher identifier stays [RFC 4271 6.8]") {
    for (const bool first_out : {false, true}) {
      for (const std::uint32_t router : {0x0a000001U, 0x0a000003U}) {
        INFO("OPEN on our connection first: " << first_out << ", neighbour " << router);
        const auto winner = router < 0x0a000002 ? kOut : kIn;
        const auto loser = winner == kOut ? kIn : kOut;
        Bench b;
        b.step(Start{});
        b.step(Connected{kOut});
        b.step(Connected{kIn});
        CHECK(all<Close>(b.open(first_out ? kOut : kIn, 64512, Seconds{30}, router)).empty());
        const auto closed = all<Close>(b.open(first_out ? kIn : kOut, 64512, Seconds{30}, router));
        REQUIRE(closed.size() == 1);
        CHECK(closed[0].connection == loser);
        CHECK(b.notified == Notified{{6, 7}});
        CHECK(all<SessionUp>(b.keepalive(winner)).size() == 1);
      }
    }
  }

  TEST_CASE("equal identifiers: the larger AS wins [RFC 6286 2.3]") {
    Bench b;
    b.step(Start{});
    b.step(Connected{kOut});
    b.step(Connected{kIn});
    b.open(kOut, 64512, Seconds{30}, 0x0a000002);
    CHECK(all<Close>(b.open(kIn, 64512, Seconds{30}, 0x0a000002)).at(0).connection == kIn);
  }

  TEST_CASE("an established session is not shaken by the other connection, however far it is") {
    Bench b;
    b.step(Start{});
    b.step(Connected{kOut});
    b.step(Connected{kIn});
    b.open(kIn);
    b.keepalive(kIn);
    CHECK(b.state() == State::Established);
    const auto late = b.open(kOut);
    CHECK(all<Close>(late).at(0).connection == kOut);
    CHECK(all<SessionDown>(late).empty());
    CHECK(b.notified == Notified{{6, 7}});
    CHECK(b.session.status().established_count == 1);
    CHECK(all<Close>(b.step(Connected{kOut})).size() == 1);
    CHECK(b.state() == State::Established);
  }

  TEST_CASE("a second accepted connection replaces the first") {
    Bench b;
    b.up(kIn);
    const auto actions = b.step(Connected{kIn});
    CHECK(all<SessionDown>(actions).size() == 1);
    CHECK(b.state() == State::OpenSent);
  }

  TEST_CASE("hold time: alive just before, NOTIFICATION 4/0 at the limit [RFC 4271 6.5]") {
    Bench b;
    b.up();
    b.now += Seconds{30} - Millis{1};
    CHECK(all<SessionDown>(b.step(Tick{})).empty());
    b.now += Millis{1};
    CHECK(all<SessionDown>(b.step(Tick{})).size() == 1);
    CHECK(b.notified == Notified{{4, 0}});
  }

  TEST_CASE("the smaller hold time counts, and the KEEPALIVE comes within a third of it") {
    Bench b;
    b.up(kOut, Seconds{9});
    CHECK(b.session.status().hold_time == Seconds{9});
    CHECK(b.session.status().keepalive_time == Seconds{3});
    b.now += Millis{2249};
    CHECK(all<SendBytes>(b.step(Tick{})).empty());
    b.now += Millis{751};
    CHECK(all<SendBytes>(b.step(Tick{})).size() == 1);
  }

  TEST_CASE("hold time 0: no timers once established, the large one before [RFC 4271 4.2]") {
    Bench b;
    b.step(Start{});
    b.step(Connected{kOut});
    b.open(kOut, 64512, Seconds{0});
    REQUIRE(b.session.next_deadline());
    b.keepalive(kOut);
    CHECK_FALSE(b.session.next_deadline());
    b.now += std::chrono::hours{24};
    CHECK(all<SessionDown>(b.step(Tick{})).empty());
  }

  TEST_CASE("a silent neighbour in OpenSent is given four minutes [RFC 4271 8.2.2]") {
    Bench b;
    b.step(Start{});
    b.step(Connected{kOut});
    b.now += Seconds{240} - Millis{1};
    b.step(Tick{});
    CHECK(b.state() == State::OpenSent);
    b.now += Millis{1};
    b.step(Tick{});
    CHECK(b.notified == Notified{{4, 0}});
  }

  TEST_CASE("a wrong AS is refused with 2/2 and a warning that names both; waiting doubles up to a minute") {
    Bench b;
    b.step(Start{});
    Duration last{};
    for (int i = 0; i < 10; ++i) {
      b.step(Connected{kOut});
      const auto notes = all<Note>(b.open(kOut, 64999));
      if (i == 0) {
        REQUIRE(notes.size() == 1);
        CHECK(notes[0].level == Level::Warning);
        CHECK(notes[0].text.find("64999") != std::string::npos);
        CHECK(notes[0].text.find("64512") != std::string::npos);
      }
      CHECK(b.notified.back() == std::pair{2, 2});
      REQUIRE(b.session.next_deadline());
      last = *b.session.next_deadline() - b.now;
      CHECK(last <= (i == 0 ? Seconds{1} : Seconds{60}));
      b.now = *b.session.next_deadline();
      CHECK(all<Dial>(b.step(Tick{})).size() == 1);
    }
    CHECK(last >= Seconds{45});
  }

  TEST_CASE("a message that does not belong to the state [RFC 6608 3]") {
    const Octets update = encode_end_of_rib(Family::V4);
    const Octets refresh = frame(MessageType::RouteRefresh, Octets{0, 1, 0, 1});
    for (const auto& m : {update, refresh, frame(MessageType::Keepalive, {})}) {
      Bench b;
      b.step(Start{});
      b.step(Connected{kOut});
      b.say(kOut, m);
      CHECK(b.notified == Notified{{5, 1}});
    }
    for (const auto& m : {update, refresh, plain_open(64512, Seconds{30}, 1)}) {
      Bench b;
      b.step(Start{});
      b.step(Connected{kOut});
      b.open(kOut);
      b.say(kOut, m);
      CHECK(b.notified == Notified{{5, 2}});
    }
    Bench b;
    b.up();
    b.open(kOut);
    CHECK(b.notified == Notified{{5, 3}});
  }

  TEST_CASE("a reset ends the session, and it comes back by itself when the pause is over") {
    Bench b;
    b.up();
    b.step(Reset{.notification = {.code = 6, .subcode = 1, .data = {}}, .why = "too much", .pause = Seconds{60}});
    CHECK(b.notified == Notified{{6, 1}});
    CHECK(*b.session.next_deadline() - b.now >= Seconds{45});
  }

  TEST_CASE("a stop ceases with its subcode and rests [RFC 4486 3]") {
    Bench b;
    b.up();
    const auto actions = b.step(Stop{4, "cleared by the operator"});
    CHECK(b.notified == Notified{{6, 4}});
    CHECK(all<SessionDown>(actions).size() == 1);
    CHECK(b.state() == State::Idle);
    CHECK_FALSE(b.session.next_deadline());
  }

  TEST_CASE("garbage of any kind, in any state, never breaks an invariant") {
    for (std::uint64_t seed = 1; seed <= 300; ++seed) {
      Bench b;
      Seeded dice(seed);
      b.step(Start{});
      for (int i = 0; i < 60; ++i) {
        b.now += Millis{static_cast<Millis::rep>(dice.below(4000))};
        const auto id = dice.below(2) == 0 ? kOut : kIn;
        switch (dice.below(11)) {
          case 0: b.step(Connected{id}); break;
          case 1: b.step(Disconnected{id, "x"}); break;
          case 2: b.open(id, 64512, Seconds{static_cast<Seconds::rep>(dice.below(3) * 15)}); break;
          case 3:
          case 4: b.keepalive(id); break;
          case 5: b.routes(static_cast<std::uint32_t>(dice.below(500)), 5, id); break;
          case 6: b.step(Tick{}); break;
          case 7: b.step(SendUpdates{encode_end_of_rib(Family::V4)}); break;
          case 8: b.step(Start{}); break;
          case 9: b.say(id, frame(MessageType::RouteRefresh, Octets{0, 1, 0, 1})); break;
          case 10: {
            Octets junk(dice.below(60));
            dice.fill(junk);
            b.say(id, dice.below(2) == 0 ? junk : frame(MessageType::Update, junk));
            break;
          }
        }
      }
      const auto& s = b.session.status();
      CHECK(s.established_count - s.dropped_count == (s.state == State::Established ? 1U : 0U));
    }
  }
}
