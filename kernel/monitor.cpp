#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>

#include <linux/filter.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>

#include "kernel/links.hpp"
#include "kernel/links_message.hpp"
#include "kernel/xfrm_socket.hpp"

namespace cgw::kernel {
namespace {

constexpr int kBuffer = 8 << 20;
constexpr std::uint32_t kPidMask = 0x3fffff;  // libnl's ports: the process id below, a counter above

// Keeps our own changes out of the buffer: a full feed would overrun it. Of routes and nexthops only what
// somebody else did to ours passes. The offsets are those of nlmsghdr, rtmsg and nhmsg; the filter loads in
// network order what netlink writes in host order.
bool filter_own_changes(int fd) {
  const auto type = [](int t) -> std::uint32_t { return htons(static_cast<std::uint16_t>(t)); };
  const std::uint32_t mask = htonl(kPidMask), own = htonl(static_cast<std::uint32_t>(::getpid()) & kPidMask);
  constexpr std::uint16_t kEqual = BPF_JMP | BPF_JEQ | BPF_K;
  std::array<sock_filter, 15> program = {{
      BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 4),  // nlmsg_type
      BPF_JUMP(kEqual, type(RTM_NEWROUTE), 11, 0),
      BPF_JUMP(kEqual, type(RTM_DELROUTE), 3, 0),
      BPF_JUMP(kEqual, type(RTM_NEWNEXTHOP), 4, 0),
      BPF_JUMP(kEqual, type(RTM_DELNEXTHOP), 3, 0),
      BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 16 + offsetof(rtmsg, rtm_protocol)),
      BPF_STMT(BPF_JMP | BPF_JA, 1),
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 16 + offsetof(nhmsg, nh_protocol)),
      BPF_JUMP(kEqual, kRouteProtocol, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 12),  // nlmsg_pid
      BPF_STMT(BPF_ALU | BPF_AND | BPF_K, mask),
      BPF_JUMP(kEqual, own, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, 0),
      BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
  }};
  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  return ::setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) == 0;
}

struct FreeSocket {
  void operator()(nl_sock* s) const { nl_socket_free(s); }
};

}  // namespace

struct Monitor::Impl {
  explicit Impl(std::unique_ptr<nl_sock, FreeSocket> s) : socket(std::move(s)) {}
  int fd() const { return nl_socket_get_fd(socket.get()); }
  void take(nlmsghdr* h, std::vector<Event>& events);

  std::unique_ptr<nl_sock, FreeSocket> socket;
  alignas(nlmsghdr) std::array<char, 65536> buffer{};
};

void Monitor::Impl::take(nlmsghdr* h, std::vector<Event>& events) {
  switch (h->nlmsg_type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
      if (const auto link = links::read_link(h))
        events.push_back(LinkChanged{link->state, h->nlmsg_type == RTM_DELLINK});
      return;
    case RTM_NEWADDR:
    case RTM_DELADDR:
      if (const auto a = links::read_address(h)) events.push_back(AddressChanged{a->index});
      return;
    case RTM_DELROUTE:
    case RTM_NEWNEXTHOP:
    case RTM_DELNEXTHOP:
      // One says as much as a thousand: all lead to a resync.
      if (events.empty() || !std::holds_alternative<RouteChanged>(events.back())) events.emplace_back(RouteChanged{});
      return;
    default: return;
  }
}

Monitor::Monitor(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Monitor::~Monitor() = default;
Monitor::Monitor(Monitor&&) noexcept = default;
Monitor& Monitor::operator=(Monitor&&) noexcept = default;

KernelResult<Monitor> Monitor::open() {
  const std::string what = "netlink socket for events";
  std::unique_ptr<nl_sock, FreeSocket> socket(nl_socket_alloc());
  if (!socket) return fail(KernelError{ENOMEM, what, {}});
  errno = 0;
  if (const int r = nl_connect(socket.get(), NETLINK_ROUTE); r < 0)
    return fail(errno != 0 ? KernelError{errno, what, {}} : libnl_error(r, what));
  const int fd = nl_socket_get_fd(socket.get());
  if (!filter_own_changes(fd)) return fail(KernelError{errno, what, "SO_ATTACH_FILTER"});
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &kBuffer, sizeof kBuffer) < 0)
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &kBuffer, sizeof kBuffer);
  nl_socket_set_nonblocking(socket.get());
  for (const int group : {RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE,
                          RTNLGRP_IPV6_ROUTE, RTNLGRP_NEXTHOP}) {
    errno = 0;
    if (const int r = nl_socket_add_membership(socket.get(), group); r < 0)
      return fail(errno != 0 ? KernelError{errno, what, {}} : libnl_error(r, what));
  }
  return Monitor(std::make_unique<Impl>(std::move(socket)));
}

int Monitor::fd() const {
  return impl_->fd();
}

std::vector<Monitor::Event> Monitor::read() {
  std::vector<Event> events;
  for (;;) {
    const ssize_t n = ::recv(fd(), impl_->buffer.data(), impl_->buffer.size(), MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == ENOBUFS) {
      events.emplace_back(Overrun{});
      continue;
    }
    if (n <= 0) return events;
    int left = static_cast<int>(n);
    for (auto* h = reinterpret_cast<nlmsghdr*>(impl_->buffer.data()); nlmsg_ok(h, left); h = nlmsg_next(h, &left))
      impl_->take(h, events);
  }
}

}  // namespace cgw::kernel
