#pragma once
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <variant>
#include <vector>

#include <doctest/doctest.h>

#include "base/overload.hpp"
#include "bgp/session_ribs.hpp"
#include "daemon/routing.hpp"
#include "health/probe.hpp"
#include "health/verdict.hpp"
#include "ipsec/peer.hpp"
#include "rib/rib.hpp"
#include "tests/support/sim_entropy.hpp"
#include "tests/support/sim_tcp.hpp"

namespace cgw::test {

struct Probe {
  std::uint16_t sequence = 0;
  bool reply = false;
};
struct Esp {
  ipsec::Spi spi{};
  std::variant<Probe, Segment> inner;
};
// What crosses the wire between two outside addresses.
using Wire = std::variant<ipsec::Received, Esp>;

struct SimTunnelConfig {
  ipsec::PeerConfig ike;
  bgp::SessionConfig bgp;
  std::optional<health::ProbeConfig> probe;
  std::uint32_t med_plus = 0;  // on top of what the verdicts say, as AWS prefers one of its tunnels
};

// The cores of one gateway, joined as daemon/Tunnel and daemon/Gateway join them, on a simulated clock. Its kernel is a
// model that obeys the plan.
class SimGateway {
 public:
  using Send = std::function<void(std::size_t tunnel, Wire)>;
  SimGateway(int self, std::vector<SimTunnelConfig> configs, std::vector<Prefix> networks, std::uint64_t seed,
             Send send)
      : self_(self),
        networks_(std::move(networks)),
        send_(std::move(send)) {
    for (std::size_t i = 0; i < configs.size(); ++i) {
      tunnels_.push_back(std::make_unique<Tunnel>(*this, i, std::move(configs[i]), seed * 16 + i));
      rib_.set_fitness(exit(i), rib::Fitness::Down);
    }
  }

  void start(TimePoint now) {
    now_ = now;
    for (std::size_t i = 0; i < tunnels_.size(); ++i) {
      ike(i, ipsec::Start{});
      judge(i);
    }
    announce_all();
  }

  void receive(TimePoint now, std::size_t i, Wire wire) {
    now_ = now;
    if (auto* datagram = std::get_if<ipsec::Received>(&wire)) return ike(i, std::move(*datagram));
    const Esp& esp = std::get<Esp>(wire);
    Tunnel& t = at(i);
    if (!t.inbound.contains(esp.spi)) return;
    if (now_ >= t.esp_seen + Seconds{1}) {
      t.esp_seen = now_;
      ike(i, ipsec::EspSeen{});
    }
    if (const auto* segment = std::get_if<Segment>(&esp.inner)) return t.tcp.receive(now_, *segment);
    const Probe probe = std::get<Probe>(esp.inner);
    if (!probe.reply) return esp_out(i, Probe{probe.sequence, true});
    t.prober.answered(now_, probe.sequence);
    judge(i);
  }

  void tick(TimePoint now) {
    now_ = now;
    for (std::size_t i = 0; i < tunnels_.size(); ++i) {
      Tunnel& t = at(i);
      if (due(t.peer.next_deadline())) ike(i, ipsec::Tick{});
      if (due(t.session.next_deadline())) dispatch(i, bgp::Tick{});
      if (due(t.tcp.next_deadline())) t.tcp.tick(now_);
      const bool judged = due(t.prober.next_deadline()) || due(t.health.next_deadline());
      for (const auto& probe : t.prober.tick(now_))
        esp_out(i, Probe{probe.sequence, false});
      if (judged) judge(i);
    }
  }

  std::optional<TimePoint> next_deadline() const {
    std::optional<TimePoint> best;
    for (const auto& t : tunnels_) {
      for (const auto& at : {t->peer.next_deadline(), t->session.next_deadline(), t->tcp.next_deadline(),
                             t->prober.next_deadline(), t->health.next_deadline()}) {
        if (at && (!best || *at < *best)) best = at;
      }
    }
    return best;
  }

  std::size_t tunnels() const { return tunnels_.size(); }
  bool established(std::size_t i) const { return at(i).session.status().state == bgp::State::Established; }
  const ipsec::PeerStatus& ike_status(std::size_t i) const { return at(i).peer.status(); }
  const bgp::SessionStatus& bgp_status(std::size_t i) const { return at(i).session.status(); }
  const health::Judgement& judgement(std::size_t i) const { return at(i).health.judgement(); }
  std::size_t inbound_sas(std::size_t i) const { return at(i).inbound.size(); }
  std::uint32_t falls(std::size_t i) const { return at(i).falls; }
  const rib::Rib& rib() const { return rib_; }
  std::size_t routes() const { return kernel_routes_.size(); }
  std::size_t groups() const { return kernel_groups_.size(); }

