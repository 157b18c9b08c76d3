// Two whole gateways, ours and one that plays AWS, joined by both tunnels of a connection: IKE, probes, verdicts, BGP
// over a TCP that runs inside the tunnels, RIB and plan. The network loses, delays, doubles, reorders and parts, by a
// seed.
#include <doctest/doctest.h>

#include <array>
#include <random>

#include "tests/support/seeds.hpp"
#include "tests/support/sim_gateway.hpp"
#include "tests/support/sim_network.hpp"

namespace cgw {
namespace {

using health::Verdict;
using test::SimGateway;
using test::SimTunnelConfig;
using test::Wire;

constexpr std::size_t kTunnels = 2;
constexpr int kOurs = 0, kAws = 1;
const Prefix kVpc = Prefix::of(IpAddress::v4(0x0a320000), 16);
const Prefix kLan = Prefix::of(IpAddress::v4(0xc0a84d00), 24);

// A few more beside the first.
std::vector<Prefix> networks(const Prefix& first, std::uint32_t count) {
  std::vector<Prefix> out{first};
  for (std::uint32_t i = 1; i < count; ++i)
    out.push_back(Prefix::of(IpAddress::v4(first.address.v4_value() + (i << 16)), first.length));
  return out;
}
constexpr std::uint32_t kOurNetworks = 5, kVpcNetworks = 20;

struct Pace {
  health::ProbeConfig probe;
  Seconds hold{30}, keepalive{10};
};
// What a week is made of, where the daemon's ten probes a second would be millions of events.
const Pace kSlow{
    {.interval = Millis{30000}, .timeout_floor = Millis{2000}, .timeout_max = Millis{4000}}, Seconds{180}, Seconds{60}};

SimTunnelConfig ours(std::uint32_t i, const Pace& pace) {
  SimTunnelConfig c;
  c.ike.local = *IpAddress::parse("198.51.100.2");
  c.ike.remote = IpAddress::v4(0xcb00710a + i * 4);  // 203.0.113.10
  c.ike.local_id = ipsec::Identity::of(c.ike.local);
  c.ike.remote_id = ipsec::Identity::of(c.ike.remote);
  c.ike.psk = SecretBytes(std::string_view("a.shared.Key"));
  c.bgp.local_as = bgp::Asn{65000};
  c.bgp.remote_as = bgp::Asn{64512};
  c.bgp.router_id = bgp::RouterId{c.ike.local.v4_value()};
  c.bgp.local_address = IpAddress::v4(0xa9fe0a02 + i * 4);  // 169.254.10.2
  c.bgp.remote_address = IpAddress::v4(0xa9fe0a01 + i * 4);
  c.bgp.hold_time = pace.hold;
  c.bgp.keepalive_time = pace.keepalive;
  c.probe = pace.probe;
  return c;
}

// AWS waits to be called, sends no probes, follows our MED, and prefers its first tunnel by its own.
SimTunnelConfig aws(std::uint32_t i, const Pace& pace) {
  SimTunnelConfig c = ours(i, pace);
  std::swap(c.ike.local, c.ike.remote);
  std::swap(c.ike.local_id, c.ike.remote_id);
  std::swap(c.bgp.local_as, c.bgp.remote_as);
  std::swap(c.bgp.local_address, c.bgp.remote_address);
  c.bgp.router_id = bgp::RouterId{c.ike.local.v4_value()};
  c.ike.initiate = false;
  c.probe.reset();
  c.med_plus = i * 100;
  return c;
}

class World {
 public:
  explicit World(std::uint64_t seed, const Pace& pace = {}) : dice(seed) {
    for (std::size_t i = 0; i < kTunnels; ++i)
      paths_.emplace_back(seed * kTunnels + i);
    for (const int self : {kOurs, kAws}) {
      std::vector<SimTunnelConfig> configs;
      for (std::uint32_t i = 0; i < kTunnels; ++i)
        configs.push_back(self == kOurs ? ours(i, pace) : aws(i, pace));
      const auto own = self == kOurs ? networks(kLan, kOurNetworks) : networks(kVpc, kVpcNetworks);
      const auto send = [this, self](std::size_t tunnel, Wire w) { paths_[tunnel].send(now_, 1 - self, std::move(w)); };
      gateways_.push_back(
          std::make_unique<SimGateway>(self, std::move(configs), own, seed * 2 + 1U + (self == kAws), send));
    }
    for (const auto& g : gateways_)
      g->start(now_);
  }

