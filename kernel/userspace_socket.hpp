#pragma once
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>

#include "base/ip.hpp"
#include "kernel/error.hpp"

namespace cgw::kernel::userspace {

// UDP port 4500 of one family.
struct EspSocket {
  int fd = -1;
  bool v6 = false;
  bool segments = false;  // UDP_SEGMENT
};
// Options of a bound socket. offload: use UDP_SEGMENT and UDP_GRO if the kernel can.
KernelResult<EspSocket> prepare_socket(int udp, bool offload);

constexpr int kUdpSegment = 103, kUdpGro = 104;  // Linux 4.18 and 5.0; newer than Debian 12's <netinet/udp.h>

// The size of what is written.
socklen_t to_socket_address(const Endpoint& e, bool v6, sockaddr_storage& out);
Endpoint from_socket_address(const sockaddr_storage& a);

struct alignas(cmsghdr) Control {
  unsigned char octets[128];
};
// Appends to m's control data, whose room is `control`.
void add_control(msghdr& m, Control& control, int level, int type, const void* data, std::size_t size);
void add_source(msghdr& m, Control& control, const IpAddress& source);

}  // namespace cgw::kernel::userspace
