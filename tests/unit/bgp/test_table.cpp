#include <doctest/doctest.h>

#include <map>
#include <random>

#include "bgp/table.hpp"

using namespace cgw;
using namespace cgw::bgp;

namespace {

constexpr NeighborId kA{1}, kB{2}, kC{3};

struct Bench {
  AttributePool pool{1};
  Sources sources{4};
  DecisionOptions options;
  std::optional<Table> table;

  Bench() {
    for (std::uint16_t i = 0; i < sources.size(); ++i)
      sources[i].path = {SourceKind::Ebgp, i, IpAddress::v4(i)};
    table.emplace(Family::V4, 5U, pool, sources, options);
  }
  AttributeId set(std::uint32_t local_pref, std::uint32_t next_hop = 1) {
    PathAttributes a;
    a.local_pref = local_pref;
    a.next_hop = IpAddress::v4(next_hop);
    return pool.intern(a);
  }
  std::optional<TableChange> put(NeighborId n, const char* prefix, std::uint32_t local_pref,
                                 std::uint32_t path_id = 0) {
    const AttributeId id = set(local_pref);
    const auto change = table->put(n, {Prefix::parse(prefix).value(), path_id}, id, id, 0);
    pool.release(id);
    return change;
  }
  std::optional<TableChange> withdraw(NeighborId n, const char* prefix, std::uint32_t path_id = 0) {
    return table->withdraw(n, {Prefix::parse(prefix).value(), path_id});
  }
  PrefixId id(const char* prefix) { return table->prefixes().find(Prefix::parse(prefix).value()).value(); }
  std::uint32_t best(const char* prefix) {
    const Path* p = table->best(id(prefix));
    return p == nullptr ? 0 : p->neighbor;
  }
};

constexpr const char* kNet = "10.0.0.0/16";

}  // namespace

TEST_CASE("the best path is told when it is another or has other attributes, and only then") {
  Bench b;
  auto c = b.put(kA, kNet, 100);
  CHECK(c->best);
  c = b.put(kA, kNet, 100);
  CHECK_FALSE(c->paths);
  c = b.put(kB, kNet, 50);
  CHECK(c->paths);
  CHECK_FALSE(c->best);
  c = b.put(kB, kNet, 150);
  CHECK(c->best);
  CHECK(b.best(kNet) == 2);
  c = b.put(kB, kNet, 160);
  CHECK(c->best);
  c = b.withdraw(kA, kNet);
  CHECK(c->paths);
  CHECK_FALSE(c->best);
  CHECK_FALSE(b.withdraw(kA, kNet).has_value());
  c = b.withdraw(kB, kNet);
  CHECK(c->best);
  CHECK(b.best(kNet) == 0);
}

TEST_CASE("a prefix without paths keeps its number until nobody holds it") {
  Bench b;
  const PrefixId id = b.put(kA, kNet, 100)->id;
  b.table->hold(id);
  b.withdraw(kA, kNet);
  b.table->settle(id);
  CHECK(b.table->prefixes().size() == 1);
  CHECK(b.put(kB, kNet, 100)->id == id);
  b.withdraw(kB, kNet);
  b.table->release(id);
  CHECK(b.table->prefixes().size() == 0);
  CHECK(b.pool.size() == 0);
}

TEST_CASE("a filtered path is remembered and never chosen; policy may accept it later") {
  Bench b;
  const AttributeId received = b.set(100);
  const auto c = b.table->put(kA, {Prefix::parse(kNet).value()}, received, {}, 0);
  CHECK(c->paths);
  CHECK_FALSE(c->best);
  CHECK(b.table->counts(kA).received == 1);
  CHECK(b.table->counts(kA).accepted == 0);
  const auto accept = [&](const Path&) { return b.set(300); };
  CHECK(b.table->accept_anew(c->id, kA, accept).best);
  CHECK(b.table->counts(kA).accepted == 1);
  CHECK(b.pool.keys(b.table->best(c->id)->accepted).local_pref == 300);
  CHECK_FALSE(b.table->accept_anew(c->id, kA, accept).paths);
  CHECK_FALSE(b.table->accept_anew(c->id, kB, accept).paths);
  b.withdraw(kA, kNet);
  b.pool.release(received);
  CHECK(b.pool.size() == 0);
}

TEST_CASE("with add-path a neighbor has several paths, of which too many are refused") {
  Bench b;
  for (std::uint32_t id = 1; id <= 64; ++id)
    CHECK(b.put(kA, kNet, 100 + id, id));
  CHECK_FALSE(b.put(kA, kNet, 500, 65));
  CHECK(b.put(kB, kNet, 10));
  CHECK(b.table->best(b.id(kNet))->path_id == 64);
  CHECK(b.withdraw(kA, kNet, 64)->best);
  CHECK(b.table->best(b.id(kNet))->path_id == 63);
}

