#include <algorithm>
#include <random>

#include <doctest/doctest.h>

#include "rib/rib.hpp"

namespace cgw::rib {
TEST_SUITE_BEGIN("rib/decision");

namespace {

Path bgp(std::uint32_t exit) {
  Path p;
  p.exit = ExitId(exit);
  p.next_hop = IpAddress::v4(0xA9FE0000 + exit);
  p.neighbor_as = 64512;
  p.med = 100;
  return p;
}

Path weighted(std::uint32_t exit) {
  Path p = bgp(exit);
  p.weight = 10;
  return p;
}

Path fixed(std::uint32_t exit) {
  Path p = bgp(exit);
  p.protocol = Protocol::Static;
  p.distance = 1;
  return p;
}

struct Row {
  Rule rule;
  Path better, worse;
};

template <class F>
Row row(Rule rule, Path base, F&& worsen) {
  Path worse = base;
  worsen(worse);
  return {rule, base, worse};
}

}  // namespace

TEST_CASE("each rule decides where all before it are equal [RFC 4271 9.1.2.2]") {
  const Row rows[] = {
      row(Rule::Distance, bgp(1), [](Path& p) { p.distance = 21; }),
      row(Rule::Weight, weighted(1), [](Path& p) { p.weight = 0; }),
      row(Rule::LocalPref, bgp(1), [](Path& p) { p.local_pref = 99; }),
      row(Rule::AsPathLength, bgp(1), [](Path& p) { p.as_path_length = 1; }),
      row(Rule::Origin, bgp(1), [](Path& p) { p.origin = 1; }),
      row(Rule::Med, bgp(1), [](Path& p) { p.med = 101; }),
      row(Rule::Kind, bgp(1), [](Path& p) { p.internal = true; }),
      row(Rule::Preference, fixed(1), [](Path& p) { p.preference = 1; }),
      row(Rule::Oldest, bgp(1), [](Path& p) { p.learned += Seconds(1); }),
      row(Rule::RouterId, bgp(1), [](Path& p) { p.router_id = 1; }),
      row(Rule::PeerAddress, bgp(1), [](Path& p) { p.next_hop = IpAddress::v4(0xA9FEFFFF); }),
  };
  for (const Row& r : rows) {
    CAPTURE(to_string(r.rule));
    CHECK(compare(r.better, r.worse).order < 0);
    CHECK(compare(r.worse, r.better).order > 0);
    CHECK(compare(r.better, r.worse).rule == r.rule);
  }
  CHECK(compare(bgp(1), bgp(1)).rule == Rule::Same);
}

TEST_CASE("MED is not compared between different neighboring ASs") {
  Path low = bgp(2), high = bgp(1);
  low.med = 1;
  high.neighbor_as = 64513;
  CHECK(compare(high, low).rule == Rule::PeerAddress);
}

TEST_CASE("the exit that the peer uses wins among equally preferred static paths only") {
  CHECK(compare(fixed(1), fixed(2)).order < 0);
  CHECK(compare(fixed(1), fixed(2), ExitId(2)).rule == Rule::FollowPeer);
  CHECK(compare(fixed(1), fixed(2), ExitId(2)).order > 0);
  Path preferred = fixed(1), other = fixed(2);
  other.preference = 1;
  CHECK(compare(preferred, other, ExitId(2)).order < 0);
  CHECK(compare(bgp(1), bgp(2), ExitId(2)).order < 0);
}

TEST_CASE("the ranking does not depend on the order of arrival, whatever the MEDs") {
  std::mt19937 random(7);
  const auto pick = [&](std::uint32_t n) { return static_cast<std::uint32_t>(random() % n); };
  for (int round = 0; round < 500; ++round) {
    std::vector<Path> paths;
    for (std::uint32_t e = 0; e < 5; ++e) {
      Path p = pick(5) == 0 ? fixed(e) : bgp(e);
      p.neighbor_as = 1 + pick(2);
      p.med = pick(3);
      p.router_id = pick(4);
      p.as_path_length = pick(4) / 3;
      paths.push_back(p);
    }
    std::vector<Path> first;
    const auto followed = std::optional(ExitId(pick(5)));
    first = paths;
    rank(first, followed);
    for (int shuffle = 0; shuffle < 20; ++shuffle) {
      std::shuffle(paths.begin(), paths.end(), random);
      std::vector<Path> again = paths;
      rank(again, followed);
      REQUIRE(again == first);
    }
    for (const Path& a : paths) {
      for (const Path& b : paths)
        REQUIRE(compare(a, b, followed).order == -compare(b, a, followed).order);
    }
  }
}

TEST_SUITE_END();
}  // namespace cgw::rib
