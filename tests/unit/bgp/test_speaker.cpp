// What a speaker makes of its neighbors' routes.
#include <doctest/doctest.h>

#include "tests/unit/bgp/speaker_bench.hpp"

using namespace cgw;
using namespace cgw::bgp;
using namespace cgw::bgp::test;

namespace {

using Notified = std::vector<std::pair<int, int>>;

Prefix prefix(const char* text) {
  return Prefix::parse(text).value();
}

NeighborConfig tunnel(std::uint8_t host) {
  NeighborConfig c = SpeakerBench::neighbor(host, 64512);
  c.routes.tunnel = true;
  c.routes.export_rules.v4.scope = Scope::Own;
  return c;
}

}  // namespace

TEST_SUITE_BEGIN("bgp/speaker");

TEST_CASE("one neighbor's routes reach another, and so do their end and their withdrawal") {
  SpeakerBench b;
  const NeighborId from = b.add(SpeakerBench::neighbor(1, 64512)), to = b.add(SpeakerBench::neighbor(2, 64513));
  CHECK(b.views.at(to).ends_of_rib() == 1);
  b.routes(from, 100, 2000);
  CHECK(b.told(to) == 2000);
  CHECK(b.told(from) == 0);
  CHECK(b.told(to, "0.0.100.0/24")->as_path_text() == "65000 64512");
  CHECK(b.speaker.counts(from, Family::V4).accepted == 2000);
  CHECK(b.speaker.counts(to, Family::V4).sent == 2000);
  const std::vector<Nlri> gone{{prefix("0.0.100.0/24"), 0}};
  b.say(from, encode_withdraw(gone, Family::V4, {})[0]);
  b.settle();
  CHECK(b.told(to) == 1999);
}

TEST_CASE("a session that ends takes its routes along at once, for everybody") {
  SpeakerBench b;
  const NeighborId from = b.add(SpeakerBench::neighbor(1, 64512)), to = b.add(SpeakerBench::neighbor(2, 64513));
  b.routes(from, 100, 5000);
  b.speaker.take_changes(Family::V4, 10000);
  const auto actions = b.step(from, Disconnected{kOut, "reset"});
  std::vector<std::size_t> order;
  for (const auto& a : actions)
    if (a.neighbor == from) order.push_back(a.action.index());
  REQUIRE(order.size() == 3);
  CHECK(order[0] == NeighborAction{SessionDown{}}.index());
  CHECK(order[1] == NeighborAction{PathsGone{}}.index());
  CHECK(b.speaker.ways(prefix("0.0.100.0/24")).empty());
  CHECK(b.speaker.counts(from, Family::V4) == PrefixCounts{});
  b.settle();
  CHECK(b.told(to) == 0);
  CHECK(b.speaker.take_changes(Family::V4, 10000).size() == 5000);
  CHECK(b.speaker.ribs().table(Family::V4).prefixes().size() == 0);
}

