#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <map>
#include <thread>

#include <fmt/format.h>
#include <linux/netlink.h>

#include "kernel/data_plane.hpp"
#include "kernel/tunnel_link.hpp"
#include "kernel/userspace_receiver.hpp"
#include "kernel/userspace_sender.hpp"

namespace cgw::kernel {
namespace {

using ipsec::ChildSa;
using ipsec::Spi;
using userspace::Clock;
using userspace::Counters;
using userspace::InnerCheck;

constexpr int kSocketBuffer = 8 << 20;

struct Tunnel {
  std::shared_ptr<const Tun> tun;
  std::shared_ptr<Counters> counters = std::make_shared<Counters>();
  std::map<Spi, std::shared_ptr<userspace::Inbound>> in;
  std::shared_ptr<const userspace::Outbound> out;
  // Of every outbound SA not yet removed: its sequence goes on if it is used again, so that no nonce is used twice.
  std::map<Spi, std::shared_ptr<ipsec::EspSealer>> sealers;
};

struct Descriptors {
  UniqueFd relay_ours, relay_theirs;
  UniqueFd wake_receiver, wake_sender, epoll;
};

KernelError refused(std::string what) {
  return {errno, std::move(what), {}};
}

// ESP in UDP in this process. The control thread changes its own tables and publishes copies; the receiver and
// the sender each see a whole table, old or new, and own the state of the SAs' crypto.
class UserspacePlane final : public DataPlane {
 public:
  UserspacePlane(int udp, RequestSocket route, Descriptors fds);

  std::string_view name() const override { return "userspace"; }
  bool needs_udp_encap() const override { return true; }
  std::optional<int> ike_relay_fd() const override { return fds_.relay_theirs.get(); }

  KernelResult<IfIndex> ensure_interface(const std::string& name, IfId id) override;
  KernelResult<void> remove_interface(const std::string& name, IfId id) override;
  KernelResult<void> install_inbound(IfId id, const ChildSa& sa) override;
  KernelResult<void> use_outbound(IfId id, const ChildSa& sa) override;
  KernelResult<void> remove_child(IfId id, Spi spi_in, Spi spi_out) override;
  // SAs live in this process only.
  KernelResult<void> remove_leftovers(IfId) override { return {}; }
  KernelResult<TunnelCounters> counters(IfId id) override;

 private:
  void publish();
  void wake() const;
  bool spi_taken(IfId id, Spi spi) const;

