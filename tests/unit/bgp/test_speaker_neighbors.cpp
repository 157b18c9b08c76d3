// How a speaker's neighbors come, change and go.
#include <doctest/doctest.h>

#include "tests/unit/bgp/speaker_bench.hpp"

using namespace cgw;
using namespace cgw::bgp;
using namespace cgw::bgp::test;

namespace {

using Notified = std::vector<std::pair<int, int>>;

// Denies everything.
struct DenyAll final : RoutePolicy {
  bool apply(policy::Route&, const PolicyContext&) const override { return false; }
  std::optional<std::uint64_t> class_of(const Prefix&) const override { return 0; }
  bool looks_at_neighbor() const override { return false; }
};

}  // namespace

TEST_SUITE_BEGIN("bgp/speaker neighbors");

TEST_CASE("another policy judges what is stored, in both directions, and no session notices") {
  SpeakerBench b;
  NeighborConfig from = SpeakerBench::neighbor(1, 64512), to = SpeakerBench::neighbor(2, 64513);
  const NeighborId one = b.add(from), two = b.add(to);
  b.routes(one, 100, 50);
  from.routes.import_policy.v4 = std::make_shared<DenyAll>();
  b.configure(one, from);
  CHECK(b.told(two) == 0);
  CHECK(b.speaker.counts(one, Family::V4).received == 50);
  CHECK(b.speaker.counts(one, Family::V4).filtered == 50);
  from.routes.import_policy.v4 = nullptr;
  b.configure(one, from);
  CHECK(b.told(two) == 50);
  to.routes.export_policy.v4 = std::make_shared<DenyAll>();
  b.configure(two, to);
  CHECK(b.told(two) == 0);
  CHECK(b.notified.empty());
  CHECK(b.speaker.status(one).established_count == 1);
}

TEST_CASE("what the session was built on is another: Cease 6/6, and it begins anew") {
  SpeakerBench b;
  NeighborConfig c = SpeakerBench::neighbor(1, 64512);
  const NeighborId n = b.add(c);
  b.routes(n, 100, 3);
  c.session.hold_time = Seconds{90};
  b.configure(n, c);
  CHECK(b.notified[n] == Notified{{6, 6}});
  CHECK(b.speaker.status(n).state == State::Connect);
  CHECK(b.speaker.counts(n, Family::V4).received == 0);
  b.up(n);
  CHECK(b.speaker.status(n).hold_time == Seconds{90});
}

TEST_CASE("clear: hard with Cease 6/4; soft in asks the neighbor, or judges what is stored; soft out tells all again") {
  SpeakerBench b;
  NeighborConfig c = SpeakerBench::neighbor(1, 64512);
  const NeighborId n = b.add(c);
  b.take(b.speaker.clear(b.now, n, Clear::SoftIn));
  CHECK(b.refreshes[n] == 1);
  c.soft_reconfiguration_inbound = true;
  b.configure(n, c);
  b.take(b.speaker.clear(b.now, n, Clear::SoftIn));
  CHECK(b.refreshes[n] == 1);
  b.speaker.originate(Prefix::parse("192.168.77.0/24").value(), {}, {}, b.now);
  b.settle();
  b.views.clear();
  b.take(b.speaker.clear(b.now, n, Clear::SoftOut));
  b.settle();
  CHECK(b.told(n) == 1);
  CHECK(b.notified.empty());
  b.take(b.speaker.clear(b.now, n, Clear::Hard));
  CHECK(b.notified[n] == Notified{{6, 4}});
  b.up(n);
  CHECK(b.speaker.status(n).state == State::Established);
}

TEST_CASE("a neighbor that is removed is told so with Cease 6/3, and its number serves another one") {
  SpeakerBench b;
  const NeighborId one = b.add(SpeakerBench::neighbor(1, 64512)), two = b.add(SpeakerBench::neighbor(2, 64513));
  b.routes(one, 100, 5000);
  b.take(b.speaker.remove(b.now, one));
  CHECK(b.notified[one] == Notified{{6, 3}});
  const NeighborId three = b.speaker.add(SpeakerBench::neighbor(3, 64514));  // before anything is swept
  CHECK(three == one);
  b.views.erase(one);
  b.up(three);
  CHECK(b.told(two) == 0);
  CHECK(b.speaker.counts(three, Family::V4).received == 0);
  b.routes(three, 100, 1);
  CHECK(b.told(two, "0.0.100.0/24")->as_path_text() == "65000 64514");
}

TEST_CASE("remove-private-AS: from a path of nothing else, or all of them, or ours in their place; as-override") {
  struct Row {
    std::optional<RemovePrivateAs> remove;
    std::optional<Asn> override_as;
    std::vector<std::uint32_t> path;
    const char* told;
  };
  const Asn remote{64513};
  const Row rows[] = {
      {std::nullopt, {}, {64512, 65010}, "65000 64512 65010"},
      {RemovePrivateAs{.keep = remote}, {}, {64512, 65010}, "65000"},
      {RemovePrivateAs{.keep = remote}, {}, {64512, 3356}, "65000 64512 3356"},
      {RemovePrivateAs{.all = true, .keep = remote}, {}, {64512, 3356, 64513}, "65000 3356 64513"},
      {RemovePrivateAs{.all = true, .replace = true, .keep = remote},
       {},
       {64512, 3356, 64513},
       "65000 65000 3356 64513"},
      {RemovePrivateAs{.replace = true, .keep = remote}, {}, {64512, 65010}, "65000 65000 65000"},
      {std::nullopt, remote, {64512, 64513, 3356}, "65000 64512 65000 3356"},
  };
  for (const Row& row : rows) {
    SpeakerBench b;
    const NeighborConfig from = SpeakerBench::neighbor(1, 64512);
    NeighborConfig to = SpeakerBench::neighbor(2, remote.value());
    to.routes.export_rules.v4.remove_private_as = row.remove;
    to.routes.export_rules.v4.as_override = row.override_as;
    const NeighborId one = b.add(from), two = b.add(to);
    PathAttributes a;
    a.as_path = {{AsPathSegment::Type::Sequence, {}}};
    for (const std::uint32_t asn : row.path)
      a.as_path[0].asns.emplace_back(asn);
    a.next_hop = from.session.remote_address;
    const std::vector<Nlri> routes{{Prefix::parse("198.51.100.0/24").value(), 0}};
    b.say(one, encode_announce(routes, Family::V4, a, {}).value()[0]);
    b.settle();
    CAPTURE(row.told);
    CHECK(b.views.at(two).find("198.51.100.0/24")->as_path_text() == row.told);
  }
}

TEST_CASE("a deadline is its session's alone") {
  SpeakerBench b;
  const NeighborId one = b.add(SpeakerBench::neighbor(1, 64512)), two = b.add(SpeakerBench::neighbor(2, 64513));
  b.now += Seconds{20};
  b.say(two, frame(MessageType::Keepalive, {}));
  b.take(b.speaker.tick(b.now));
  b.now += Seconds{10};
  while (*b.speaker.next_deadline() <= b.now)
    b.take(b.speaker.tick(b.now));
  CHECK(b.notified[one] == Notified{{4, 0}});
  CHECK(b.notified[two].empty());
  CHECK(b.speaker.status(two).state == State::Established);
}

TEST_SUITE_END();