TEST_CASE("each path of a prefix has a number of its own while it lives") {
  Bench b;
  b.put(kA, kNet, 100);
  b.put(kB, kNet, 200);
  b.put(kC, kNet, 300);
  b.withdraw(kB, kNet);
  const auto number = [&](NeighborId n) { return int{b.table->find(b.id(kNet), n, 0)->number}; };
  CHECK(number(kA) == 1);
  CHECK(number(kC) == 3);
  b.put(kB, kNet, 50);
  CHECK(number(kB) == 2);
  CHECK(number(kC) == 3);
}

TEST_CASE("what an earlier session has left counts by its leftover rule") {
  Bench b;
  b.put(kA, kNet, 200);
  b.put(kB, kNet, 100);
  const auto id = b.id(kNet);
  b.sources[1].standing.v4.begin_epoch();
  b.sources[1].standing.v4.leftover = Leftover::Stale;
  CHECK_FALSE(b.table->decide(id).best);
  b.sources[1].standing.v4.leftover = Leftover::LongLived;
  CHECK(b.table->decide(id).best);
  CHECK(b.best(kNet) == 2);
  b.sources[1].standing.v4.leftover = Leftover::Gone;
  b.withdraw(kB, kNet);
  CHECK(b.best(kNet) == 0);
  CHECK(b.put(kA, kNet, 200)->best);  // of the new session
  CHECK(b.best(kNet) == 1);
}

TEST_CASE("the verdict and the next hop decide who may be chosen") {
  Bench b;
  b.put(kA, kNet, 200);
  b.put(kB, kNet, 100);
  const auto id = b.id(kNet);
  b.sources[1].usable = false;
  CHECK(b.table->decide(id).best);
  CHECK(b.best(kNet) == 2);
  b.sources[1].usable = true;
  CHECK(b.table->decide(id).best);
  CHECK(b.pool.set_next_hop(IpAddress::v4(1), false, 0));
  CHECK(b.table->decide(id).best);
  CHECK(b.table->best(id) == nullptr);
}

TEST_CASE("any sequence of routes leaves what a plain map would, and lets go of everything") {
  Bench b;
  std::mt19937 random(3);
  using Key = std::tuple<std::uint32_t, std::uint16_t, std::uint32_t>;  // prefix, neighbor, path id
  std::map<Key, std::uint32_t> reference;
  const auto prefix = [](std::uint32_t n) { return Prefix::of(IpAddress::v4(n << 8), 24); };
  for (int i = 0; i < 30000; ++i) {
    const Key key{static_cast<std::uint32_t>(random() % 50), static_cast<std::uint16_t>(1 + random() % 3),
                  static_cast<std::uint32_t>(random() % 3)};
    const auto& [net, neighbor, path_id] = key;
    if (random() % 2 == 0) {
      const auto pref = static_cast<std::uint32_t>(1 + random() % 5);
      const AttributeId set = b.set(pref);
      const auto c = b.table->put(NeighborId{neighbor}, {prefix(net), path_id}, set, set, 0);
      b.pool.release(set);
      REQUIRE(c->paths == (!reference.contains(key) || reference[key] != pref));
      reference[key] = pref;
    } else {
      const auto c = b.table->withdraw(NeighborId{neighbor}, {prefix(net), path_id});
      REQUIRE(c.has_value() == (reference.erase(key) > 0));
      if (c) b.table->settle(c->id);
    }
    std::uint32_t most = 0;
    for (const auto& [k, pref] : reference)
      if (std::get<0>(k) == net) most = std::max(most, pref);
    const auto id = b.table->prefixes().find(prefix(net));
    REQUIRE(id.has_value() == (most > 0));
    if (id) REQUIRE(b.pool.keys(b.table->best(*id)->accepted).local_pref == most);
  }
  std::uint32_t received = 0;
  for (const NeighborId n : {kA, kB, kC})
    received += b.table->counts(n).received;
  CHECK(received == reference.size());
  for (std::uint32_t i = 0; i < b.table->prefixes().limit(); ++i) {
    if (!b.table->prefixes().in_use(PrefixId{i})) continue;
    b.table->remove_if(PrefixId{i}, [](const Path&) { return true; });
    b.table->settle(PrefixId{i});
  }
  CHECK(b.table->prefixes().size() == 0);
  CHECK(b.pool.size() == 0);
}
