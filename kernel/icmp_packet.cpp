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

std::optional<IpAddress> address(std::span<const std::uint8_t> octets) {
  const auto a = IpAddress::from_bytes(octets);
  return a ? std::optional(*a) : std::nullopt;
}

constexpr std::uint8_t kUdp = 17, kEsp = 50;
constexpr std::size_t kIcmpHeader = 8, kIpv6Header = 40;

bool ours(std::uint8_t protocol, std::span<const std::uint8_t> header) {
  if (protocol != kUdp) return protocol == kEsp;
  return header.size() >= 2 && (get16(header.data()) == 500 || get16(header.data()) == 4500);
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

std::optional<IpAddress> refused_by(Family family, std::span<const std::uint8_t> icmp) {
  if (icmp.size() < kIcmpHeader) return std::nullopt;
  const auto quoted = icmp.subspan(kIcmpHeader);
  if (family == Family::V4) {
    const bool refused = icmp[0] == 3 && (icmp[1] == 2 || icmp[1] == 3);
    const auto rest = behind_ipv4_header(quoted);
    if (!refused || rest.empty() || !ours(quoted[9], rest)) return std::nullopt;
    return address(quoted.subspan(16, 4));
  }
  const bool refused = icmp[0] == 1 && icmp[1] == 4 && quoted.size() >= kIpv6Header && quoted[0] >> 4 == 6;
  if (!refused || !ours(quoted[6], quoted.subspan(kIpv6Header))) return std::nullopt;
  return address(quoted.subspan(24, 16));
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
