#include "daemon/gateway.hpp"

#include <unistd.h>

#include <fstream>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/overload.hpp"
#include "daemon/data_plane_choice.hpp"
#include "kernel/mss_clamp.hpp"

namespace cgw {
namespace {

constexpr auto kPoll = std::chrono::seconds(1);
constexpr auto kResyncDelay = std::chrono::milliseconds(100);
constexpr auto kSweepAtLatest = std::chrono::seconds(120);
constexpr std::uint32_t kFirstIfId = 0x0c670001;

TimePoint now() {
  return std::chrono::steady_clock::now();
}

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

rib::Fitness fitness(health::Verdict v) {
  switch (v) {
    case health::Verdict::Up: return rib::Fitness::Up;
    case health::Verdict::Degraded: return rib::Fitness::Degraded;
    case health::Verdict::Draining: return rib::Fitness::Draining;
    case health::Verdict::Down: return rib::Fitness::Down;
  }
  return rib::Fitness::Down;
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
  CGW_TRY(ChosenPlane plane, choose_data_plane(loaded.config.data_plane, ike.nat_t_socket()));
  auto links = kernel::Links::open();
  if (!links) return kernel_text(links.error());
  auto monitor = kernel::Monitor::open();
  if (!monitor) return kernel_text(monitor.error());
  auto fib = kernel::Fib::open();
  if (!fib) return kernel_text(fib.error());
  auto icmp = kernel::IcmpEcho::open();
  if (!icmp) return kernel_text(icmp.error());
  Parts parts{.ike = std::move(ike),
              .plane = std::move(plane.plane),
              .plane_reason = std::move(plane.reason),
              .links = std::move(*links),
              .monitor = std::move(*monitor),
              .fib = std::move(*fib),
              .icmp = std::move(*icmp)};
  return std::unique_ptr<Gateway>(new Gateway(std::move(executor), log, std::move(loaded), std::move(parts)));
}

Gateway::Gateway(boost::asio::any_io_executor executor, Log& log, Loaded loaded, Parts parts)
    : executor_(executor),
      log_(log),
      loaded_(std::move(loaded)),
      ike_(std::move(parts.ike)),
      plane_(std::move(parts.plane)),
      plane_reason_(std::move(parts.plane_reason)),
      links_(std::move(parts.links)),
      monitor_(std::move(parts.monitor)),
      fib_(std::move(parts.fib)),
      icmp_(std::move(parts.icmp)),
      icmp_ready_(executor, dup(icmp_.fd())),
      monitor_ready_(executor, dup(monitor_.fd())),
      poll_(executor),
      resync_(executor),
      sweep_(executor) {}

void Gateway::start() {
  note(Level::Info, fmt::format("data plane: {} ({})", plane_->name(), plane_reason_));
  if (!forwarding_enabled()) {
    note(Level::Warning, "net.ipv4.ip_forward is 0: this host forwards nothing; sysctl -w net.ipv4.ip_forward=1");
  }
  switch (config().when_down) {
    case config::WhenDown::Blackhole: fib_.set_when_down(kernel::Fib::WhenDown::Blackhole); break;
    case config::WhenDown::Unreachable: fib_.set_when_down(kernel::Fib::WhenDown::Unreachable); break;
    case config::WhenDown::Remove: fib_.set_when_down(kernel::Fib::WhenDown::Remove); break;
  }
  make_tunnels();
  ike_.start([this](ipsec::Received d) { receive(std::move(d)); }, plane_->ike_relay_fd().value_or(-1));
  wait_icmp();
  wait_monitor();
  arm_poll();
  sweep_.expires_after(kSweepAtLatest);
  sweep_.async_wait([this](const boost::system::error_code& ec) {
    if (!ec && !swept_) report(fib_.sweep());
    swept_ = true;
  });
  for (const auto& t : tunnels_)
    t->start();
  add_static_routes();
  announce_all();
  clamp_mss();
}

void Gateway::make_tunnels() {
  const Equipment equipment{executor_, log_, entropy_, ike_, *plane_, links_, icmp_};
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
                        .bgp = session_config(c, t)};
      taken.insert(setup.if_id);
      const auto self = [this, index]() -> Tunnel& { return *tunnels_[index]; };
      Tunnel::Observer observer{
          .interface_ready = [this, self](const kernel::ExitState& e) { interface_ready(self(), e); },
          .judged = [this, self](const health::Judgement& before) { judged(self(), before); },
          .transform_changed = [this] { clamp_mss(); },
          .bgp = [this, self](const bgp::Action& a) { on_bgp(self(), a); }};
      tunnels_.push_back(std::make_shared<Tunnel>(equipment, std::move(setup), std::move(observer)));
      rib_.set_fitness(rib::ExitId{static_cast<std::uint32_t>(index + 1)}, rib::Fitness::Down);
    }
  }
}