  // Where the kernel sends packets for this prefix; none: blackhole, or no route.
  std::optional<std::size_t> way(const Prefix& prefix) const {
    const auto route = kernel_routes_.find(prefix);
    if (route == kernel_routes_.end()) return std::nullopt;
    const auto& active = kernel_groups_.at(route->second);
    if (active.empty()) return std::nullopt;
    return active.front().value() - 1U;
  }

 private:
  struct Tunnel {
    Tunnel(SimGateway& g, std::size_t i, SimTunnelConfig c, std::uint64_t seed)
        : config(std::move(c)),
          entropy(seed),
          peer(config.ike, entropy),
          session(config.bgp, entropy),
          tcp(
              g.self_, [&g, i](Segment s) { g.esp_out(i, std::move(s)); },
              [&g, i](bgp::RibsEvent e) { g.dispatch(i, std::move(e)); }),
          prober(config.probe.value_or(health::ProbeConfig{})) {}
    SimTunnelConfig config;
    SimEntropy entropy;
    ipsec::IkePeer peer;
    bgp::SessionRibs session;
    SimTcp tcp;
    health::Prober prober;
    health::TunnelHealth health;
    std::set<ipsec::Spi> inbound;
    std::optional<ipsec::Spi> outbound;
    TimePoint esp_seen{};
    std::deque<bgp::RibsEvent> inbox;
    bool dispatching = false;
    bool end_of_rib = false;
    std::uint32_t falls = 0;
  };

  static rib::ExitId exit(std::size_t i) { return rib::ExitId{static_cast<std::uint32_t>(i + 1)}; }
  Tunnel& at(std::size_t i) { return *tunnels_[i]; }
  const Tunnel& at(std::size_t i) const { return *tunnels_[i]; }
  bool due(const std::optional<TimePoint>& deadline) const { return deadline && *deadline <= now_; }

  void esp_out(std::size_t i, std::variant<Probe, Segment> inner) {
    if (at(i).outbound) send_(i, Esp{*at(i).outbound, std::move(inner)});
  }

  void ike(std::size_t i, const ipsec::Event& event) {
    Tunnel& t = at(i);
    const auto obey = Overload{
        [&](const ipsec::SendDatagram& d) {
          send_(i, ipsec::Received{d.remote, d.local, d.message});
        },
        [&](const ipsec::InstallInbound& a) { t.inbound.insert(a.sa.spi_in); },
        [&](const ipsec::UseOutbound& a) { t.outbound = a.sa.spi_out; },
        [&](const ipsec::RemoveChild& a) {
          t.inbound.erase(a.spi_in);
          if (t.outbound == a.spi_out) t.outbound.reset();
        },
        [&](const ipsec::Moved& m) { ike_moved(i, m); },
        [](const auto&) {},
    };
    for (const auto& action : t.peer.step(now_, event))
      std::visit(obey, action);
  }

  void ike_moved(std::size_t i, const ipsec::Moved& m) {
    if (m.to == ipsec::PeerState::Established) {
      if (at(i).config.probe) at(i).prober.start(now_);
      dispatch(i, bgp::Start{});
    } else if (m.from == ipsec::PeerState::Established) {
      at(i).prober.stop();
    }
    judge(i);
  }

  void dispatch(std::size_t i, bgp::RibsEvent event) {
    Tunnel& t = at(i);
    t.inbox.push_back(std::move(event));
    if (t.dispatching) return;
    t.dispatching = true;
    const auto obey = Overload{
        [&](const bgp::Dial&) { t.tcp.dial(now_); },
        [&](const bgp::Close& c) { t.tcp.close(c.connection); },
        [&](const bgp::SendBytes& s) { t.tcp.write(now_, s.connection, s.bytes); },
        [&](const bgp::RouteChanges& c) { learn(i, c); },
        [&](const bgp::EndOfRib&) { end_of_rib(i); },
        [&](const bgp::SessionUp&) { t.end_of_rib = false; },
        [&](const bgp::SessionDown&) {
          t.end_of_rib = false;
          rib_.withdraw_all(rib::Protocol::Bgp, exit(i), true);
          publish();
        },
        [&](const bgp::Moved&) { judge(i); },
        [](const Note&) {},
    };
    while (!t.inbox.empty()) {
      const bgp::RibsEvent next = std::move(t.inbox.front());
      t.inbox.pop_front();
      for (const auto& action : t.session.step(now_, next))
        std::visit(obey, action);
    }
    t.dispatching = false;
  }

