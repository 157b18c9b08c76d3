#include "kernel/xfrm_event.hpp"

#include <sys/socket.h>

#include <cerrno>

#include <linux/netlink.h>
#include <netlink/netlink.h>
#include <openssl/crypto.h>

#include "kernel/xfrm.hpp"
#include "kernel/xfrm_wire.hpp"

namespace cgw::kernel::xfrm {
namespace {

constexpr int kBuffer = 8 << 20;

std::optional<Event> expired(nlmsghdr* h) {
  if (!nlmsg_valid_hdr(h, sizeof(xfrm_user_expire))) return std::nullopt;
  const auto* e = static_cast<const xfrm_user_expire*>(nlmsg_data(h));
  const IfId id{e->state.reqid};
  if (e->state.id.proto != IPPROTO_ESP || !is_our_if_id(id)) return std::nullopt;
  return SaExpired{.id = id, .spi = ipsec::Spi{ntohl(e->state.id.spi)}, .hard = e->hard != 0};
}

std::optional<Event> mapped(nlmsghdr* h) {
  if (!nlmsg_valid_hdr(h, sizeof(xfrm_user_mapping))) return std::nullopt;
  const auto* m = static_cast<const xfrm_user_mapping*>(nlmsg_data(h));
  if (!is_our_if_id(IfId{m->reqid})) return std::nullopt;
  return PeerMapped{.id = IfId{m->reqid},
                    .spi = ipsec::Spi{ntohl(m->id.spi)},
                    .remote = {cooked(m->new_saddr, m->id.family), ntohs(m->new_sport)}};
}

std::optional<Event> wanted(nlmsghdr* h) {
  if (!nlmsg_valid_hdr(h, sizeof(xfrm_user_acquire))) return std::nullopt;
  const IfId id{number(nlmsg_find_attr(h, sizeof(xfrm_user_acquire), XFRMA_IF_ID))};
  if (!is_our_if_id(id)) return std::nullopt;
  return SaWanted{id};
}

// The message names another if_id than ours. One that names none may be about anything.
std::optional<Event> changed(nlmsghdr* h, int header) {
  if (!nlmsg_valid_hdr(h, header)) return Changed{};
  const nlattr* id = nlmsg_find_attr(h, header, XFRMA_IF_ID);
  if (id != nullptr && !is_our_if_id(IfId{number(id)})) return std::nullopt;
  return Changed{};
}

}  // namespace

std::optional<Event> read_event(nlmsghdr* h, std::uint32_t own_port) {
  switch (h->nlmsg_type) {
    case XFRM_MSG_EXPIRE: return expired(h);
    case XFRM_MSG_MAPPING: return mapped(h);
    case XFRM_MSG_ACQUIRE: return wanted(h);
    default: break;
  }
  if (h->nlmsg_pid == own_port) return std::nullopt;
  switch (h->nlmsg_type) {
    case XFRM_MSG_NEWSA:
    case XFRM_MSG_UPDSA: return changed(h, sizeof(xfrm_usersa_info));
    case XFRM_MSG_DELSA: return changed(h, sizeof(xfrm_usersa_id));
    case XFRM_MSG_NEWPOLICY:
    case XFRM_MSG_UPDPOLICY: return changed(h, sizeof(xfrm_userpolicy_info));
    case XFRM_MSG_DELPOLICY: return changed(h, sizeof(xfrm_userpolicy_id));
    case XFRM_MSG_FLUSHSA:
    case XFRM_MSG_FLUSHPOLICY: return Changed{};
    default: return std::nullopt;
  }
}

KernelResult<Events> Events::open(std::uint32_t own_port) {
  const std::string what = "netlink socket for XFRM events";
  Socket socket(nl_socket_alloc());
  if (!socket) return fail(KernelError{ENOMEM, what, {}});
  errno = 0;
  if (const int r = nl_connect(socket.get(), NETLINK_XFRM); r < 0)
    return fail(errno != 0 ? KernelError{errno, what, {}} : libnl_error(r, what));
  const int fd = nl_socket_get_fd(socket.get());
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &kBuffer, sizeof kBuffer) < 0)
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &kBuffer, sizeof kBuffer);
  nl_socket_set_nonblocking(socket.get());
  for (const int group : {XFRMNLGRP_ACQUIRE, XFRMNLGRP_EXPIRE, XFRMNLGRP_SA, XFRMNLGRP_POLICY, XFRMNLGRP_MAPPING}) {
    errno = 0;
    if (const int r = nl_socket_add_membership(socket.get(), group); r < 0)
      return fail(errno != 0 ? KernelError{errno, what, {}} : libnl_error(r, what));
  }
  return Events(std::move(socket), own_port);
}

std::vector<Event> Events::read() {
  std::vector<Event> events;
  const auto add = [&](Event e) {
    const bool again = std::holds_alternative<Changed>(e) && !events.empty() && events.back().index() == e.index();
    if (!again) events.push_back(std::move(e));
  };
  for (;;) {
    const ssize_t n = ::recv(fd(), buffer_->octets.data(), buffer_->octets.size(), MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == ENOBUFS) {
      add(Changed{});
      continue;
    }
    if (n <= 0) return events;
    int left = static_cast<int>(n);
    for (auto* h = reinterpret_cast<nlmsghdr*>(buffer_->octets.data()); nlmsg_ok(h, left); h = nlmsg_next(h, &left)) {
      if (auto e = read_event(h, own_port_)) add(std::move(*e));
    }
    OPENSSL_cleanse(buffer_->octets.data(), static_cast<std::size_t>(n));  // new SAs are told with their keys
  }
}

}  // namespace cgw::kernel::xfrm
