#pragma once
#include <cstdint>
#include <cstring>

#include "base/wire.hpp"

namespace cgw::bgp {

// Multiply and fold. With a seed that nobody outside knows, a neighbor cannot choose routes that collide.
inline std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a ^ 0x9e3779b97f4a7c15U) * (b ^ 0xe7037ed1a0b428dbU);
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

inline std::uint64_t hash_octets(Bytes octets, std::uint64_t seed) {
  std::uint64_t h = mix(seed, octets.size());
  const std::uint8_t* p = octets.data();
  std::size_t left = octets.size();
  for (; left >= 8; left -= 8, p += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, p, 8);
    h = mix(h ^ word, seed);
  }
  std::uint64_t tail = 0;
  if (left > 0) std::memcpy(&tail, p, left);
  return mix(h ^ tail, seed + left);
}

}  // namespace cgw::bgp
