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
#include "bgp/speaker.hpp"
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
        send_(std::move(send)),
        entropy_(seed * 16 + configs.size()),
        speaker_(router(configs.at(0).bgp), {}, entropy_) {
    speaker_.follow_changes();
    for (std::size_t i = 0; i < configs.size(); ++i) {
      tunnels_.push_back(std::make_unique<Tunnel>(*this, i, std::move(configs[i]), seed * 16 + i));
      REQUIRE(speaker_.add(routing::tunnel_neighbor(at(i).config.bgp)) == neighbor(i));
      rib_.set_fitness(exit(i), rib::Fitness::Down);
    }
  }

  void start(TimePoint now) {
    now_ = now;
    for (std::size_t i = 0; i < tunnels_.size(); ++i) {
      ike(i, ipsec::Start{});
      judge(i);
    }
    for (const Prefix& p : networks_)
      speaker_.originate(p, {}, routing::kOwnNetwork, now_);
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
      if (due(t.tcp.next_deadline())) t.tcp.tick(now_);
      const bool judged = due(t.prober.next_deadline()) || due(t.health.next_deadline());
      for (const auto& probe : t.prober.tick(now_))
        esp_out(i, Probe{probe.sequence, false});
      if (judged) judge(i);
    }
    run();
  }

  std::optional<TimePoint> next_deadline() const {
    std::optional<TimePoint> best = speaker_.next_deadline();
    for (const auto& t : tunnels_) {
      for (const auto& at :
           {t->peer.next_deadline(), t->tcp.next_deadline(), t->prober.next_deadline(), t->health.next_deadline()}) {
        if (at && (!best || *at < *best)) best = at;
      }
    }
    return best;
  }

  std::size_t tunnels() const { return tunnels_.size(); }
  bool established(std::size_t i) const { return bgp_status(i).state == bgp::State::Established; }
  const ipsec::PeerStatus& ike_status(std::size_t i) const { return at(i).peer.status(); }
  const bgp::SessionStatus& bgp_status(std::size_t i) const { return speaker_.status(neighbor(i)); }
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
          tcp(
              g.self_, [&g, i](Segment s) { g.esp_out(i, std::move(s)); },
              [&g, i](bgp::Event e) { g.dispatch(i, std::move(e)); }),
          prober(config.probe.value_or(health::ProbeConfig{})) {}
    SimTunnelConfig config;
    SimEntropy entropy;
    ipsec::IkePeer peer;
    SimTcp tcp;
    health::Prober prober;
    health::TunnelHealth health;
    std::set<ipsec::Spi> inbound;
    std::optional<ipsec::Spi> outbound;
    TimePoint esp_seen{};
    bool end_of_rib = false;
    std::uint32_t falls = 0;
  };

  static rib::ExitId exit(std::size_t i) { return rib::ExitId{static_cast<std::uint32_t>(i + 1)}; }
  static bgp::NeighborId neighbor(std::size_t i) { return bgp::NeighborId{static_cast<std::uint16_t>(i + 1)}; }
  static std::size_t tunnel(bgp::NeighborId n) { return n.value() - 1U; }
  static bgp::Router router(const bgp::SessionConfig& c) { return {c.local_as, c.router_id, c.router_id.value()}; }
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

  void dispatch(std::size_t i, bgp::Event event) {
    inbox_.emplace_back(neighbor(i), std::move(event));
    run();
  }

  // Run-to-completion: an action may raise an event, but never inside the step that caused it.
  void run() {
    if (std::exchange(running_, true)) return;
    while (true) {
      if (!inbox_.empty()) {
        const auto [n, event] = std::move(inbox_.front());
        inbox_.pop_front();
        obey(speaker_.step(now_, n, event));
      } else if (due(speaker_.next_deadline())) {
        obey(speaker_.tick(now_));
      } else if (speaker_.has_work()) {
        obey(speaker_.work(now_));
      } else if (speaker_.has_changes()) {
        learn();
      } else {
        break;
      }
    }
    if (std::exchange(told_all_, false)) release_retained();
    running_ = false;
  }

  void obey(const bgp::SpeakerActions& actions) {
    for (const bgp::SpeakerAction& a : actions)
      std::visit([&](const auto& action) { obey(tunnel(a.neighbor), action); }, a.action);
  }
  void obey(std::size_t i, const bgp::Dial&) { at(i).tcp.dial(now_); }
  void obey(std::size_t i, const bgp::Close& c) { at(i).tcp.close(c.connection); }
  void obey(std::size_t i, const bgp::SendBytes& s) { at(i).tcp.write(now_, s.connection, s.bytes); }
  void obey(std::size_t i, const bgp::EndOfRib&) { at(i).end_of_rib = told_all_ = true; }
  void obey(std::size_t i, const bgp::SessionUp&) { at(i).end_of_rib = false; }
  void obey(std::size_t i, const bgp::SessionDown&) { at(i).end_of_rib = false; }
  void obey(std::size_t i, const bgp::PathsGone&) {
    rib_.withdraw_all(rib::Protocol::Bgp, exit(i), true);
    publish();
  }
  void obey(std::size_t i, const bgp::Moved&) { judge(i); }
  void obey(std::size_t, const Note&) {}

  void learn() {
    const auto exit_of = [](bgp::NeighborId n) { return std::optional(exit(tunnel(n))); };
    for (const Family f : bgp::kFamilies) {
      for (const Prefix& p : speaker_.take_changes(f, 64))
        rib_.replace(p, rib::Protocol::Bgp, routing::paths(speaker_, p, exit_of, now_));
    }
    publish();
  }

  // Once all that came before the End-of-RIB is in the RIB.
  void release_retained() {
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
    speaker_.set_usable(neighbor(i), after != health::Verdict::Down);
    publish();
    if (fell || before == health::Verdict::Down) announce_all();
  }

  void announce_all() {
    for (std::size_t i = 0; i < tunnels_.size(); ++i) {
      std::vector<routing::Sibling> siblings;
      for (std::size_t j = 0; j < tunnels_.size(); ++j) {
        if (j != i) siblings.push_back({judgement(j).verdict, bgp_status(j).established_count > 0});
      }
      bgp::NeighborConfig c = speaker_.config(neighbor(i));
      c.routes.export_rules.v4.own_med = routing::announced_med(judgement(i).verdict, siblings) + at(i).config.med_plus;
      obey(speaker_.configure(now_, neighbor(i), std::move(c)));
    }
    run();
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
  SimEntropy entropy_;
  bgp::Speaker speaker_;
  std::deque<std::pair<bgp::NeighborId, bgp::Event>> inbox_;
  bool running_ = false;
  bool told_all_ = false;  // an End-of-RIB has come
  TimePoint now_{};
  std::vector<std::unique_ptr<Tunnel>> tunnels_;
  rib::Rib rib_;
  std::map<rib::GroupId, std::vector<rib::ExitId>> kernel_groups_;
  std::map<Prefix, rib::GroupId> kernel_routes_;
};

}  // namespace cgw::test
