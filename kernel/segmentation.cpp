#include "kernel/segmentation.hpp"

#include <netinet/in.h>

#include <algorithm>
#include <cstring>

#include "kernel/inet_checksum.hpp"

namespace cgw::kernel {
namespace {

constexpr std::size_t kIpv4 = 20, kIpv6 = 40, kUdp = 8, kTcp = 20;
constexpr std::uint8_t kFin = 0x01, kPush = 0x08, kCwr = 0x80;

bool is_v4(std::span<const std::uint8_t> packet) {
  return packet[0] >> 4 == 4;
}

}  // namespace

Segments::Segments(const VnetHeader& header, std::span<std::uint8_t> packet) : packet_(packet) {
  if (packet.empty()) {
    ok_ = false;
  } else if (header.gso_type != VnetHeader::kNone) {
    whole_ = false;
    ok_ = begin_cutting(header);
  } else if ((header.flags & VnetHeader::kNeedsChecksum) != 0) {
    const std::size_t start = header.checksum_start, field = start + header.checksum_offset;
    ok_ = start < packet.size() && field + 2 <= packet.size();
    // The field holds the sum of the pseudo header.
    if (ok_) store_checksum(&packet[field], inet_sum(&packet[start], packet.size() - start));
  }
}

bool Segments::begin_cutting(const VnetHeader& header) {
  const std::uint8_t type = header.gso_type & static_cast<std::uint8_t>(~VnetHeader::kEcn);
  tcp_ = type == VnetHeader::kTcp4 || type == VnetHeader::kTcp6;
  if (!tcp_ && type != VnetHeader::kUdp) return false;
  const std::size_t least = is_v4(packet_) ? kIpv4 : kIpv6;
  l4_ = header.checksum_start;
  if (l4_ < least || packet_.size() < l4_ + (tcp_ ? kTcp : kUdp) || header.gso_size == 0) return false;
  if (is_v4(packet_) && l4_ != (packet_[0] & 0xfU) * 4) return false;
  headers_ = l4_ + (tcp_ ? static_cast<std::size_t>(packet_[l4_ + 12] >> 4) * 4 : kUdp);
  if (headers_ < l4_ + (tcp_ ? kTcp : kUdp) || headers_ >= packet_.size()) return false;
  step_ = header.gso_size;
  payload_ = packet_.subspan(headers_);
  return true;
}

std::size_t Segments::size() const {
  return whole_ ? packet_.size() : headers_ + std::min(step_, payload_.size() - at_);
}

std::size_t Segments::left() const {
  return whole_ ? 1 - at_ : (payload_.size() - at_ + step_ - 1) / step_;
}

void Segments::write(std::uint8_t* out) {
  if (whole_) {
    std::memcpy(out, packet_.data(), packet_.size());
    at_ = 1;
    return;
  }
  const std::size_t payload = size() - headers_;
  std::memcpy(out, packet_.data(), headers_);
  std::memcpy(out + headers_, payload_.data() + at_, payload);
  write_ip(out, payload);
  tcp_ ? write_tcp(out, payload) : write_udp(out, payload);
  at_ += payload;
  ++number_;
}

void Segments::write_ip(std::uint8_t* out, std::size_t payload) {
  const std::size_t size = headers_ + payload;
  if (!is_v4(packet_)) return store16(out + 4, size - kIpv6);
  store16(out + 2, size);
  store16(out + 4, load16(out + 4) + number_);
  store16(out + 10, 0);
  store_checksum(out + 10, inet_sum(out, l4_));
}

void Segments::write_tcp(std::uint8_t* out, std::size_t payload) {
  std::uint8_t* const tcp = out + l4_;
  store32(tcp + 4, load32(tcp + 4) + static_cast<std::uint32_t>(at_));
  if (at_ + payload < payload_.size()) tcp[13] &= static_cast<std::uint8_t>(~(kFin | kPush));
  if (at_ > 0) tcp[13] &= static_cast<std::uint8_t>(~kCwr);  // RFC 3168 6.1.2: once
  const std::size_t size = headers_ - l4_ + payload;
  store16(tcp + 16, 0);
  store_checksum(tcp + 16, inet_sum(tcp, size, pseudo_sum(out, IPPROTO_TCP, size)));
}

void Segments::write_udp(std::uint8_t* out, std::size_t payload) {
  std::uint8_t* const udp = out + l4_;
  const std::size_t size = kUdp + payload;
  store16(udp + 4, size);
  store16(udp + 6, 0);
  store_checksum(udp + 6, inet_sum(udp, size, pseudo_sum(out, IPPROTO_UDP, size)));
  if (load16(udp + 6) == 0) store16(udp + 6, 0xffff);  // RFC 768: zero means none
}

}  // namespace cgw::kernel
