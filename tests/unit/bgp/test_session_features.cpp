// What a session does beyond RFC 4271's defaults.
#include <doctest/doctest.h>

#include "tests/unit/bgp/bench.hpp"
#include "tests/unit/bgp/updates.hpp"

using namespace cgw;
using namespace cgw::bgp;
using namespace cgw::bgp::test;

namespace {

using Core = Bench;
using Notified = std::vector<std::pair<int, int>>;

GracefulRestart restartable(bool notification) {
  return {.restarted = false, .notification = notification, .restart_time = Seconds{120}, .forwarding = {true, {}}};
}

SessionConfig config_with(Capabilities c) {
  auto out = our_config();
  out.capabilities = std::move(c);
  return out;
}

Capabilities graceful(bool notification) {
  Capabilities c = default_capabilities();
  c.graceful_restart = restartable(notification);
  return c;
}

Actions open_with(Core& b, Capabilities c, ConnectionId id = kOut) {
  return b.say(id, encode_open({.asn = b.config.remote_as,
                                .hold_time = Seconds{30},
                                .router_id = RouterId{0x0a000001},
                                .capabilities = std::move(c)}));
}

// Up with a neighbor that offers this.
Actions up_with(Core& b, const Capabilities& c, ConnectionId id = kOut) {
  if (b.state() == State::Idle) b.step(Start{});
  b.step(Connected{id});
  open_with(b, c, id);
  return b.keepalive(id);
}

Octets message(const Octets& body) {
  return frame(MessageType::Update, body);
}

std::size_t count(const Actions& actions, MessageType type) {
  std::size_t n = 0;
  for (const auto& s : all<SendBytes>(actions))
    n += s.bytes[18] == static_cast<std::uint8_t>(type) ? 1 : 0;
  return n;
}

}  // namespace

