#pragma once
#include <cstdint>
#include <span>

namespace cgw {

// Where the cores get unpredictability from: the daemon gives OpenSSL's generator, tests a seeded
// one, so that a failing simulation replays exactly.
class Random {
 public:
  virtual ~Random() = default;
  virtual void fill(std::span<std::uint8_t> out) = 0;

  std::uint64_t u64() {
    std::uint8_t b[8];
    fill(b);
    std::uint64_t v = 0;
    for (const std::uint8_t x : b)
      v = v << 8 | x;
    return v;
  }
  // Uniform enough for jitter: 0 .. bound-1; bound > 0.
  std::uint64_t below(std::uint64_t bound) { return u64() % bound; }
};

}  // namespace cgw
