#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <utility>

#include "base/time.hpp"

namespace cgw::test {

// A datagram network between two ends, 0 and 1, on a clock of its own: loses, delays, duplicates and so reorders, by a
// seed.
template <class Packet>
class SimNetwork {
 public:
  struct Weather {
    double loss = 0, duplicate = 0;
    Millis delay_min{5}, delay_max{5};  // differing delays reorder
  };

  explicit SimNetwork(std::uint64_t seed) : dice_(seed) {}

  void set(const Weather& w) { weather_ = w; }
  void set_cut(bool cut) { cut_ = cut; }

  void send(TimePoint now, int to, Packet packet) {
    if (cut_ || chance(weather_.loss)) return;
    if (chance(weather_.duplicate)) on_the_way_.emplace(now + delay(), std::pair(to, packet));
    on_the_way_.emplace(now + delay(), std::pair(to, std::move(packet)));
  }
  std::size_t in_flight() const { return on_the_way_.size(); }
  std::optional<TimePoint> next() const {
    if (on_the_way_.empty()) return std::nullopt;
    return on_the_way_.begin()->first;
  }
  std::optional<std::pair<int, Packet>> take(TimePoint now) {
    if (on_the_way_.empty() || on_the_way_.begin()->first > now) return std::nullopt;
    auto out = std::move(on_the_way_.begin()->second);
    on_the_way_.erase(on_the_way_.begin());
    return out;
  }

 private:
  bool chance(double p) { return p > 0 && std::uniform_real_distribution<>(0, 1)(dice_) < p; }
  Duration delay() {
    const auto spread = static_cast<std::uint64_t>((weather_.delay_max - weather_.delay_min).count());
    return weather_.delay_min + Millis(static_cast<Millis::rep>(spread == 0 ? 0 : dice_() % (spread + 1)));
  }

  std::mt19937_64 dice_;
  Weather weather_;
  bool cut_ = false;
  std::multimap<TimePoint, std::pair<int, Packet>> on_the_way_;
};

}  // namespace cgw::test