TEST_SUITE("bgp/session core") {
  TEST_CASE("the core hands on what it reads, in order, and keeps nothing") {
    Capabilities c = default_capabilities();
    c.families.v6 = true;
    Core b(config_with(c));
    const auto up = all<SessionUp>(up_with(b, c));
    REQUIRE(up.size() == 1);
    CHECK(up[0].negotiated.families == PerFamily<bool>{true, true});
    CHECK(b.session.status().negotiated == up[0].negotiated);
    Octets stream = message(update({kOrigin, kPath, kNextHop}));
    for (const Octets& m :
         {message(update({reach6(kHop6, kNlri6), kOrigin, kPath}, {})), encode_end_of_rib(Family::V6)})
      stream.insert(stream.end(), m.begin(), m.end());
    const auto actions = b.say(kOut, stream);
    const auto routes = all<RoutesReceived>(actions);
    REQUIRE(routes.size() == 2);
    CHECK(routes[0].update.announced == std::vector{kRoute});
    CHECK(routes[1].update.family == Family::V6);
    REQUIRE(all<EndOfRib>(actions).size() == 1);
    CHECK(all<EndOfRib>(actions)[0].family == Family::V6);
  }

  TEST_CASE("what is to be sent goes while the session is up, and nowhere before") {
    Core b;
    Octets two = encode_end_of_rib(Family::V4);
    const Octets one = two;
    two.insert(two.end(), one.begin(), one.end());
    CHECK(all<SendBytes>(b.step(SendUpdates{two, 2})).empty());
    b.up();
    const auto before = b.session.status().messages_sent;
    const auto sent = all<SendBytes>(b.step(SendUpdates{two, 2}));
    REQUIRE(sent.size() == 1);
    CHECK(sent[0].bytes == two);
    CHECK(b.session.status().sent.update == 2);
    CHECK(b.session.status().messages_sent == before + 2);
  }

  TEST_CASE("a family lost to an error is told, and stays lost until the session ends [RFC 4760 7]") {
    Capabilities c = default_capabilities();
    c.families.v6 = true;
    Core b(config_with(c));
    up_with(b, c);
    const auto actions = b.say(kOut, message(update({reach6(kHop6, {200}), kOrigin, kPath}, {})));
    REQUIRE(all<FamilyDisabled>(actions).size() == 1);
    CHECK(all<FamilyDisabled>(actions)[0].family == Family::V6);
    CHECK(b.session.status().disabled.v6);
    CHECK(b.session.status().malformed_updates == 1);
    CHECK(b.session.status().last_finding->attribute == 14);
    CHECK(all<RoutesReceived>(b.say(kOut, message(update({reach6(kHop6, kNlri6), kOrigin, kPath}, {})))).empty());
    CHECK(all<RoutesReceived>(b.say(kOut, message(update({kOrigin, kPath, kNextHop})))).size() == 1);
    // The last one is not given up: that is the session.
    b.say(kOut, message(update({{0x80, 14, 4, 0, 1, 1, 4}, kOrigin, kPath}, {})));
    CHECK(b.notified == Notified{{3, 9}});
    b.now = *b.session.next_deadline();
    b.step(Tick{});
    up_with(b, c);
    CHECK(all<RoutesReceived>(b.say(kOut, message(update({reach6(kHop6, kNlri6), kOrigin, kPath}, {})))).size() == 1);
  }

  TEST_CASE("a neighbor without a family of ours is refused with what we need [RFC 5492 5]") {
    Core b;
    b.step(Start{});
    b.step(Connected{kOut});
    Capabilities v6;
    v6.families.v6 = v6.four_octet_as = true;
    const auto sent = all<SendBytes>(open_with(b, v6));
    REQUIRE(sent.size() == 1);
    CHECK(Octets(sent[0].bytes.begin() + 19, sent[0].bytes.end()) == Octets{2, 7, 1, 4, 0, 1, 0, 1});
  }

  TEST_CASE("roles have to correspond; none is one only in strict mode, and none at all inside an AS [RFC 9234 4.2]") {
    const auto outcome = [](std::optional<Role> ours, std::optional<Role> theirs, bool strict, bool ibgp) {
      Capabilities us = default_capabilities(), them = default_capabilities();
      us.role = ours, them.role = theirs;
      auto c = config_with(us);
      c.strict_role = strict;
      if (ibgp) c.remote_as = c.local_as;
      Core b(c);
      up_with(b, them);
      return b.state() == State::Established ? Notified{} : b.notified;
    };
    const Notified mismatch{{2, 11}};
    CHECK(outcome(Role::Customer, Role::Provider, false, false).empty());
    CHECK(outcome(Role::Customer, Role::Customer, false, false) == mismatch);
    CHECK(outcome(Role::Customer, {}, false, false).empty());
    CHECK(outcome(Role::Customer, {}, true, false) == mismatch);
    CHECK(outcome({}, Role::Provider, true, false).empty());
    CHECK(outcome(Role::Customer, Role::Customer, true, true).empty());
    Core b;
    b.step(Start{});
    b.step(Connected{kOut});
    b.say(kOut, frame(MessageType::Open, Octets{4, 0xfc, 0, 0, 30, 10, 0, 0, 1, 8, 2, 6, 9, 1, 0, 9, 1, 3}));
    CHECK(b.notified == mismatch);
  }

  TEST_CASE("extended messages are taken when we have said so, and only then [RFC 8654 4, 5]") {
    Capabilities c = default_capabilities();
    c.extended_messages = true;
    const Octets longer = message(update({kOrigin, kPath, kNextHop, join({{0xd0, 99, 0x13, 0x88}, Octets(5000, 1)})}));
    for (const bool ours : {true, false}) {
      Core b(config_with(ours ? c : default_capabilities()));
      up_with(b, c);
      CHECK(b.session.context().max_message == (ours ? 65535U : 4096U));
      b.say(kOut, longer);
      CHECK(b.notified == (ours ? Notified{} : Notified{{1, 2}}));
    }
    Core b(config_with(c));
    b.step(Start{});
    b.step(Connected{kOut});
    b.say(kOut, frame(MessageType::Open, Octets(4090, 0)));
    CHECK(b.notified == Notified{{1, 2}});
  }

  TEST_CASE("our OPEN waits for the delay, or for the neighbor's [RFC 4271 8.1.1, 8.2.2]") {
    auto c = our_config();
    c.delay_open = Seconds{8};
    Core waits(c);
    waits.step(Start{});
    CHECK(all<SendBytes>(waits.step(Connected{kOut})).empty());
    CHECK(waits.state() == State::Connect);
    waits.now += Seconds{6} - Millis{1};
    CHECK(all<SendBytes>(waits.step(Tick{})).empty());
    waits.now += Seconds{2} + Millis{1};
    CHECK(count(waits.step(Tick{}), MessageType::Open) == 1);
    CHECK(waits.state() == State::OpenSent);

    Core called(c);
    called.step(Start{});
    called.step(Connected{kOut});
    const auto actions = called.open(kOut);
    CHECK(count(actions, MessageType::Open) == 1);
    CHECK(count(actions, MessageType::Keepalive) == 1);
    CHECK(called.state() == State::OpenConfirm);
    called.keepalive(kOut);
    CHECK(called.state() == State::Established);

    Core wrong(c);
    wrong.step(Start{});
    wrong.step(Connected{kOut});
    wrong.keepalive(kOut);
    CHECK(wrong.notified == Notified{{5, 0}});
  }

  TEST_CASE("a neighbor that reads nothing is given up after the send hold time, not before [RFC 9687 4.3]") {
    auto c = our_config();
    c.send_hold_time = Seconds{480};
    Core b(c);
    const auto pass = [&](Duration d) {  // the neighbor goes on talking
      for (const TimePoint end = b.now + d; b.now < end;) {
        b.now = std::min<TimePoint>(b.now + Seconds{20}, end);
        b.keepalive(kOut);
        b.step(Tick{});
      }
    };
    b.up();
    b.step(Written{kOut});
    pass(Seconds{200});
    b.step(Written{kOut, 100});  // some of it: the time starts anew
    pass(Seconds{480} - Millis{1});
    CHECK(b.state() == State::Established);
    b.now += Millis{1};
    const auto down = all<SessionDown>(b.step(Tick{}));
    REQUIRE(down.size() == 1);
    CHECK(down[0].why.find("Send Hold Timer Expired") != std::string::npos);
    CHECK(b.notified == Notified{{8, 0}});

    Core reads(c);
    reads.up();
    for (int i = 0; i < 60; ++i) {
      reads.now += Seconds{20};
      reads.keepalive(kOut);
      reads.step(Tick{});
      reads.step(Written{kOut});
    }
    CHECK(reads.state() == State::Established);
    CHECK(default_send_hold_time(Seconds{30}) == Seconds{480});
    CHECK(default_send_hold_time(Seconds{300}) == Seconds{600});
  }

  TEST_CASE("a shutdown carries its words, whole characters of them [RFC 9003 2]") {
    Core b;
    b.up();
    const auto sent = all<SendBytes>(b.step(Stop{2, "maintenance", "back at 6"}));
    REQUIRE(sent.size() == 1);
    CHECK(Octets(sent[0].bytes.begin() + 19, sent[0].bytes.end()) ==
          Octets{6, 2, 9, 'b', 'a', 'c', 'k', ' ', 'a', 't', ' ', '6'});
    Core umlaut;
    umlaut.up();
    const auto cut = all<SendBytes>(umlaut.step(Stop{2, "", std::string(254, 'x') + "\xc3\xbc"}));
    CHECK(cut[0].bytes[21] == 254);
    Core other;
    other.up();
    CHECK(all<SendBytes>(other.step(Stop{3, "", "gone"}))[0].bytes.size() == 21);
  }

  TEST_CASE("a reset comes back by itself, after its pause, and refuses calls until then") {
    Core b;
    b.up();
    b.step(Reset{{6, 4, {}}, "cleared"});
    CHECK(b.notified == Notified{{6, 4}});
    REQUIRE(b.session.next_deadline());
    CHECK(*b.session.next_deadline() - b.now <= Seconds{1});
    b.now = *b.session.next_deadline();
    b.step(Tick{});
    up_with(b, default_capabilities());
    b.step(Reset{{6, 1, {}}, "too many", Seconds{60}});
    CHECK(*b.session.next_deadline() - b.now >= Seconds{45});
    CHECK(all<Close>(b.step(Connected{kIn})).size() == 1);
    CHECK(b.notified.back() == std::pair{6, 5});
    b.now = *b.session.next_deadline();
    CHECK(all<Dial>(b.step(Tick{})).size() == 1);
    CHECK(all<Close>(b.step(Connected{kIn})).empty());
  }
}