std::optional<bgp::SessionConfig> Gateway::session_config(const config::Connection& c, const config::Tunnel& t) const {
  if (!config().bgp || !t.vpn_gateway_inside || c.routing == config::Routing::Static) return std::nullopt;
  const config::Bgp& b = *config().bgp;
  const auto n = b.neighbors.find(*t.vpn_gateway_inside);
  if (n == b.neighbors.end() || n->second.shutdown) return std::nullopt;
  const auto id = b.router_id.value_or(t.customer_gateway_outside.value_or(t.customer_gateway_inside->address));
  // AWS resets the session past these numbers (VPN quotas).
  const std::uint32_t limit = c.target == config::Target::Tgw ? 1000 : 100;
  bgp::SessionConfig s;
  s.local_as = bgp::Asn{b.asn};
  s.remote_as = bgp::Asn{n->second.remote_as};
  s.router_id = bgp::RouterId{id.v4_value()};
  s.local_address = t.customer_gateway_inside->address;
  s.remote_address = *t.vpn_gateway_inside;
  s.hold_time = n->second.hold.value_or(b.hold);
  s.keepalive_time = n->second.keepalive.value_or(b.keepalive);
  s.passive = n->second.passive;
  s.maximum_prefix_out = n->second.maximum_prefix_out.value_or(limit);
  return s;
}

void Gateway::add_static_routes() {
  for (const auto& r : config().static_routes) {
    for (const auto& t : tunnels_) {
      const auto& inside = t->setup().config.vpn_gateway_inside;
      const bool wanted = r.next_hop ? inside == r.next_hop : t->setup().connection == r.connection;
      if (!wanted) continue;
      rib::Path p;
      p.protocol = rib::Protocol::Static;
      p.distance = r.distance;
      p.exit = t->setup().exit;
      p.next_hop = *inside;
      p.preference = t->setup().config.preference.value_or(0);
      p.learned = now();
      rib_.update(r.prefix, p);
    }
  }
  publish();
}

void Gateway::stop() {
  stopping_ = true;
  // With the kernel plane the SAs go on carrying traffic until the next start; the userspace plane ends with us, so
  // the peer is told to use another tunnel.
  const bool tell_peer = plane_->name() == "userspace";
  for (const auto& t : tunnels_)
    t->stop(tell_peer);
  for (auto* timer : {&poll_, &resync_, &sweep_})
    timer->cancel();
  boost::system::error_code ignored;
  icmp_ready_.cancel(ignored);
  monitor_ready_.cancel(ignored);
}

const Tunnel* Gateway::tunnel_of(rib::ExitId exit) const {
  const std::size_t n = exit.value();
  return n >= 1 && n <= tunnels_.size() ? tunnels_[n - 1].get() : nullptr;
}

bool Gateway::active(rib::ExitId exit) const {
  return active_.contains(exit);
}

void Gateway::interface_ready(Tunnel& t, const kernel::ExitState& exit) {
  if (stopping_) return;
  report(fib_.set_exit(t.setup().exit, exit));
  schedule_resync();
}

