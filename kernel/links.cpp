#include "kernel/links.hpp"

#include <sys/socket.h>

#include <cerrno>

#include <fmt/format.h>
#include <linux/netlink.h>

#include "kernel/links_message.hpp"
#include "kernel/tunnel_link.hpp"
#include "kernel/xfrm_socket.hpp"

namespace cgw::kernel {

struct Links::Impl {
  explicit Impl(RequestSocket s) : socket(std::move(s)) {}
  KernelResult<links::LinkInfo> get(IfIndex index);
  KernelResult<void> set_address(IfIndex index, const InterfaceAddress& address, const IpAddress& peer);

  RequestSocket socket;
};

namespace {

// The kernel's own, one an interface (RFC 4291 2.5.6).
bool is_link_local(const IpAddress& a) {
  return !a.is_v4() && a.bytes()[0] == 0xfe && (a.bytes()[1] & 0xc0) == 0x80;
}

}  // namespace

KernelResult<links::LinkInfo> Links::Impl::get(IfIndex index) {
  const std::string what = fmt::format("RTM_GETLINK of interface {}", index.value());
  std::optional<links::LinkInfo> found;
  auto done = socket.request(links::get_link(index), what, [&](nlmsghdr* h) { found = links::read_link(h); });
  if (!done) return fail(std::move(done).error());
  if (!found) return fail(KernelError{ENODEV, what, {}});
  return std::move(*found);
}

KernelResult<void> Links::Impl::set_address(IfIndex index, const InterfaceAddress& address, const IpAddress& peer) {
  std::vector<links::AddressInfo> strangers;
  bool there = false;
  auto dumped = socket.request(links::dump_addresses(), "RTM_GETADDR", [&](nlmsghdr* h) {
    const auto a = links::read_address(h);
    if (!a || a->index != index) return;
    if (a->address == address)
      there = true;
    else if (a->address.address.is_v4() || (!address.address.is_v4() && !is_link_local(a->address.address)))
      strangers.push_back(*a);
  });
  if (!dumped) return dumped;
  // Before the new one is there: an address in the same subnet would become its secondary, and go with it.
  for (const auto& a : strangers) {
    auto gone = socket.request(links::delete_address(a), "RTM_DELADDR " + a.address.to_string());
    if (!gone && gone.error().errnum != EADDRNOTAVAIL) return gone;
  }
  if (there) return {};
  const bool shares_no_subnet = address.length == address.address.bits() && peer.family() == address.address.family();
  auto put = socket.request(links::put_address(index, address, shares_no_subnet ? &peer : nullptr),
                            fmt::format("RTM_NEWADDR {} on interface {}", address.to_string(), index.value()));
  if (!put && put.error().errnum == EACCES && !address.address.is_v4())
    put.error().detail = "IPv6 is switched off here: sysctl -w net.ipv6.conf.all.disable_ipv6=0";
  return put;
}

Links::Links(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Links::~Links() = default;
Links::Links(Links&&) noexcept = default;
Links& Links::operator=(Links&&) noexcept = default;

KernelResult<Links> Links::open() {
  CGW_TRY(auto socket, RequestSocket::open(NETLINK_ROUTE));
  return Links(std::make_unique<Impl>(std::move(socket)));
}

KernelResult<std::optional<LinkState>> Links::find(const std::string& name) {
  std::optional<LinkState> found;
  auto done = impl_->socket.request(links::get_link(name), "RTM_GETLINK " + name, [&](nlmsghdr* h) {
    if (auto link = links::read_link(h)) found = std::move(link->state);
  });
  if (!done && done.error().errnum != ENODEV) return fail(std::move(done).error());
  return found;
}

KernelResult<void> Links::configure(IfIndex index, const InterfaceAddress& address, const IpAddress& peer,
                                    std::uint32_t mtu) {
  CGW_TRY(const auto link, impl_->get(index));
  if (link.state.mtu != mtu) {
    if (auto done = set_mtu(index, mtu); !done) return done;
  }
  if (link.rp_filter != 2 || link.send_redirects != 0) {
    auto done =
        impl_->socket.request(links::set_ipv4_conf(index), fmt::format("RTM_SETLINK rp_filter of {}", link.state.name));
    if (!done) return done;
  }
  if (auto done = impl_->set_address(index, address, peer); !done) return done;
  if (link.state.up) return {};
  return impl_->socket.request(links::set_up(index), fmt::format("RTM_SETLINK {} up", link.state.name));
}

KernelResult<void> Links::set_mtu(IfIndex index, std::uint32_t mtu) {
  return impl_->socket.request(links::set_mtu(index, mtu),
                               fmt::format("RTM_SETLINK mtu {} of interface {}", mtu, index.value()));
}

KernelResult<void> Links::remove(const std::string& name) {
  CGW_TRY(const auto link, find(name));
  if (!link) return {};
  return remove_link(impl_->socket, link->index, name);
}

KernelResult<std::vector<std::string>> Links::ours() {
  std::vector<std::string> names;
  auto done = impl_->socket.request(links::dump_links(), "RTM_GETLINK", [&](nlmsghdr* h) {
    const auto link = links::read_link(h);
    if (!link || !has_tunnel_mark(link->alias)) return;
    if (link->kind == "xfrm" || link->kind == "tun") names.push_back(link->state.name);
  });
  if (!done) return fail(std::move(done).error());
  return names;
}

KernelResult<Links::Via> Links::route_to(const IpAddress& remote) {
  const std::string what = "RTM_GETROUTE " + remote.to_string();
  std::optional<links::RouteAnswer> answer;
  auto done =
      impl_->socket.request(links::get_route(remote), what, [&](nlmsghdr* h) { answer = links::read_route_answer(h); });
  if (!done) return fail(std::move(done).error());
  if (!answer || !answer->source) return fail(KernelError{ENETUNREACH, what, "no source address"});
  CGW_TRY(const auto link, impl_->get(answer->index));
  return Via{*answer->source, answer->index, answer->mtu != 0 ? answer->mtu : link.state.mtu};
}

}  // namespace cgw::kernel
