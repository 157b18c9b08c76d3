#include <doctest/doctest.h>

#include "bgp/change_queue.hpp"

using namespace cgw;
using namespace cgw::bgp;

namespace {

struct Bench {
  AttributePool pool{1};
  Sources sources{2};
  DecisionOptions options;
  Table table{Family::V4, 1, pool, sources, options};
  std::optional<ChangeQueue> queue{std::in_place, table};

  PrefixId put(std::uint32_t n) {
    const AttributeId set = pool.intern({});
    const auto c = table.put(NeighborId{1}, {Prefix::of(IpAddress::v4(n << 8), 24), 0}, set, set, 0);
    pool.release(set);
    return c->id;
  }
  void withdraw(std::uint32_t n) {
    const auto c = table.withdraw(NeighborId{1}, {Prefix::of(IpAddress::v4(n << 8), 24), 0});
    queue->add(c->id);
    table.settle(c->id);
  }
  std::vector<std::uint32_t> pop(std::size_t most) {
    std::vector<std::uint32_t> out;
    while (out.size() < most) {
      const auto id = queue->pop();
      if (!id) break;
      out.push_back(id->value());
      table.release(*id);
    }
    return out;
  }
};

using Ids = std::vector<std::uint32_t>;

}  // namespace

TEST_CASE("a prefix waits once, however often it changes, and may wait again once it was taken") {
  Bench b;
  const PrefixId one = b.put(1), two = b.put(2);
  b.queue->add(two);
  b.queue->add(one);
  b.queue->add(two);
  CHECK(b.pop(9) == Ids{1, 0});
  CHECK(b.queue->empty());
  b.queue->add(two);
  CHECK(b.pop(9) == Ids{1});
}

TEST_CASE("while the table is fed, a change behind the feed comes first and one ahead of it is met by it") {
  Bench b;
  std::vector<PrefixId> ids;
  for (std::uint32_t n = 0; n < 5; ++n)
    ids.push_back(b.put(n));
  b.queue->feed();
  CHECK(b.pop(3) == Ids{0, 1, 2});
  b.queue->add(ids[4]);
  b.queue->add(ids[1]);
  const PrefixId late = b.put(9);
  b.queue->add(late);
  CHECK(b.pop(9) == Ids{1, 3, 4, 5});
  CHECK_FALSE(b.queue->feeding());
}

TEST_CASE("a prefix that goes is still told to who has yet to hear of it, and forgotten then") {
  Bench b;
  b.put(1);
  b.withdraw(1);
  CHECK(b.table.prefixes().size() == 1);
  CHECK(b.pop(9) == Ids{0});
  CHECK(b.table.prefixes().size() == 0);
  b.put(2);
  b.withdraw(2);
  b.queue.reset();
  CHECK(b.table.prefixes().size() == 0);
}
