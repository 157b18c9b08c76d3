// What a session says about its neighbor, in words, and how much.
#include <doctest/doctest.h>

#include "tests/unit/bgp/bench.hpp"

using namespace cgw;
using namespace cgw::bgp;
using namespace cgw::bgp::test;

namespace {

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

Octets update_with(const Octets& attributes, const Octets& nlri) {
  Octets body;
  Writer w(body);
  w.u16(0);
  w.u16(static_cast<std::uint16_t>(attributes.size()));
  w.bytes(attributes);
  w.bytes(nlri);
  return frame(MessageType::Update, body);
}

// Malformed, and not ours to reset for: an ORIGIN of two octets.
const Octets kBadOrigin = update_with({0x40, 1, 2, 0, 0, 0x40, 2, 0, 0x40, 3, 4, 169, 254, 10, 1}, {8, 10});

std::size_t warnings(const Actions& actions) {
  std::size_t n = 0;
  for (const Note& note : all<Note>(actions))
    n += note.level == Level::Warning ? 1 : 0;
  return n;
}

Octets notification(std::uint8_t code, std::uint8_t subcode) {
  return frame(MessageType::Notification, Octets{code, subcode});
}

}  // namespace

TEST_SUITE("bgp/session log") {
  TEST_CASE("an OPEN that is refused leaves one line: who, what was wrong, what to do") {
    const auto refused = [](Octets message, std::string_view what, std::string_view remedy) {
      Bench b;
      b.step(Start{});
      b.step(Connected{kOut});
      const auto notes = all<Note>(b.say(kOut, std::move(message)));
      REQUIRE(notes.size() == 1);
      CAPTURE(notes[0].text);
      CHECK(notes[0].level == Level::Warning);
      CHECK(has(notes[0].text, "169.254.10.1"));
      CHECK(has(notes[0].text, what));
      CHECK(has(notes[0].text, remedy));
      CHECK(b.session.status().last_reset == notes[0].text);
    };
    refused(plain_open(64999, Seconds{30}, 1), "AS 64999", "neighbor 169.254.10.1 remote-as");
    refused(plain_open(64512, Seconds{2}, 1), "hold time of 2 s", "at least 3");
    refused(plain_open(64512, Seconds{30}, 0), "0.0.0.0", "router id");
    auto version = plain_open(64512, Seconds{30}, 1);
    version[kHeaderOctets] = 3;
    refused(version, "BGP version 3", "only 4");
  }

  TEST_CASE("every NOTIFICATION received is explained, before and after the session stands") {
    struct Row {
      std::uint8_t code, subcode;
      std::string_view name, meaning;
    };
    const Row rows[] = {
        {2, 2, "OPEN Message Error/Bad Peer AS", "we are AS 65000"},
        {2, 99, "OPEN Message Error/99", "does not accept our OPEN"},
        {4, 0, "Hold Timer Expired", "heard nothing from us"},
        {6, 1, "Cease/Maximum Number of Prefixes Reached", "maximum-prefix-out"},
        {6, 4, "Cease/Administrative Reset", "comes back by itself"},
        {99, 7, "99/7", "no name"},
    };
    for (const Row& row : rows) {
      Bench early;
      early.step(Start{});
      early.step(Connected{kOut});
      const auto notes = all<Note>(early.say(kOut, notification(row.code, row.subcode)));
      REQUIRE(notes.size() == 1);
      CAPTURE(notes[0].text);
      CHECK(has(notes[0].text, row.name));
      CHECK(has(notes[0].text, row.meaning));
      CHECK(has(notes[0].text, "from 169.254.10.1"));

      Bench late;
      late.up();
      const auto actions = late.say(kOut, notification(row.code, row.subcode));
      REQUIRE(all<SessionDown>(actions).size() == 1);
      CHECK(all<Note>(actions).empty());
      CHECK(all<SessionDown>(actions)[0].why == notes[0].text);
    }
  }

  TEST_CASE("every NOTIFICATION sent is explained: to stop, to end a collision, to end a session") {
    Bench b;
    b.up();
    const auto second = all<Note>(b.step(Connected{kIn}));
    REQUIRE(second.size() == 1);
    CHECK(has(second[0].text, "sent NOTIFICATION Cease/Connection Collision Resolution to 169.254.10.1"));
    const auto stop = b.step(Stop{2, "cgwd stops"});
    REQUIRE(all<Note>(stop).size() == 1);
    CHECK(all<Note>(stop)[0].text == "sent NOTIFICATION Cease/Administrative Shutdown to 169.254.10.1: cgwd stops");

    Bench silent;
    silent.up();
    silent.now += Seconds{30};
    const auto down = all<SessionDown>(silent.step(Tick{}));
    REQUIRE(down.size() == 1);
    CHECK(has(down[0].why, "sent NOTIFICATION Hold Timer Expired to 169.254.10.1: "));
  }

  TEST_CASE("a neighbor that sends malformed UPDATEs fills no log: the first five of a minute, then their number") {
    Bench b;
    b.up(kOut, Seconds{0});
    std::size_t said = 0;
    for (int i = 0; i < 1000; ++i)
      said += warnings(b.say(kOut, kBadOrigin));
    CHECK(said == 5);
    CHECK(b.session.status().malformed_updates == 1000);
    REQUIRE(b.session.next_deadline());
    CHECK(*b.session.next_deadline() == b.now + Seconds{60});
    b.now += Seconds{60} - Millis{1};
    CHECK(all<Note>(b.step(Tick{})).empty());
    b.now += Millis{1};
    const auto notes = all<Note>(b.step(Tick{}));
    REQUIRE(notes.size() == 1);
    CHECK(has(notes[0].text, "995 more"));
    CHECK_FALSE(b.session.next_deadline());
    CHECK(warnings(b.say(kOut, kBadOrigin)) == 1);
  }
}
