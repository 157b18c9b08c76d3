#include "daemon/ike_endpoint.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include <fmt/format.h>

#include "kernel/data_plane.hpp"

namespace cgw {
namespace {

constexpr std::uint16_t kIkePort = 500;
constexpr std::uint16_t kNatTPort = 4500;
constexpr std::size_t kMarker = 4;  // RFC 3948 2.2: four zero octets before an IKE message on 4500
constexpr std::size_t kMaxDatagram = 65535;
constexpr int kDatagramsPerWakeup = 64;  // then the loop serves others

Result<int, std::string> open_port(std::uint16_t port) {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const int on = 1;
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_port = htons(port);
  if (fd < 0 || setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on) < 0 ||
      bind(fd, reinterpret_cast<const sockaddr*>(&any), sizeof any) < 0) {
    const int error = errno;
    if (fd >= 0) close(fd);
    return fail(fmt::format("UDP port {}: {}{}", port, std::strerror(error),
                            error == EADDRINUSE ? " (another IKE daemon, such as strongSwan, runs here: stop it)"
                            : error == EACCES   ? " (cgwd needs root or CAP_NET_BIND_SERVICE)"
                                                : ""));
  }
  return fd;
}

IpAddress address_of(in_addr a) {
  return IpAddress::v4(ntohl(a.s_addr));
}

struct Datagram {
  Endpoint local, remote;
  std::size_t size = 0;
};

std::optional<Datagram> receive_from(int fd, std::uint16_t port, std::span<std::uint8_t> buffer) {
  sockaddr_in from{};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(in_pktinfo))> control{};
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
  Datagram d{.remote = {address_of(from.sin_addr), ntohs(from.sin_port)}, .size = static_cast<std::size_t>(n)};
  for (cmsghdr* c = CMSG_FIRSTHDR(&m); c != nullptr; c = CMSG_NXTHDR(&m, c)) {
    if (c->cmsg_level != IPPROTO_IP || c->cmsg_type != IP_PKTINFO) continue;
    in_pktinfo info{};
    std::memcpy(&info, CMSG_DATA(c), sizeof info);
    d.local = {address_of(info.ipi_spec_dst), port};
  }
  return d;
}

bool send_to(int fd, const Endpoint& local, const Endpoint& remote, std::span<iovec> parts) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(remote.port);
  to.sin_addr.s_addr = htonl(remote.address.v4_value());
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(in_pktinfo))> control{};
  msghdr m{};
  m.msg_name = &to;
  m.msg_namelen = sizeof to;
  m.msg_iov = parts.data();
  m.msg_iovlen = parts.size();
  m.msg_control = control.data();
  m.msg_controllen = control.size();
  cmsghdr* c = CMSG_FIRSTHDR(&m);
  c->cmsg_level = IPPROTO_IP;
  c->cmsg_type = IP_PKTINFO;
  c->cmsg_len = CMSG_LEN(sizeof(in_pktinfo));
  in_pktinfo info{};
  info.ipi_spec_dst.s_addr = htonl(local.address.v4_value());
  std::memcpy(CMSG_DATA(c), &info, sizeof info);
  return sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

}  // namespace

Result<IkeEndpoint, std::string> IkeEndpoint::open(boost::asio::any_io_executor executor) {
  CGW_TRY(const int fd500, open_port(kIkePort));
  const auto fd4500 = open_port(kNatTPort);
  if (!fd4500) {
    close(fd500);
    return fail(fd4500.error());
  }
  return IkeEndpoint(std::move(executor), fd500, *fd4500);
}

IkeEndpoint::IkeEndpoint(boost::asio::any_io_executor executor, int fd500, int fd4500)
    : fd500_(fd500),
      fd4500_(fd4500),
      udp500_(executor, fd500),
      udp4500_(executor, fd4500),
      relay_(executor) {}

void IkeEndpoint::start(Receive receive, int relay_fd) {
  receive_ = std::move(receive);
  wait(udp500_, &IkeEndpoint::read_500);
  if (relay_fd < 0) return wait(udp4500_, &IkeEndpoint::read_4500);
  relay_.assign(dup(relay_fd));
  wait(relay_, &IkeEndpoint::read_relay);
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

bool IkeEndpoint::send(const ipsec::SendDatagram& d) {
  static constexpr std::array<std::uint8_t, kMarker> kZero{};
  std::array<iovec, 2> parts{{{const_cast<std::uint8_t*>(kZero.data()), kMarker},
                              {const_cast<std::uint8_t*>(d.message.data()), d.message.size()}}};
  const bool marked = d.local.port == kNatTPort;
  return send_to(marked ? fd4500_ : fd500_, d.local, d.remote, std::span(parts).subspan(marked ? 0 : 1));
}

bool IkeEndpoint::send(const ipsec::SendNatKeepalive& k) {
  std::uint8_t octet = 0xff;
  std::array<iovec, 1> parts{{{&octet, 1}}};
  return send_to(fd4500_, k.local, k.remote, parts);
}

}  // namespace cgw
