#include "kernel/path_watch.hpp"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstddef>

#include <linux/filter.h>
#include <linux/rtnetlink.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>

#include "kernel/xfrm_socket.hpp"

namespace cgw::kernel {
namespace {

constexpr int kMessagesPerTake = 256;

// Our own routes say nothing about the way to a peer. All else passes whole: a multicast message that one socket's
// filter cuts is cut for the sockets after it, anybody's. The filter loads in network order what netlink writes in host
// order.
bool filter_own_routes(int fd) {
  const auto type = [](int t) -> std::uint32_t { return htons(static_cast<std::uint16_t>(t)); };
  constexpr std::uint16_t kEqual = BPF_JMP | BPF_JEQ | BPF_K;
  std::array<sock_filter, 7> program = {{
      BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 4),  // nlmsg_type
      BPF_JUMP(kEqual, type(RTM_NEWROUTE), 1, 0),
      BPF_JUMP(kEqual, type(RTM_DELROUTE), 0, 2),
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 16 + offsetof(rtmsg, rtm_protocol)),
      BPF_JUMP(kEqual, kRouteProtocol, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
      BPF_STMT(BPF_RET | BPF_K, 0),
  }};
  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  return ::setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) == 0;
}

struct FreeSocket {
  void operator()(nl_sock* s) const { nl_socket_free(s); }
};

}  // namespace

struct PathWatch::Impl {
  std::unique_ptr<nl_sock, FreeSocket> socket;
};

PathWatch::PathWatch(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PathWatch::~PathWatch() = default;
PathWatch::PathWatch(PathWatch&&) noexcept = default;
PathWatch& PathWatch::operator=(PathWatch&&) noexcept = default;

KernelResult<PathWatch> PathWatch::open() {
  const std::string what = "netlink socket for the way to the peers";
  std::unique_ptr<nl_sock, FreeSocket> socket(nl_socket_alloc());
  if (!socket) return fail(KernelError{ENOMEM, what, {}});
  errno = 0;
  if (const int r = nl_connect(socket.get(), NETLINK_ROUTE); r < 0)
    return fail(errno != 0 ? KernelError{errno, what, {}} : libnl_error(r, what));
  if (!filter_own_routes(nl_socket_get_fd(socket.get()))) return fail(KernelError{errno, what, "SO_ATTACH_FILTER"});
  for (const int group : {RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE,
                          RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE}) {
    errno = 0;
    if (const int r = nl_socket_add_membership(socket.get(), group); r < 0)
      return fail(errno != 0 ? KernelError{errno, what, {}} : libnl_error(r, what));
  }
  return PathWatch(std::make_unique<Impl>(Impl{std::move(socket)}));
}

int PathWatch::fd() const {
  return nl_socket_get_fd(impl_->socket.get());
}

// An overrun (ENOBUFS) rings as well: it is cleared by being read, and nothing is lost that we would have looked at.
bool PathWatch::take() {
  std::array<char, 64> header;
  bool rung = false;
  for (int i = 0; i < kMessagesPerTake; ++i) {
    if (::recv(fd(), header.data(), header.size(), MSG_DONTWAIT | MSG_TRUNC) < 0 && errno != ENOBUFS && errno != EINTR)
      return rung;
    rung = true;
  }
  return rung;
}

}  // namespace cgw::kernel
