// Two gateways' cores (IKE, probe, verdict) joined by a simulated network, on a simulated clock.
#include <doctest/doctest.h>

#include <array>
#include <map>
#include <set>

#include "base/overload.hpp"
#include "health/probe.hpp"
#include "health/verdict.hpp"
#include "ipsec/peer.hpp"
#include "tests/support/sim_entropy.hpp"
#include "tests/support/sim_network.hpp"

namespace cgw {
namespace {

using ipsec::IkePeer;
using ipsec::PeerState;
using ipsec::Spi;

// What crosses the wire: IKE, or a probe inside ESP.
struct Wire {
  std::optional<ipsec::Received> ike;
  Spi spi{};
  std::uint16_t sequence = 0;
  bool reply = false;
};

struct End {
  End(ipsec::PeerConfig c, std::uint64_t seed) : entropy(seed), peer(std::move(c), entropy) {}

  test::SimEntropy entropy;
  IkePeer peer;
  std::set<Spi> inbound;        // the data plane: what can be received
  std::optional<Spi> outbound;  // and what is sent with
  std::map<Spi, Spi> pairs;     // inbound -> outbound
  health::Prober prober{
      health::ProbeConfig{.interval = Millis{10000}, .timeout_floor = Millis{2000}, .timeout_max = Millis{4000}}};
  health::TunnelHealth health;
  std::uint32_t went_down = 0;
  std::size_t most_inbound = 0;
};

class World {
 public:
  World(ipsec::PeerConfig a, ipsec::PeerConfig b, std::uint64_t seed)
      : ends_{End(std::move(a), seed * 2 + 1), End(std::move(b), seed * 2 + 2)},
        net_(seed) {
    for (int i : {0, 1})
      run(i, ipsec::Start{});
  }

  test::SimNetwork<Wire>& net() { return net_; }
  End& end(int i) { return ends_[static_cast<std::size_t>(i)]; }
  std::uint64_t lost_in_esp() const { return lost_; }
  void forgive() { lost_ = 0; }

  void run_for(Duration span) {
    const TimePoint until = now_ + span;
    while (const auto at = next()) {
      if (*at > until) break;
      now_ = std::max(now_, *at);
      while (auto packet = net_.take(now_))
        deliver(packet->first, std::move(packet->second));
      for (int i : {0, 1})
        tick(i);
    }
    now_ = until;
  }

  // Each end sends with what the other receives on, and there is one pair.
  bool settled() {
    for (int i : {0, 1}) {
      End& e = end(i);
      if (e.peer.status().state != PeerState::Established || e.inbound.size() != 1 || !e.outbound) return false;
      if (!end(1 - i).inbound.contains(*e.outbound)) return false;
    }
    return true;
  }

 private:
  std::optional<TimePoint> next() {
    std::optional<TimePoint> best = net_.next();
    for (End& e : ends_) {
      for (const auto& at : {e.peer.next_deadline(), e.prober.next_deadline(), e.health.next_deadline()}) {
        if (at && (!best || *at < *best)) best = at;
      }
    }
    return best;
  }

  void tick(int i) {
    End& e = end(i);
    if (e.peer.next_deadline() && *e.peer.next_deadline() <= now_) run(i, ipsec::Tick{});
    for (const auto& probe : e.prober.tick(now_))
      send_esp(i, {.sequence = probe.sequence});
    judge(i);
  }

  void judge(int i) {
    End& e = end(i);
    health::Evidence v;
    v.child_sa = e.peer.status().state == PeerState::Established;
    v.probing = e.prober.running();
    v.probe_ever_answered = e.prober.ever_answered();
    v.probes_missed = e.prober.missed_in_a_row();
    v.other_losses = e.prober.other_losses();
    v.rtt = e.prober.rtt();
    v.loss = e.prober.loss();
    const bool was_up = e.health.judgement().verdict != health::Verdict::Down;
    e.health.update(now_, v);
    if (was_up && e.health.judgement().verdict == health::Verdict::Down) ++e.went_down;
  }

  void send_esp(int from, Wire w) {
    if (!end(from).outbound) return;
    w.spi = *end(from).outbound;
    net_.send(now_, 1 - from, std::move(w));
  }

  void deliver(int to, Wire w) {
    End& e = end(to);
    if (w.ike) return run(to, *w.ike);
    if (!e.inbound.contains(w.spi)) {
      ++lost_;
      return;
    }
    run(to, ipsec::EspSeen{});
    if (!w.reply) return send_esp(to, {.sequence = w.sequence, .reply = true});
    e.prober.answered(now_, w.sequence);
    judge(to);
  }

  void run(int i, const ipsec::Event& event) {
    End& e = end(i);
    for (const auto& action : e.peer.step(now_, event))
      obey(i, e, action);
    e.most_inbound = std::max(e.most_inbound, e.inbound.size());
  }

  void obey(int i, End& e, const ipsec::Action& action) {
    const auto visitor = Overload{
        [&](const ipsec::SendDatagram& d) {
          net_.send(now_, 1 - i, {.ike = ipsec::Received{d.remote, d.local, d.message}});
        },
        [&](const ipsec::InstallInbound& a) { e.inbound.insert(a.sa.spi_in); },
        [&](const ipsec::UseOutbound& a) {
          e.outbound = a.sa.spi_out;
          e.pairs[a.sa.spi_in] = a.sa.spi_out;
        },
        [&](const ipsec::RemoveChild& a) {
          e.inbound.erase(a.spi_in);
          if (e.outbound == a.spi_out) e.outbound.reset();
        },
        [&](const ipsec::Moved& m) {
          if (m.to == PeerState::Established) e.prober.start(now_);
          if (m.from == PeerState::Established) e.prober.stop();
        },
        [](const auto&) {},
    };
    std::visit(visitor, action);
  }

