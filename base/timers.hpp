#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>

#include "base/time.hpp"

namespace cgw {

// Deadlines of one state machine, indexed by its Timer enum (which ends in count_). The shell owns
// a single real timer and arms it for next(); the machine never sees a clock.
template <class Timer>
class TimerTable {
 public:
  void set(Timer t, TimePoint at) { slot(t) = at; }
  void stop(Timer t) { slot(t).reset(); }
  void stop_all() { slots_ = {}; }

  std::optional<TimePoint> next() const {
    std::optional<TimePoint> best;
    for (const auto& s : slots_) {
      if (s && (!best || *s < *best)) best = s;
    }
    return best;
  }

  // Takes one expired timer, earliest first.
  std::optional<Timer> take_expired(TimePoint now) {
    const auto at = next();
    if (!at || *at > now) return std::nullopt;
    const auto it = std::find(slots_.begin(), slots_.end(), at);
    it->reset();
    return static_cast<Timer>(it - slots_.begin());
  }

 private:
  std::optional<TimePoint>& slot(Timer t) { return slots_[static_cast<std::size_t>(t)]; }

  std::array<std::optional<TimePoint>, static_cast<std::size_t>(Timer::count_)> slots_{};
};

}  // namespace cgw
