#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <map>
#include <system_error>
#include <thread>

#include <fmt/format.h>
#include <linux/netlink.h>

#include "kernel/data_plane.hpp"
#include "kernel/tunnel_link.hpp"
#include "kernel/userspace_options.hpp"
#include "kernel/userspace_outbound.hpp"
#include "kernel/userspace_receiver.hpp"
#include "kernel/userspace_sender.hpp"
#include "kernel/userspace_threads.hpp"

namespace cgw::kernel {
namespace {

using ipsec::ChildSa;
using ipsec::Spi;
using userspace::Clock;
using userspace::Counters;
using userspace::EspSocket;
using userspace::InnerCheck;
using userspace::Sender;
using userspace::Wear;

constexpr std::size_t kMostSenders = 4;  // with a thread a tunnel
// Packets that a thread takes numbers for at a time, when it is not the only one: one train. The fewer, the more
// threads send at the same time.
constexpr std::size_t kShare = 64;

struct In {
  std::shared_ptr<userspace::Inbound> sa;
  Wear reported = Wear::Fresh;
};
struct Out {
  std::shared_ptr<userspace::Sealing> sealing;
  Wear reported = Wear::Fresh;
};

struct Tunnel {
  TunQueues tun;  // of none, if there is no interface
  std::shared_ptr<Counters> counters = std::make_shared<Counters>();
  std::map<Spi, In> in;
  std::optional<Spi> expected;                     // inbound, still negotiated
  std::shared_ptr<const userspace::Outbound> out;  // what is sent with
  std::map<std::pair<Spi, Spi>, Out> outbound;     // what was, and is not removed yet; by SPI in and out
};

struct Descriptors {
  UniqueFd relay_ours, relay_theirs, wake_receiver;
};

KernelError refused(std::string what) {
  return {errno, std::move(what), {}};
}

// ESP in UDP in this process. The control thread changes its own tables and hands each change to the packet threads
// that it concerns, whose tables are their own, as is the state of the SAs' crypto.
class UserspacePlane final : public DataPlane {
 public:
  UserspacePlane(std::vector<EspSocket> sockets, userspace::Options options, RequestSocket route, Descriptors fds);

  std::string_view name() const override { return "userspace"; }
  bool needs_udp_encap() const override { return true; }
  std::optional<unsigned> threads() const override { return static_cast<unsigned>(options_.threads); }
  std::optional<int> ike_relay_fd() const override { return fds_.relay_theirs.get(); }

  KernelResult<IfIndex> ensure_interface(const std::string& name, IfId id) override;
  KernelResult<void> remove_interface(const std::string& name, IfId id) override;
  KernelResult<void> expect_inbound(IfId id, const ipsec::InboundSpi& sa) override;
  KernelResult<void> install_inbound(IfId id, const ChildSa& sa) override;
  KernelResult<void> use_outbound(IfId id, const ChildSa& sa) override;
  KernelResult<void> remove_child(IfId id, Spi spi_in, Spi spi_out) override;
  // SAs live in this process only.
  KernelResult<void> remove_leftovers(IfId) override { return {}; }
  KernelResult<TunnelCounters> counters(IfId id) override;
  std::optional<int> event_fd() const override { return news_.fd(); }
  std::vector<PlaneEvent> take_events() override;

 private:
  Sender& sender_of(IfId id, std::size_t lane) { return *senders_[(id.value() + lane) % senders_.size()]; }
  void tell_receiver(userspace::Row row, bool now = false);
  void tell_sender(IfId id, bool now = false);
  void tell_interface(IfId id);
  void blame(const Tunnel& t, bool gone);
  Tunnel& tunnel(IfId id);
  void forget_inbound(Spi spi);
  void stop_expecting(Tunnel& t);
  KernelResult<TunQueues> open_interface(const std::string& name, const std::optional<TunnelLink>& found);
  const EspSocket* socket_for(const ChildSa& sa) const;

