#include <map>
#include <random>

#include <doctest/doctest.h>

#include "base/overload.hpp"
#include "rib/rib.hpp"

namespace cgw::rib {
TEST_SUITE_BEGIN("rib/plan");

namespace {

Path path(std::uint32_t exit, std::uint32_t med = 100) {
  Path p;
  p.exit = ExitId(exit);
  p.next_hop = IpAddress::v4(exit);
  p.neighbor_as = 64512;
  p.med = med;
  return p;
}

Prefix net(std::uint32_t i) {
  return Prefix::of(IpAddress::v4(0x0A000000 + (i << 8)), 24);
}

// What a kernel holds that obeys the plan; each change must be applicable when it comes.
struct Fib {
  std::map<GroupId, std::vector<ExitId>> groups;
  std::map<Prefix, GroupId> routes;

  void apply(const PlanChanges& changes) {
    for (const PlanChange& c : changes) {
      std::visit(Overload{[&](const GroupSet& g) { groups[g.group] = g.active; },
                          [&](const GroupGone& g) {
                            for (const auto& r : routes)
                              REQUIRE(r.second != g.group);
                            REQUIRE(groups.erase(g.group) == 1);
                          },
                          [&](const RouteSet& r) {
                            REQUIRE(groups.contains(r.group));
                            routes[r.prefix] = r.group;
                          },
                          [&](const RouteGone& r) { REQUIRE(routes.erase(r.prefix) == 1); }},
                 c);
    }
  }
};

}  // namespace

TEST_CASE(
    "all paths of a protocol are replaced at once; what is the same changes nothing, and a path stays as old as it "
    "is") {
  Rib rib;
  for (std::uint32_t e : {1U, 2U, 3U})
    rib.set_fitness(ExitId(e), Fitness::Up);
  Path fixed = path(3);
  fixed.protocol = Protocol::Static;
  rib.update(net(0), fixed);
  rib.replace(net(0), Protocol::Bgp, {path(1, 100), path(2, 200)});
  CHECK(rib.find(net(0))->candidates.size() == 3);
  rib.take_changes();
  Path younger = path(1, 100);
  younger.learned += Seconds{5};
  rib.replace(net(0), Protocol::Bgp, {younger, path(2, 200)});
  CHECK(rib.take_changes().empty());
  rib.replace(net(0), Protocol::Bgp, {path(2, 200)});
  CHECK_FALSE(rib.take_changes().empty());
  CHECK(rib.find(net(0))->candidates.size() == 2);
  rib.replace(net(0), Protocol::Bgp, {});
  CHECK(rib.find(net(0))->candidates.size() == 1);
  // Retained when its session went: that nobody offers it is no news.
  rib.replace(net(1), Protocol::Bgp, {path(1)});
  rib.withdraw_all(Protocol::Bgp, ExitId(1), true);
  rib.replace(net(1), Protocol::Bgp, {});
  rib.take_changes();
  CHECK(rib.find(net(1))->blackhole);
}

TEST_CASE("a verdict changes one group, however many prefixes it serves") {
  Rib rib;
  for (std::uint32_t e : {1U, 2U})
    rib.set_fitness(ExitId(e), Fitness::Up);
  for (std::uint32_t i = 0; i < 1000; ++i) {
    rib.update(net(i), path(1, 100));
    rib.update(net(i), path(2, 200));
  }
  CHECK(rib.take_changes().size() == 1001);
  rib.set_fitness(ExitId(1), Fitness::Down);
  const PlanChanges changes = rib.take_changes();
  REQUIRE(changes.size() == 1);
  CHECK(std::get<GroupSet>(changes[0]).active == std::vector{ExitId(2)});
  rib.set_fitness(ExitId(1), Fitness::Up);
  rib.set_fitness(ExitId(1), Fitness::Down);
  CHECK(rib.take_changes().empty());
}

TEST_CASE("the replayed plan equals a model that computes everything anew") {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    std::mt19937 random(seed);
    const auto pick = [&](std::uint32_t n) { return static_cast<std::uint32_t>(random() % n); };
    Rib rib;
    Fib fib;
    std::map<Prefix, std::map<std::uint32_t, std::uint32_t>> meds;  // prefix, exit: MED
    std::map<std::uint32_t, Fitness> fitness;
    for (int step = 0; step < 2000; ++step) {
      const std::uint32_t exit = 1 + pick(3), i = pick(8), med = pick(3);
      switch (pick(4)) {
        case 0: rib.set_fitness(ExitId(exit), fitness[exit] = static_cast<Fitness>(pick(4))); break;
        case 1:
          rib.withdraw(net(i), Protocol::Bgp, ExitId(exit));
          meds[net(i)].erase(exit);
          break;
        default:
          rib.update(net(i), path(exit, med));
          meds[net(i)][exit] = med;
          break;
      }
      if (pick(5) != 0) continue;
      fib.apply(rib.take_changes());
      REQUIRE(rib.take_changes().empty());
      for (const auto& [prefix, exits] : meds) {
        REQUIRE(fib.routes.contains(prefix) == !exits.empty());
        if (exits.empty()) continue;
        std::optional<std::tuple<Fitness, std::uint32_t, std::uint32_t>> best;
        for (const auto& [e, m] : exits) {
          const Fitness f = fitness.contains(e) ? fitness[e] : Fitness::Down;
          if (f != Fitness::Down && (!best || std::tuple(f, m, e) < *best)) best = std::tuple(f, m, e);
        }
        const auto want = best ? std::vector{ExitId(std::get<2>(*best))} : std::vector<ExitId>{};
        REQUIRE(fib.groups.at(fib.routes.at(prefix)) == want);
      }
    }
  }
}

TEST_SUITE_END();
}  // namespace cgw::rib
