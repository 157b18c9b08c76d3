#include "kernel/icmp_packet.hpp"

#include <algorithm>

namespace cgw::kernel::icmp {
namespace {

void put16(std::uint8_t* at, std::uint16_t v) {
  at[0] = static_cast<std::uint8_t>(v >> 8);
  at[1] = static_cast<std::uint8_t>(v & 0xff);
}

std::uint16_t get16(const std::uint8_t* at) {
  return static_cast<std::uint16_t>(at[0] << 8 | at[1]);
}

}  // namespace

Packet request(Family family, std::uint16_t identifier, const Cookie& cookie, Echo echo) {
  Packet p{};
  p[0] = family == Family::V4 ? 8 : 128;
  put16(&p[4], identifier);
  put16(&p[6], echo.sequence);
  std::ranges::copy(cookie, p.begin() + 8);
  put16(&p[16], echo.tunnel);
  if (family == Family::V4) put16(&p[2], checksum(p));
  return p;
}

std::optional<Echo> read_reply(Family family, const Cookie& cookie, std::span<const std::uint8_t> icmp) {
  if (icmp.size() != kPacketSize) return std::nullopt;
  if (icmp[0] != (family == Family::V4 ? 0 : 129) || icmp[1] != 0) return std::nullopt;
  if (family == Family::V4 && checksum(icmp) != 0) return std::nullopt;
  if (!std::ranges::equal(icmp.subspan(8, cookie.size()), cookie)) return std::nullopt;
  return Echo{get16(&icmp[16]), get16(&icmp[6])};
}

std::span<const std::uint8_t> behind_ipv4_header(std::span<const std::uint8_t> packet) {
  if (packet.size() < 20 || packet[0] >> 4 != 4) return {};
  const std::size_t header = static_cast<std::size_t>(packet[0] & 0x0f) * 4;
  return header >= 20 && header <= packet.size() ? packet.subspan(header) : std::span<const std::uint8_t>{};
}

std::uint16_t checksum(std::span<const std::uint8_t> data) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < data.size(); i += 2) {
    const std::uint32_t low = i + 1 < data.size() ? data[i + 1] : 0u;
    sum += static_cast<std::uint32_t>(data[i]) << 8 | low;
    sum = (sum & 0xffff) + (sum >> 16);
  }
  return static_cast<std::uint16_t>(~sum & 0xffff);
}

}  // namespace cgw::kernel::icmp
