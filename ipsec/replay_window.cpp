#include <algorithm>

#include "ipsec/esp.hpp"

namespace cgw::ipsec {

// A ring of words one longer than the window, so that advancing never clears numbers still inside it (RFC 6479).
ReplayWindow::ReplayWindow(std::uint32_t packets)
    : window_((std::clamp<std::uint64_t>(packets, 32, 4096) + kWord - 1) / kWord * kWord),
      bits_(window_ / kWord + 1) {}

bool ReplayWindow::would_accept(std::uint64_t seq) const {
  const std::uint64_t highest = this->highest();
  if (seq == 0) return false;
  if (seq > highest) return true;
  if (highest - seq >= window_) return false;
  return (bits_[seq / kWord % bits_.size()].load(std::memory_order_relaxed) >> (seq % kWord) & 1) == 0;
}

void ReplayWindow::mark(std::uint64_t seq) {
  const std::uint64_t highest = this->highest();
  if (seq > highest) {
    const std::uint64_t from = highest / kWord, to = seq / kWord;
    const std::uint64_t steps = std::min<std::uint64_t>(to - from, bits_.size());
    for (std::uint64_t i = 1; i <= steps; ++i)
      word((from + i) * kWord).store(0, std::memory_order_relaxed);
    highest_.store(seq, std::memory_order_relaxed);
  }
  // Nobody else marks: no read-modify-write is needed.
  auto& bits = word(seq);
  bits.store(bits.load(std::memory_order_relaxed) | std::uint64_t{1} << (seq % kWord), std::memory_order_relaxed);
}

// RFC 4303 A2.1: the number nearest above the bottom of the window.
std::uint64_t ReplayWindow::infer(std::uint32_t low) const {
  const std::uint64_t highest = this->highest(), high = highest >> 32, top = highest & 0xffffffffU;
  if (top >= window_ - 1) return (low >= top - window_ + 1 ? high : high + 1) << 32 | low;
  const std::uint64_t bottom = (top - window_ + 1) & 0xffffffffU;
  return (low >= bottom && high > 0 ? high - 1 : high) << 32 | low;
}

}  // namespace cgw::ipsec
