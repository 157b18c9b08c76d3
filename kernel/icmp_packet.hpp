#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "base/ip.hpp"
#include "kernel/icmp.hpp"

// An echo request as we send it and know its reply again. Pure.
namespace cgw::kernel::icmp {

// Unguessable, so that nobody off the path can answer for a dead tunnel.
using Cookie = std::array<std::uint8_t, 8>;

inline constexpr std::size_t kPacketSize = 8 + 8 + 2;  // ICMP header, cookie, tunnel
using Packet = std::array<std::uint8_t, kPacketSize>;

struct Echo {
  std::uint16_t tunnel = 0, sequence = 0;
};

// The ICMPv4 checksum is in place; the kernel fills in the one of ICMPv6.
Packet request(Family family, std::uint16_t identifier, const Cookie& cookie, Echo echo);
// `icmp` starts at the ICMP header. Nothing unless it answers a request with this cookie.
std::optional<Echo> read_reply(Family family, const Cookie& cookie, std::span<const std::uint8_t> icmp);
// Whom a packet of ours on UDP port 500 or 4500, or ESP, was for whose host has nobody for it (RFC 792, RFC 4443 3.1:
// port unreachable; in IPv4 also protocol unreachable). Nothing of any other message. Anybody can write one.
std::optional<IpAddress> refused_by(Family family, std::span<const std::uint8_t> icmp);
// What stands behind the IPv4 header; empty if that is not whole.
std::span<const std::uint8_t> behind_ipv4_header(std::span<const std::uint8_t> packet);
// RFC 1071; over data that includes a right checksum it is 0.
std::uint16_t checksum(std::span<const std::uint8_t> data);

}  // namespace cgw::kernel::icmp
