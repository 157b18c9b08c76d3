#pragma once
#include "bgp/framing.hpp"
#include "bgp/open.hpp"
#include "bgp/session.hpp"
#include "bgp/update.hpp"

// A session on a bench: the test is the neighbor and the clock.
namespace cgw::bgp::test {

using Octets = std::vector<std::uint8_t>;

inline constexpr auto kOut = ConnectionId::Outgoing;
inline constexpr auto kIn = ConnectionId::Incoming;

struct Seeded : Random {
  explicit Seeded(std::uint64_t seed) : s(seed * 2 + 1) {}
  void fill(std::span<std::uint8_t> out) override {
    for (auto& b : out) {
      s ^= s << 13, s ^= s >> 7, s ^= s << 17;
      b = static_cast<std::uint8_t>(s >> 24);
    }
  }
  std::uint64_t s;
};

inline SessionConfig our_config() {
  SessionConfig c;
  c.local_as = Asn{65000};
  c.remote_as = Asn{64512};
  c.router_id = RouterId{0x0a000002};
  c.local_address = IpAddress::v4(0xa9fe0a02);
  c.remote_address = IpAddress::v4(0xa9fe0a01);
  return c;
}

// An OPEN with the capabilities that go without saying.
inline Octets plain_open(std::uint32_t as, Seconds hold, std::uint32_t router) {
  return encode_open(
      {.asn = Asn{as}, .hold_time = hold, .router_id = RouterId{router}, .capabilities = default_capabilities()});
}

// UPDATEs of the neighbor with so many /24s.
inline Octets announcement(const SessionConfig& config, std::uint32_t first, std::uint32_t count) {
  PathAttributes a;
  a.as_path = {{AsPathSegment::Type::Sequence, {config.remote_as}}};
  a.next_hop = config.remote_address;
  std::vector<Nlri> routes;
  for (std::uint32_t i = 0; i < count; ++i)
    routes.push_back({Prefix::of(IpAddress::v4((first + i) << 8), 24), 0});
  Octets stream;
  const auto messages = encode_announce(routes, Family::V4, a, {});
  for (const auto& m : messages.value())
    stream.insert(stream.end(), m.begin(), m.end());
  return stream;
}

template <class T, class Actions>
std::vector<T> all(const Actions& actions) {
  std::vector<T> out;
  for (const auto& a : actions) {
    if (const T* t = std::get_if<T>(&a)) out.push_back(*t);
  }
  return out;
}

// The neighbour's hand: what it says, octet by octet, and the notifications it gets.
struct Bench {
  explicit Bench(SessionConfig c = our_config()) : config(c), session(c, random) {}

  Actions step(const Event& e) {
    auto actions = session.step(now, e);
    for (const auto& s : all<SendBytes>(actions)) {
      if (s.bytes[18] == 3) notified.push_back({s.bytes[19], s.bytes[20]});
    }
    return actions;
  }
  Actions say(ConnectionId id, Octets bytes) { return step(Received{id, std::move(bytes)}); }
  Actions keepalive(ConnectionId id) { return say(id, frame(MessageType::Keepalive, {})); }
  Actions open(ConnectionId id, std::uint32_t as = 64512, Seconds hold = Seconds{30},
               std::uint32_t router = 0x0a000001) {
    return say(id, plain_open(as, hold, router));
  }
  Actions up(ConnectionId id = kOut, Seconds hold = Seconds{30}) {
    if (session.status().state == State::Idle) step(Start{});
    step(Connected{id});
    open(id, config.remote_as.value(), hold);
    return keepalive(id);
  }
  Actions routes(std::uint32_t first, std::uint32_t count, ConnectionId id = kOut) {
    return say(id, announcement(config, first, count));
  }
  State state() const { return session.status().state; }

  SessionConfig config;
  Seeded random{7};
  TimePoint now{};
  Session session;
  std::vector<std::pair<int, int>> notified;
};

}  // namespace cgw::bgp::test
