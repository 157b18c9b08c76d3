#include "kernel/icmp.hpp"

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/format.h>
#include <linux/icmp.h>

#include "kernel/icmp_packet.hpp"
#include "kernel/tun.hpp"

namespace cgw::kernel {
namespace {

constexpr int kReadsPerCall = 1024;  // a flood of replies does not hold up the caller for good
constexpr std::size_t kMaxRefusals = 64;

struct Socket {
  Family family;
  UniqueFd fd;
  bool raw = true;  // false: a "ping" socket, for which the kernel chooses the identifier
};

void keep_only_replies_and_errors(const Socket& s) {
  if (!s.raw) return;
  if (s.family == Family::V4) {
    const std::uint32_t blocked = ~(1u << ICMP_ECHOREPLY | 1u << ICMP_DEST_UNREACH);
    setsockopt(s.fd.get(), SOL_RAW, ICMP_FILTER, &blocked, sizeof blocked);
  } else {
    icmp6_filter pass;
    ICMP6_FILTER_SETBLOCKALL(&pass);
    ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &pass);
    ICMP6_FILTER_SETPASS(ICMP6_DST_UNREACH, &pass);
    setsockopt(s.fd.get(), IPPROTO_ICMPV6, ICMP6_FILTER, &pass, sizeof pass);
  }
}

KernelResult<Socket> open_socket(Family family) {
  const bool v4 = family == Family::V4;
  const int af = v4 ? AF_INET : AF_INET6;
  const int protocol = v4 ? static_cast<int>(IPPROTO_ICMP) : static_cast<int>(IPPROTO_ICMPV6);
  const int flags = SOCK_CLOEXEC | SOCK_NONBLOCK;
  Socket s{family, UniqueFd(::socket(af, SOCK_RAW | flags, protocol))};
  if (s.fd.get() < 0) s = Socket{family, UniqueFd(::socket(af, SOCK_DGRAM | flags, protocol)), false};
  if (s.fd.get() < 0)
    return fail(KernelError{errno, v4 ? "ICMP socket" : "ICMPv6 socket",
                            "needs CAP_NET_RAW, or the group in net.ipv4.ping_group_range"});
  keep_only_replies_and_errors(s);
  const int on = 1;
  if (v4)
    setsockopt(s.fd.get(), IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
  else
    setsockopt(s.fd.get(), IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on);
  return s;
}

struct Control {
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(in6_pktinfo))> octets{};
};

template <class Info>
void attach(msghdr& m, Control& control, int level, int type, const Info& info) {
  m.msg_control = control.octets.data();
  m.msg_controllen = CMSG_SPACE(sizeof info);
  cmsghdr* c = CMSG_FIRSTHDR(&m);
  c->cmsg_level = level;
  c->cmsg_type = type;
  c->cmsg_len = CMSG_LEN(sizeof info);
  std::memcpy(CMSG_DATA(c), &info, sizeof info);
}

socklen_t to_sockaddr(const IpAddress& a, sockaddr_storage& out) {
  if (a.is_v4()) {
    auto& in = reinterpret_cast<sockaddr_in&>(out);
    in.sin_family = AF_INET;
    std::memcpy(&in.sin_addr, a.bytes().data(), sizeof in.sin_addr);
    return sizeof in;
  }
  auto& in = reinterpret_cast<sockaddr_in6&>(out);
  in.sin6_family = AF_INET6;
  std::memcpy(&in.sin6_addr, a.bytes().data(), sizeof in.sin6_addr);
  return sizeof in;
}

IpAddress from_sockaddr(const sockaddr_storage& s) {
  std::array<std::uint8_t, 16> octets{};
  if (s.ss_family == AF_INET6) {
    std::memcpy(octets.data(), &reinterpret_cast<const sockaddr_in6&>(s).sin6_addr, octets.size());
    return IpAddress::v6(octets);
  }
  return IpAddress::v4(ntohl(reinterpret_cast<const sockaddr_in&>(s).sin_addr.s_addr));
}

IfIndex arrived_on(msghdr& m) {
  for (cmsghdr* c = CMSG_FIRSTHDR(&m); c != nullptr; c = CMSG_NXTHDR(&m, c)) {
    if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
      in_pktinfo info;
      std::memcpy(&info, CMSG_DATA(c), sizeof info);
      return IfIndex{info.ipi_ifindex};
    }
    if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
      in6_pktinfo info;
      std::memcpy(&info, CMSG_DATA(c), sizeof info);
      return IfIndex{static_cast<int>(info.ipi6_ifindex)};
    }
  }
  return IfIndex{};
}

}  // namespace

struct IcmpEcho::Impl {
  const Socket* socket_for(Family f) const;
  std::optional<Reply> receive(const Socket& s, bool& empty);
  void refused(const IpAddress& by);

  std::vector<Socket> sockets;
  UniqueFd poll;  // readable when one of the sockets is
  icmp::Cookie cookie{};
  std::uint16_t identifier = 0;
  std::vector<IpAddress> refusals;
};

void IcmpEcho::Impl::refused(const IpAddress& by) {
  if (refusals.size() < kMaxRefusals && std::ranges::find(refusals, by) == refusals.end()) refusals.push_back(by);
}