  userspace::Options options_;
  RequestSocket route_;
  Descriptors fds_;
  std::vector<EspSocket> sockets_;
  std::map<IfId, Tunnel> tunnels_;
  std::map<Spi, IfId> spis_;  // inbound
  userspace::OutboundSas outbound_;
  userspace::News news_;
  userspace::Receiver receiver_;
  std::vector<std::unique_ptr<Sender>> senders_;
  userspace::Threads threads_;  // last: they use all of the above, and stop first
};

// As many as one tunnel needs. With one thread a tunnel half of the processors send, each for its share of the tunnels.
std::size_t sender_count(std::size_t threads) {
  return std::max<std::size_t>(threads,
                               std::clamp<std::size_t>(std::thread::hardware_concurrency() / 2, 1, kMostSenders));
}

UserspacePlane::UserspacePlane(std::vector<EspSocket> sockets, userspace::Options options, RequestSocket route,
                               Descriptors fds)
    : options_(options),
      route_(std::move(route)),
      fds_(std::move(fds)),
      sockets_(std::move(sockets)),
      outbound_(options.crypto, options.threads),
      receiver_(sockets_, fds_.relay_ours.get(), fds_.wake_receiver.get(), news_, options.threads) {
  const std::size_t most = options.threads > 1 ? kShare : userspace::SendBatch::kMost;
  for (std::size_t i = 0; i < sender_count(options.threads); ++i) {
    UniqueFd wake(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)), epoll(epoll_create1(EPOLL_CLOEXEC));
    if (wake.get() < 0 || epoll.get() < 0) throw std::system_error(errno, std::generic_category(), "eventfd, epoll");
    senders_.push_back(std::make_unique<Sender>(most, std::move(wake), std::move(epoll), news_));
  }
  for (std::size_t i = 0; i < options.threads; ++i)
    threads_.start("cgwd-esp-in", [this, i](const std::stop_token& stop) { receiver_.run(stop, i); });
  for (const auto& s : senders_)
    threads_.start("cgwd-esp-out", [&sender = *s](const std::stop_token& stop) { sender.run(stop); });
}

// now: what is replaced (a TUN, keys) is let go of at once, not with the next packet.
void UserspacePlane::tell_receiver(userspace::Row row, bool now) {
  if (receiver_.inbox().post(std::move(row)) || now) userspace::wake_up(fds_.wake_receiver.get());
}

void UserspacePlane::tell_sender(IfId id, bool now) {
  const auto t = tunnels_.find(id);
  for (std::size_t lane = 0; lane < options_.threads; ++lane) {
    userspace::TunnelRow row{.id = id.value(), .entry = std::nullopt};
    if (t != tunnels_.end()) {
      const auto& queues = t->second.tun.readers;
      row.entry = userspace::TunnelEntry{.tun = queues.empty() ? nullptr : queues[lane],
                                         .counters = t->second.counters,
                                         .out = t->second.out,
                                         .lane = lane};
    }
    Sender& sender = sender_of(id, lane);
    if (sender.inbox().post(std::move(row)) || now) userspace::wake_up(sender.wake_fd());
  }
}

// The tunnel's TUN is another, or gone.
void UserspacePlane::tell_interface(IfId id) {
  userspace::TunnelRow row{.id = id.value(), .entry = std::nullopt};
  if (const auto t = tunnels_.find(id); t != tunnels_.end())
    row.entry = userspace::TunnelEntry{.tun = t->second.tun.writer, .counters = t->second.counters, .out = nullptr};
  tell_receiver(std::move(row), true);
  tell_sender(id, true);
}

// Packets of unknown SPIs from the address that the tunnel sends to are counted as the tunnel's, or no longer.
void UserspacePlane::blame(const Tunnel& t, bool gone) {
  if (t.out) tell_receiver(userspace::PeerRow{.address = t.out->remote.address, .counters = t.counters, .gone = gone});
}

Tunnel& UserspacePlane::tunnel(IfId id) {
  const auto [at, added] = tunnels_.try_emplace(id);
  if (added) tell_interface(id);
  return at->second;
}

KernelResult<IfIndex> UserspacePlane::ensure_interface(const std::string& name, IfId id) {
  CGW_TRY(const auto found, find_link(route_, name));
  Tunnel& t = tunnel(id);
  if (t.tun.writer && found && found->index == t.tun.writer->index()) return found->index;
  t.tun = {};
  CGW_TRY(TunQueues tun, open_interface(name, found));
  const IfIndex index = tun.writer->index();
  if (auto marked = mark_link(route_, index, id); !marked) return fail(std::move(marked).error());
  t.tun = std::move(tun);
  tell_interface(id);
  return index;
}

// One that is there is adopted if it is ours, or an unused TUN. With many queues nobody says whether it is used.
KernelResult<TunQueues> UserspacePlane::open_interface(const std::string& name,
                                                       const std::optional<TunnelLink>& found) {
  const bool ours = found && has_tunnel_mark(found->alias);
  if (found && !ours && (found->kind != "tun" || options_.threads > 1))
    return fail(KernelError{EEXIST, "interface " + name,
                            "exists and is not cgwd's: remove it or name the tunnel's interface otherwise"});
  if (!found || found->kind == "tun") {
    auto opened = TunQueues::open(name, options_.tun, options_.threads);
    if (opened || opened.error().errnum != EINVAL || !ours) return opened;
  }
  // An xfrm interface, or a TUN made for another number of threads.
  if (auto gone = remove_link(route_, found->index, name); !gone) return fail(std::move(gone).error());
  return TunQueues::open(name, options_.tun, options_.threads);
}

KernelResult<void> UserspacePlane::remove_interface(const std::string& name, IfId id) {
  if (const auto gone = tunnels_.find(id); gone != tunnels_.end()) {
    for (const auto& [spis, out] : gone->second.outbound)
      outbound_.retire(spis.first, spis.second);
    for (const auto& [spi, in] : gone->second.in)
      forget_inbound(spi);
    stop_expecting(gone->second);
    blame(gone->second, true);
    tunnels_.erase(gone);
    tell_interface(id);
  }
  CGW_TRY(const auto found, find_link(route_, name));
  if (!found || found->kind != "tun" || found->alias != tunnel_mark(id)) return {};
  return remove_link(route_, found->index, name);
}

void UserspacePlane::forget_inbound(Spi spi) {
  spis_.erase(spi);
  tell_receiver(userspace::InboundRow{.spi = spi.value(), .sa = nullptr}, true);
}

Clock::time_point expiry(const ChildSa& sa) {
  return sa.hard_lifetime > Seconds{0} ? Clock::now() + sa.hard_lifetime : Clock::time_point::max();
}

KernelError no_cipher(const std::exception& e) {
  return {ENOTSUP, "ESP cipher", e.what()};
}

KernelResult<void> UserspacePlane::expect_inbound(IfId id, const ipsec::InboundSpi& sa) {
  stop_expecting(tunnel(id));
  tunnel(id).expected = sa.spi;
  tell_receiver(userspace::ExpectedRow{.spi = sa.spi.value()});
  return {};
}

// What was held for an SA that is here by now is taken with this row; without one it is dropped.
void UserspacePlane::stop_expecting(Tunnel& t) {
  if (!t.expected) return;
  tell_receiver(userspace::ExpectedRow{.spi = t.expected->value(), .gone = true}, true);
  t.expected.reset();
}

KernelResult<void> UserspacePlane::install_inbound(IfId id, const ChildSa& sa) try {
  const auto taken = [&](const char* by) {
    return fail(KernelError{EEXIST, fmt::format("inbound SA {:08x}", sa.spi_in.value()), by});
  };
  if (const auto owner = spis_.find(sa.spi_in); owner != spis_.end() && owner->second != id)
    return taken("another tunnel has this SPI");
  Tunnel& t = tunnel(id);
  const userspace::KeyDigest keys = userspace::digest_of(sa.in);
  if (const auto found = t.in.find(sa.spi_in); found != t.in.end()) {
    if (found->second.sa->keys != keys) return taken("another SA has this SPI");
    return {};
  }
  auto inbound = std::make_shared<userspace::Inbound>(id, keys, sa, options_.crypto, options_.threads, expiry(sa));
  t.in[sa.spi_in].sa = inbound;
  spis_.emplace(sa.spi_in, id);
  tell_receiver(userspace::InboundRow{.spi = sa.spi_in.value(), .sa = std::move(inbound)});
  if (t.expected == sa.spi_in) stop_expecting(t);
  return {};
} catch (const std::exception& e) {
  return fail(no_cipher(e));
}

const EspSocket* UserspacePlane::socket_for(const ChildSa& sa) const {
  if (!sa.udp_encap || sa.local.address.family() != sa.remote.address.family()) return nullptr;
  const auto found = std::ranges::find(sockets_, !sa.remote.address.is_v4(), &EspSocket::v6);
  return found == sockets_.end() ? nullptr : &*found;
}

KernelResult<void> UserspacePlane::use_outbound(IfId id, const ChildSa& sa) try {
  const EspSocket* const socket = socket_for(sa);
  if (socket == nullptr)
    return fail(KernelError{EAFNOSUPPORT, fmt::format("outbound SA {:08x}", sa.spi_out.value()),
                            "the userspace data plane sends ESP in UDP only, and this family has no UDP port 4500"});
  CGW_TRY(auto sealing, outbound_.take(sa));
  Tunnel& t = tunnel(id);
  const bool moved = t.out && t.out->sealing == sealing;
  if (t.out && t.out->remote.address != sa.remote.address) blame(t, true);
  t.outbound[{sa.spi_in, sa.spi_out}].sealing = sealing;
  t.out =
      std::make_shared<const userspace::Outbound>(userspace::Outbound{.spi_in = sa.spi_in,
                                                                      .spi = sa.spi_out,
                                                                      .sealing = std::move(sealing),
                                                                      .inner = InnerCheck(sa.local_ts, sa.remote_ts),
                                                                      .socket = socket,
                                                                      .local = sa.local,
                                                                      .remote = sa.remote,
                                                                      .expires = moved ? t.out->expires : expiry(sa)});
  blame(t, false);
  tell_sender(id);
  return {};
} catch (const std::exception& e) {
  return fail(no_cipher(e));
}

KernelResult<void> UserspacePlane::remove_child(IfId id, Spi spi_in, Spi spi_out) {
  const auto found = tunnels_.find(id);
  if (found == tunnels_.end()) return {};
  Tunnel& t = found->second;
  if (t.in.erase(spi_in) > 0) forget_inbound(spi_in);
  if (t.outbound.erase({spi_in, spi_out}) > 0) outbound_.retire(spi_in, spi_out);
  if (t.out && t.out->spi_in == spi_in && t.out->spi == spi_out) {
    blame(t, true);
    t.out.reset();
  }
  tell_sender(id, true);
  return {};
}

std::vector<PlaneEvent> UserspacePlane::take_events() {
  std::vector<PlaneEvent> out;
  for (const auto& m : news_.take())
    out.emplace_back(PeerMapped{.id = m.id, .spi = m.spi, .remote = m.remote});
  const auto look = [&](IfId id, Spi spi, Wear now, Wear& reported) {
    if (now == reported) return;
    reported = now;
    out.emplace_back(SaExpired{.id = id, .spi = spi, .hard = now == Wear::UsedUp});
  };
  for (auto& [id, t] : tunnels_) {
    for (auto& [spi, in] : t.in)
      look(id, spi, in.sa->wear, in.reported);
    for (auto& [spis, o] : t.outbound)
      look(id, spis.second, o.sealing->wear, o.reported);
  }
  return out;
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

KernelResult<Descriptors> make_descriptors() {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0) return fail(refused("socketpair"));
  Descriptors d{.relay_ours = UniqueFd(pair[0]),
                .relay_theirs = UniqueFd(pair[1]),
                .wake_receiver = UniqueFd(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC))};
  if (d.wake_receiver.get() < 0) return fail(refused("eventfd"));
  return d;
}

}  // namespace

KernelResult<std::unique_ptr<DataPlane>> make_userspace_plane(int udp4500, int udp4500_v6, unsigned threads) try {
  CGW_TRY(auto options, userspace::options_from_environment());
  options.threads = std::clamp(threads, 1U, kMostUserspaceThreads);
  CGW_TRY(auto route, RequestSocket::open(NETLINK_ROUTE));
  std::vector<EspSocket> sockets;
  for (const int fd : {udp4500, udp4500_v6}) {
    if (fd < 0) continue;
    CGW_TRY(sockets.emplace_back(), userspace::prepare_socket(fd, options.datagram_offload));
  }
  CGW_TRY(auto descriptors, make_descriptors());
  return std::make_unique<UserspacePlane>(std::move(sockets), options, std::move(route), std::move(descriptors));
} catch (const std::exception& e) {
  return fail(KernelError{EAGAIN, "threads of the userspace data plane", e.what()});
}

}  // namespace cgw::kernel
