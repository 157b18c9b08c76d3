// A mesh of ten speakers: sessions come and go, routes and policies change, what is said is lost with the session it
// was said on. When it is quiet, every speaker holds what a plain recomputation from nothing but the present inputs
// gives.
#include <doctest/doctest.h>

#include <deque>
#include <random>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "tests/support/bgp_view.hpp"
#include "tests/support/seeds.hpp"

using namespace cgw;
using namespace cgw::bgp;

namespace {

constexpr std::uint32_t kSpeakers = 10;
constexpr std::uint32_t kPrefixes = 24;

using Random = std::mt19937_64;

std::uint32_t below(Random& random, std::uint32_t n) {
  return static_cast<std::uint32_t>(random() % n);
}

Prefix prefix_of(std::uint32_t i) {
  return Prefix::of(IpAddress::v4(0x0a000000 + (i << 8)), 24);
}

// A policy of both directions: some prefixes denied, some routes set back. Towards or from each neighbor another one.
struct SimPolicy final : RoutePolicy {
  std::uint32_t denied = 0, prepended = 0;  // bit i: prefix i
  std::optional<std::uint32_t> med;
  Asn asn;

  bool apply(policy::Route& r, const PolicyContext&) const override {
    const std::uint32_t bit = 1U << ((r.prefix.address.v4_value() >> 8) % 32);
    if ((denied & bit) != 0) return false;
    if ((prepended & bit) != 0) {
      if (r.attributes.as_path.empty()) r.attributes.as_path.push_back({AsPathSegment::Type::Sequence, {}});
      r.attributes.as_path.front().asns.insert(r.attributes.as_path.front().asns.begin(), asn);
    }
    if (med) r.attributes.med = med;
    return true;
  }
  std::optional<std::uint64_t> class_of(const Prefix& p) const override {
    const std::uint32_t bit = 1U << ((p.address.v4_value() >> 8) % 32);
    return (denied & bit) != 0 ? 2 : (prepended & bit) != 0 ? 1 : 0;
  }
  bool looks_at_neighbor() const override { return false; }
};

// One end of a session: what is on its way to this end, in order.
struct End {
  std::uint32_t other = 0;  // speaker
  NeighborId id;
  NeighborRoutes routes;
  UpdateContext context;
  Framer framer;
  std::deque<std::uint8_t> wire;
};

struct Speaker {
  Asn asn;
  std::unique_ptr<Ribs> ribs;
  std::map<std::uint32_t, End> ends;  // by the other speaker
  std::map<std::uint32_t, PathAttributes> own;
};

// Speakers 0..4 are ASs of their own; 5..7 are one AS in a full mesh of iBGP, 8 and 9 another, with 8 its reflector.
Asn asn_of(std::uint32_t i) {
  return Asn{i < 5 ? 65000 + i : (i < 8 ? 65100U : 65200U)};
}

struct Session {
  std::uint32_t a = 0, b = 0;
  bool up = false;
};

class Mesh {
 public:
  explicit Mesh(std::uint64_t seed) : random_(seed) {
    for (std::uint32_t i = 0; i < kSpeakers; ++i)
      speakers_[i].asn = asn_of(i);
    for (std::uint32_t a = 0; a < kSpeakers; ++a) {
      for (std::uint32_t b = a + 1; b < kSpeakers; ++b) {
        const bool internal = asn_of(a) == asn_of(b);
        if (internal || below(random_, 100) < 45) sessions_.push_back({a, b});
      }
    }
    for (std::uint32_t i = 0; i < kSpeakers; ++i)
      build(speakers_[i], i);
  }

  void run(std::uint32_t steps) {
    for (std::uint32_t i = 0; i < steps; ++i) {
      now_ += Millis{below(random_, 500)};
      disturb();
      for (std::uint32_t n = below(random_, 30); n > 0; --n)
        move();
    }
    for (Session& s : sessions_)
      if (!s.up) bring_up(s);
    settle();
  }

  // The same inputs into fresh speakers: no history, no queue, no flap.
  void check(std::uint64_t seed) {
    Mesh plain(*this);
    plain.settle();
    for (std::uint32_t i = 0; i < kSpeakers; ++i) {
      const auto here = loc_rib(speakers_[i]), there = loc_rib(plain.speakers_[i]);
      INFO("CGW_SIM_SEED=", seed, " speaker ", i);
      for (const auto& [p, way] : here)
        CHECK_MESSAGE(there.contains(p), p.to_string(), " has no way there, here ", way);
      for (const auto& [p, way] : there) {
        const auto it = here.find(p);
        CHECK_MESSAGE((it != here.end() && it->second == way), p.to_string(), ": ",
                      it == here.end() ? "none" : it->second, " instead of ", way);
      }
    }
  }
  void check_nothing_leaks() {
    for (Session& s : sessions_)
      if (s.up) take_down(s, Leftover::Gone);
    for (auto& s : speakers_) {
      for (const auto& [n, a] : s.own)
        s.ribs->withdraw(prefix_of(n));
      while (s.ribs->has_work())
        s.ribs->work();
      CHECK(s.ribs->table(Family::V4).prefixes().size() == 0);
      CHECK(s.ribs->pool().size() == 0);
    }
  }
  std::size_t routes() const {
    std::size_t n = 0;
    for (const auto& s : speakers_)
      n += s.ribs->table(Family::V4).prefixes().size();
    return n;
  }

