#include "kernel/userspace_socket.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace cgw::kernel::userspace {
namespace {

constexpr int kBuffer = 16 << 20;

KernelError refused(std::string what) {
  return {errno, std::move(what), {}};
}

bool switch_on(int fd, int level, int option, int value = 1) {
  return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

IpAddress address_of(const in6_addr& a) {
  std::array<std::uint8_t, 16> octets;
  std::memcpy(octets.data(), &a, sizeof octets);
  if (IN6_IS_ADDR_V4MAPPED(&a)) return *IpAddress::from_bytes(std::span(octets).subspan(12));
  return IpAddress::v6(octets);
}

in6_addr v6_of(const IpAddress& address) {
  in6_addr out{};
  if (!address.is_v4()) {
    std::memcpy(&out, address.bytes().data(), sizeof out);
  } else if (!address.is_unspecified()) {
    out.s6_addr[10] = out.s6_addr[11] = 0xff;
    std::memcpy(&out.s6_addr[12], address.bytes().data(), 4);
  }
  return out;
}

// Room for bursts.
void widen(int fd) {
  for (const auto& [forced, asked] : {std::pair{SO_RCVBUFFORCE, SO_RCVBUF}, std::pair{SO_SNDBUFFORCE, SO_SNDBUF}}) {
    if (!switch_on(fd, SOL_SOCKET, forced, kBuffer)) switch_on(fd, SOL_SOCKET, asked, kBuffer);
  }
}

}  // namespace

KernelResult<EspSocket> prepare_socket(int udp, bool offload) {
  int family = 0;
  socklen_t size = sizeof family;
  if (getsockopt(udp, SOL_SOCKET, SO_DOMAIN, &family, &size) < 0) return fail(refused("SO_DOMAIN on the UDP socket"));
  if (family != AF_INET && family != AF_INET6)
    return fail(KernelError{EAFNOSUPPORT, "UDP socket of the userspace data plane", "IPv4 or IPv6 only"});
  EspSocket s{.fd = udp, .v6 = family == AF_INET6};
  // Addresses and traffic class of received datagrams; fragments instead of packets lost to a smaller path MTU.
  const bool ready = s.v6 ? switch_on(udp, IPPROTO_IPV6, IPV6_RECVPKTINFO) &&
                                switch_on(udp, IPPROTO_IPV6, IPV6_RECVTCLASS) &&
                                switch_on(udp, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT)
                          : switch_on(udp, IPPROTO_IP, IP_PKTINFO) && switch_on(udp, IPPROTO_IP, IP_RECVTOS) &&
                                switch_on(udp, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
  if (!ready) return fail(refused("options of the UDP socket"));
  widen(udp);
  if (offload) {
    s.segments = switch_on(udp, IPPROTO_UDP, kUdpSegment, 0);
    switch_on(udp, IPPROTO_UDP, kUdpGro);
  }
  return s;
}

socklen_t to_socket_address(const Endpoint& e, bool v6, sockaddr_storage& out) {
  if (v6) {
    sockaddr_in6 a{};
    a.sin6_family = AF_INET6;
    a.sin6_port = htons(e.port);
    a.sin6_addr = v6_of(e.address);
    std::memcpy(&out, &a, sizeof a);
    return sizeof a;
  }
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_port = htons(e.port);
  a.sin_addr.s_addr = htonl(e.address.v4_value());
  std::memcpy(&out, &a, sizeof a);
  return sizeof a;
}

Endpoint from_socket_address(const sockaddr_storage& from) {
  if (from.ss_family == AF_INET6) {
    sockaddr_in6 a;
    std::memcpy(&a, &from, sizeof a);
    return {address_of(a.sin6_addr), ntohs(a.sin6_port)};
  }
  sockaddr_in a;
  std::memcpy(&a, &from, sizeof a);
  return {IpAddress::v4(ntohl(a.sin_addr.s_addr)), ntohs(a.sin_port)};
}

void add_control(msghdr& m, Control& control, int level, int type, const void* data, std::size_t size) {
  auto* const c = reinterpret_cast<cmsghdr*>(control.octets + m.msg_controllen);
  c->cmsg_level = level;
  c->cmsg_type = type;
  c->cmsg_len = CMSG_LEN(size);
  std::memcpy(CMSG_DATA(c), data, size);
  m.msg_control = control.octets;
  m.msg_controllen += CMSG_SPACE(size);
}

void add_source(msghdr& m, Control& control, const IpAddress& source) {
  if (m.msg_namelen == sizeof(sockaddr_in6)) {
    const in6_pktinfo info{.ipi6_addr = v6_of(source), .ipi6_ifindex = 0};
    return add_control(m, control, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
  }
  in_pktinfo info{};
  info.ipi_spec_dst.s_addr = htonl(source.v4_value());
  add_control(m, control, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
}

}  // namespace cgw::kernel::userspace
