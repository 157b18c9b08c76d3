#include "kernel/ecn.hpp"

#include "kernel/inet_checksum.hpp"

namespace cgw::kernel {
namespace {

constexpr std::uint8_t kMask = 3, kNotCapable = 0, kEct1 = 1, kEct0 = 2, kCongestion = 3;

void set_ecn(std::span<std::uint8_t> packet, std::uint8_t ecn) {
  if (packet[0] >> 4 == 6) {
    packet[1] = static_cast<std::uint8_t>((packet[1] & ~(kMask << 4)) | ecn << 4);
    return;
  }
  // RFC 1624: only this word changes; a wrong checksum stays wrong.
  const auto before = load16(&packet[0]);
  packet[1] = static_cast<std::uint8_t>((packet[1] & ~kMask) | ecn);
  std::uint32_t sum = static_cast<std::uint16_t>(~load16(&packet[10])) + static_cast<std::uint16_t>(~before) +
                      static_cast<std::uint32_t>(load16(&packet[0]));
  sum = (sum & 0xffff) + (sum >> 16);
  store16(&packet[10], static_cast<std::uint16_t>(~((sum & 0xffff) + (sum >> 16))));
}

}  // namespace

std::uint8_t traffic_class(Bytes packet) {
  return packet[0] >> 4 == 6 ? static_cast<std::uint8_t>(packet[0] << 4 | packet[1] >> 4) : packet[1];
}

bool take_congestion(std::span<std::uint8_t> packet, std::uint8_t outer) {
  const std::uint8_t inner = traffic_class(packet) & kMask;
  outer &= kMask;
  if (outer == kCongestion) {
    if (inner == kNotCapable) return false;
    if (inner != kCongestion) set_ecn(packet, kCongestion);
  } else if (outer == kEct1 && inner == kEct0) {
    set_ecn(packet, kEct1);
  }
  return true;
}

}  // namespace cgw::kernel