  std::array<End, 2> ends_;
  test::SimNetwork<Wire> net_;
  TimePoint now_{};
  std::uint64_t lost_ = 0;
};

ipsec::PeerConfig left() {
  ipsec::PeerConfig c;
  c.local = *IpAddress::parse("198.51.100.2");
  c.remote = *IpAddress::parse("203.0.113.10");
  c.local_id = ipsec::Identity::of(c.local);
  c.remote_id = ipsec::Identity::of(c.remote);
  c.psk = SecretBytes(std::string_view("a.shared.Key"));
  return c;
}

ipsec::PeerConfig right() {
  ipsec::PeerConfig c = left();
  std::swap(c.local, c.remote);
  std::swap(c.local_id, c.remote_id);
  return c;
}

constexpr auto kWeek = std::chrono::hours(24 * 7);

}  // namespace

TEST_SUITE_BEGIN("sim/tunnel");

TEST_CASE("a week of rekeys by both sides loses nothing and leaves one pair of SAs") {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    CAPTURE(seed);
    ipsec::PeerConfig a = left(), b = right();
    a.force_encap = true;
    b.initiate = false;
    World world(a, b, seed);
    world.net().set({.delay_min = Millis{5}, .delay_max = Millis{40}});
    // The answerer's first packet may overtake its IKE_AUTH.
    world.run_for(Seconds{60});
    world.forgive();
    world.run_for(kWeek);
    CHECK(world.settled());
    CHECK(world.lost_in_esp() == 0);
    for (int i : {0, 1}) {
      CHECK(world.end(i).went_down == 0);
      CHECK(world.end(i).most_inbound <= 3);
      CHECK(world.end(i).health.judgement().verdict == health::Verdict::Up);
    }
    const auto& status = world.end(0).peer.status();
    CHECK(status.child_rekeys >= 7 * 24);
    CHECK(status.ike_rekeys >= 7 * 3);
    CHECK(status.attempts == 1);
  }
}

TEST_CASE("a week on a bad network: lost, late, doubled and reordered messages end no tunnel for long") {
  for (std::uint64_t seed = 11; seed <= 16; ++seed) {
    CAPTURE(seed);
    ipsec::PeerConfig b = right();
    b.initiate = seed % 2 == 0;
    World world(left(), b, seed);
    world.net().set({.loss = 0.1, .duplicate = 0.05, .delay_min = Millis{5}, .delay_max = Millis{400}});
    world.run_for(kWeek);
    world.net().set({});
    world.run_for(Seconds{90});
    CHECK(world.settled());
    for (int i : {0, 1})
      CHECK(world.end(i).most_inbound <= 6);
  }
}

TEST_CASE("rekeys that collide settle on one Child SA without a packet lost [RFC 7296 2.8.1]") {
  for (std::uint64_t seed = 21; seed <= 40; ++seed) {
    CAPTURE(seed);
    ipsec::PeerConfig a = left(), b = right();
    b.initiate = false;
    // Ten seconds of jitter against half a second of round trip: they meet often.
    a.child_lifetime = b.child_lifetime = Seconds{120};
    a.ike_lifetime = b.ike_lifetime = Seconds{1200};
    World world(a, b, seed);
    world.net().set({.delay_min = Millis{200}, .delay_max = Millis{300}});
    world.run_for(Seconds{60});
    world.forgive();
    world.run_for(Seconds{4 * 3600});
    CHECK(world.lost_in_esp() == 0);
    for (int i : {0, 1}) {
      CHECK(world.end(i).peer.status().state == PeerState::Established);
      CHECK(world.end(i).went_down == 0);
      CHECK(world.end(i).most_inbound <= 6);
    }
  }
}

TEST_CASE("a partition is noticed, and the tunnel is back within 30 s of its end") {
  for (std::uint64_t seed = 51; seed <= 60; ++seed) {
    CAPTURE(seed);
    World world(left(), right(), seed);
    world.run_for(Seconds{60});
    REQUIRE(world.settled());
    for (int round = 0; round < 5; ++round) {
      world.net().set_cut(true);
      world.run_for(Seconds{3600} + Millis(static_cast<Millis::rep>(seed * 137)));
      for (int i : {0, 1})
        CHECK(world.end(i).peer.status().state == PeerState::Connecting);
      world.net().set_cut(false);
      world.run_for(Seconds{30});
      CHECK(world.settled());
    }
    for (int i : {0, 1})
      CHECK(world.end(i).inbound.size() == 1);
  }
}

TEST_CASE("both sides that initiate at once settle on one IKE SA") {
  for (std::uint64_t seed = 71; seed <= 90; ++seed) {
    CAPTURE(seed);
    World world(left(), right(), seed);
    world.net().set({.delay_min = Millis{20}, .delay_max = Millis{60}});
    world.run_for(Seconds{45});
    CHECK(world.settled());
    CHECK(world.end(0).peer.status().spi_i == world.end(1).peer.status().spi_i);
  }
}

TEST_SUITE_END();
}  // namespace cgw
