// A speaker with two neighbors: what they send, restarts, refreshes, verdicts, summaries and work in any order. Its
// tables stay what the sessions and timers make of them, and what it tells reads back clean.
#include <map>
#include <random>

#include "bgp/framing.hpp"
#include "bgp/open.hpp"
#include "bgp/speaker.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace cgw;
using namespace cgw::bgp;
using cgw::fuzz::require;

namespace {

class Seeded final : public Random {
 public:
  void fill(std::span<std::uint8_t> out) override {
    for (auto& b : out)
      b = static_cast<std::uint8_t>(dice_());
  }

 private:
  std::mt19937 dice_{1};
};

Capabilities capabilities(std::uint8_t bits) {
  Capabilities c = default_capabilities();
  c.families.v6 = (bits & 1) != 0;
  c.enhanced_route_refresh = (bits & 2) != 0;
  const std::optional<bool> forwarding = (bits & 8) != 0;
  if ((bits & 4) != 0)
    c.graceful_restart = GracefulRestart{(bits & 16) != 0, (bits & 32) != 0, Seconds{bits}, {forwarding, {}}};
  if ((bits & 64) != 0) c.long_lived.v4 = LongLived{(bits & 8) != 0, Seconds{600}};
  c.add_path.v4 = (bits & 128) != 0 ? AddPath::Both : AddPath::None;
  return c;
}

class Play {
 public:
  explicit Play(fuzz::Input in) : in_(in) {}

  void run() {
    const std::uint8_t start = in_.octet();
    if ((start & 1) != 0) speaker_.restarted(now_, Seconds{60});
    speaker_.follow_changes();
    for (std::uint8_t i = 0; i < 2; ++i)
      ids_.push_back(speaker_.add(neighbor(i)));
    for (const NeighborId n : ids_) {
      step(n, Start{});
      step(n, Connected{ConnectionId::Outgoing});
    }
    for (int i = 0; i < 200 && in_.more(); ++i)
      move();
    for (const NeighborId n : ids_)
      speaker_.remove(now_, n);
    speaker_.set_aggregates({});
    for (unsigned i = 0; i < 256; ++i)
      speaker_.withdraw(prefix(static_cast<std::uint8_t>(i)));
    for (const Family f : kFamilies)
      drain(f);
    work(1000);
    for (const Family f : kFamilies)
      drain(f);
    for (const Family f : kFamilies)
      require(speaker_.ribs().table(f).prefixes().size() == 0, "nothing stays of who is gone");
  }

 private:
  static Prefix prefix(std::uint8_t i) {
    return Prefix::of(IpAddress::v4(0x0a000000U + (i % 16U) * 65536U), i < 128 ? 16 : 12);
  }
  NeighborConfig neighbor(std::uint8_t i) {
    NeighborConfig c;
    c.session.local_as = Asn{65000};
    c.session.remote_as = Asn{64512U + i};
    c.session.router_id = RouterId{1};
    c.session.local_address = IpAddress::v4(0x0a0000fe);
    c.session.remote_address = IpAddress::v4(0x0b000001U + i);
    c.session.capabilities = capabilities(in_.octet());
    c.routes.address = c.session.remote_address;
    c.routes.import.remote_as = c.session.remote_as;
    for (const Family f : kFamilies) {
      c.routes.export_rules[f].local_as = c.session.local_as;
      c.routes.export_rules[f].next_hop = f == Family::V4 ? c.session.local_address : IpAddress::v6({0xfd});
    }
    c.limit.v4.maximum = 14;
    if ((in_.octet() & 1) != 0) c.limit.v4.pause = {};
    return c;
  }
  NeighborId any() { return ids_[in_.octet() % 2U]; }

  void move() {
    const std::uint8_t op = in_.octet();
    const NeighborId n = any();
    const auto asn = speaker_.config(n).session.remote_as;
    switch (op % 16) {
      case 0: hear(n, in_.piece()); break;
      case 1: hear(n, frame(MessageType{static_cast<std::uint8_t>(1 + in_.octet() % 6)}, in_.piece())); break;
      case 2: step(n, Connected{(op & 0x80) != 0 ? ConnectionId::Incoming : ConnectionId::Outgoing}); break;
      case 3: step(n, Disconnected{ConnectionId::Outgoing, "fuzz"}); break;
      case 4: pass(); break;
      case 5: hear(n, encode_open({asn, Seconds{90}, RouterId{n.value() + 5U}, capabilities(in_.octet())})); break;
      case 6: hear(n, frame(MessageType::Keepalive, {})); break;
      case 7:
      case 8: learn(n); break;
      case 9:
        hear(n, encode_route_refresh(Family{static_cast<std::uint8_t>(op >> 4 & 1)},
                                     RefreshKind{static_cast<std::uint8_t>(in_.octet() % 3)}));
        break;
      case 10: hear(n, encode_end_of_rib(Family{static_cast<std::uint8_t>(op >> 4 & 1)})); break;
      case 11: speaker_.set_usable(n, (op & 16) != 0); break;
      case 12: summarize(in_.octet()); break;
      case 13: originate(in_.octet()); break;
      case 14: work(1 + in_.octet() % 8); break;
      case 15: administer(n, in_.octet()); break;
    }
    check();
  }

  void pass() {
    now_ += Millis{1} * (1 << (in_.octet() % 20));
    for (int i = 0; speaker_.next_deadline() && *speaker_.next_deadline() <= now_; ++i) {
      require(i < 100, "the speaker does not spin");
      take(speaker_.tick(now_));
    }
  }

