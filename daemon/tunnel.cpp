#include "daemon/tunnel.hpp"

#include <utility>

#include <fmt/format.h>

#include "daemon/credentials.hpp"
#include "ipsec/mtu.hpp"

namespace cgw {
namespace {

constexpr auto kStartRetry = std::chrono::seconds(1);

TimePoint now() {
  return std::chrono::steady_clock::now();
}

health::ProbeConfig probe_config(const config::Tunnel& t) {
  health::ProbeConfig c;
  c.interval = t.probe_interval;
  return c;
}

health::Parameters health_parameters(const config::Tunnel& t) {
  health::Parameters p;
  p.misses = t.probe_misses;
  return p;
}

}  // namespace

Tunnel::Tunnel(Equipment equipment, TunnelSetup setup, Observer observer)
    : equipment_(std::move(equipment)),
      setup_(std::move(setup)),
      observer_(std::move(observer)),
      name_(fmt::format("{} tunnel {}", setup_.connection, setup_.config.number)),
      timer_(equipment_.executor),
      retry_(equipment_.executor),
      prober_(probe_config(setup_.config)),
      health_(health_parameters(setup_.config)),
      expiry_said_(wall_clock()) {}

void Tunnel::start() {
  try_start();
  judge();
}

// Tried again every second: at boot the route to AWS may come later than we do.
void Tunnel::try_start() {
  if (stopped_) return;
  auto ready = prepare_interface();
  if (ready && !ike_) ready = prepare_ike();
  if (!ready) {
    say_once(ready.error());
    retry_.expires_after(kStartRetry);
    retry_.async_wait([weak = weak_from_this()](const boost::system::error_code& ec) {
      const auto self = weak.lock();
      if (!ec && self) self->try_start();
    });
    return;
  }
  said_.clear();
}

Result<void, std::string> Tunnel::prepare_interface() {
  if (interface_) return {};
  const config::Tunnel& t = setup_.config;
  const auto index = equipment_.plane.ensure_interface(t.interface, setup_.if_id);
  if (!index) return fail("interface " + t.interface + ": " + index.error().to_string());
  if (mtu_ == 0) {
    // Before the first SA: what the worst of our proposals leaves.
    mtu_ = t.mtu.value_or(mtu_before_sa());
  }
  const auto configured = equipment_.links.configure(*index, *t.customer_gateway_inside, *t.vpn_gateway_inside, mtu_);
  if (!configured) return fail("interface " + t.interface + ": " + configured.error().to_string());
  interface_ = *index;
  link_up_ = true;
  observer_.interface_ready({.interface = *index, .next_hop = *t.vpn_gateway_inside});
  if (setup_.neighbor) {
    if (const auto ok = equipment_.bgp.listen(*setup_.neighbor); !ok) note(Level::Warning, "BGP: " + ok.error());
  }
  return {};
}

void Tunnel::stop(bool tell_peer) {
  stopped_ = true;
  if (ike_ && tell_peer) {
    const auto actions = ike_->step(now(), ipsec::Stop{.tell_peer = true});
    for (const auto& a : actions) {
      if (const auto* d = std::get_if<ipsec::SendDatagram>(&a)) equipment_.ike.send(*d);
    }
  }
  timer_.cancel();
  retry_.cancel();
}

void Tunnel::receive(ipsec::Received datagram) {
  if (ike_ && !stopped_) step_ike(datagram);
}

void Tunnel::ike_moved(const ipsec::Moved& m) {
  note(Level::Info, fmt::format("IKE {} -> {}: {}", to_string(m.from), to_string(m.to), m.why));
  if (m.to == ipsec::PeerState::Established) {
    if (setup_.config.probe) prober_.start(now());
    if (setup_.neighbor) equipment_.bgp.dispatch(*setup_.neighbor, bgp::Start{});
    send_probes();
  } else if (m.from == ipsec::PeerState::Established) {
    prober_.stop();
  }
  judge();
}

void Tunnel::bgp_moved(const bgp::Moved& m) {
  // The gateway says that a session stands or is lost; between the two, only who is looking wants to know.
  note(Level::Debug, fmt::format("BGP {} -> {}: {}", to_string(m.from), to_string(m.to), m.why));
  if (m.to == bgp::State::Established || m.from == bgp::State::Established) judge();
}

void Tunnel::send_probes() {
  if (!interface_) return;
  const config::Tunnel& t = setup_.config;
  for (const auto& probe : prober_.tick(now())) {
    // A refusal (interface down) counts like an answer that does not come.
    const auto sent = equipment_.icmp.send(*interface_, t.customer_gateway_inside->address, *t.vpn_gateway_inside,
                                           setup_.probe_tag, probe.sequence);
    if (!sent) note(Level::Debug, "probe not sent: " + sent.error().to_string());
  }
}

void Tunnel::probe_answered(std::uint16_t sequence) {
  ++replies_;
  prober_.answered(now(), sequence);
  judge();
  arm();
}

void Tunnel::judge() {
  const auto* ike = this->ike();
  health::Evidence e;
  e.child_sa = ike != nullptr && ike->state == ipsec::PeerState::Established;
  e.ike_reason = setup_.config.shutdown ? "shut down by configuration" : ike != nullptr ? ike->last_error : said_;
  e.link_up = link_up_;
  e.probing = prober_.running();
  e.probe_ever_answered = prober_.ever_answered();
  e.probes_missed = prober_.missed_in_a_row();
  e.rtt = prober_.rtt();
  e.loss = prober_.loss();
  e.other_losses = prober_.other_losses();
  e.bgp_configured = bgp() != nullptr;
  e.bgp_established = bgp() != nullptr && bgp()->state == bgp::State::Established;
  const health::Judgement before = health_.judgement();
  const health::Judgement& after = health_.update(now(), e);
  if (after.verdict == before.verdict) return;
  note(after.verdict == health::Verdict::Up ? Level::Info : Level::Warning,
       fmt::format("{} -> {}: {}", to_string(before.verdict), to_string(after.verdict), after.reason));
  observer_.judged(before);
}

void Tunnel::tick() {
  if (stopped_) return;
  send_probes();
  judge();
  if (const bool dead = probe_is_dead(); std::exchange(doubted_, dead) != dead && dead)
    doubt("the probe is unanswered");
  if (ike_ && ike_->next_deadline() && *ike_->next_deadline() <= now()) return step_ike(ipsec::Tick{});
  arm();
}

void Tunnel::arm() {
  if (stopped_) return;
  std::optional<TimePoint> next;
  const auto consider = [&](std::optional<TimePoint> at) {
    if (at && (!next || *at < *next)) next = at;
  };
  if (ike_) consider(ike_->next_deadline());
  consider(prober_.next_deadline());
  consider(health_.next_deadline());
  if (!next) {
    timer_.cancel();
    return;
  }
  timer_.expires_at(*next);
  timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& ec) {
    const auto self = weak.lock();
    if (!ec && self) self->tick();
  });
}