void Gateway::judged(Tunnel& t, const health::Judgement& before) {
  if (stopping_) return;
  rib_.set_fitness(t.setup().exit, fitness(t.judgement().verdict));
  publish();
  const bool was_or_is_down = before.verdict == health::Verdict::Down || t.judgement().verdict == health::Verdict::Down;
  if (was_or_is_down) announce_all();
}

void Gateway::clamp_mss() {
  std::map<std::string, kernel::ClampedLink> links;
  for (const auto& t : tunnels_) {
    if (t->mtu() == 0) continue;
    links[t->setup().config.interface] = {.mss_v4 = ipsec::tunnel_mss(t->mtu(), false),
                                          .mss_v6 = ipsec::tunnel_mss(t->mtu(), true)};
  }
  if (const auto ok = kernel::set_mss_clamp(links); !ok) {
    note(Level::Warning, "MSS clamp: " + ok.error().to_string() + "; large TCP segments may be lost in the tunnels");
  }
}

// While we stop, sessions end but forwarding goes on as it is.
void Gateway::on_bgp(Tunnel& t, const bgp::Action& action) {
  if (stopping_) return;
  const auto visitor = Overload{
      [&](const bgp::RouteChanges& c) { learn(t, c); },
      [&](const bgp::EndOfRib&) { end_of_rib(t); },
      [&](const bgp::SessionUp&) {
        end_of_rib_.erase(t.setup().exit);
        log_.write(Level::Info, t.name(),
                   "BGP session established with " + t.setup().config.vpn_gateway_inside->to_string());
      },
      [&](const bgp::SessionDown& d) {
        log_.write(Level::Warning, t.name(), "BGP session lost: " + d.why);
        end_of_rib_.erase(t.setup().exit);
        rib_.withdraw_all(rib::Protocol::Bgp, t.setup().exit, true);
        publish();
      },
      [](const auto&) {},
  };
  std::visit(visitor, action);
}

void Gateway::learn(Tunnel& t, const bgp::RouteChanges& changes) {
  const auto* session = t.bgp();
  const auto at = now();
  for (const auto& c : changes.changes) {
    if (!c.attributes || !importable(t, c.prefix)) {
      rib_.withdraw(c.prefix, rib::Protocol::Bgp, t.setup().exit);
      continue;
    }
    const bgp::PathAttributes& a = *c.attributes;
    rib::Path p;
    p.exit = t.setup().exit;
    p.next_hop = *t.setup().config.vpn_gateway_inside;
    p.local_pref = 100;
    p.as_path_length = a.as_path_length();
    p.origin = static_cast<std::uint8_t>(a.origin);
    p.med = a.med.value_or(0);
    p.neighbor_as = a.first_as().value_or(bgp::Asn{}).value();
    p.router_id = session->status().peer_router_id.value();
    p.learned = at;
    p.as_path = a.as_path_text();
    rib_.update(c.prefix, std::move(p));
  }
  publish();
}

// A route over a tunnel must not cover the outer path of any tunnel: its ESP would loop into itself.
bool Gateway::importable(Tunnel& t, const Prefix& prefix) {
  for (const auto& other : tunnels_) {
    const auto& outside = other->setup().config.vpn_gateway_outside;
    if (!outside || !prefix.contains(*outside)) continue;
    log_.write(Level::Warning, t.name(),
               fmt::format("{} is not used: it covers {}, the outside address of {}", prefix.to_string(),
                           outside->to_string(), other->name()));
    return false;
  }
  return true;
}

// When every established session has told all it has, what nobody offered any more is let go: retained
// prefixes of the RIB and routes an earlier process left in the kernel.
void Gateway::end_of_rib(Tunnel& t) {
  end_of_rib_.insert(t.setup().exit);
  bool every_session = true;
  for (const auto& other : tunnels_) {
    if (other->bgp() == nullptr) continue;
    const bool established = other->bgp()->status().state == bgp::State::Established;
    if (established && !end_of_rib_.contains(other->setup().exit)) return;
    every_session = every_session && established;
  }
  rib_.release_retained();
  publish();
  if (!swept_ && every_session) {
    swept_ = true;
    report(fib_.sweep());
  }
}

