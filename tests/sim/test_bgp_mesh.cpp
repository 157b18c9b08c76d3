// A mesh of ten speakers: sessions come and go, routes and policies change, what is said is lost with the session it
// was said on. When it is quiet, every speaker holds what a plain recomputation from nothing but the present inputs
// gives.
#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <random>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "bgp/speaker.hpp"
#include "tests/support/seeds.hpp"

using namespace cgw;
using namespace cgw::bgp;

namespace {

constexpr std::uint32_t kNodes = 10;
constexpr std::uint32_t kPrefixes = 24;
constexpr auto kLine = ConnectionId::Incoming;  // to either end the other one has called

using Dice = std::mt19937_64;

class Seeded final : public Random {
 public:
  explicit Seeded(std::uint64_t seed) : dice_(seed) {}
  void fill(std::span<std::uint8_t> out) override {
    for (auto& b : out)
      b = static_cast<std::uint8_t>(dice_());
  }

 private:
  Dice dice_;
};

std::uint32_t below(Dice& random, std::uint32_t n) {
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
  std::uint32_t other = 0;  // node
  NeighborId id;
  NeighborConfig config;
  std::deque<std::uint8_t> wire;
};

struct Node {
  Asn asn;
  std::unique_ptr<Seeded> random;
  std::unique_ptr<Speaker> speaker;
  std::map<std::uint32_t, End> ends;  // by the other node
  std::map<std::uint32_t, PathAttributes> own;

  End& end_of(NeighborId n) {
    return std::ranges::find_if(ends, [&](const auto& e) { return e.second.id == n; })->second;
  }
};

// Nodes 0..4 are ASs of their own; 5..7 are one AS in a full mesh of iBGP, 8 and 9 another, with 8 its reflector.
Asn asn_of(std::uint32_t i) {
  return Asn{i < 5 ? 65000 + i : (i < 8 ? 65100U : 65200U)};
}

struct Link {
  std::uint32_t a = 0, b = 0;
  bool up = false;
};

class Mesh {
 public:
  explicit Mesh(std::uint64_t seed) : random_(seed) {
    for (std::uint32_t i = 0; i < kNodes; ++i)
      nodes_[i].asn = asn_of(i);
    for (std::uint32_t a = 0; a < kNodes; ++a) {
      for (std::uint32_t b = a + 1; b < kNodes; ++b) {
        const bool internal = asn_of(a) == asn_of(b);
        if (internal || below(random_, 100) < 45) links_.push_back({a, b});
      }
    }
    for (std::uint32_t i = 0; i < kNodes; ++i)
      build(nodes_[i], i);
  }

  void run(std::uint32_t steps) {
    for (std::uint32_t i = 0; i < steps; ++i) {
      now_ += Millis{below(random_, 500)};
      disturb();
      for (std::uint32_t n = below(random_, 30); n > 0; --n)
        move();
    }
    for (Link& l : links_)
      if (!l.up) bring_up(l);
    settle();
  }