// A step of the host's clock is told to the core; what expires is said once a day, the first time when it was loaded.
void Tunnel::watch_calendar() {
  if (!setup_.credentials || !ike_ || stopped_) return;
  const auto wall = wall_clock();
  const auto offset = wall.time_since_epoch() - std::chrono::floor<Seconds>(now().time_since_epoch());
  if (!wall_offset_ || offset - *wall_offset_ > Seconds(1) || *wall_offset_ - offset > Seconds(1)) {
    wall_offset_ = offset;
    step_ike(ipsec::WallClock{wall});
  }
  if (wall - expiry_said_ < std::chrono::days(1)) return;
  expiry_said_ = wall;
  for (const auto& line : ipsec::expiry_warnings(*setup_.credentials, wall))
    note(Level::Warning, line);
}

// The counters since the last look, which are the totals from here on.
std::optional<kernel::TunnelCounters> Tunnel::take_counters() {
  auto total = equipment_.plane.counters(setup_.if_id);
  if (!total) return std::nullopt;
  kernel::TunnelCounters since{.packets_in = total->packets_in - counters_.packets_in,
                               .packets_out = total->packets_out - counters_.packets_out};
  counters_ = std::move(*total);
  return since;
}

void Tunnel::poll() {
  watch_calendar();
  constexpr unsigned kUnanswered = 2;  // polls
  const auto since = take_counters();
  if (!since) return;
  // Only what was sent can have met a smaller MTU.
  if (!stopped_ && since->packets_out > 0) follow_path_mtu();
  const std::uint64_t ours = replies_ - replies_polled_;
  replies_polled_ = replies_;
  forwarded_in_ = since->packets_in > ours ? since->packets_in - ours : 0;
  unanswered_polls_ = since->packets_in == 0 && since->packets_out > 0 ? unanswered_polls_ + 1 : 0;
  if (!ike_ || stopped_) return;
  if (since->packets_in > 0) step_ike(ipsec::EspSeen{});
  const auto expiring =
      volume_.check({counters_.packets_in, counters_.octets_in}, {counters_.packets_out, counters_.octets_out});
  if (expiring) step_ike(*expiring);
  if (since->packets_in > 0) return;
  if (probe_is_dead()) return doubt("the probe is unanswered");
  if (unanswered_polls_ >= kUnanswered) doubt("packets go out and none come in");
}

void Tunnel::link_changed(const kernel::LinkState& link, bool gone) {
  if (!interface_ || link.index != *interface_) return;
  if (gone) {
    note(Level::Warning, "interface " + link.name + " was deleted; making it again");
    interface_.reset();
    link_up_ = false;
    if (setup_.neighbor) equipment_.bgp.interface_gone(*setup_.neighbor);
    judge();
    return try_start();
  }
  // Events are history: an interface that was being made may be up by now.
  const auto present = equipment_.links.find(link.name);
  const bool up = present && *present && (*present)->up;
  if (up == link_up_) return;
  link_up_ = up;
  note(Level::Warning, "interface " + link.name + (up ? " is up again" : " was set down"));
  if (link_up_) observer_.interface_ready({.interface = link.index, .next_hop = *setup_.config.vpn_gateway_inside});
  judge();
}

void Tunnel::complain(const kernel::KernelError& e) {
  note(Level::Error, e.to_string());
}

void Tunnel::say_once(std::string text) {
  if (text == said_) return;
  note(Level::Warning, text);
  said_ = std::move(text);
}

}  // namespace cgw
