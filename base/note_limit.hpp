#pragma once
#include <cstdint>
#include <optional>
#include <utility>

#include "base/time.hpp"

namespace cgw {

// For lines that a peer can cause as often as it likes: the first few of a minute are said, the others counted.
class NoteLimit {
 public:
  // Whether to say this one. Call take_untold() before: a new minute forgets the old one's count.
  bool admit(TimePoint now) {
    if (!until_ || now >= *until_) {
      until_ = now + kInterval;
      said_ = 0;
    }
    if (said_ < kFirst) return ++said_, true;
    ++untold_;
    return false;
  }
  // At the end of a minute: how many lines were not said in it; none when all were.
  std::optional<std::uint64_t> take_untold(TimePoint now) {
    if (untold_ == 0 || now < *until_) return std::nullopt;
    return std::exchange(untold_, 0);
  }
  std::optional<TimePoint> next_deadline() const { return untold_ > 0 ? until_ : std::nullopt; }

 private:
  static constexpr Seconds kInterval{60};
  static constexpr std::uint32_t kFirst = 5;
  std::optional<TimePoint> until_;
  std::uint32_t said_ = 0;
  std::uint64_t untold_ = 0;
};

}  // namespace cgw
