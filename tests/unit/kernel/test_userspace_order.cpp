#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <thread>

#include "kernel/userspace_order.hpp"

namespace cgw::kernel::userspace {
namespace {

ipsec::SequenceNumbers fresh(std::uint64_t last = 0) {
  return ipsec::SequenceNumbers(*ipsec::parse_esp_suite("aes128gcm16"), last);
}

// Until somebody says so.
void wait_for(const std::atomic<bool>& what) {
  what.wait(false);
}

TEST_SUITE("kernel/userspace_order") {
  TEST_CASE("a batch leaves before older ones, but not more than the distance ahead of the oldest") {
    auto numbers = fresh();
    Departures d(3, 100);
    CHECK(d.take(0, numbers, 10).last() == 10);  // stalls
    CHECK(d.take(1, numbers, 90).last() == 100);
    CHECK(d.may_leave(1, 100));
    d.hand_back(1);
    CHECK(d.take(1, numbers, 1).last() == 101);
    CHECK(!d.may_leave(1, 101));
    CHECK(d.take(2, numbers, 5).last() == 106);
    CHECK(!d.may_leave(2, 106));
    CHECK(d.may_leave(0, 10));  // the oldest waits for none
    d.hand_back(0);
    CHECK(d.may_leave(1, 101));
    CHECK(d.may_leave(2, 106));
  }

  TEST_CASE("where the window is smaller than a batch, batches leave one after the other") {
    auto numbers = fresh();
    Departures d(2, 16);
    const auto first = d.take(0, numbers, 64), second = d.take(1, numbers, 64);
    CHECK(d.may_leave(0, first.last()));
    CHECK(!d.may_leave(1, second.last()));
    d.hand_back(0);
    CHECK(d.may_leave(1, second.last()));
  }

  TEST_CASE("who gets no numbers at the end of them holds nobody back") {
    auto numbers = fresh(0xffffffff - 500);
    Departures d(2, 1);
    CHECK(d.take(0, numbers, 500).count == 500);
    CHECK(d.take(1, numbers, 1).count == 0);
    CHECK(d.may_leave(0, 0xffffffff));
    CHECK(numbers.used_up());
  }

  TEST_CASE("who waits for a stalled batch goes on when that has left") {
    auto numbers = fresh();
    Departures d(2, 10);
    CHECK(d.take(0, numbers, 5).count == 5);
    const auto late = d.take(1, numbers, 20);
    std::atomic<bool> left = false;
    std::jthread waiting([&] {
      d.wait(1, late.last());
      left = true;
      left.notify_all();
    });
    CHECK(!d.may_leave(1, late.last()));
    CHECK(!left);
    d.hand_back(0);
    wait_for(left);
  }

  TEST_CASE("of many threads none sends a number the distance or more behind, and none is used twice") {
    constexpr std::size_t kLanes = 4;
    constexpr std::uint64_t kDistance = 64, kEach = 4000;
    auto numbers = fresh();
    Departures d(kLanes, kDistance);
    std::mutex wire;
    std::uint64_t highest = 0, furthest = 0, sum = 0, count = 0;
    const auto lane = [&](std::size_t i) {
      for (std::uint64_t k = 0; k < kEach; ++k) {
        const auto taken = d.take(i, numbers, 1 + (k * 7 + i) % 30);
        if (k % 64 == i) std::this_thread::yield();  // with numbers in hand
        d.wait(i, taken.last());
        {
          const std::lock_guard lock(wire);
          furthest = std::max(furthest, highest > taken.first ? highest - taken.first : 0);
          highest = std::max(highest, taken.last());
          for (std::uint64_t n = taken.first; n <= taken.last(); ++n)
            sum += n;
          count += taken.count;
        }
        d.hand_back(i);
      }
    };
    {
      std::vector<std::jthread> threads;
      for (std::size_t i = 0; i < kLanes; ++i)
        threads.emplace_back(lane, i);
    }
    CHECK(furthest < kDistance);
    CHECK(highest == count);
    CHECK(sum == count * (count + 1) / 2);
    CHECK(numbers.last() == count);
  }

  TEST_CASE("tickets have their turns in order, whoever draws them") {
    constexpr std::uint64_t kTickets = 20000;
    Turns turns;
    std::atomic<std::uint64_t> next = 0;
    std::vector<std::uint64_t> seen;  // his whose turn it is
    const auto work = [&] {
      for (std::uint64_t mine = next++; mine < kTickets; mine = next++) {
        turns.wait(mine);
        CHECK(turns.is(mine));
        seen.push_back(mine);
        turns.pass(mine);
      }
    };
    { std::array<std::jthread, 3> threads{std::jthread(work), std::jthread(work), std::jthread(work)}; }
    CHECK(seen.size() == kTickets);
    CHECK(std::ranges::is_sorted(seen));
    CHECK(!turns.is(0));
  }

  TEST_CASE("while one thread marks a window others ask it, and what is refused stays refused") {
    constexpr std::uint64_t kLast = 200'000;
    ipsec::ReplayWindow window(1024);
    std::atomic<bool> done = false;
    std::jthread asking([&] {
      while (!done) {
        const std::uint64_t highest = window.highest();
        if (highest > 0) CHECK(!window.would_accept(highest > 2000 ? highest - 2000 : 0));
      }
    });
    for (std::uint64_t seq = 1; seq <= kLast; ++seq)
      window.mark(seq);
    done = true;
    asking.join();
    CHECK(!window.would_accept(kLast));
  }
}

}  // namespace
}  // namespace cgw::kernel::userspace