  RequestSocket route_;
  Descriptors fds_;
  std::map<IfId, Tunnel> tunnels_;
  userspace::Published published_;
  userspace::Receiver receiver_;
  userspace::Sender sender_;
  std::jthread receiving_, sending_;  // last: they use all of the above, and stop first
};

// The threads take no signals: those are the control thread's.
template <class Loop>
std::jthread start_thread(const char* name, Loop& loop) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::jthread t([&loop](const std::stop_token& stop) { loop.run(stop); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_setname_np(t.native_handle(), name);
  return t;
}

UserspacePlane::UserspacePlane(int udp, RequestSocket route, Descriptors fds)
    : route_(std::move(route)),
      fds_(std::move(fds)),
      receiver_(udp, fds_.relay_ours.get(), fds_.wake_receiver.get(), published_),
      sender_(udp, fds_.wake_sender.get(), std::move(fds_.epoll), published_),
      receiving_(start_thread("cgwd-esp-in", receiver_)),
      sending_(start_thread("cgwd-esp-out", sender_)) {}

void UserspacePlane::wake() const {
  userspace::wake_up(fds_.wake_receiver.get());
  userspace::wake_up(fds_.wake_sender.get());
}

void UserspacePlane::publish() {
  auto table = std::make_shared<userspace::Table>();
  for (const auto& [id, t] : tunnels_) {
    table->tunnels[id.value()] = {t.tun, t.counters, t.out};
    for (const auto& [spi, sa] : t.in)
      table->inbound[spi.value()] = sa;
    if (t.out) table->peers[t.out->remote.address] = t.counters;
  }
  published_.publish(std::move(table));
  wake();
}

KernelResult<IfIndex> UserspacePlane::ensure_interface(const std::string& name, IfId id) {
  CGW_TRY(const auto found, find_link(route_, name));
  Tunnel& t = tunnels_[id];
  if (t.tun && found && found->index == t.tun->index()) return found->index;
  t.tun.reset();
  if (found && found->kind != "tun") {
    if (!has_tunnel_mark(found->alias))
      return fail(KernelError{EEXIST, "interface " + name,
                              "exists and is not cgwd's: remove it or name the tunnel's interface otherwise"});
    if (auto gone = remove_link(route_, found->index, name); !gone) return fail(std::move(gone).error());
  }
  CGW_TRY(Tun tun, Tun::open(name));
  const IfIndex index = tun.index();
  if (auto marked = mark_link(route_, index, id); !marked) return fail(std::move(marked).error());
  t.tun = std::make_shared<const Tun>(std::move(tun));
  publish();
  return index;
}

KernelResult<void> UserspacePlane::remove_interface(const std::string& name, IfId id) {
  tunnels_.erase(id);
  publish();
  CGW_TRY(const auto found, find_link(route_, name));
  if (!found || found->kind != "tun" || found->alias != tunnel_mark(id)) return {};
  return remove_link(route_, found->index, name);
}

bool UserspacePlane::spi_taken(IfId id, Spi spi) const {
  return std::ranges::any_of(tunnels_, [&](const auto& t) { return t.first != id && t.second.in.contains(spi); });
}

Clock::time_point expiry(const ChildSa& sa) {
  return sa.hard_lifetime > Seconds{0} ? Clock::now() + sa.hard_lifetime : Clock::time_point::max();
}

KernelError no_cipher(const std::exception& e) {
  return {ENOTSUP, "ESP cipher", e.what()};
}

KernelResult<void> UserspacePlane::install_inbound(IfId id, const ChildSa& sa) try {
  if (spi_taken(id, sa.spi_in))
    return fail(
        KernelError{EEXIST, fmt::format("inbound SA {:08x}", sa.spi_in.value()), "another tunnel has this SPI"});
  Tunnel& t = tunnels_[id];
  if (t.in.contains(sa.spi_in)) return {};
  t.in[sa.spi_in] = std::make_shared<userspace::Inbound>(
      userspace::Inbound{.id = id,
                         .opener = ipsec::EspOpener(sa.suite, sa.in, sa.replay_window),
                         .inner = InnerCheck(sa.remote_ts, sa.local_ts),
                         .expires = expiry(sa)});
  publish();
  return {};
} catch (const std::exception& e) {
  return fail(no_cipher(e));
}

KernelResult<void> UserspacePlane::use_outbound(IfId id, const ChildSa& sa) try {
  if (!sa.udp_encap || !sa.local.address.is_v4() || !sa.remote.address.is_v4())
    return fail(KernelError{EAFNOSUPPORT, fmt::format("outbound SA {:08x}", sa.spi_out.value()),
                            "the userspace data plane sends ESP in UDP over IPv4 only"});
  Tunnel& t = tunnels_[id];
  auto out = std::make_shared<userspace::Outbound>(userspace::Outbound{.spi = sa.spi_out,
                                                                       .sealer = {},
                                                                       .inner = InnerCheck(sa.local_ts, sa.remote_ts),
                                                                       .local = sa.local,
                                                                       .remote = sa.remote,
                                                                       .expires = expiry(sa)});
  if (t.out && t.out->spi == sa.spi_out) out->expires = t.out->expires;
  auto& sealer = t.sealers[sa.spi_out];
  if (!sealer) sealer = std::make_shared<ipsec::EspSealer>(sa.suite, sa.spi_out, sa.out);
  out->sealer = sealer;
  t.out = std::move(out);
  publish();
  return {};
} catch (const std::exception& e) {
  return fail(no_cipher(e));
}

KernelResult<void> UserspacePlane::remove_child(IfId id, Spi spi_in, Spi spi_out) {
  const auto found = tunnels_.find(id);
  if (found == tunnels_.end()) return {};
  Tunnel& t = found->second;
  t.in.erase(spi_in);
  t.sealers.erase(spi_out);
  if (t.out && t.out->spi == spi_out) t.out.reset();
  publish();
  return {};
}

KernelResult<TunnelCounters> UserspacePlane::counters(IfId id) {
  const auto found = tunnels_.find(id);
  if (found == tunnels_.end()) return TunnelCounters{};
  const Counters& c = *found->second.counters;
  TunnelCounters out{c.packets_in, c.octets_in, c.packets_out, c.octets_out, {}};
  for (std::size_t i = 0; i < c.drops.size(); ++i) {
    if (const std::uint64_t n = c.drops[i]; n > 0)
      out.drops.emplace(userspace::to_string(static_cast<userspace::Drop>(i)), n);
  }
  return out;
}

// Addresses of received datagrams; room for bursts; fragments instead of packets lost to a smaller path MTU.
KernelResult<void> prepare_socket(int udp) {
  int family = 0;
  socklen_t size = sizeof family;
  if (getsockopt(udp, SOL_SOCKET, SO_DOMAIN, &family, &size) < 0) return fail(refused("SO_DOMAIN on the UDP socket"));
  if (family != AF_INET) return fail(KernelError{EAFNOSUPPORT, "UDP socket of the userspace data plane", "IPv4 only"});
  const int on = 1, no_discovery = IP_PMTUDISC_DONT;
  if (setsockopt(udp, IPPROTO_IP, IP_PKTINFO, &on, sizeof on) < 0) return fail(refused("IP_PKTINFO"));
  if (setsockopt(udp, IPPROTO_IP, IP_MTU_DISCOVER, &no_discovery, sizeof no_discovery) < 0)
    return fail(refused("IP_MTU_DISCOVER"));
  for (const auto& [forced, asked] : {std::pair{SO_RCVBUFFORCE, SO_RCVBUF}, std::pair{SO_SNDBUFFORCE, SO_SNDBUF}}) {
    if (setsockopt(udp, SOL_SOCKET, forced, &kSocketBuffer, sizeof kSocketBuffer) < 0)
      setsockopt(udp, SOL_SOCKET, asked, &kSocketBuffer, sizeof kSocketBuffer);
  }
  return {};
}

KernelResult<Descriptors> make_descriptors() {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0) return fail(refused("socketpair"));
  Descriptors d{.relay_ours = UniqueFd(pair[0]),
                .relay_theirs = UniqueFd(pair[1]),
                .wake_receiver = UniqueFd(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
                .wake_sender = UniqueFd(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
                .epoll = UniqueFd(epoll_create1(EPOLL_CLOEXEC))};
  if (d.wake_receiver.get() < 0 || d.wake_sender.get() < 0 || d.epoll.get() < 0) return fail(refused("eventfd, epoll"));
  return d;
}

}  // namespace

KernelResult<std::unique_ptr<DataPlane>> make_userspace_plane(int udp4500) try {
  CGW_TRY(auto route, RequestSocket::open(NETLINK_ROUTE));
  if (auto done = prepare_socket(udp4500); !done) return fail(std::move(done).error());
  CGW_TRY(auto descriptors, make_descriptors());
  return std::make_unique<UserspacePlane>(udp4500, std::move(route), std::move(descriptors));
} catch (const std::exception& e) {
  return fail(KernelError{EAGAIN, "threads of the userspace data plane", e.what()});
}

}  // namespace cgw::kernel