  // The same inputs into fresh speakers: no history, no queue, no flap.
  void check(std::uint64_t seed) {
    Mesh plain(*this);
    plain.settle();
    for (std::uint32_t i = 0; i < kNodes; ++i) {
      const auto here = loc_rib(nodes_[i]), there = loc_rib(plain.nodes_[i]);
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
    for (Link& l : links_)
      if (l.up) take_down(l);
    for (auto& s : nodes_) {
      for (const auto& [n, a] : s.own)
        s.speaker->withdraw(prefix_of(n));
      while (s.speaker->has_work())
        s.speaker->work(now_);
      CHECK(s.speaker->ribs().table(Family::V4).prefixes().size() == 0);
      CHECK(s.speaker->ribs().pool().size() == 0);
    }
  }
  std::size_t routes() const {
    std::size_t n = 0;
    for (const auto& s : nodes_)
      n += s.speaker->ribs().table(Family::V4).prefixes().size();
    return n;
  }

 private:
  // The sessions, policies and routes of another mesh.
  Mesh(const Mesh& o) : random_(1), links_(o.links_), now_(o.now_) {
    for (std::uint32_t i = 0; i < kNodes; ++i) {
      Node& s = nodes_[i];
      s.asn = o.nodes_[i].asn;
      for (const auto& [other, end] : o.nodes_[i].ends)
        s.ends[other].config = end.config;
      build(s, i);
      s.own = o.nodes_[i].own;
      for (const auto& [n, a] : s.own)
        s.speaker->originate(prefix_of(n), a, {.weight = 32768}, now_);
    }
    for (Link& l : links_) {
      l.up = false;
      bring_up(l);
    }
  }

  void build(Node& s, std::uint32_t i) {
    // The age of a path is history: here the router id decides.
    s.random = std::make_unique<Seeded>(random_());
    s.speaker = std::make_unique<Speaker>(Router{s.asn, RouterId{i + 1}, i + 1},
                                          DecisionOptions{.compare_router_id = true}, *s.random);
    for (const Link& link : links_) {
      if (link.a != i && link.b != i) continue;
      const std::uint32_t other = link.a == i ? link.b : link.a;
      End& e = s.ends[other];
      e.other = other;
      if (e.config.session.local_as == Asn{}) e.config = config_of(s, i, other);
      e.id = s.speaker->add(e.config);
      obey(i, s.speaker->step(now_, e.id, Start{}));
    }
  }
  static NeighborConfig config_of(const Node& s, std::uint32_t i, std::uint32_t other) {
    NeighborConfig c;
    c.session.local_as = s.asn;
    c.session.remote_as = asn_of(other);
    c.session.router_id = RouterId{i + 1};
    c.session.local_address = IpAddress::v4(0xc0a80001 + i);
    c.session.remote_address = IpAddress::v4(0xc0a80001 + other);
    c.session.hold_time = Seconds{0};
    c.session.passive = true;
    c.window = 300;  // all neighbors are slow
    NeighborRoutes& r = c.routes;
    r.address = c.session.remote_address;
    r.import.kind = asn_of(other) == s.asn ? SourceKind::Ibgp : SourceKind::Ebgp;
    r.import.remote_as = asn_of(other);
    r.reflector_client = i == 8 && other == 9;
    r.export_rules.v4.kind = r.import.kind;
    r.export_rules.v4.local_as = s.asn;
    r.export_rules.v4.reflector_client = r.reflector_client;
    r.export_rules.v4.next_hop_self = true;
    r.export_rules.v4.next_hop = c.session.local_address;
    return c;
  }

  void disturb() {
    const std::uint32_t dice = below(random_, 100);
    Link& link = links_[below(random_, static_cast<std::uint32_t>(links_.size()))];
    Node& node = nodes_[below(random_, kNodes)];
    if (dice < 30) {
      link.up ? take_down(link) : bring_up(link);
    } else if (dice < 75) {
      const std::uint32_t n = below(random_, kPrefixes);
      if (node.own.erase(n) > 0) return node.speaker->withdraw(prefix_of(n));
      PathAttributes a;
      a.origin = Origin{static_cast<std::uint8_t>(below(random_, 3))};
      if (below(random_, 2) == 0) a.med = below(random_, 3);
      if (below(random_, 8) == 0) a.communities = {well_known::kNoExport};
      node.own[n] = a;
      node.speaker->originate(prefix_of(n), a, {.weight = 32768}, now_);
    } else if (!node.ends.empty()) {
      change_policy(node);
    }
  }
  void change_policy(Node& s) {
    auto end = std::next(s.ends.begin(), below(random_, static_cast<std::uint32_t>(s.ends.size())));
    auto p = std::make_shared<SimPolicy>();
    p->denied = static_cast<std::uint32_t>(random_() & random_() & random_());
    p->asn = s.asn;
    NeighborRoutes& r = end->second.config.routes;
    if (below(random_, 2) == 0 && r.import.kind == SourceKind::Ebgp) {
      // Prefers nothing: local preferences that differ by neighbor can oscillate for ever, in all of BGP.
      p->asn = r.import.remote_as;
      r.import_policy.v4 = std::move(p);
    } else {
      if (r.import.kind == SourceKind::Ebgp) p->prepended = static_cast<std::uint32_t>(random_() & random_());
      r.export_policy.v4 = std::move(p);
    }
    REQUIRE(s.speaker->configure(now_, end->second.id, end->second.config).empty());
  }

  void bring_up(Link& l) {
    l.up = true;
    raise(l, Connected{kLine});
  }
  // What is on its way is lost.
  void take_down(Link& l) {
    l.up = false;
    raise(l, Disconnected{kLine, "lost"});
    for (const auto& [from, to] : {std::pair(l.a, l.b), std::pair(l.b, l.a)})
      nodes_[from].ends[to].wire.clear();
  }
  void raise(const Link& l, const Event& e) {
    for (const auto& [from, to] : {std::pair(l.a, l.b), std::pair(l.b, l.a)})
      obey(from, nodes_[from].speaker->step(now_, nodes_[from].ends[to].id, e));
  }

  void obey(std::uint32_t i, const SpeakerActions& actions) {
    for (const SpeakerAction& a : actions) {
      REQUIRE_FALSE(std::holds_alternative<Close>(a.action));
      if (const auto* n = std::get_if<Note>(&a.action)) REQUIRE_MESSAGE(false, n->text);
      const auto* s = std::get_if<SendBytes>(&a.action);
      if (s == nullptr) continue;
      auto& wire = nodes_[nodes_[i].end_of(a.neighbor).other].ends[i].wire;
      wire.insert(wire.end(), s->bytes.begin(), s->bytes.end());
    }
  }

  // One thing happens somewhere: a piece of work is done, or a part of what is on its way arrives. False: there was
  // none.
  bool move() {
    const std::uint32_t first = below(random_, kNodes);
    for (std::uint32_t k = 0; k < kNodes; ++k) {
      const std::uint32_t i = (first + k) % kNodes;
      const bool work_first = below(random_, 2) == 0;
      if ((work_first && work(i)) || receive(i) || work(i)) return true;
    }
    return false;
  }
  bool work(std::uint32_t i) {
    if (!nodes_[i].speaker->has_work()) return false;
    obey(i, nodes_[i].speaker->work(now_));
    return true;
  }
  bool receive(std::uint32_t i) {
    Node& s = nodes_[i];
    if (s.ends.empty()) return false;
    const auto first = below(random_, static_cast<std::uint32_t>(s.ends.size()));
    for (std::uint32_t k = 0; k < s.ends.size(); ++k) {
      auto& [other, e] = *std::next(s.ends.begin(), (first + k) % s.ends.size());
      if (e.wire.empty()) continue;
      const auto n = std::min<std::size_t>(e.wire.size(), 1 + below(random_, 200));
      std::vector<std::uint8_t> part(e.wire.begin(), e.wire.begin() + static_cast<std::ptrdiff_t>(n));
      e.wire.erase(e.wire.begin(), e.wire.begin() + static_cast<std::ptrdiff_t>(n));
      const NeighborId sender = nodes_[other].ends[i].id;
      obey(other, nodes_[other].speaker->step(now_, sender, Written{kLine, e.wire.size()}));
      obey(i, s.speaker->step(now_, e.id, Received{kLine, std::move(part)}));
      return true;
    }
    return false;
  }
  void settle() {
    std::uint32_t moves = 0;
    while (move()) {
      ++moves;
      REQUIRE_MESSAGE(moves < 2'000'000, "it does not come to rest");
    }
    for (const Link& l : links_)
      REQUIRE(nodes_[l.a].speaker->status(nodes_[l.a].ends[l.b].id).state == bgp::State::Established);
  }

  using Loc = std::map<Prefix, std::string>;  // the best way: from whom, with what
  static Loc loc_rib(const Node& s) {
    Loc out;
    const Table& t = s.speaker->ribs().table(Family::V4);
    for (std::uint32_t i = 0; i < t.prefixes().limit(); ++i) {
      const bgp::Path* best = t.prefixes().in_use(PrefixId{i}) ? t.best(PrefixId{i}) : nullptr;
      if (best == nullptr) continue;
      const PathAttributes a = s.speaker->ribs().pool().attributes(best->accepted);
      out[t.prefixes().prefix(PrefixId{i})] = fmt::format(
          "from {} next hop {} path '{}' origin {} med {} originator {} clusters {} communities {}",
          s.speaker->ribs().sources()[best->neighbor].path.address.to_string(), a.next_hop.to_string(),
          a.as_path_text(), static_cast<int>(a.origin), a.med ? fmt::format("{}", *a.med) : "none",
          a.originator_id.value_or(RouterId{}).value(), fmt::join(a.cluster_list, ","), fmt::join(a.communities, ","));
    }
    return out;
  }

  Dice random_;
  std::array<Node, kNodes> nodes_;
  std::vector<Link> links_;
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