void Gateway::announce_all() {
  for (const auto& t : tunnels_) {
    if (t->bgp() != nullptr) t->announce(advertisements(*t));
  }
}

// Our networks and nothing learnt: never transit. MED tells AWS where to send: equal while all tunnels of the
// connection are fit, lower on the fit ones when another is down, so that the way back moves with the way out.
std::vector<bgp::Advertisement> Gateway::advertisements(const Tunnel& t) const {
  constexpr std::uint32_t kMed = 100, kMedOtherDown = 50, kMedDraining = 200;
  std::uint32_t med = kMed;
  if (t.judgement().verdict == health::Verdict::Draining) med = kMedDraining;
  if (t.judgement().verdict == health::Verdict::Up || t.judgement().verdict == health::Verdict::Degraded) {
    for (const auto& other : tunnels_) {
      const bool sibling = other.get() != &t && other->setup().connection == t.setup().connection;
      const bool served = sibling && other->bgp() != nullptr && other->bgp()->status().established_count > 0;
      if (served && other->judgement().verdict == health::Verdict::Down) med = kMedOtherDown;
    }
  }
  std::vector<bgp::Advertisement> out;
  for (const Prefix& p : config().bgp->networks)
    out.push_back({.prefix = p, .med = med, .communities = {}});
  return out;
}

void Gateway::publish() {
  const auto changes = rib_.take_changes();
  report(fib_.apply(changes));
  const auto before = std::exchange(active_, active_exits());
  if (before == active_) return;
  const auto names = [&](const std::set<rib::ExitId>& exits) {
    std::vector<std::string> out;
    for (const auto e : exits)
      out.push_back(tunnel_of(e)->name());
    return out.empty() ? std::string("no tunnel (blackhole)") : fmt::format("{}", fmt::join(out, ", "));
  };
  last_change_ = Change{now(), fmt::format("{} -> {}{}", names(before), names(active_), why_moved(before, changes))};
  note(Level::Info, "traffic: " + last_change_->text);
}

// In words: what became of the exits that were left, or the rule by which others are better now.
std::string Gateway::why_moved(const std::set<rib::ExitId>& before, const rib::PlanChanges& changes) const {
  std::string out;
  for (const auto e : before) {
    if (active_.contains(e)) continue;
    const Tunnel& left = *tunnel_of(e);
    if (left.judgement().verdict != health::Verdict::Up) {
      out += fmt::format("; {} is {}: {}", left.name(), to_string(left.judgement().verdict), left.judgement().reason);
      continue;
    }
    rib::Rule rule = rib::Rule::Same;
    for (const auto& c : changes) {
      const auto* set = std::get_if<rib::RouteSet>(&c);
      const auto view = set != nullptr ? rib_.find(set->prefix) : std::nullopt;
      if (!view) continue;
      for (const auto& candidate : view->candidates) {
        if (candidate.path.exit == e) rule = candidate.lost_by;
      }
      break;
    }
    out += rule == rib::Rule::Same ? "; it is fit again and preferred" : fmt::format("; better by {}", to_string(rule));
  }
  return out;
}

void Gateway::report(const kernel::FibErrors& errors) {
  constexpr std::size_t kShown = 5;
  for (std::size_t i = 0; i < errors.errors.size() && i < kShown; ++i) {
    note(Level::Error, "kernel: " + errors.errors[i].to_string());
  }
  if (errors.errors.size() > kShown) {
    note(Level::Error, fmt::format("kernel: {} more requests were refused", errors.errors.size() - kShown));
  }
  if (!errors.errors.empty()) schedule_resync();
}

