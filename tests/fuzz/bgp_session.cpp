// A BGP session through all its states, and the tables behind it: whatever the neighbor sends, at any cut, on both
// connections.
#include <random>
#include <string>

#include "bgp/framing.hpp"
#include "bgp/open.hpp"
#include "bgp/speaker.hpp"
#include "bgp/update.hpp"
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

class Play {
 public:
  explicit Play(fuzz::Input in) : in_(in) {}

  void run() {
    const std::uint8_t state = in_.octet();
    step(Start{});
    if (state % 4 >= 1) step(Connected{ConnectionId::Outgoing});
    if (state % 4 >= 2) hear(open(Seconds{30}, 0x01020304));
    if (state % 4 >= 3) hear(frame(MessageType::Keepalive, {}));
    for (int i = 0; i < 64 && in_.more(); ++i)
      move();
    step(Stop{.why = "the end"});
    while (own_ > 0)
      speaker_.withdraw(own(own_--));
    work();
    require(speaker_.ribs().table(Family::V4).prefixes().size() == 0, "a stopped session has no routes");
    require(speaker_.ribs().pool().size() == 0, "nothing is kept of what is gone");
  }

 private:
  void hear(std::vector<std::uint8_t> bytes, ConnectionId on = ConnectionId::Outgoing) {
    step(Received{on, std::move(bytes)});
  }
  void hear(Bytes bytes, ConnectionId on) { hear(std::vector<std::uint8_t>(bytes.begin(), bytes.end()), on); }

  static std::vector<std::uint8_t> open(Seconds hold, std::uint32_t router) {
    return encode_open(
        {.asn = Asn{64512}, .hold_time = hold, .router_id = RouterId{router}, .capabilities = default_capabilities()});
  }

  void move() {
    const std::uint8_t op = in_.octet();
    const auto on = (op & 0x80) != 0 ? ConnectionId::Incoming : ConnectionId::Outgoing;
    switch (op % 10) {
      case 0: hear(in_.piece(), on); break;
      case 1: hear(frame(MessageType{static_cast<std::uint8_t>(1 + in_.octet() % 6)}, in_.piece()), on); break;
      case 2: step(Connected{on}); break;
      case 3: step(Disconnected{on, "fuzz"}); break;
      case 4: pass(); break;
      case 5: hear(open(Seconds{in_.octet()}, in_.pair() + 1U), on); break;
      case 6: hear(frame(MessageType::Keepalive, {}), on); break;
      case 7: announce(); break;
      case 8: learn(on); break;
      case 9: step((op & 0x40) != 0 ? Event{Start{}} : Event{Stop{.why = "fuzz"}}); break;
    }
  }

  void pass() {
    now_ += Millis{1} * (1 << (in_.octet() % 18));
    for (int i = 0; speaker_.next_deadline() && *speaker_.next_deadline() <= now_; ++i) {
      require(i < 20, "the session does not spin");
      obey(speaker_.tick(now_));
    }
  }

  static Prefix own(std::uint32_t n) { return Prefix::of(IpAddress::v4(0x0a000000U + n * 65536U), 16); }
  void announce() {
    const std::uint32_t want = in_.octet() % 150U;
    for (; own_ < want; ++own_)
      speaker_.originate(own(own_ + 1), {}, {}, now_);
    for (; own_ > want; --own_)
      speaker_.withdraw(own(own_));
    work();
  }

  void learn(ConnectionId on) {
    PathAttributes a;
    a.as_path = {{AsPathSegment::Type::Sequence, {Asn{64512}}}};
    a.next_hop = kTheirs;
    const UpdateContext cx{.local_as = Asn{64512}, .remote_as = Asn{65000}, .local_address = kTheirs};
    std::vector<Nlri> routes;
    for (std::uint8_t n = in_.octet() % 40; n > 0; --n)
      routes.push_back({Prefix::of(IpAddress::v4(0xac100000U + in_.octet() * 256U), 24), 0});
    const bool announced = (in_.octet() & 1) != 0;
    const auto messages =
        announced ? encode_announce(routes, Family::V4, a, cx).value() : encode_withdraw(routes, Family::V4, cx);
    for (const auto& m : messages)
      hear(m, on);
  }

  void step(const Event& e) {
    obey(speaker_.step(now_, n_, e));
    work();
  }
  void work() {
    for (int i = 0; speaker_.has_work(); ++i) {
      require(i < 1000, "work comes to an end");
      obey(speaker_.work(now_));
      if (up_) obey(speaker_.step(now_, n_, Written{ConnectionId::Outgoing}));
    }
  }
  void obey(const SpeakerActions& actions) {
    require(actions.size() <= 1024, "a step's actions are bounded");
    for (const auto& a : actions)
      std::visit([&](const auto& action) { took(action); }, a.action);
    require((speaker_.status(n_).state == State::Established) == up_, "SessionUp and SessionDown tell the state");
    const auto counts = speaker_.counts(n_, Family::V4);
    require(counts.received <= 64 + 40, "no more is taken than one message past the limit");
    require(up_ || counts == PrefixCounts{}, "routes come from a session that is up");
    require(counts.sent <= 100, "no more is announced than the peer takes");
  }

  void took(const Dial&) {}
  void took(const Close&) {}
  void took(const SendBytes& s) {
    require(!s.bytes.empty(), "nothing is not sent");
    Framer f;
    f.push(s.bytes);
    while (true) {
      const auto m = f.next();
      require(m.has_value(), "we send well-formed messages");
      if (!*m) break;
    }
  }
  void took(const EndOfRib&) { require(up_, "End-of-RIB comes from a session that is up"); }
  void took(const SessionUp&) {
    require(!up_, "a session comes up once");
    up_ = true;
  }
  void took(const SessionDown& d) {
    require(up_, "what goes down was up");
    up_ = false;
    printable(d.why);
  }
  void took(const PathsGone&) { require(!up_, "paths are gone with their session"); }
  void took(const Moved& m) { printable(m.why); }
  void took(const Note& n) { printable(n.text); }
  static void printable(const std::string& s) {
    for (const char c : s)
      require(c >= 0x20 && c < 0x7f, "what is logged is printable");
  }

  static inline const IpAddress kOurs = IpAddress::v4(0xa9fe0a02), kTheirs = IpAddress::v4(0xa9fe0a01);
  fuzz::Input in_;
  Seeded random_;
  static NeighborConfig neighbor() {
    NeighborConfig c;
    c.session = {.local_as = Asn{65000},
                 .remote_as = Asn{64512},
                 .router_id = RouterId{0xc000020a},
                 .local_address = kOurs,
                 .remote_address = kTheirs};
    c.routes.address = kTheirs;
    c.routes.import.remote_as = Asn{64512};
    c.routes.export_rules.v4.local_as = Asn{65000};
    c.routes.export_rules.v4.next_hop = kOurs;
    c.routes.maximum_prefix_out.v4 = 100;
    c.limit.v4.maximum = 64;
    return c;
  }
  Speaker speaker_{{Asn{65000}, RouterId{0xc000020a}, 0xc000020a}, {}, random_};
  NeighborId n_ = speaker_.add(neighbor());
  std::uint32_t own_ = 0;
  TimePoint now_ = TimePoint{} + Seconds{1000};
  bool up_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 4096) return 0;
  Play(fuzz::Input(data, size)).run();
  return 0;
}
