#include "kernel/userspace_order.hpp"

namespace cgw::kernel::userspace {

// Before it takes numbers a lane says that it has none below a bound. A lane that takes later ones sees that, since it
// reads, in SequenceNumbers::take(), what this one wrote there after it.
ipsec::SequenceNumbers::Taken Departures::take(std::size_t lane, ipsec::SequenceNumbers& numbers, std::uint64_t n) {
  if (lanes_.size() == 1) return numbers.take(n);
  auto& oldest = lanes_[lane].oldest;
  oldest.store(numbers.last() + 1, std::memory_order_relaxed);
  const auto taken = numbers.take(n);
  oldest.store(taken.count > 0 ? taken.first : kNone, std::memory_order_release);
  oldest.notify_all();
  return taken;
}

bool Departures::may_leave(std::size_t lane, std::uint64_t last) const {
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    if (i != lane && far_behind(lanes_[i].oldest.load(std::memory_order_acquire), last)) return false;
  }
  return true;
}

// No lane waits for one that waits for it: the one with the lowest numbers waits for none.
void Departures::wait(std::size_t lane, std::uint64_t last) const {
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    if (i == lane) continue;
    const auto& oldest = lanes_[i].oldest;
    for (auto seen = oldest.load(std::memory_order_acquire); far_behind(seen, last);
         seen = oldest.load(std::memory_order_acquire))
      oldest.wait(seen, std::memory_order_acquire);
  }
}

void Departures::hand_back(std::size_t lane) {
  if (lanes_.size() == 1) return;
  lanes_[lane].oldest.store(kNone, std::memory_order_release);
  lanes_[lane].oldest.notify_all();
}

void Turns::wait(std::uint64_t ticket) const {
  for (auto seen = now_.load(std::memory_order_acquire); seen != ticket; seen = now_.load(std::memory_order_acquire))
    now_.wait(seen, std::memory_order_acquire);
}

void Turns::pass(std::uint64_t ticket) {
  now_.store(ticket + 1, std::memory_order_release);
  now_.notify_all();
}

}  // namespace cgw::kernel::userspace
