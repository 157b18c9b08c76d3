#pragma once
#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

#include "kernel/inet_checksum.hpp"

// TCP and UDP packets to cut and to put together, with a checksum of the plainest kind to check the quick one by.
namespace cgw::kernel::test {

using Packet = std::vector<std::uint8_t>;

// RFC 1071 4.1, word by word. Over data with its checksum in place: 0.
inline std::uint16_t plain_checksum(Bytes data, std::uint32_t sum = 0) {
  for (std::size_t i = 0; i < data.size(); ++i)
    sum += static_cast<std::uint32_t>(i % 2 == 0 ? data[i] << 8 : data[i]);
  while (sum >> 16 != 0)
    sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

inline std::size_t ip_header(const Packet& p) {
  return p[0] >> 4 == 4 ? 20 : 40;
}

inline std::uint16_t plain_l4_checksum(const Packet& p) {
  const std::size_t ip = ip_header(p), from = ip == 20 ? 12 : 8;
  const std::uint8_t protocol = ip == 20 ? p[9] : p[6];
  std::uint32_t sum = protocol + static_cast<std::uint32_t>(p.size() - ip);
  for (std::size_t i = from; i < ip; i += 2)
    sum += load16(&p[i]);
  return plain_checksum(Bytes(p).subspan(ip), sum);
}

inline bool checksums_right(const Packet& p) {
  return (p[0] >> 4 == 6 || plain_checksum(Bytes(p).first(20)) == 0) && plain_l4_checksum(p) == 0;
}

struct Flow {
  bool v6 = false, tcp = true, timestamps = true, fixed_id = false;
  std::uint8_t tos = 0, flags = 0x10, ttl = 64;
  std::uint16_t source_port = 49152, id = 1;
  std::uint32_t sequence = 1000, ack = 77, timestamp = 100;
};

inline void complete(Packet& p) {
  const std::size_t ip = ip_header(p), field = ip + ((ip == 20 ? p[9] : p[6]) == 6 ? 16 : 6);
  if (ip == 20) {
    store16(&p[2], p.size());
    store16(&p[10], 0);
    store16(&p[10], plain_checksum(Bytes(p).first(20)));
  } else {
    store16(&p[4], p.size() - 40);
  }
  store16(&p[field], 0);
  const std::uint16_t sum = plain_l4_checksum(p);
  store16(&p[field], sum == 0 && field == ip + 6 ? 0xffff : sum);
}

// The flow's next packet; the flow goes on.
inline Packet next_packet(Flow& f, std::size_t payload, std::uint8_t more_flags = 0) {
  Packet p(f.v6 ? 40 : 20);
  if (f.v6) {
    p[0] = static_cast<std::uint8_t>(0x60 | f.tos >> 4);
    p[1] = static_cast<std::uint8_t>(f.tos << 4);
    p[6] = f.tcp ? 6 : 17;
    p[7] = f.ttl;
    p[8] = p[24] = 0x20;
    p[23] = 1, p[39] = 2;
  } else {
    p[0] = 0x45, p[1] = f.tos, p[6] = 0x40, p[8] = f.ttl, p[9] = f.tcp ? 6 : 17;
    store16(&p[4], f.fixed_id ? 0 : f.id++);
    store32(&p[12], 0x0a000001), store32(&p[16], 0xc0000209);
  }
  const std::size_t l4 = p.size();
  p.resize(l4 + (f.tcp ? (f.timestamps ? 32 : 20) : 8));
  store16(&p[l4], f.source_port), store16(&p[l4 + 2], 443);
  if (f.tcp) {
    store32(&p[l4 + 4], f.sequence), store32(&p[l4 + 8], f.ack);
    p[l4 + 12] = static_cast<std::uint8_t>((p.size() - l4) / 4 << 4);
    p[l4 + 13] = f.flags | more_flags;
    store16(&p[l4 + 14], 511);
    if (f.timestamps) store32(&p[l4 + 20], 0x0101080a), store32(&p[l4 + 24], f.timestamp);
    f.sequence += static_cast<std::uint32_t>(payload);
  } else {
    store16(&p[l4 + 4], 8 + payload);
  }
  for (std::size_t i = 0; i < payload; ++i)
    p.push_back(static_cast<std::uint8_t>(i * 7 + p[l4 + 7]));
  complete(p);
  return p;
}

}  // namespace cgw::kernel::test