 private:
  // The sessions, policies and routes of another mesh.
  Mesh(const Mesh& o) : random_(1), sessions_(o.sessions_), now_(o.now_) {
    for (std::uint32_t i = 0; i < kSpeakers; ++i) {
      Speaker& s = speakers_[i];
      s.asn = o.speakers_[i].asn;
      for (const auto& [other, end] : o.speakers_[i].ends)
        s.ends[other].routes = end.routes;
      build(s, i);
      s.own = o.speakers_[i].own;
      for (const auto& [n, a] : s.own)
        s.ribs->originate(prefix_of(n), a, {.weight = 32768}, now_);
    }
    for (Session& s : sessions_) {
      s.up = false;
      bring_up(s);
    }
  }

  void build(Speaker& s, std::uint32_t i) {
    // The age of a path is history: here the router id decides.
    s.ribs = std::make_unique<Ribs>(Router{s.asn, RouterId{i + 1}, i + 1}, DecisionOptions{.compare_router_id = true},
                                    random_());
    for (const Session& session : sessions_) {
      if (session.a != i && session.b != i) continue;
      const std::uint32_t other = session.a == i ? session.b : session.a;
      End& e = s.ends[other];
      e.other = other;
      e.context.ebgp = asn_of(other) != s.asn;
      e.context.local_as = s.asn;
      e.context.remote_as = asn_of(other);
      if (e.routes.address == IpAddress{}) e.routes = routes_of(s, i, other);
      e.id = s.ribs->add_neighbor(e.routes);
    }
  }
  NeighborRoutes routes_of(const Speaker& s, std::uint32_t i, std::uint32_t other) {
    NeighborRoutes r;
    r.address = IpAddress::v4(0xc0a80001 + other);
    r.import.kind = asn_of(other) == s.asn ? SourceKind::Ibgp : SourceKind::Ebgp;
    r.import.remote_as = asn_of(other);
    r.reflector_client = i == 8 && other == 9;
    r.export_rules.v4.kind = r.import.kind;
    r.export_rules.v4.local_as = s.asn;
    r.export_rules.v4.reflector_client = r.reflector_client;
    r.export_rules.v4.next_hop_self = true;
    r.export_rules.v4.next_hop = IpAddress::v4(0xc0a80001 + i);
    return r;
  }

  void disturb() {
    const std::uint32_t dice = below(random_, 100);
    Session& session = sessions_[below(random_, static_cast<std::uint32_t>(sessions_.size()))];
    Speaker& speaker = speakers_[below(random_, kSpeakers)];
    if (dice < 30) {
      session.up ? take_down(session, below(random_, 3) == 0 ? Leftover::Stale : Leftover::Gone) : bring_up(session);
    } else if (dice < 75) {
      const std::uint32_t n = below(random_, kPrefixes);
      if (speaker.own.erase(n) > 0) return speaker.ribs->withdraw(prefix_of(n));
      PathAttributes a;
      a.origin = Origin{static_cast<std::uint8_t>(below(random_, 3))};
      if (below(random_, 2) == 0) a.med = below(random_, 3);
      if (below(random_, 8) == 0) a.communities = {well_known::kNoExport};
      speaker.own[n] = a;
      speaker.ribs->originate(prefix_of(n), a, {.weight = 32768}, now_);
    } else if (!speaker.ends.empty()) {
      change_policy(speaker);
    }
  }
  void change_policy(Speaker& s) {
    auto end = std::next(s.ends.begin(), below(random_, static_cast<std::uint32_t>(s.ends.size())));
    auto p = std::make_shared<SimPolicy>();
    p->denied = static_cast<std::uint32_t>(random_() & random_() & random_());
    p->asn = s.asn;
    NeighborRoutes& r = end->second.routes;
    if (below(random_, 2) == 0 && r.import.kind == SourceKind::Ebgp) {
      // Prefers nothing: local preferences that differ by neighbor can oscillate for ever, in all of BGP.
      p->asn = r.import.remote_as;
      r.import_policy.v4 = std::move(p);
    } else {
      if (r.import.kind == SourceKind::Ebgp) {
        p->prepended = static_cast<std::uint32_t>(random_() & random_());
      }
      r.export_policy.v4 = std::move(p);
    }
    s.ribs->configure(end->second.id, r);
  }