std::set<rib::ExitId> Gateway::active_exits() const {
  std::set<rib::ExitId> out;
  for (const auto& g : rib_.groups())
    out.insert(g.active.begin(), g.active.end());
  return out;
}

// AWS sends on one tunnel of its choice that no API shows (static mode): the one on which forwarded packets
// come in, when they come in on no other.
void Gateway::follow_the_peer() {
  constexpr std::uint64_t kSome = 5;  // packets a poll; fewer says nothing
  std::optional<rib::ExitId> only;
  for (const auto& t : tunnels_) {
    if (t->forwarded_in() < kSome || t->bgp() != nullptr) continue;
    if (only) return;
    only = t->setup().exit;
  }
  if (!only) return;
  rib_.set_followed(only);
  publish();
}

void Gateway::wait_icmp() {
  icmp_ready_.async_wait(boost::asio::posix::stream_descriptor::wait_read, [this](const boost::system::error_code& ec) {
    if (ec || stopping_) return;
    for (const auto& reply : icmp_.read()) {
      const Tunnel* t = tunnel_of(rib::ExitId{reply.tunnel});
      const bool expected =
          t != nullptr && t->interface() == reply.interface && t->setup().config.vpn_gateway_inside == reply.from;
      if (expected) tunnels_[reply.tunnel - 1U]->probe_answered(reply.sequence);
    }
    wait_icmp();
  });
}

void Gateway::wait_monitor() {
  monitor_ready_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                            [this](const boost::system::error_code& ec) {
                              if (ec || stopping_) return;
                              for (const auto& e : monitor_.read())
                                kernel_event(e);
                              wait_monitor();
                            });
}

// The kernel drops nexthop objects and their routes with a link without telling: look again after each event.
void Gateway::kernel_event(const kernel::Monitor::Event& event) {
  if (const auto* l = std::get_if<kernel::Monitor::LinkChanged>(&event)) {
    for (const auto& t : tunnels_) {
      if (t->interface() != l->link.index) continue;
      t->link_changed(l->link, l->gone);
      schedule_resync();
    }
    return;
  }
  if (!std::holds_alternative<kernel::Monitor::AddressChanged>(event)) schedule_resync();
}

void Gateway::schedule_resync() {
  if (resync_pending_ || stopping_) return;
  resync_pending_ = true;
  resync_.expires_after(kResyncDelay);
  resync_.async_wait([this](const boost::system::error_code& ec) {
    resync_pending_ = false;
    if (ec) return;
    const auto repaired = fib_.resync();
    if (!repaired) return note(Level::Error, "kernel: " + repaired.error().to_string());
    if (*repaired > 0)
      note(Level::Warning, fmt::format("kernel: {} routes or nexthops were gone or changed; repaired", *repaired));
  });
}

void Gateway::arm_poll() {
  poll_.expires_after(kPoll);
  poll_.async_wait([this](const boost::system::error_code& ec) {
    if (ec || stopping_) return;
    for (const auto& t : tunnels_)
      t->poll();
    follow_the_peer();
    arm_poll();
  });
}

// By SPI first (a NAT may have changed the peer's address), then by the peer's address.
void Gateway::receive(ipsec::Received datagram) {
  constexpr std::size_t kSpis = 16;
  if (datagram.message.size() < kSpis || stopping_) return;
  Reader r(datagram.message);
  const std::uint64_t spi_i = r.u64();
  const std::uint64_t spi_r = r.u64();
  Tunnel* by_address = nullptr;
  for (const auto& t : tunnels_) {
    if (t->owns(spi_i, spi_r)) return t->receive(std::move(datagram));
    if (t->setup().config.vpn_gateway_outside == datagram.remote.address) by_address = t.get();
  }
  if (by_address != nullptr) return by_address->receive(std::move(datagram));
  if (unknown_ike_++ == 0) {
    note(Level::Info, fmt::format("IKE from {} is ignored: no tunnel has this outside address (said once)",
                                  datagram.remote.to_string()));
  }
}

}  // namespace cgw