TEST_SUITE("bgp/session graceful") {
  TEST_CASE(
      "routes may stay when TCP fails, and after a NOTIFICATION only when both have said so [RFC 4724 4, 8538 4]") {
    struct Row {
      const char* what;
      bool notification;
      bool stays_plain, stays_notified;  // with GR alone, and with N of both sides
      Event event;
    };
    const auto received = [](std::uint8_t code, std::uint8_t subcode) {
      return Event{Received{kOut, frame(MessageType::Notification, Octets{code, subcode})}};
    };
    const Row rows[] = {
        {"TCP fails", false, true, true, Disconnected{kOut, "reset"}},
        {"a NOTIFICATION comes", true, false, true, received(3, 1)},
        {"a reset comes", true, false, true, received(6, 4)},
        {"a Hard Reset comes", true, false, false, received(6, 9)},
        {"we refuse an UPDATE", true, false, true, Received{kOut, frame(MessageType::Update, Octets{0, 9, 0, 0})}},
        {"a limit is passed", true, false, false, Reset{{6, 1, {}}, "too many"}},
        {"we reset", true, false, true, Reset{{6, 4, {}}, "cleared"}},
        {"we stop", true, false, false, Stop{2, "stop"}},
    };
    for (const auto& row : rows) {
      for (const bool n : {false, true}) {
        INFO(row.what << (n ? " with N" : ""));
        Core b(config_with(graceful(n)));
        up_with(b, graceful(n));
        const auto down = all<SessionDown>(b.step(row.event));
        REQUIRE(down.size() == 1);
        CHECK(down[0].graceful == (n ? row.stays_notified : row.stays_plain));
      }
      Core plain;  // without the capability nothing stays
      up_with(plain, graceful(true));
      CHECK_FALSE(all<SessionDown>(plain.step(row.event))[0].graceful);
    }
    Core silent(config_with(graceful(true)));
    up_with(silent, graceful(true));
    silent.now += Seconds{30};
    CHECK(all<SessionDown>(silent.step(Tick{}))[0].graceful);
  }

  TEST_CASE("what must not be survived goes as a Hard Reset, with the reason in it [RFC 8538 3.1]") {
    Core b(config_with(graceful(true)));
    up_with(b, graceful(true));
    const auto actions = b.step(Stop{2, "stop", "bye"});
    const auto sent = all<SendBytes>(actions);
    CHECK(Octets(sent[0].bytes.begin() + 19, sent[0].bytes.end()) == Octets{6, 9, 6, 2, 3, 'b', 'y', 'e'});
    CHECK(all<Note>(actions)[0].text.find("Hard Reset (Cease/Administrative Shutdown \"bye\")") != std::string::npos);
    Core plain(config_with(graceful(false)));
    up_with(plain, graceful(false));
    CHECK(all<SendBytes>(plain.step(Stop{2, "stop", "bye"}))[0].bytes[20] == 2);
  }

  TEST_CASE("a neighbor that has started over is known by its OPEN, and its routes stay [RFC 4724 4.2]") {
    Core b(config_with(graceful(false)));
    up_with(b, graceful(false));
    // The connection alone says nothing: anybody can call.
    CHECK(all<SessionDown>(b.step(Connected{kIn})).empty());
    CHECK(b.state() == State::Established);
    const auto actions = open_with(b, graceful(false), kIn);
    const auto down = all<SessionDown>(actions);
    REQUIRE(down.size() == 1);
    CHECK(down[0].graceful);
    CHECK(all<Close>(actions)[0].connection == kOut);
    CHECK(b.notified.empty());
    CHECK(all<SessionUp>(b.keepalive(kIn)).size() == 1);

    Core wrong(config_with(graceful(false)));
    up_with(wrong, graceful(false));
    wrong.step(Connected{kIn});
    wrong.open(kIn, 64999);
    CHECK(wrong.state() == State::Established);
    CHECK(wrong.notified == Notified{{2, 2}});
  }
}