  void learn(NeighborId n) {
    const SessionConfig& c = speaker_.config(n).session;
    UpdateContext theirs{.local_as = c.remote_as, .remote_as = c.local_as, .local_address = c.remote_address};
    theirs.add_path_send =
        speaker_.status(n).negotiated ? speaker_.status(n).negotiated->add_path_receive : PerFamily<bool>{};
    PathAttributes a;
    a.as_path = {{AsPathSegment::Type::Sequence, {c.remote_as, Asn{1U + in_.octet() % 4U}}}};
    a.next_hop = c.remote_address;
    if (in_.octet() % 8 == 0) a.communities = {well_known::kNoLlgr};
    std::vector<Nlri> routes;
    for (std::uint8_t k = 1 + in_.octet() % 6; k > 0; --k)
      routes.push_back({prefix(in_.octet()), theirs.add_path_send.v4 ? in_.octet() % 3U : 0U});
    const auto messages = (in_.octet() & 1) != 0 ? encode_announce(routes, Family::V4, a, theirs).value()
                                                 : encode_withdraw(routes, Family::V4, theirs);
    for (const auto& m : messages)
      hear(n, m);
  }

  void summarize(std::uint8_t bits) {
    std::vector<Aggregate> wanted;
    if ((bits & 1) != 0) wanted.push_back({Prefix::of(IpAddress::v4(0x0a000000), 8), (bits & 2) != 0, (bits & 4) != 0});
    if ((bits & 8) != 0)
      wanted.push_back({Prefix::of(IpAddress::v4(0x0a000000), 12), (bits & 16) != 0, (bits & 32) != 0});
    speaker_.set_aggregates(wanted);
  }
  void originate(std::uint8_t bits) {
    PathAttributes ours;
    if ((bits & 0x40) != 0) {
      speaker_.withdraw(prefix(bits));
    } else {
      speaker_.originate(prefix(bits), ours, {}, now_);
    }
  }
  void administer(NeighborId n, std::uint8_t bits) {
    switch (bits % 5) {
      case 0: take(speaker_.clear(now_, n, Clear::Hard)); break;
      case 1: take(speaker_.clear(now_, n, Clear::SoftIn)); break;
      case 2: take(speaker_.clear(now_, n, Clear::SoftOut)); break;
      case 3: step(n, Stop{.why = "fuzz"}); break;
      case 4: step(n, Start{}); break;
    }
  }

  void hear(NeighborId n, std::vector<std::uint8_t> bytes) {
    step(n, Received{ConnectionId::Outgoing, std::move(bytes)});
  }
  void hear(NeighborId n, Bytes bytes) { hear(n, std::vector<std::uint8_t>(bytes.begin(), bytes.end())); }
  void step(NeighborId n, const Event& e) { take(speaker_.step(now_, n, e)); }
  void work(int turns) {
    for (; turns > 0 && speaker_.has_work(); --turns)
      take(speaker_.work(now_));
    require(turns == 0 || !speaker_.has_work(), "work ends");
  }
  void drain(Family f) {
    while (!speaker_.take_changes(f, 1000).empty()) {
    }
  }

  void take(SpeakerActions actions) {
    for (auto& a : actions) {
      if (const auto* s = std::get_if<SendBytes>(&a.action)) {
        read(a.neighbor, s->bytes);
        written_.push_back({a.neighbor, s->connection});
      }
    }
    while (!written_.empty()) {
      const auto [n, connection] = written_.back();
      written_.pop_back();
      for (const auto& a : speaker_.step(now_, n, Written{connection}))
        require(!std::holds_alternative<SendBytes>(a.action), "nothing is sent since something was");
    }
  }

  // As the neighbor reads it.
  void read(NeighborId n, const std::vector<std::uint8_t>& bytes) {
    const auto& agreed = speaker_.status(n).negotiated;
    Framer f;
    f.push(bytes);
    for (auto m = f.next();; m = f.next()) {
      require(m.has_value(), "what is sent is BGP");
      if (!*m) return;
      if ((*m)->type != MessageType::Update || !agreed) continue;
      UpdateContext theirs{.local_as = agreed->remote_as, .remote_as = Asn{65000}};
      theirs.four_octet_as = agreed->four_octet_as;
      theirs.families = {true, true};
      theirs.add_path_receive = agreed->add_path_send;
      const auto update = parse_update((*m)->body, theirs);
      require(update && update->findings.empty(), "what is sent reads back clean");
    }
  }

  void check() {
    for (const NeighborId n : ids_) {
      const auto counts = speaker_.ribs().table(Family::V4).counts(n);
      require(counts.accepted <= counts.received, "what is accepted has been received");
      require(counts.received <= 14 + 6, "past the limit nothing is taken");
      require((counts.received == 0) == (counts.octets == 0), "routes take memory, and nothing else does");
      const bool up = speaker_.status(n).state == State::Established;
      require(up || counts.received == 0, "without a session no routes are of it");
    }
    const auto parts = speaker_.ribs().aggregates(Family::V4).parts(Prefix::of(IpAddress::v4(0x0a000000), 8));
    require(parts <= 64, "a summary has no more parts than there are");
  }

  fuzz::Input in_;
  Seeded random_;
  TimePoint now_{};
  Speaker speaker_{{Asn{65000}, RouterId{1}, 1}, {}, random_};
  std::vector<NeighborId> ids_;
  std::vector<std::pair<NeighborId, ConnectionId>> written_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Play(fuzz::Input(data, size)).run();
  return 0;
}