const Socket* IcmpEcho::Impl::socket_for(Family f) const {
  for (const auto& s : sockets) {
    if (s.family == f) return &s;
  }
  return nullptr;
}

std::optional<IcmpEcho::Reply> IcmpEcho::Impl::receive(const Socket& s, bool& empty) {
  std::array<std::uint8_t, 256> buffer;
  Control control;
  sockaddr_storage from{};
  iovec part{buffer.data(), buffer.size()};
  msghdr m{};
  m.msg_name = &from;
  m.msg_namelen = sizeof from;
  m.msg_iov = &part;
  m.msg_iovlen = 1;
  m.msg_control = control.octets.data();
  m.msg_controllen = control.octets.size();
  const ssize_t n = ::recvmsg(s.fd.get(), &m, MSG_DONTWAIT);
  // Anything else is a pending error of an earlier packet, which the call has consumed.
  empty = n < 0 && (errno == EAGAIN || errno == EBADF);
  if (n < 0) return std::nullopt;
  std::span<const std::uint8_t> data(buffer.data(), static_cast<std::size_t>(n));
  if (s.raw && s.family == Family::V4) data = icmp::behind_ipv4_header(data);
  if (const auto by = icmp::refused_by(s.family, data)) refused(*by);
  const auto echo = icmp::read_reply(s.family, cookie, data);
  if (!echo) return std::nullopt;
  return Reply{echo->tunnel, echo->sequence, from_sockaddr(from), arrived_on(m)};
}

IcmpEcho::IcmpEcho(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
IcmpEcho::~IcmpEcho() = default;
IcmpEcho::IcmpEcho(IcmpEcho&&) noexcept = default;
IcmpEcho& IcmpEcho::operator=(IcmpEcho&&) noexcept = default;

KernelResult<IcmpEcho> IcmpEcho::open() {
  auto impl = std::make_unique<Impl>();
  std::array<std::uint8_t, sizeof(icmp::Cookie) + 2> random;
  if (::getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size()))
    return fail(KernelError{errno, "getrandom", {}});
  std::memcpy(impl->cookie.data(), random.data(), impl->cookie.size());
  std::memcpy(&impl->identifier, random.data() + impl->cookie.size(), sizeof impl->identifier);
  impl->poll = UniqueFd(::epoll_create1(EPOLL_CLOEXEC));
  if (impl->poll.get() < 0) return fail(KernelError{errno, "epoll_create1", {}});
  for (const Family f : {Family::V4, Family::V6}) {
    auto s = open_socket(f);
    if (!s && f == Family::V4) return fail(std::move(s).error());
    if (!s) continue;  // a kernel without IPv6 has no IPv6 targets either
    epoll_event event{.events = EPOLLIN, .data = {}};
    if (::epoll_ctl(impl->poll.get(), EPOLL_CTL_ADD, s->fd.get(), &event) < 0)
      return fail(KernelError{errno, "epoll_ctl", {}});
    impl->sockets.push_back(std::move(*s));
  }
  return IcmpEcho(std::move(impl));
}

int IcmpEcho::fd() const {
  return impl_->poll.get();
}

KernelResult<void> IcmpEcho::send(IfIndex interface, const IpAddress& source, const IpAddress& target,
                                  std::uint16_t tunnel, std::uint16_t sequence) {
  const std::string what = fmt::format("echo request to {} on interface {}", target.to_string(), interface.value());
  const Socket* s = impl_->socket_for(target.family());
  if (s == nullptr || source.family() != target.family()) return fail(KernelError{EAFNOSUPPORT, what, {}});
  auto packet = icmp::request(target.family(), impl_->identifier, impl_->cookie, {tunnel, sequence});
  sockaddr_storage to{};
  iovec part{packet.data(), packet.size()};
  Control control;
  msghdr m{};
  m.msg_name = &to;
  m.msg_namelen = to_sockaddr(target, to);
  m.msg_iov = &part;
  m.msg_iovlen = 1;
  if (target.is_v4()) {
    in_pktinfo info{};
    info.ipi_ifindex = interface.value();
    std::memcpy(&info.ipi_spec_dst, source.bytes().data(), sizeof info.ipi_spec_dst);
    attach(m, control, IPPROTO_IP, IP_PKTINFO, info);
  } else {
    in6_pktinfo info{};
    info.ipi6_ifindex = static_cast<unsigned>(interface.value());
    std::memcpy(&info.ipi6_addr, source.bytes().data(), sizeof info.ipi6_addr);
    attach(m, control, IPPROTO_IPV6, IPV6_PKTINFO, info);
  }
  if (::sendmsg(s->fd.get(), &m, MSG_DONTWAIT) < 0) return fail(KernelError{errno, what, {}});
  return {};
}

std::vector<IcmpEcho::Reply> IcmpEcho::read() {
  std::vector<Reply> out;
  for (const auto& s : impl_->sockets) {
    bool empty = false;
    for (int i = 0; i < kReadsPerCall && !empty; ++i) {
      if (auto reply = impl_->receive(s, empty)) out.push_back(*reply);
    }
  }
  return out;
}

std::vector<IpAddress> IcmpEcho::take_refusals() {
  return std::exchange(impl_->refusals, {});
}

}  // namespace cgw::kernel