TEST_CASE("a neighbor that does not read is owed a window and no more; others go on") {
  SpeakerBench b;
  const NeighborId from = b.add(SpeakerBench::neighbor(1, 64512));
  const NeighborId slow = b.add(SpeakerBench::neighbor(2, 64513)), fast = b.add(SpeakerBench::neighbor(3, 64514));
  b.reads = false;
  std::size_t owed = 0;
  b.say(from, announcement(b.speaker.config(from).session, 100, 100'000));
  while (b.speaker.has_work()) {
    for (const auto& a : b.take(b.speaker.work(b.now))) {
      const auto* s = std::get_if<SendBytes>(&a.action);
      if (s == nullptr) continue;
      if (a.neighbor == fast) b.step(fast, Written{kOut});
      if (a.neighbor == slow) owed += s->bytes.size();
    }
  }
  CHECK(b.told(fast) == 100'000);
  CHECK(owed >= 256U << 10);
  CHECK(owed < 300U << 10);
  b.step(slow, Written{kOut, 0});
  CHECK(b.speaker.has_work());
  b.reads = true;
  b.settle();
  CHECK(b.told(slow) == 100'000);
}

TEST_CASE("more prefixes than are accepted: Cease 6/1, a pause, and nothing of it is left") {
  SpeakerBench b;
  NeighborConfig c = SpeakerBench::neighbor(1, 64512);
  c.limit.v4 = {.maximum = 10, .pause = Seconds{60}};
  const NeighborId n = b.add(c);
  b.routes(n, 100, 10);
  CHECK(b.notified[n].empty());
  SUBCASE("by one") {
    b.routes(n, 200, 1);
    CHECK(b.notified[n] == Notified{{6, 1}});
    CHECK(*b.speaker.next_deadline() - b.now >= Seconds{45});
    CHECK(b.speaker.ribs().table(Family::V4).prefixes().size() == 0);
  }
  SUBCASE("what an earlier session has brought does not count") {
    b.step(n, Disconnected{kOut, "reset"});  // and nothing is swept yet
    b.up(n);
    b.say(n, announcement(c.session, 200, 10));
    CHECK(b.notified[n].empty());
    CHECK(b.speaker.counts(n, Family::V4).received == 10);
  }
}

TEST_CASE("what goes beyond the neighbor's limit is held back, and said with names, once") {
  SpeakerBench b;
  NeighborConfig c = tunnel(1);
  c.routes.maximum_prefix_out.v4 = 100;
  const NeighborId n = b.add(c);
  for (std::uint32_t i = 0; i < 112; ++i)
    b.speaker.originate(Prefix::of(IpAddress::v4(0xc0a80000 + (i << 8)), 24), {}, {}, b.now);
  b.settle();
  CHECK(b.told(n) == 100);
  CHECK(b.speaker.counts(n, Family::V4).held_back == 12);
  REQUIRE(b.notes[n].size() == 1);
  CHECK(b.notes[n][0].starts_with(
      "12 prefixes are held back: the neighbor resets the session past 100 (192.168.100.0/24"));
  CHECK(b.notes[n][0].find("192.168.110.0/24") == std::string::npos);
  b.speaker.withdraw(prefix("192.168.0.0/24"));
  b.settle();
  CHECK(b.told(n) == 100);
  CHECK(b.told(n, "192.168.100.0/24") != nullptr);
  CHECK(b.notes[n].size() == 1);
}

TEST_CASE("a refresh and a new session bring all again [RFC 2918 4]") {
  SpeakerBench b;
  const NeighborId n = b.add(tunnel(1));
  b.speaker.originate(prefix("192.168.77.0/24"), {}, {}, b.now);
  b.settle();
  b.views.clear();
  b.say(n, frame(MessageType::RouteRefresh, Octets{0, 1, 0, 1}));
  b.settle();
  CHECK(b.told(n) == 1);
  b.step(n, Disconnected{kOut, "reset"});
  b.up(n);
  CHECK(b.told(n) == 1);
}

TEST_CASE("what comes over a tunnel goes into no other; what is ours goes with the MED of the day") {
  SpeakerBench b;
  NeighborConfig first = tunnel(1), second = tunnel(2);
  first.routes.export_rules.v4.own_med = 100;
  second.routes.export_rules.v4.scope = Scope::NotFromTunnels;  // an operator's filter lets all pass
  const NeighborId one = b.add(first), two = b.add(second), core = b.add(SpeakerBench::neighbor(3, 64999));
  b.speaker.originate(prefix("192.168.77.0/24"), {}, {}, b.now);
  b.routes(one, 100, 3);
  b.routes(core, 200, 3);
  CHECK(b.told(one) == 1);
  CHECK(b.told(two) == 4);
  CHECK(b.told(two, "0.0.100.0/24") == nullptr);
  CHECK(b.told(core) == 4);
  CHECK(b.told(one, "192.168.77.0/24")->med == 100);
  CHECK_FALSE(b.told(two, "192.168.77.0/24")->med.has_value());
  first.routes.export_rules.v4.own_med = 50;
  b.configure(one, first);
  CHECK(b.told(one, "192.168.77.0/24")->med == 50);
  PathAttributes with_med;
  with_med.med = 7;
  b.speaker.originate(prefix("192.168.78.0/24"), with_med, {}, b.now);
  b.settle();
  CHECK(b.told(one, "192.168.78.0/24")->med == 7);
}

TEST_CASE("a tunnel that is down still offers its ways to the RIB, and to no other neighbor") {
  SpeakerBench b;
  const NeighborId one = b.add(tunnel(1)), core = b.add(SpeakerBench::neighbor(3, 65000));
  b.routes(one, 100, 1);
  CHECK(b.changes() == std::vector<std::string>{"0.0.100.0/24"});
  CHECK(b.told(core) == 1);
  b.speaker.set_usable(one, false);
  b.settle();
  CHECK(b.told(core) == 0);
  const auto ways = b.speaker.ways(prefix("0.0.100.0/24"));
  REQUIRE(ways.size() == 1);
  CHECK(ways[0].neighbor == one);
}

TEST_CASE("packets to what we originate ourselves take no neighbor's way") {
  SpeakerBench b;
  const NeighborId one = b.add(tunnel(1));
  b.routes(one, 100, 1);
  CHECK(b.speaker.ways(prefix("0.0.100.0/24")).size() == 1);
  b.speaker.originate(prefix("0.0.100.0/24"), {}, {.weight = 32768}, b.now);
  CHECK(b.speaker.ways(prefix("0.0.100.0/24")).empty());
  CHECK_FALSE(b.changes().empty());
}

TEST_CASE("a route that has been here before is kept, counted as filtered, and used by nobody [RFC 4271 9.1.2]") {
  SpeakerBench b;
  const NeighborId from = b.add(SpeakerBench::neighbor(1, 64512)), to = b.add(SpeakerBench::neighbor(2, 64513));
  b.routes(from, 100, 1);
  CHECK(b.told(to) == 1);
  PathAttributes a;
  a.as_path = {{AsPathSegment::Type::Sequence, {Asn{64512}, Asn{65000}}}};
  a.next_hop = IpAddress::v4(0x0a000001);
  const std::vector<Nlri> again{{prefix("0.0.100.0/24"), 0}};
  b.say(from, encode_announce(again, Family::V4, a, {}).value()[0]);
  b.settle();
  CHECK(b.told(to) == 0);
  CHECK(b.speaker.ways(prefix("0.0.100.0/24")).empty());
  CHECK(b.speaker.counts(from, Family::V4).filtered == 1);
}

TEST_SUITE_END();
