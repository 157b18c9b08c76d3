#include <algorithm>

#include "ipsec/esp.hpp"

namespace cgw::ipsec {
namespace {

constexpr std::uint64_t kWord = 64;

}  // namespace

// A ring of words one longer than the window, so that advancing never clears numbers still inside it (RFC 6479).
ReplayWindow::ReplayWindow(std::uint32_t packets)
    : window_((std::clamp<std::uint64_t>(packets, 32, 4096) + kWord - 1) / kWord * kWord),
      bits_(window_ / kWord + 1) {}

bool ReplayWindow::would_accept(std::uint64_t seq) const {
  if (seq == 0) return false;
  if (seq > highest_) return true;
  if (highest_ - seq >= window_) return false;
  return (bits_[seq / kWord % bits_.size()] >> (seq % kWord) & 1) == 0;
}

void ReplayWindow::mark(std::uint64_t seq) {
  if (seq > highest_) {
    const std::uint64_t from = highest_ / kWord, to = seq / kWord;
    const std::uint64_t steps = std::min<std::uint64_t>(to - from, bits_.size());
    for (std::uint64_t i = 1; i <= steps; ++i)
      bits_[(from + i) % bits_.size()] = 0;
    highest_ = seq;
  }
  bits_[seq / kWord % bits_.size()] |= std::uint64_t{1} << (seq % kWord);
}

// RFC 4303 A2.1: the number nearest above the bottom of the window.
std::uint64_t ReplayWindow::infer(std::uint32_t low) const {
  const std::uint64_t high = highest_ >> 32, top = highest_ & 0xffffffffU;
  if (top >= window_ - 1) return (low >= top - window_ + 1 ? high : high + 1) << 32 | low;
  const std::uint64_t bottom = (top - window_ + 1) & 0xffffffffU;
  return (low >= bottom && high > 0 ? high - 1 : high) << 32 | low;
}

}  // namespace cgw::ipsec
