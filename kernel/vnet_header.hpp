#pragma once
#include <cstdint>

namespace cgw::kernel {

// struct virtio_net_hdr, in front of every packet of a TUN with IFF_VNET_HDR; in the machine's byte order.
// <linux/virtio_net.h> of Debian 12 is no C++: it has a member called `class`.
struct VnetHeader {
  static constexpr std::uint8_t kNeedsChecksum = 1;
  static constexpr std::uint8_t kNone = 0, kTcp4 = 1, kTcp6 = 4, kUdp = 5, kEcn = 0x80;

  std::uint8_t flags = 0;
  std::uint8_t gso_type = kNone;
  std::uint16_t header_size = 0, gso_size = 0;
  std::uint16_t checksum_start = 0, checksum_offset = 0;
};
static_assert(sizeof(VnetHeader) == 10);

// What the kernel takes and gives in one piece.
struct Offloads {
  bool tcp = false;  // TSO, IPv4 and IPv6, with checksums left to the reader
  bool udp = false;  // USO: Linux 6.2
};

}  // namespace cgw::kernel