  test::SimNetwork<Wire>& path(std::size_t i) { return paths_[i]; }
  SimGateway& gateway(int i) { return *gateways_[static_cast<std::size_t>(i)]; }
  TimePoint now() const { return now_; }
  std::uint64_t digest() const { return digest_; }
  std::uint64_t below(std::uint64_t bound) { return dice() % bound; }

  void weather(const test::SimNetwork<Wire>::Weather& w) {
    for (auto& p : paths_)
      p.set(w);
  }

  void run_for(Duration span) {
    const TimePoint until = now_ + span;
    while (const auto at = next()) {
      if (*at > until) break;
      now_ = std::max(now_, *at);
      for (std::size_t i = 0; i < kTunnels; ++i) {
        while (auto packet = paths_[i].take(now_)) {
          remember(i, packet->first, packet->second);
          gateway(packet->first).receive(now_, i, std::move(packet->second));
        }
      }
      for (const auto& g : gateways_)
        g->tick(now_);
      check_bounds();
    }
    now_ = until;
  }

  // Both tunnels carry all, at both ends.
  bool whole() {
    for (const auto& g : gateways_) {
      for (std::size_t i = 0; i < kTunnels; ++i) {
        if (!g->established(i) || g->judgement(i).verdict != Verdict::Up) return false;
      }
    }
    return gateway(kOurs).routes() == kVpcNetworks && gateway(kAws).routes() == kOurNetworks &&
           gateway(kOurs).way(kVpc) == 0U && gateway(kAws).way(kLan).has_value();
  }

  std::uint32_t falls() {
    std::uint32_t n = 0;
    for (const auto& g : gateways_) {
      for (std::size_t i = 0; i < kTunnels; ++i)
        n += g->falls(i);
    }
    return n;
  }

 private:
  std::optional<TimePoint> next() const {
    std::optional<TimePoint> best;
    const auto consider = [&](const std::optional<TimePoint>& at) {
      if (at && (!best || *at < *best)) best = at;
    };
    for (const auto& p : paths_)
      consider(p.next());
    for (const auto& g : gateways_)
      consider(g->next_deadline());
    return best;
  }

  // Nothing grows, whatever happens.
  void check_bounds() {
    bool bounded = true;
    for (const auto& g : gateways_) {
      for (std::size_t i = 0; i < kTunnels; ++i)
        bounded = bounded && g->inbound_sas(i) <= 8;
      bounded = bounded && g->routes() <= kVpcNetworks && g->groups() <= 8;
    }
    for (const auto& p : paths_)
      bounded = bounded && p.in_flight() < 1000;
    if (!bounded) FAIL("SAs, routes, groups or packets have grown without end");
  }

  void remember(std::size_t path, int to, const Wire& w) {
    const auto* ike = std::get_if<ipsec::Received>(&w);
    const std::uint64_t what = ike != nullptr ? ike->message.size() : std::get<test::Esp>(w).inner.index();
    for (const std::uint64_t v : {static_cast<std::uint64_t>(now_.time_since_epoch().count()),
                                  static_cast<std::uint64_t>(path), static_cast<std::uint64_t>(to), what})
      digest_ = (digest_ ^ v) * 0x100000001b3;
  }

