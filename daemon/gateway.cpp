#include "daemon/gateway.hpp"

#include <unistd.h>

#include <fstream>

#include <fmt/format.h>

#include "daemon/data_plane_choice.hpp"
#include "daemon/routing.hpp"

namespace cgw {
namespace {

constexpr auto kPoll = std::chrono::seconds(1);
constexpr auto kSweepAtLatest = std::chrono::seconds(120);
constexpr std::uint32_t kFirstIfId = 0x0c670001;

// Stable over restarts and edits of other tunnels (FNV-1a of the name, within our range), so that an
// interface and its SAs are recognised again.
kernel::IfId if_id_of(std::string_view interface, const std::set<kernel::IfId>& taken) {
  std::uint32_t h = 2166136261U;
  for (const char c : interface)
    h = (h ^ static_cast<unsigned char>(c)) * 16777619U;
  kernel::IfId id{kFirstIfId + h % 0xfffe};
  while (taken.contains(id))
    id = kernel::IfId{kFirstIfId + (id.value() - kFirstIfId + 1) % 0xfffe};
  return id;
}

std::vector<IpAddress> outside_addresses(const config::Config& c) {
  std::vector<IpAddress> out;
  for (const auto& connection : c.connections) {
    for (const auto& [number, t] : connection.tunnels) {
      if (t.vpn_gateway_outside) out.push_back(*t.vpn_gateway_outside);
    }
  }
  return out;
}

bool forwarding_enabled() {
  std::ifstream f("/proc/sys/net/ipv4/ip_forward");
  return f.get() != '0';
}

}  // namespace

Result<std::unique_ptr<Gateway>, std::string> Gateway::open(boost::asio::any_io_executor executor, Log& log,
                                                            Loaded loaded) {
  const auto kernel_text = [](const kernel::KernelError& e) { return fail(e.to_string()); };
  CGW_TRY(IkeEndpoint ike, IkeEndpoint::open(executor));
  CGW_TRY(ChosenPlane plane,
          choose_data_plane(loaded.config, ike.nat_t_socket(Family::V4), ike.nat_t_socket(Family::V6)));
  auto links = kernel::Links::open();
  if (!links) return kernel_text(links.error());
  auto monitor = kernel::Monitor::open();
  if (!monitor) return kernel_text(monitor.error());
  auto paths = kernel::PathWatch::open();
  if (!paths) return kernel_text(paths.error());
  auto fib = kernel::Fib::open();
  if (!fib) return kernel_text(fib.error());
  auto icmp = kernel::IcmpEcho::open();
  if (!icmp) return kernel_text(icmp.error());
  Parts parts{.ike = std::move(ike),
              .plane = std::move(plane.plane),
              .plane_reason = std::move(plane.reason),
              .links = std::move(*links),
              .monitor = std::move(*monitor),
              .paths = std::move(*paths),
              .fib = std::move(*fib),
              .icmp = std::move(*icmp)};
  return std::unique_ptr<Gateway>(new Gateway(std::move(executor), log, std::move(loaded), std::move(parts)));
}

Gateway::Gateway(boost::asio::any_io_executor executor, Log& log, Loaded loaded, Parts parts)
    : executor_(executor),
      log_(log),
      loaded_(std::move(loaded)),
      demux_(entropy_),
      ike_(std::move(parts.ike)),
      plane_(std::move(parts.plane)),
      plane_reason_(std::move(parts.plane_reason)),
      links_(std::move(parts.links)),
      monitor_(std::move(parts.monitor)),
      paths_(std::move(parts.paths)),
      fib_(std::move(parts.fib)),
      icmp_(std::move(parts.icmp)),
      icmp_ready_(executor, dup(icmp_.fd())),
      monitor_ready_(executor, dup(monitor_.fd())),
      paths_ready_(executor, dup(paths_.fd())),
      plane_watch_(executor, *plane_),
      poll_(executor),
      resync_(executor),
      sweep_(executor),
      look_(executor),
      outer_(std::make_shared<const OuterPaths>(outside_addresses(loaded_.config))),
      bgp_(std::make_shared<BgpSpeaker>(
          executor, neighbors::router(loaded_.config), bgp::DecisionOptions{}, entropy_,
          BgpSpeaker::Observer{.action = [this](bgp::NeighborId n, const bgp::NeighborAction& a) { on_bgp(n, a); },
                               .changes = [this](bgp::Speaker& speaker) { learn(speaker); }})) {}

void Gateway::start() {
  const std::string threads = plane_threads() ? fmt::format("; {} {} a tunnel each way", *plane_threads(),
                                                            *plane_threads() == 1 ? "thread" : "threads")
                                              : "";
  note(Level::Info, fmt::format("data plane: {} ({}){}", plane_->name(), plane_reason_, threads));
  if (!forwarding_enabled()) {
    note(Level::Warning, "net.ipv4.ip_forward is 0: this host forwards nothing; sysctl -w net.ipv4.ip_forward=1");
  }
  switch (config().when_down) {
    case config::WhenDown::Blackhole: fib_.set_when_down(kernel::Fib::WhenDown::Blackhole); break;
    case config::WhenDown::Unreachable: fib_.set_when_down(kernel::Fib::WhenDown::Unreachable); break;
    case config::WhenDown::Remove: fib_.set_when_down(kernel::Fib::WhenDown::Remove); break;
  }
  make_tunnels();
  open_reception();
  ike_.start([this](ipsec::Received d) { receive(std::move(d)); }, plane_->ike_relay_fd().value_or(-1));
  wait_icmp();
  wait_monitor();
  wait_paths();
  watch_plane();
  arm_poll();
  sweep_.expires_after(kSweepAtLatest);
  sweep_.async_wait([this](const boost::system::error_code& ec) {
    if (!ec && !swept_) report(fib_.sweep());
    swept_ = true;
  });
  for (const auto& t : tunnels_)
    t->start();
  add_static_routes();
  if (config().bgp) {
    for (const Prefix& p : config().bgp->networks)
      bgp_->originate(p, {}, routing::kOwnNetwork);
  }
  for (const auto& c : config().connections)
    announce_within(c.id);
  clamp_mss();
}

void Gateway::make_tunnels() {
  const Equipment equipment{executor_, log_, entropy_, ike_, *plane_, links_, icmp_, key_log_, *bgp_};
  std::set<kernel::IfId> taken;
  for (const auto& c : config().connections) {
    for (const auto& [number, t] : c.tunnels) {
      const auto index = tunnels_.size();
      TunnelSetup setup{.connection = c.id,
                        .config = t,
                        .exit = rib::ExitId{static_cast<std::uint32_t>(index + 1)},
                        .if_id = if_id_of(t.interface, taken),
                        .probe_tag = static_cast<std::uint16_t>(index + 1),
                        .psk = loaded_.secrets[t.pre_shared_key],
                        .credentials = loaded_.credentials[{c.id, number}],
                        .neighbor = add_neighbor(c, t)};
      taken.insert(setup.if_id);
      const auto self = [this, index]() -> Tunnel& { return *tunnels_[index]; };
      Tunnel::Observer observer{
          .ike_ready = [this, index](ipsec::IkePeer& peer) { ike_peers_.set(index, &peer); },
          .interface_ready = [this, self](const kernel::ExitState& e) { interface_ready(self(), e); },
          .judged = [this, self](const health::Judgement& before) { judged(self(), before); },
          .transform_changed = [this] { clamp_mss(); }};
      tunnels_.push_back(std::make_shared<Tunnel>(equipment, std::move(setup), std::move(observer)));
      tunnels_.back()->debug_ike(debug_ike_);
      rib_.set_fitness(rib::ExitId{static_cast<std::uint32_t>(index + 1)}, rib::Fitness::Down);
    }
  }
}

std::optional<bgp::NeighborId> Gateway::add_neighbor(const config::Connection& c, const config::Tunnel& t) {
  auto neighbor = neighbors::of_tunnel({config(), loaded_.policy, outer_}, c, t);
  if (!neighbor) return std::nullopt;
  // TTL 1: the neighbor is at the other end of the tunnel.
  BgpPath path{.local = neighbor->session.local_address,
               .remote = neighbor->session.remote_address,
               .interface = t.interface,
               .ttl = 1};
  const bgp::NeighborId n = bgp_->add(*std::move(neighbor), std::move(path));
  tunnel_of_[n] = tunnels_.size();
  return n;
}

void Gateway::stop() {
  stopping_ = true;
  // With the kernel plane the SAs go on carrying traffic until the next start; the userspace plane ends with us, so
  // the peer is told to use another tunnel.
  const bool tell_peer = plane_->name() == "userspace";
  bgp_->stop("cgwd stops");
  for (const auto& t : tunnels_)
    t->stop(tell_peer);
  for (auto* timer : {&poll_, &resync_, &sweep_, &look_})
    timer->cancel();
  boost::system::error_code ignored;
  icmp_ready_.cancel(ignored);
  monitor_ready_.cancel(ignored);
  paths_ready_.cancel(ignored);
  plane_watch_.stop();
}

const Tunnel* Gateway::tunnel_of(rib::ExitId exit) const {
  const std::size_t n = exit.value();
  return n >= 1 && n <= tunnels_.size() ? tunnels_[n - 1].get() : nullptr;
}

const Tunnel* Gateway::tunnel_of(bgp::NeighborId n) const {
  const auto it = tunnel_of_.find(n);
  return it == tunnel_of_.end() ? nullptr : tunnels_[it->second].get();
}

bool Gateway::active(rib::ExitId exit) const {
  return active_.contains(exit);
}

void Gateway::arm_poll() {
  poll_.expires_after(kPoll);
  poll_.async_wait([this](const boost::system::error_code& ec) {
    if (ec || stopping_) return;
    for (const auto& t : tunnels_)
      t->poll();
    tick_reception();
    plane_watch_.take();
    follow_the_peer();
    tell_unusable();
    arm_poll();
  });
}

}  // namespace cgw
