#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bgp/session.hpp"

namespace cgw::test {

struct Segment {
  int dialer = 0;          // which end opened the connection
  std::uint32_t port = 0;  // the dialer's, new for each dial
  bool syn = false, fin = false, rst = false;
  std::uint64_t seq = 0, ack = 0;
  std::vector<std::uint8_t> bytes;
};

// The two TCP connections of one BGP session, as far as BGP can tell them from real ones: handshake, order and
// retransmission over a path that loses, doubles and reorders; a reset from an end that knows nothing of it. What the
// daemon's BgpTransport is over sockets.
class SimTcp {
 public:
  using Send = std::function<void(Segment)>;
  using Raise = std::function<void(bgp::Event)>;
  SimTcp(int self, Send send, Raise raise) : self_(self), send_(std::move(send)), raise_(std::move(raise)) {}

  void dial(TimePoint now) {
    Line& l = line(bgp::ConnectionId::Outgoing);
    close(bgp::ConnectionId::Outgoing);
    l = Line{.state = State::Dialing, .port = next_port_++, .dialer = self_, .unacked = {}, .resend = {}};
    l.resend = now + l.wait;
    transmit(l, {}, true);
  }

  void write(TimePoint now, bgp::ConnectionId id, const std::vector<std::uint8_t>& bytes) {
    Line& l = line(id);
    if (l.state != State::Open) return;
    send_({.dialer = l.dialer, .port = l.port, .seq = l.base + l.unacked.size(), .ack = l.received, .bytes = bytes});
    l.unacked.insert(l.unacked.end(), bytes.begin(), bytes.end());
    if (!l.resend) l.resend = now + l.wait;
  }

  // Said once: an end that misses it is told by a reset when it sends.
  void close(bgp::ConnectionId id) {
    Line& l = line(id);
    if (l.state == State::Open)
      send_({.dialer = l.dialer, .port = l.port, .fin = true, .seq = l.base + l.unacked.size(), .ack = l.received});
    l = Line{};
  }

  void receive(TimePoint now, const Segment& s) {
    const auto id = s.dialer == self_ ? bgp::ConnectionId::Outgoing : bgp::ConnectionId::Incoming;
    Line& l = line(id);
    const bool ours = l.state != State::Closed && l.port == s.port;
    if (s.rst) {
      if (pending_ == s.port && id == bgp::ConnectionId::Incoming) pending_.reset();
      if (ours) lose(id, "connection reset by peer");
      return;
    }
    if (s.syn) return handshake(id, l, ours, s);
    if (id == bgp::ConnectionId::Incoming && pending_ == s.port) accept(l, s);
    if (l.state != State::Open || l.port != s.port) return reset(s);
    if (acknowledged(now, l, s.ack)) raise_(bgp::Written{id, l.unacked.size()});
    if (l.state == State::Open && l.port == s.port) take(id, l, s);
  }

  void tick(TimePoint now) {
    for (Line& l : lines_) {
      if (!l.resend || *l.resend > now) continue;
      l.wait = std::min<Duration>(l.wait * 2, Seconds{10});
      l.resend = now + l.wait;
      transmit(l, l.unacked, l.state == State::Dialing);
    }
  }

  std::optional<TimePoint> next_deadline() const {
    std::optional<TimePoint> best;
    for (const Line& l : lines_) {
      if (l.resend && (!best || *l.resend < *best)) best = l.resend;
    }
    return best;
  }

 private:
  enum class State : std::uint8_t { Closed, Dialing, Open };
  static constexpr Duration kFirstWait = Millis{200};
  struct Line {
    State state = State::Closed;
    std::uint32_t port = 0;
    int dialer = 0;
    std::uint64_t base = 0, received = 0;  // octets acknowledged to us, and had from the other end
    std::vector<std::uint8_t> unacked;
    std::optional<TimePoint> resend;
    Duration wait = kFirstWait;
  };

  Line& line(bgp::ConnectionId id) { return lines_[static_cast<std::size_t>(id)]; }

  void transmit(const Line& l, std::vector<std::uint8_t> bytes, bool syn = false) {
    send_(
        {.dialer = l.dialer, .port = l.port, .syn = syn, .seq = l.base, .ack = l.received, .bytes = std::move(bytes)});
  }
  void reset(const Segment& s) { send_({.dialer = s.dialer, .port = s.port, .rst = true}); }

  void lose(bgp::ConnectionId id, std::string why) {
    line(id) = Line{};
    raise_(bgp::Disconnected{id, std::move(why)});
  }

  void handshake(bgp::ConnectionId id, Line& l, bool ours, const Segment& s) {
    if (id == bgp::ConnectionId::Incoming) {
      if (!ours) pending_ = s.port;
      return send_({.dialer = s.dialer, .port = s.port, .syn = true});
    }
    if (!ours) return reset(s);
    const bool opens = l.state == State::Dialing;
    if (opens) {
      l.state = State::Open;
      l.resend.reset();
      l.wait = kFirstWait;
    }
    transmit(l, {});
    if (opens) raise_(bgp::Connected{id});
  }

  void accept(Line& l, const Segment& s) {
    constexpr auto kId = bgp::ConnectionId::Incoming;
    pending_.reset();
    if (l.state != State::Closed) {
      close(kId);
      raise_(bgp::Disconnected{kId, "the neighbor opened another connection"});
    }
    l = Line{.state = State::Open, .port = s.port, .dialer = s.dialer, .unacked = {}, .resend = {}};
    raise_(bgp::Connected{kId});
  }

  static bool acknowledged(TimePoint now, Line& l, std::uint64_t upto) {
    if (upto <= l.base) return false;
    const auto n = std::min<std::uint64_t>(upto - l.base, l.unacked.size());
    l.unacked.erase(l.unacked.begin(), l.unacked.begin() + static_cast<std::ptrdiff_t>(n));
    l.base += n;
    l.wait = kFirstWait;
    l.resend.reset();
    if (!l.unacked.empty()) l.resend = now + l.wait;
    return true;
  }

  void take(bgp::ConnectionId id, Line& l, const Segment& s) {
    const std::uint64_t end = s.seq + s.bytes.size();
    if (s.seq <= l.received && end > l.received) {
      const auto skip = static_cast<std::ptrdiff_t>(l.received - s.seq);
      l.received = end;
      raise_(bgp::Received{id, {s.bytes.begin() + skip, s.bytes.end()}});
      // What the session thinks of it may have ended the connection.
      if (l.state != State::Open || l.port != s.port) return;
    }
    if (s.fin && end == l.received) return lose(id, "the neighbor closed the connection");
    if (!s.bytes.empty()) transmit(l, {});
  }

  int self_;
  Send send_;
  Raise raise_;
  std::array<Line, 2> lines_;
  std::optional<std::uint32_t> pending_;  // a connection to us of which only the SYN is here
  std::uint32_t next_port_ = 1;
};

}  // namespace cgw::test
