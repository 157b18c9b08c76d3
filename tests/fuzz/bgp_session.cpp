// A BGP session through all its states: whatever the neighbor sends, at any cut, on both connections.
#include <map>
#include <random>
#include <set>
#include <string>

#include "bgp/framing.hpp"
#include "bgp/open.hpp"
#include "bgp/session_ribs.hpp"
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
    require(session_.adj_rib_in().empty(), "a stopped session has no routes");
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
      case 9: step((op & 0x40) != 0 ? RibsEvent{Start{}} : RibsEvent{Stop{.why = "fuzz"}}); break;
    }
  }

  void pass() {
    now_ += Millis{1} * (1 << (in_.octet() % 18));
    for (int i = 0; session_.next_deadline() && *session_.next_deadline() <= now_; ++i) {
      require(i < 20, "the session does not spin");
      step(Tick{});
    }
  }

  void announce() {
    Announce a;
    for (std::uint8_t n = in_.octet() % 150; n > 0; --n)
      a.routes.push_back({Prefix::of(IpAddress::v4(0x0a000000U + n * 65536U), 16), in_.octet(), {}});
    step(a);
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

  void step(const RibsEvent& e) {
    const auto actions = session_.step(now_, e);
    require(actions.size() <= 1024, "a step's actions are bounded");
    for (const auto& a : actions)
      std::visit([&](const auto& action) { took(action); }, a);
    const auto& s = session_.status();
    require((s.state == State::Established) == up_, "SessionUp and SessionDown tell the state");
    require(session_.adj_rib_in().size() == routes_.size(), "the changes add up to the Adj-RIB-In");
    require(session_.adj_rib_out().size() <= 100, "no more is announced than the peer takes");
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
  void took(const RouteChanges& c) {
    require(up_, "routes come from a session that is up");
    for (const auto& change : c.changes) {
      if (change.attributes) {
        routes_[change.prefix] = change.attributes;
      } else {
        require(routes_.erase(change.prefix) == 1, "what is withdrawn was there");
      }
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
    routes_.clear();
    printable(d.why);
  }
  void took(const Moved& m) { printable(m.why); }
  void took(const Note& n) { printable(n.text); }
  static void printable(const std::string& s) {
    for (const char c : s)
      require(c >= 0x20 && c < 0x7f, "what is logged is printable");
  }

  static inline const IpAddress kOurs = IpAddress::v4(0xa9fe0a02), kTheirs = IpAddress::v4(0xa9fe0a01);
  fuzz::Input in_;
  Seeded random_;
  SessionRibs session_{{.local_as = Asn{65000},
                        .remote_as = Asn{64512},
                        .router_id = RouterId{0xc000020a},
                        .local_address = kOurs,
                        .remote_address = kTheirs,
                        .maximum_prefix_in = 64},
                       random_};
  TimePoint now_ = TimePoint{} + Seconds{1000};
  bool up_ = false;
  std::map<Prefix, AttributesPtr> routes_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 4096) return 0;
  Play(fuzz::Input(data, size)).run();
  return 0;
}
