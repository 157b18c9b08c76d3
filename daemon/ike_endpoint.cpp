#include "daemon/ike_endpoint.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <tuple>

#include <fmt/format.h>

#include "kernel/data_plane.hpp"

namespace cgw {
namespace {

constexpr std::uint16_t kIkePort = 500;
constexpr std::uint16_t kNatTPort = 4500;
constexpr std::size_t kMarker = 4;  // RFC 3948 2.2: four zero octets before an IKE message on 4500
constexpr std::size_t kMaxDatagram = 65535;
constexpr int kDatagramsPerWakeup = 64;  // then the loop serves others

// -1: the host has no IPv6.
Result<int, std::string> open_port(Family family, std::uint16_t port) {
  const bool v4 = family == Family::V4;
  const int fd = socket(v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0 && errno == EAFNOSUPPORT && !v4) return -1;
  const int on = 1;
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_port = htons(port);
  sockaddr_in6 any6{};
  any6.sin6_family = AF_INET6;
  any6.sin6_port = htons(port);
  const bool told = fd >= 0 && (v4 ? setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on) == 0
                                   : setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == 0 &&
                                         setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on) == 0);
  const bool bound = told && (v4 ? bind(fd, reinterpret_cast<const sockaddr*>(&any), sizeof any)
                                 : bind(fd, reinterpret_cast<const sockaddr*>(&any6), sizeof any6)) == 0;
  if (!bound) {
    const int error = errno;
    if (fd >= 0) close(fd);
    return fail(fmt::format("UDP port {}: {}{}", port, std::strerror(error),
                            error == EADDRINUSE ? " (another IKE daemon, such as strongSwan, runs here: stop it)"
                            : error == EACCES   ? " (cgwd needs root or CAP_NET_BIND_SERVICE)"
                                                : ""));
  }
  if (const auto exempt = kernel::exempt_from_ipsec(fd); !exempt) {
    close(fd);
    return fail(fmt::format("UDP port {}: {} (cgwd needs root or CAP_NET_ADMIN)", port, exempt.error().to_string()));
  }
  return fd;
}

IpAddress address_of(in_addr a) {
  return IpAddress::v4(ntohl(a.s_addr));
}

IpAddress address_of(const in6_addr& a) {
  std::array<std::uint8_t, 16> octets{};
  std::memcpy(octets.data(), &a, octets.size());
  return IpAddress::v6(octets);
}

struct Datagram {
  Endpoint local, remote;
  std::size_t size = 0;
};

using Control = std::array<char, CMSG_SPACE(sizeof(in6_pktinfo))>;

template <class Value>
Value control_value(const cmsghdr* c) {
  Value v{};
  std::memcpy(&v, CMSG_DATA(c), sizeof v);
  return v;
}

std::optional<Datagram> receive_from(int fd, std::uint16_t port, std::span<std::uint8_t> buffer) {
  sockaddr_storage from{};
  alignas(cmsghdr) Control control{};
  iovec iov{.iov_base = buffer.data(), .iov_len = buffer.size()};
  msghdr m{};
  m.msg_name = &from;
  m.msg_namelen = sizeof from;
  m.msg_iov = &iov;
  m.msg_iovlen = 1;
  m.msg_control = control.data();
  m.msg_controllen = control.size();
  const ssize_t n = recvmsg(fd, &m, 0);
  if (n < 0) return std::nullopt;
  Datagram d{.size = static_cast<std::size_t>(n)};
  if (from.ss_family == AF_INET6) {
    const auto& a = reinterpret_cast<const sockaddr_in6&>(from);
    d.remote = {address_of(a.sin6_addr), ntohs(a.sin6_port)};
  } else {
    const auto& a = reinterpret_cast<const sockaddr_in&>(from);
    d.remote = {address_of(a.sin_addr), ntohs(a.sin_port)};
  }
  for (cmsghdr* c = CMSG_FIRSTHDR(&m); c != nullptr; c = CMSG_NXTHDR(&m, c)) {
    if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO)
      d.local = {address_of(control_value<in_pktinfo>(c).ipi_spec_dst), port};
    if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO)
      d.local = {address_of(control_value<in6_pktinfo>(c).ipi6_addr), port};
  }
  return d;
}

// The source address goes along as control data.
template <class Info>
void put_source(msghdr& m, int level, int type, const Info& info) {
  m.msg_controllen = CMSG_SPACE(sizeof info);
  cmsghdr* c = CMSG_FIRSTHDR(&m);
  c->cmsg_level = level;
  c->cmsg_type = type;
  c->cmsg_len = CMSG_LEN(sizeof info);
  std::memcpy(CMSG_DATA(c), &info, sizeof info);
}

bool send_to(int fd, const Endpoint& local, const Endpoint& remote, std::span<iovec> parts) {
  if (fd < 0 || local.address.family() != remote.address.family()) return false;
  alignas(cmsghdr) Control control{};
  sockaddr_in to{};
  sockaddr_in6 to6{};
  msghdr m{};
  m.msg_iov = parts.data();
  m.msg_iovlen = parts.size();
  m.msg_control = control.data();
  m.msg_controllen = control.size();
  if (remote.address.is_v4()) {
    to.sin_family = AF_INET;
    to.sin_port = htons(remote.port);
    to.sin_addr.s_addr = htonl(remote.address.v4_value());
    m.msg_name = &to;
    m.msg_namelen = sizeof to;
    in_pktinfo info{};
    info.ipi_spec_dst.s_addr = htonl(local.address.v4_value());
    put_source(m, IPPROTO_IP, IP_PKTINFO, info);
  } else {
    to6.sin6_family = AF_INET6;
    to6.sin6_port = htons(remote.port);
    std::memcpy(&to6.sin6_addr, remote.address.bytes().data(), sizeof to6.sin6_addr);
    m.msg_name = &to6;
    m.msg_namelen = sizeof to6;
    in6_pktinfo info{};
    std::memcpy(&info.ipi6_addr, local.address.bytes().data(), sizeof info.ipi6_addr);
    put_source(m, IPPROTO_IPV6, IPV6_PKTINFO, info);
  }
  return sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

}  // namespace

