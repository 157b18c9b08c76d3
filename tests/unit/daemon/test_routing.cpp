#include <array>

#include <doctest/doctest.h>

#include "daemon/routing.hpp"

namespace cgw::routing {
namespace {

using health::Verdict;

const Prefix kPrefix = Prefix::of(IpAddress::v4(0x0a320000), 16);
const rib::ExitId kFirst{1}, kSecond{2};

struct Table {
  Table() {
    for (const auto exit : {kFirst, kSecond})
      rib.set_fitness(exit, rib::Fitness::Up);
  }
  void learn(rib::ExitId exit, std::uint32_t med) {
    bgp::PathAttributes a;
    a.as_path = {{bgp::AsPathSegment::Type::Sequence, {bgp::Asn{64512}}}};
    a.med = med;
    rib.update(kPrefix,
               path(exit, {.router_id = exit.value(), .address = IpAddress::v4(exit.value())}, a, 0, TimePoint{}));
  }
  std::vector<rib::ExitId> active() const { return rib.groups().at(0).active; }
  rib::Rib rib;
};

}  // namespace

TEST_SUITE_BEGIN("daemon/routing");

TEST_CASE("MED is equal while all are fit, lower beside a tunnel that has fallen, higher while draining") {
  const std::array fit{Sibling{Verdict::Up, true}}, fallen{Sibling{Verdict::Down, true}};
  const std::array never_up{Sibling{Verdict::Down, false}};
  CHECK(announced_med(Verdict::Up, fit) == 100);
  CHECK(announced_med(Verdict::Up, never_up) == 100);
  CHECK(announced_med(Verdict::Up, fallen) == 50);
  CHECK(announced_med(Verdict::Degraded, fallen) == 50);
  CHECK(announced_med(Verdict::Down, fallen) == 100);
  CHECK(announced_med(Verdict::Draining, fit) == 200);
}

TEST_CASE("the last tunnel lost by BGP is no tunnel that became fit again") {
  Table t;
  t.learn(kFirst, 100);
  t.rib.take_changes();
  REQUIRE(t.active() == std::vector{kFirst});
  t.rib.withdraw_all(rib::Protocol::Bgp, kFirst, true);
  const auto changes = t.rib.take_changes();
  CHECK(t.active().empty());
  CHECK(why_left(t.rib, kFirst, changes, "tunnel 1", "no tunnel") ==
        "the neighbor of tunnel 1 offers no route any more");
}

TEST_CASE("a neighbor that withdraws what the other still offers") {
  Table t;
  t.learn(kFirst, 100);
  t.learn(kSecond, 200);
  t.rib.take_changes();
  t.rib.withdraw(kPrefix, rib::Protocol::Bgp, kFirst);
  const auto changes = t.rib.take_changes();
  REQUIRE(t.active() == std::vector{kSecond});
  CHECK(why_left(t.rib, kFirst, changes, "tunnel 1", "tunnel 2") ==
        "the neighbor of tunnel 1 offers no route any more");
}

TEST_CASE("a better route and a better tunnel are told apart") {
  Table t;
  t.learn(kFirst, 100);
  t.learn(kSecond, 200);
  t.rib.take_changes();
  t.learn(kSecond, 50);
  const auto by_med = t.rib.take_changes();
  REQUIRE(t.active() == std::vector{kSecond});
  CHECK(why_left(t.rib, kFirst, by_med, "tunnel 1", "tunnel 2") == "tunnel 2 is better by MED");

  t.rib.set_fitness(kSecond, rib::Fitness::Down);
  t.rib.take_changes();
  REQUIRE(t.active() == std::vector{kFirst});
  t.rib.set_fitness(kSecond, rib::Fitness::Up);
  const auto by_fitness = t.rib.take_changes();
  REQUIRE(t.active() == std::vector{kSecond});
  CHECK(why_left(t.rib, kFirst, by_fitness, "tunnel 1", "tunnel 2") == "tunnel 2 is fit again and preferred");
}

TEST_SUITE_END();
}  // namespace cgw::routing
