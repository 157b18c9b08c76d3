#pragma once
#include <cstdint>
#include <cstring>

#include "base/wire.hpp"

// The Internet checksum (RFC 1071), in whatever byte order the machine has: sums are of octets as they lie in memory.
namespace cgw::kernel {

inline std::uint64_t add_with_carry(std::uint64_t sum, std::uint64_t v) {
  sum += v;
  return sum + (sum < v);
}

// Only the last piece of a sum may be of odd size. With AVX2 where the processor has it: every octet that passes a
// tunnel is summed at both ends.
std::uint64_t inet_sum(const std::uint8_t* p, std::size_t n, std::uint64_t sum = 0);

inline std::uint16_t inet_fold(std::uint64_t sum) {
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>((sum & 0xffff) + (sum >> 16));
}

inline std::uint16_t load16(const std::uint8_t* p) {
  return static_cast<std::uint16_t>(p[0] << 8 | p[1]);
}
inline void store16(std::uint8_t* p, std::size_t v) {
  p[0] = static_cast<std::uint8_t>(v >> 8);
  p[1] = static_cast<std::uint8_t>(v);
}
inline std::uint32_t load32(const std::uint8_t* p) {
  return static_cast<std::uint32_t>(load16(p)) << 16 | load16(p + 2);
}
inline void store32(std::uint8_t* p, std::uint32_t v) {
  store16(p, v >> 16);
  store16(p + 2, v & 0xffff);
}
// A folded sum, or its complement, goes into the packet as it is.
inline void store_sum(std::uint8_t* p, std::uint16_t folded) {
  std::memcpy(p, &folded, 2);
}
inline void store_checksum(std::uint8_t* p, std::uint64_t sum) {
  store_sum(p, static_cast<std::uint16_t>(~inet_fold(sum)));
}

// Pseudo header (RFC 9293 3.1, RFC 8200 8.1) of an IPv4 or IPv6 packet.
inline std::uint64_t pseudo_sum(const std::uint8_t* ip, std::uint8_t protocol, std::size_t l4_octets) {
  const bool v4 = ip[0] >> 4 == 4;
  std::uint8_t rest[8] = {0, 0, 0, 0, 0, 0, 0, protocol};
  store32(rest, static_cast<std::uint32_t>(l4_octets));
  return inet_sum(rest, sizeof rest, v4 ? inet_sum(ip + 12, 8) : inet_sum(ip + 8, 32));
}

}  // namespace cgw::kernel