  std::mt19937_64 dice;
  std::vector<test::SimNetwork<Wire>> paths_;
  std::vector<std::unique_ptr<SimGateway>> gateways_;
  TimePoint now_{};
  std::uint64_t digest_ = 0xcbf29ce484222325;
};

// Five minutes in which either path is cut and mended every few seconds, and what is not cut is bad.
void storm(World& w) {
  w.weather({.loss = 0.15, .duplicate = 0.1, .delay_min = Millis{5}, .delay_max = Millis{300}});
  for (int i = 0; i < 50; ++i) {
    w.path(w.below(kTunnels)).set_cut(w.below(2) == 0);
    w.run_for(Millis(static_cast<Millis::rep>(w.below(12000))));
  }
  for (std::size_t i = 0; i < kTunnels; ++i)
    w.path(i).set_cut(false);
  w.weather({});
}

}  // namespace

TEST_SUITE_BEGIN("sim/gateways");

TEST_CASE("both tunnels come up and stay up, and the plan takes the one that AWS prefers") {
  for (const auto seed : test::seeds(1, 3)) {
    CAPTURE(seed);
    World w(seed);
    w.weather({.loss = 0.01, .duplicate = 0.05, .delay_min = Millis{5}, .delay_max = Millis{60}});
    w.run_for(Seconds{30});
    CHECK(w.whole());
    w.run_for(Seconds{300});
    CHECK(w.whole());
    CHECK(w.falls() == 0);
    for (std::size_t i = 0; i < kTunnels; ++i)
      CHECK(w.gateway(kOurs).bgp_status(i).established_count == 1);
  }
}

TEST_CASE("a tunnel that dies silently is left by both ends in less than half a second, and taken again after") {
  for (const auto seed : test::seeds(101, 6)) {
    CAPTURE(seed);
    World w(seed);
    w.weather({.delay_min = Millis{5}, .delay_max = Millis{5 + static_cast<Millis::rep>(seed % 4) * 10}});
    w.run_for(Seconds{30} + Millis(static_cast<Millis::rep>(w.below(1000))));
    REQUIRE(w.whole());
    const std::size_t dead = seed % kTunnels;
    w.path(dead).set_cut(true);
    w.run_for(Millis{499});
    CHECK(w.gateway(kOurs).way(kVpc) == 1 - dead);
    CHECK(w.gateway(kAws).way(kLan) == 1 - dead);
    w.run_for(Seconds{60});
    CHECK(w.gateway(kOurs).way(kVpc) == 1 - dead);
    w.path(dead).set_cut(false);
    w.run_for(Seconds{60});
    CHECK(w.whole());
  }
}

TEST_CASE("both tunnels lost: blackhole, never clear; then everything comes back") {
  for (const auto seed : test::seeds(201, 3)) {
    CAPTURE(seed);
    World w(seed);
    w.run_for(Seconds{30});
    REQUIRE(w.whole());
    for (std::size_t i = 0; i < kTunnels; ++i)
      w.path(i).set_cut(true);
    w.run_for(Seconds{300});
    CHECK(w.gateway(kOurs).routes() == kVpcNetworks);
    CHECK_FALSE(w.gateway(kOurs).way(kVpc));
    for (std::size_t i = 0; i < kTunnels; ++i)
      w.path(i).set_cut(false);
    w.run_for(Seconds{90});
    CHECK(w.whole());
  }
}

TEST_CASE("a storm breaks no invariant, and after it everything recovers; the same seed is the same storm") {
  for (const auto seed : test::seeds(301, 2)) {
    CAPTURE(seed);
    World w(seed), again(seed);
    storm(w);
    w.run_for(Seconds{180});
    CHECK(w.whole());
    storm(again);
    again.run_for(Seconds{180});
    CHECK(again.digest() == w.digest());
  }
}

TEST_CASE("a week with rekeys and a cut every few hours: each recovers, between them nothing falls, nothing grows") {
  for (const auto seed : test::seeds(401, 1)) {
    CAPTURE(seed);
    World w(seed, kSlow);
    w.weather({.loss = 0.001, .duplicate = 0.01, .delay_min = Millis{5}, .delay_max = Millis{60}});
    w.run_for(Seconds{120});
    for (int day = 0; day < 7 * 4; ++day) {
      CAPTURE(day);
      CHECK(w.whole());
      const auto falls = w.falls();
      w.run_for(Seconds{5 * 3600} + Seconds(static_cast<Seconds::rep>(w.below(1800))));
      CHECK(w.whole());
      CHECK(w.falls() == falls);
      const std::size_t cut = w.below(kTunnels);
      const bool both = w.below(4) == 0;
      w.path(cut).set_cut(true);
      w.path(1 - cut).set_cut(both);
      w.run_for(Seconds(static_cast<Seconds::rep>(1 + w.below(600))));
      for (std::size_t i = 0; i < kTunnels; ++i)
        w.path(i).set_cut(false);
      // The window over which loss is judged has to pass: 50 probes of 30 s.
      w.run_for(Seconds{1600});
    }
    for (std::size_t i = 0; i < kTunnels; ++i) {
      CHECK(w.gateway(kOurs).inbound_sas(i) <= 3);
      CHECK(w.gateway(kOurs).ike_status(i).child_rekeys + w.gateway(kAws).ike_status(i).child_rekeys > 100);
    }
  }
}

TEST_SUITE_END();
}  // namespace cgw