TEST_SUITE("bgp/session refresh") {
  TEST_CASE("a request is handed on; its ends only where both mark them [RFC 2918 4, 7313 4]") {
    Capabilities enhanced = default_capabilities();
    enhanced.enhanced_route_refresh = true;
    for (const bool agreed : {false, true}) {
      Core b(config_with(agreed ? enhanced : default_capabilities()));
      up_with(b, enhanced);
      const auto kinds = [&](RefreshKind k) {
        return all<RefreshRequested>(b.say(kOut, encode_route_refresh(Family::V4, k))).size();
      };
      CHECK(kinds(RefreshKind::Request) == 1);
      CHECK(kinds(RefreshKind::Begin) == (agreed ? 1U : 0U));
      CHECK(kinds(RefreshKind::End) == (agreed ? 1U : 0U));
      CHECK(kinds(RefreshKind{77}) == 0);
      CHECK(b.notified.empty());
      CHECK(all<RefreshRequested>(b.say(kOut, encode_route_refresh(Family::V6, RefreshKind::Request))).empty());
    }
  }

  TEST_CASE("with graceful restart no refresh begins before End-of-RIB [RFC 7313 4]") {
    Capabilities c = graceful(false);
    c.enhanced_route_refresh = true;
    Core b(config_with(c));
    up_with(b, c);
    CHECK(all<RefreshRequested>(b.say(kOut, encode_route_refresh(Family::V4, RefreshKind::Begin))).empty());
    b.say(kOut, encode_end_of_rib(Family::V4));
    CHECK(all<RefreshRequested>(b.say(kOut, encode_route_refresh(Family::V4, RefreshKind::Begin))).size() == 1);
  }

  TEST_CASE("one of a wrong length is answered with the whole message [RFC 7313 5]") {
    Core b;
    b.up();
    const Octets bad = frame(MessageType::RouteRefresh, Octets{0, 1, 0, 1, 9});
    const auto sent = all<SendBytes>(b.say(kOut, bad));
    REQUIRE(sent.size() == 1);
    CHECK(Octets(sent[0].bytes.begin() + 19, sent[0].bytes.end()) == join({{7, 1}, bad}));
  }

  TEST_CASE("we ask where the neighbor has said that it answers [RFC 2918 3]") {
    Core b;
    CHECK(all<SendBytes>(b.step(RequestRefresh{})).empty());
    b.up();
    CHECK(all<SendBytes>(b.step(RequestRefresh{}))[0].bytes == encode_route_refresh(Family::V4, RefreshKind::Request));
    CHECK(all<SendBytes>(b.step(RequestRefresh{Family::V6})).empty());
    Core old;
    Capabilities none;
    none.four_octet_as = true;
    up_with(old, none);
    CHECK(all<SendBytes>(old.step(RequestRefresh{})).empty());
  }
}