  void bring_up(Session& s) {
    s.up = true;
    for (const auto& [from, to] : {std::pair(s.a, s.b), std::pair(s.b, s.a)}) {
      End& e = speakers_[from].ends[to];
      e.framer = Framer{};
      e.wire.clear();
      speakers_[from].ribs->up(e.id, e.context, RouterId{to + 1});
    }
  }
  // What is on its way is lost. With graceful restart the routes stay until the next session's End-of-RIB.
  void take_down(Session& s, Leftover leftover) {
    s.up = false;
    for (const auto& [from, to] : {std::pair(s.a, s.b), std::pair(s.b, s.a)}) {
      speakers_[from].ends[to].wire.clear();
      speakers_[from].ribs->down(speakers_[from].ends[to].id, leftover);
    }
  }

  // One thing happens somewhere: a piece of work, a send, a part of what is on its way arrives. False: there was none.
  bool move() {
    const std::uint32_t first = below(random_, kSpeakers);
    for (std::uint32_t k = 0; k < kSpeakers; ++k) {
      const std::uint32_t i = (first + k) % kSpeakers;
      if (move(speakers_[i], i)) return true;
    }
    return false;
  }
  bool move(Speaker& s, std::uint32_t i) {
    if (below(random_, 3) == 0 && work(s)) return true;
    if (s.ends.empty()) return work(s);
    const auto first = below(random_, static_cast<std::uint32_t>(s.ends.size()));
    for (std::uint32_t k = 0; k < s.ends.size(); ++k) {
      auto& [other, e] = *std::next(s.ends.begin(), (first + k) % s.ends.size());
      if (receive(s, e)) return true;
      std::deque<std::uint8_t>& wire = speakers_[other].ends[i].wire;
      if (wire.size() > 300 || !s.ribs->has_output(e.id)) continue;  // a slow neighbor
      const Output o = s.ribs->output(e.id, 1 + below(random_, 400));
      wire.insert(wire.end(), o.octets.begin(), o.octets.end());
      return true;
    }
    return work(s);
  }
  static bool work(Speaker& s) {
    if (!s.ribs->has_work()) return false;
    s.ribs->work();
    return true;
  }
  bool receive(Speaker& s, End& e) {
    if (e.wire.empty()) return false;
    const auto n = std::min<std::size_t>(e.wire.size(), 1 + below(random_, 200));
    const std::vector<std::uint8_t> part(e.wire.begin(), e.wire.begin() + static_cast<std::ptrdiff_t>(n));
    e.wire.erase(e.wire.begin(), e.wire.begin() + static_cast<std::ptrdiff_t>(n));
    e.framer.push(part);
    for (auto f = e.framer.next(); f && *f; f = e.framer.next()) {
      const auto parsed = parse_update((*f)->body, e.context);
      REQUIRE(parsed.has_value());
      for (const auto& finding : parsed->findings)
        REQUIRE_MESSAGE(false, finding.to_string());
      for (const Update& u : parsed->updates) {
        REQUIRE(s.ribs->receive(e.id, u, now_) == 0);
        if (u.end_of_rib) s.ribs->end_of_rib(e.id, u.family);
      }
    }
    return true;
  }
  void settle() {
    std::uint32_t moves = 0;
    while (move()) {
      ++moves;
      REQUIRE_MESSAGE(moves < 2'000'000, "it does not come to rest");
    }
  }

  using Loc = std::map<Prefix, std::string>;  // the best way: from whom, with what
  static Loc loc_rib(const Speaker& s) {
    Loc out;
    const Table& t = s.ribs->table(Family::V4);
    for (std::uint32_t i = 0; i < t.prefixes().limit(); ++i) {
      const bgp::Path* best = t.prefixes().in_use(PrefixId{i}) ? t.best(PrefixId{i}) : nullptr;
      if (best == nullptr) continue;
      const PathAttributes a = s.ribs->pool().attributes(best->accepted);
      out[t.prefixes().prefix(PrefixId{i})] = fmt::format(
          "from {} next hop {} path '{}' origin {} med {} originator {} clusters {} communities {}",
          s.ribs->sources()[best->neighbor].path.address.to_string(), a.next_hop.to_string(), a.as_path_text(),
          static_cast<int>(a.origin), a.med ? fmt::format("{}", *a.med) : "none",
          a.originator_id.value_or(RouterId{}).value(), fmt::join(a.cluster_list, ","), fmt::join(a.communities, ","));
    }
    return out;
  }

  Random random_;
  std::array<Speaker, kSpeakers> speakers_;
  std::vector<Session> sessions_;
  TimePoint now_{};
};

}  // namespace

TEST_CASE("ten speakers come to the Loc-RIBs of a plain recomputation, whatever has happened before") {
  std::size_t routes = 0;
  for (const std::uint64_t seed : test::seeds(1, 100)) {
    INFO("CGW_SIM_SEED=", seed);
    Mesh mesh(seed);
    mesh.run(300);
    mesh.check(seed);
    routes += mesh.routes();
    mesh.check_nothing_leaks();
  }
  CHECK(routes > 0);
}
