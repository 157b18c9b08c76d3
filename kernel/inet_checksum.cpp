#include "kernel/inet_checksum.hpp"

#include <array>

namespace cgw::kernel {
namespace {

template <class Word>
[[gnu::always_inline]] inline std::uint64_t sum_of(const std::uint8_t*& p, std::size_t& n, std::uint64_t sum) {
  for (; n >= sizeof(Word); p += sizeof(Word), n -= sizeof(Word)) {
    Word v;
    std::memcpy(&v, p, sizeof v);
    sum = add_with_carry(sum, v);
  }
  return sum;
}

// Even and odd 32-bit words into 64-bit lanes of their own, where 2^32 of them fit without a carry.
[[gnu::always_inline]] inline std::uint64_t sum_whole(const std::uint8_t* p, std::size_t n, std::uint64_t sum) {
  using Lanes = std::uint64_t __attribute__((vector_size(32)));
  Lanes even{}, odd{};
  for (; n >= sizeof(Lanes); p += sizeof(Lanes), n -= sizeof(Lanes)) {
    Lanes v;
    std::memcpy(&v, p, sizeof v);
    even += v & 0xffffffffU;
    odd += v >> 32;
  }
  even += odd;
  std::array<std::uint64_t, 4> lanes{};
  std::memcpy(lanes.data(), &even, sizeof even);
  for (const auto lane : lanes)
    sum = add_with_carry(sum, lane);
  sum = sum_of<std::uint64_t>(p, n, sum);
  sum = sum_of<std::uint16_t>(p, n, sum);
  if (n == 0) return sum;
  std::uint16_t last = 0;
  std::memcpy(&last, p, 1);
  return add_with_carry(sum, last);
}

#if defined(__x86_64__)
[[gnu::target("avx2")]] std::uint64_t sum_avx2(const std::uint8_t* p, std::size_t n, std::uint64_t sum) {
  return sum_whole(p, n, sum);
}
const bool kAvx2 = __builtin_cpu_supports("avx2") != 0;
#endif

}  // namespace

std::uint64_t inet_sum(const std::uint8_t* p, std::size_t n, std::uint64_t sum) {
#if defined(__x86_64__)
  if (kAvx2) return sum_avx2(p, n, sum);
#endif
  return sum_whole(p, n, sum);
}

}  // namespace cgw::kernel
