#include "kernel/coalescing.hpp"

#include <netinet/in.h>

#include <cstring>

#include "kernel/inet_checksum.hpp"

namespace cgw::kernel {
namespace {

constexpr std::size_t kIpv4 = 20, kIpv6 = 40, kUdp = 8, kTcp = 20, kLargest = 65535;
constexpr std::uint8_t kPush = 0x08, kAck = 0x10;
constexpr std::uint16_t kFragment = 0x3fff, kDontFragment = 0x4000;

bool is_v4(Bytes packet) {
  return packet[0] >> 4 == 4;
}

bool same(Bytes a, Bytes b, std::size_t from, std::size_t to) {
  return std::memcmp(a.data() + from, b.data() + from, to - from) == 0;
}

// Without options, extension headers and fragments; 0 if it is not that.
std::size_t plain_ip_header(Bytes packet) {
  if (packet.size() >= kIpv4 && is_v4(packet)) {
    const bool plain =
        packet[0] == 0x45 && (load16(&packet[6]) & kFragment) == 0 && load16(&packet[2]) == packet.size();
    return plain && inet_fold(inet_sum(packet.data(), kIpv4)) == 0xffff ? kIpv4 : 0;
  }
  const bool v6 = packet.size() >= kIpv6 && packet[0] >> 4 == 6 && load16(&packet[4]) == packet.size() - kIpv6;
  return v6 ? kIpv6 : 0;
}

}  // namespace

Coalescer::Shape Coalescer::look(Bytes packet, Offloads offloads) {
  Shape s;
  const std::size_t ip = plain_ip_header(packet);
  if (ip == 0) return {};
  const std::uint8_t protocol = is_v4(packet) ? packet[9] : packet[6];
  const std::size_t l4_octets = packet.size() - ip;
  const std::uint8_t* const l4 = packet.data() + ip;
  std::size_t headers = ip + kUdp;
  if (protocol == IPPROTO_TCP && offloads.tcp && l4_octets > kTcp) {
    s.tcp = true;
    headers = ip + static_cast<std::size_t>(l4[12] >> 4) * 4;
    // CWR, URG and the rest belong to one segment only.
    if (headers < ip + kTcp || (l4[13] & ~kPush) != kAck || (l4[12] & 0xf) != 0) return {};
    s.ends = (l4[13] & kPush) != 0;
    s.sequence = load32(l4 + 4);
  } else if (protocol == IPPROTO_UDP && offloads.udp && l4_octets > kUdp) {
    if (load16(l4 + 4) != l4_octets || load16(l4 + 6) == 0) return {};
  } else {
    return {};
  }
  if (headers >= packet.size()) return {};
  s.l4 = static_cast<std::uint16_t>(ip);
  s.headers = static_cast<std::uint16_t>(headers);
  s.payload = static_cast<std::uint16_t>(packet.size() - headers);
  s.joinable = inet_fold(inet_sum(l4, l4_octets, pseudo_sum(packet.data(), protocol, l4_octets))) == 0xffff;
  return s;
}

// RFC 6864: the identification of an unfragmentable packet says nothing; many senders leave it at one value.
bool Coalescer::id_fits(std::span<const std::uint8_t> packet) const {
  if (!is_v4(packet)) return true;
  const auto step = static_cast<std::uint16_t>(load16(&packet[4]) - load16(&first_[4]));
  const bool counts = step == packets_;
  const bool stays = step == 0 && (load16(&packet[6]) & kDontFragment) != 0;
  if (id_step_ < 0) return counts || stays;
  return id_step_ == 1 ? counts : stays;
}

bool Coalescer::fits(std::span<const std::uint8_t> packet, const Shape& s) const {
  if (!open_ || packets_ == kMaxPackets || s.tcp != shape_.tcp || s.l4 != shape_.l4 || s.headers != shape_.headers ||
      s.payload > gso_size_ || shape_.headers + payload_ + s.payload > kLargest)
    return false;
  const bool ip = is_v4(packet) ? same(packet, first_, 0, 2) && same(packet, first_, 6, 10) &&
                                      same(packet, first_, 12, kIpv4) && id_fits(packet)
                                : same(packet, first_, 0, 4) && same(packet, first_, 6, kIpv6);
  const std::size_t l4 = s.l4;
  if (!ip || !same(packet, first_, l4, l4 + 4)) return false;  // ports
  if (!s.tcp) return true;
  return s.sequence == shape_.sequence + static_cast<std::uint32_t>(payload_) &&
         same(packet, first_, l4 + 8, l4 + 13) && same(packet, first_, l4 + 14, l4 + 16) &&
         same(packet, first_, l4 + 18, s.headers);
}

bool Coalescer::add(std::span<std::uint8_t> packet, const Shape& s) {
  if (packets_ == 0) {
    begin(packet, s);
    return true;
  }
  if (!s.joinable || !fits(packet, s)) return false;
  join(packet, s);
  return true;
}

void Coalescer::begin(std::span<std::uint8_t> packet, const Shape& s) {
  first_ = packet;
  packets_ = 1;
  octets_ = packet.size();
  parts_[1] = {.iov_base = packet.data(), .iov_len = packet.size()};
  open_ = s.joinable && !s.ends;
  shape_ = s;
  payload_ = gso_size_ = shape_.payload;
  id_step_ = -1;
}

void Coalescer::join(std::span<std::uint8_t> packet, const Shape& s) {
  if (id_step_ < 0 && is_v4(packet)) id_step_ = load16(&packet[4]) == load16(&first_[4]) ? 0 : 1;
  ++packets_;
  parts_[packets_] = {.iov_base = packet.data() + s.headers, .iov_len = s.payload};
  payload_ += s.payload;
  octets_ += packet.size();
  if (s.ends) first_[shape_.l4 + 13] |= kPush;
  open_ = !s.ends && s.payload == gso_size_;
}

// As the kernel wants them: sizes of the whole, the checksum field the sum of the pseudo header.
void Coalescer::complete_headers() {
  const std::size_t size = shape_.headers + payload_, l4_octets = size - shape_.l4;
  if (is_v4(first_)) {
    store16(&first_[2], size);
    store16(&first_[10], 0);
    store_checksum(&first_[10], inet_sum(first_.data(), kIpv4));
  } else {
    store16(&first_[4], size - kIpv6);
  }
  std::uint8_t* const l4 = &first_[shape_.l4];
  if (!shape_.tcp) store16(l4 + 4, l4_octets);
  store_sum(l4 + (shape_.tcp ? 16 : 6),
            inet_fold(pseudo_sum(first_.data(), shape_.tcp ? IPPROTO_TCP : IPPROTO_UDP, l4_octets)));
}

Coalesced Coalescer::finish() {
  Coalesced out{.header = {}, .parts = std::span(parts_).first(packets_ + 1), .packets = packets_, .octets = octets_};
  if (packets_ > 1) {
    complete_headers();
    const std::uint8_t tcp = is_v4(first_) ? VnetHeader::kTcp4 : VnetHeader::kTcp6;
    out.header = {.flags = VnetHeader::kNeedsChecksum,
                  .gso_type = shape_.tcp ? tcp : VnetHeader::kUdp,
                  .header_size = static_cast<std::uint16_t>(shape_.headers),
                  .gso_size = static_cast<std::uint16_t>(gso_size_),
                  .checksum_start = static_cast<std::uint16_t>(shape_.l4),
                  .checksum_offset = static_cast<std::uint16_t>(shape_.tcp ? 16 : 6)};
  }
  packets_ = 0;
  return out;
}

}  // namespace cgw::kernel
