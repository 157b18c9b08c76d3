// What a monitoring station knows is what the tables hold, in every view and at any speed.
#include <set>

#include <doctest/doctest.h>

#include "bgp/bmp_feed.hpp"
#include "bgp/open.hpp"
#include "tests/unit/bgp/bench.hpp"
#include "tests/unit/bgp/ribs_bench.hpp"

using namespace cgw;
using namespace cgw::bgp;
using namespace cgw::bgp::test;

namespace {

constexpr const char* kNet = "192.0.2.0/24";
constexpr const char* kOther = "198.51.100.0/24";
const bmp::WallTime kAt{std::chrono::seconds{1}};

// Reads the messages of one connection.
struct Station {
  using Where = std::pair<std::uint32_t, int>;  // a neighbor's AS, or ours, and the flags of the view

  void read(const Octets& octets) {
    for (Reader r(octets); r.more();) {
      REQUIRE(r.u8() == 3);
      const std::size_t length = r.u32();
      const auto type = r.u8();
      Reader message = r.sub(length - 6);
      REQUIRE(r.ok());
      if (type == 4) ++initiations;
      if (type > 3) continue;
      message.u8();
      const int flags = message.u8();
      message.bytes(8 + 16);
      const Where where{message.u32(), flags};
      message.bytes(4 + 8);
      if (type == 0) monitoring(where, message.rest());
      if (type == 3) up(where.first, message.rest());
      if (type == 2) down(where.first);
    }
  }
  void up(std::uint32_t as, Bytes rest) {
    CHECK(peers.insert(as).second);
    // Two whole OPENs behind the addresses and ports.
    const Bytes opens = rest.subspan(20);
    const std::size_t first = static_cast<std::size_t>(opens[16] << 8 | opens[17]);
    CHECK(parse_open(opens.subspan(kHeaderOctets, first - kHeaderOctets)));
    CHECK(parse_open(opens.subspan(first + kHeaderOctets)));
  }
  void down(std::uint32_t as) {
    CHECK(peers.erase(as) == 1);
    std::erase_if(routes, [&](const auto& r) { return r.first.first.first == as; });
  }
  void monitoring(const Where& where, Bytes update) {
    CHECK(peers.contains(where.first));
    UpdateContext c{.ebgp = false, .families = {true, true}};
    c.add_path_receive = {path_ids.contains(where.first), false};
    const auto parsed = parse_update(update.subspan(kHeaderOctets), c);
    REQUIRE(parsed);
    CHECK(parsed->findings.empty());
    for (const Update& u : parsed->updates) {
      ends_of_rib += u.end_of_rib ? 1 : 0;
      for (const Nlri& n : u.withdrawn)
        CHECK(routes.erase({where, n}) == 1);
      for (const Nlri& n : u.announced)
        routes[{where, n}] = u.attributes->as_path_text();
    }
  }
  std::string path(std::uint32_t as, int flags, const char* prefix, std::uint32_t id = 0) const {
    const auto it = routes.find({{as, flags}, {Prefix::parse(prefix).value(), id}});
    return it == routes.end() ? "none" : it->second;
  }

  std::set<std::uint32_t> peers, path_ids;
  std::map<std::pair<Where, Nlri>, std::string> routes;
  int initiations = 0, ends_of_rib = 0;
};

constexpr int kPre = 0, kPost = 0x40, kLocRib = 0;

// Two neighbors of AS 1 and 2, and a station that comes when the test says so.
struct Monitored : RibsBench {
  Monitored() {
    one = add(Asn{1});
    NeighborRoutes denying = routes(Asn{2}, 2);
    denying.import.allow_own_as = 0;
    two = add(Asn{2}, &denying);
  }
  void listen() {
    feed = std::make_unique<BmpFeed>(ribs, BmpFeed::Views{}, kAt, bmp::Peer{{}, kUs, RouterId{1}}, "test", "test");
    stand(one);
    stand(two);
  }
  void stand(NeighborId n) {
    const Asn asn = config[n].import.remote_as;
    const auto open = encode_open({asn, Seconds{30}, RouterId{9}, default_capabilities()});
    feed->up(kAt, n,
             {{config[n].address, asn, RouterId{9}}, {}, open, open, {true, true}, contexts[n].add_path_receive});
  }
  void hear() {
    settle();
    while (feed->more())
      station.read(feed->next(kAt));
  }

  NeighborId one, two;
  std::unique_ptr<BmpFeed> feed;
  Station station;
};

}  // namespace