  void learn(std::size_t i, const bgp::RouteChanges& changes) {
    const auto& session = at(i).config.bgp;
    for (const auto& c : changes.changes) {
      if (!c.attributes) {
        rib_.withdraw(c.prefix, rib::Protocol::Bgp, exit(i));
      } else {
        rib_.update(c.prefix, routing::path(exit(i), session.remote_address, at(i).session.status().peer_router_id,
                                            *c.attributes, now_));
      }
    }
    publish();
  }

  void end_of_rib(std::size_t i) {
    at(i).end_of_rib = true;
    for (std::size_t j = 0; j < tunnels_.size(); ++j) {
      if (established(j) && !at(j).end_of_rib) return;
    }
    rib_.release_retained();
    publish();
  }

  void judge(std::size_t i) {
    Tunnel& t = at(i);
    health::Evidence e;
    e.child_sa = t.peer.status().state == ipsec::PeerState::Established;
    e.ike_reason = t.peer.status().last_error;
    e.probing = t.prober.running();
    e.probe_ever_answered = t.prober.ever_answered();
    e.probes_missed = t.prober.missed_in_a_row();
    e.rtt = t.prober.rtt();
    e.loss = t.prober.loss();
    e.other_losses = t.prober.other_losses();
    e.bgp_configured = true;
    e.bgp_established = established(i);
    const auto before = t.health.judgement().verdict;
    const auto after = t.health.update(now_, e).verdict;
    if (after == before) return;
    const bool fell = after == health::Verdict::Down;
    t.falls += fell ? 1 : 0;
    rib_.set_fitness(exit(i), routing::fitness(after));
    publish();
    if (fell || before == health::Verdict::Down) announce_all();
  }

  void announce_all() {
    for (std::size_t i = 0; i < tunnels_.size(); ++i) {
      std::vector<routing::Sibling> siblings;
      for (std::size_t j = 0; j < tunnels_.size(); ++j) {
        if (j != i) siblings.push_back({judgement(j).verdict, at(j).session.status().established_count > 0});
      }
      const auto med = routing::announced_med(judgement(i).verdict, siblings) + at(i).config.med_plus;
      std::vector<bgp::Advertisement> routes;
      for (const Prefix& p : networks_)
        routes.push_back({.prefix = p, .med = med, .communities = {}});
      dispatch(i, bgp::Announce{std::move(routes)});
    }
  }

  // Each change must be applicable when it comes, as for a kernel.
  void publish() {
    const auto apply = Overload{
        [&](const rib::GroupSet& g) { kernel_groups_[g.group] = g.active; },
        [&](const rib::GroupGone& g) { REQUIRE(kernel_groups_.erase(g.group) == 1); },
        [&](const rib::RouteSet& r) {
          REQUIRE(kernel_groups_.contains(r.group));
          kernel_routes_[r.prefix] = r.group;
        },
        [&](const rib::RouteGone& r) { REQUIRE(kernel_routes_.erase(r.prefix) == 1); },
    };
    for (const auto& change : rib_.take_changes())
      std::visit(apply, change);
    check_plan();
  }

  // The plan never sends into a tunnel that is down, and never nowhere while a tunnel that leads there is fit.
  void check_plan() const {
    for (const auto& g : rib_.groups()) {
      REQUIRE(kernel_groups_.at(g.group) == g.active);
      bool some_fit = false;
      for (const auto e : g.ranked)
        some_fit = some_fit || judgement(e.value() - 1U).verdict != health::Verdict::Down;
      for (const auto e : g.active)
        REQUIRE(judgement(e.value() - 1U).verdict != health::Verdict::Down);
      REQUIRE(g.active.empty() != some_fit);
    }
    for (const auto& [prefix, group] : kernel_routes_)
      REQUIRE(kernel_groups_.contains(group));
  }

  int self_;
  std::vector<Prefix> networks_;
  Send send_;
  TimePoint now_{};
  std::vector<std::unique_ptr<Tunnel>> tunnels_;
  rib::Rib rib_;
  std::map<rib::GroupId, std::vector<rib::ExitId>> kernel_groups_;
  std::map<Prefix, rib::GroupId> kernel_routes_;
};

}  // namespace cgw::test