IkeEndpoint::Descriptors::Descriptors(boost::asio::any_io_executor executor)
    : udp500(executor),
      udp4500(executor),
      udp500_v6(executor),
      udp4500_v6(executor),
      relay(executor) {}

Result<IkeEndpoint, std::string> IkeEndpoint::open(boost::asio::any_io_executor executor) {
  Descriptors d(executor);
  for (const auto& [family, port, to] :
       {std::tuple(Family::V4, kIkePort, &d.udp500), std::tuple(Family::V4, kNatTPort, &d.udp4500),
        std::tuple(Family::V6, kIkePort, &d.udp500_v6), std::tuple(Family::V6, kNatTPort, &d.udp4500_v6)}) {
    CGW_TRY(const int fd, open_port(family, port));
    if (fd >= 0) to->assign(fd);
  }
  return IkeEndpoint(std::move(d));
}

int IkeEndpoint::nat_t_socket(Family family) {
  auto& udp = family == Family::V4 ? fds_.udp4500 : fds_.udp4500_v6;
  return udp.is_open() ? udp.native_handle() : -1;
}

void IkeEndpoint::start(Receive receive, int relay_fd) {
  receive_ = std::move(receive);
  wait(fds_.udp500, &IkeEndpoint::read_500);
  if (fds_.udp500_v6.is_open()) wait(fds_.udp500_v6, &IkeEndpoint::read_500);
  if (relay_fd >= 0) {
    fds_.relay.assign(dup(relay_fd));
    return wait(fds_.relay, &IkeEndpoint::read_relay);
  }
  wait(fds_.udp4500, &IkeEndpoint::read_4500);
  if (fds_.udp4500_v6.is_open()) wait(fds_.udp4500_v6, &IkeEndpoint::read_4500);
}

void IkeEndpoint::wait(boost::asio::posix::stream_descriptor& from, void (IkeEndpoint::*read)(int)) {
  from.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                  [this, &from, read](const boost::system::error_code& ec) {
                    if (ec) return;
                    (this->*read)(from.native_handle());
                    wait(from, read);
                  });
}

void IkeEndpoint::read_500(int fd) {
  read_socket(fd, kIkePort);
}
void IkeEndpoint::read_4500(int fd) {
  read_socket(fd, kNatTPort);
}

void IkeEndpoint::read_socket(int fd, std::uint16_t port) {
  std::array<std::uint8_t, kMaxDatagram> buffer;
  for (int i = 0; i < kDatagramsPerWakeup; ++i) {
    const auto d = receive_from(fd, port, buffer);
    if (!d) return;
    std::span<const std::uint8_t> message(buffer.data(), d->size);
    if (port == kNatTPort) {
      const bool marked = message.size() > kMarker && std::all_of(message.begin(), message.begin() + kMarker,
                                                                  [](std::uint8_t b) { return b == 0; });
      if (!marked) continue;
      message = message.subspan(kMarker);
    }
    receive_({.local = d->local, .remote = d->remote, .message = {message.begin(), message.end()}});
  }
}

void IkeEndpoint::read_relay(int fd) {
  std::array<std::uint8_t, sizeof(kernel::RelayHeader) + kMaxDatagram> buffer;
  for (int i = 0; i < kDatagramsPerWakeup; ++i) {
    const ssize_t n = recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (n < static_cast<ssize_t>(sizeof(kernel::RelayHeader))) return;
    kernel::RelayHeader h;
    std::memcpy(&h, buffer.data(), sizeof h);
    const std::size_t width = h.family == 6 ? 16 : 4;
    const auto from = IpAddress::from_bytes(std::span(h.from).first(width));
    const auto to = IpAddress::from_bytes(std::span(h.to).first(width));
    receive_({.local = {*to, h.to_port},
              .remote = {*from, h.from_port},
              .message = {buffer.begin() + sizeof h, buffer.begin() + n}});
  }
}

int IkeEndpoint::socket_for(const IpAddress& remote, bool nat_t) {
  auto& udp = remote.is_v4() ? (nat_t ? fds_.udp4500 : fds_.udp500) : (nat_t ? fds_.udp4500_v6 : fds_.udp500_v6);
  return udp.is_open() ? udp.native_handle() : -1;
}

bool IkeEndpoint::send(const ipsec::SendDatagram& d) {
  static constexpr std::array<std::uint8_t, kMarker> kZero{};
  std::array<iovec, 2> parts{{{const_cast<std::uint8_t*>(kZero.data()), kMarker},
                              {const_cast<std::uint8_t*>(d.message.data()), d.message.size()}}};
  const bool marked = d.local.port == kNatTPort;
  return send_to(socket_for(d.remote.address, marked), d.local, d.remote, std::span(parts).subspan(marked ? 0 : 1));
}

bool IkeEndpoint::send(const ipsec::SendNatKeepalive& k) {
  std::uint8_t octet = 0xff;
  std::array<iovec, 1> parts{{{&octet, 1}}};
  return send_to(socket_for(k.remote.address, true), k.local, k.remote, parts);
}

}  // namespace cgw