TEST_SUITE("bgp/bmp feed") {
  TEST_CASE("a station is told who is up, all there is, that this was all, and then what changes") {
    Monitored m;
    m.announce(m.one, {kNet}, path({1, 7}));
    m.announce(m.two, {kNet}, path({2, 8, 9}));
    m.listen();
    m.hear();
    CHECK(m.station.initiations == 1);
    CHECK(m.station.peers == std::set<std::uint32_t>{1, 2, kUs.value()});
    CHECK(m.station.path(1, kPre, kNet) == "1 7");
    CHECK(m.station.path(1, kPost, kNet) == "1 7");
    CHECK(m.station.path(2, kPre, kNet) == "2 8 9");
    CHECK(m.station.path(kUs.value(), kLocRib, kNet) == "1 7");
    CHECK(m.station.ends_of_rib == 2 * (2 + 2 + 1));
    m.withdraw(m.one, {kNet});
    m.announce(m.one, {kOther}, path({1, 3}));
    m.hear();
    CHECK(m.station.path(1, kPre, kNet) == "none");
    CHECK(m.station.path(1, kPost, kNet) == "none");
    CHECK(m.station.path(kUs.value(), kLocRib, kNet) == "2 8 9");
    CHECK(m.station.path(1, kPre, kOther) == "1 3");
    CHECK(m.station.ends_of_rib == 10);
  }

  TEST_CASE("what import rules refuse is in one view and not in the other") {
    Monitored m;
    m.listen();
    m.announce(m.two, {kNet}, path({2, kUs.value()}));
    m.hear();
    CHECK(m.station.path(2, kPre, kNet) == "2 65000");
    CHECK(m.station.path(2, kPost, kNet) == "none");
    NeighborRoutes r = m.config[m.two];
    r.import.allow_own_as = 1;
    m.ribs.configure(m.two, r);
    m.hear();
    CHECK(m.station.path(2, kPost, kNet) == "2 65000");
  }

  TEST_CASE("a neighbor's routes end with its session, and begin anew with the next") {
    Monitored m;
    m.listen();
    m.announce(m.one, {kNet}, path({1}));
    m.hear();
    m.views.erase(m.one);
    m.ribs.down(m.one, Leftover::Stale);
    m.feed->down(kAt, m.one, bmp::ClosedByPeer{});
    m.hear();
    CHECK(m.station.peers == std::set<std::uint32_t>{2, kUs.value()});
    CHECK(m.station.path(kUs.value(), kLocRib, kNet) == "1");  // stale, and in use
    m.up(m.one);
    m.stand(m.one);
    m.hear();
    CHECK(m.station.path(1, kPre, kNet) == "none");
    m.announce(m.one, {kNet}, path({1}));
    m.hear();
    CHECK(m.station.path(1, kPre, kNet) == "1");
  }

  TEST_CASE("paths that have ids of their own are told apart") {
    Monitored m;
    m.contexts[m.one].add_path_receive = {true, false};
    m.station.path_ids = {1};
    m.listen();
    m.announce(m.one, {kNet}, path({1, 5}), 5);
    m.announce(m.one, {kNet}, path({1, 6}), 6);
    m.hear();
    CHECK(m.station.path(1, kPre, kNet, 5) == "1 5");
    CHECK(m.station.path(1, kPre, kNet, 6) == "1 6");
    m.withdraw(m.one, {kNet}, 5);
    m.hear();
    CHECK(m.station.path(1, kPre, kNet, 5) == "none");
    CHECK(m.station.path(1, kPre, kNet, 6) == "1 6");
  }

  TEST_CASE("a slow station is told each prefix once, and leaves nothing behind when it goes") {
    Monitored m;
    m.listen();
    m.hear();
    for (std::uint32_t i = 0; i < 100; ++i)
      m.announce(m.one, {kNet}, path({1, 2 + i}));
    m.settle();
    CHECK(m.feed->next(kAt).size() < 1000);
    m.withdraw(m.one, {kNet});
    m.settle();
    CHECK(m.ribs.table(Family::V4).prefixes().size() == 1);  // it has yet to hear
    m.feed.reset();
    CHECK(m.ribs.table(Family::V4).prefixes().size() == 0);
    m.announce(m.one, {kNet}, path({1}));
    m.settle();
  }

  TEST_CASE("whatever happens the station knows what the tables hold") {
    Monitored m;
    Seeded random{3};
    const auto below = [&](std::uint32_t n) {
      std::uint8_t octets[2];
      random.fill(octets);
      return static_cast<std::uint32_t>(octets[0] << 8 | octets[1]) % n;
    };
    m.listen();
    for (int i = 0; i < 3000; ++i) {
      const std::string p = "10." + std::to_string(below(30)) + ".0.0/16";
      const NeighborId n = below(2) == 0 ? m.one : m.two;
      const std::uint32_t as = n == m.one ? 1 : 2;
      switch (below(6)) {
        case 0:
        case 1: m.withdraw(n, {p.c_str()}); break;
        case 2: m.station.read(m.feed->next(kAt)); break;
        default: m.announce(n, {p.c_str()}, path({as, 3 + below(3)}));
      }
      if (i % 100 != 99) continue;
      m.hear();
      const Table& t = m.ribs.table(Family::V4);
      std::size_t held = 0, best = 0;
      for (std::uint32_t id = 0; id < t.prefixes().limit(); ++id) {
        if (!t.prefixes().in_use(PrefixId{id})) continue;
        best += t.best(PrefixId{id}) != nullptr;
        for (const Path* x = t.first(PrefixId{id}); x != nullptr; x = t.next(x))
          ++held;
      }
      CHECK(m.station.routes.size() == 2 * held + best);
    }
  }
}
