#pragma once
#include <array>

#include "base/note_limit.hpp"
#include "bgp/session.hpp"

namespace cgw::bgp {

// The state machine behind Session. Each of the two possible connections goes through the states of RFC 4271 8.2.2 on
// its own; at most one becomes Established, and the session's state is that of the further one.
struct Session::Impl {
  // In the order of progress. Delaying: connected, and our OPEN waits for the DelayOpenTimer or for the neighbor's.
  enum class Phase : std::uint8_t { Closed, Connecting, Delaying, OpenSent, OpenConfirm, Established };
  struct Line {
    Phase phase = Phase::Closed;
    Framer framer;
    std::optional<Open> peer;
    std::optional<Negotiated> negotiated;
    std::optional<TimePoint> hold, keepalive, delay_open, send_hold;
    std::vector<std::uint8_t> sent_open, received_open;
    std::optional<Notification> sent, received;  // the last words
  };
  struct Context {
    TimePoint now;
    Actions out;
    std::string why;  // of a change of state in this step
  };
  // How a connection ends, as far as the routes depend on it (RFC 4724 4, RFC 8538 4).
  enum class End : std::uint8_t { Final, TransportLost, Notified };

  Impl(SessionConfig c, Random& j) : config(std::move(c)), jitter(j) {}

  Actions step(TimePoint now, const Event& event);
  std::optional<TimePoint> next_deadline() const;

  void on(Context& cx, const Start&);
  void on(Context& cx, const Stop& e);
  void on(Context& cx, const Reset& e);
  void on(Context& cx, const Connected& e);
  void on(Context& cx, const Disconnected& e);
  void on(Context& cx, const Received& e);
  void on(Context& cx, const Written& e);
  void on(Context& cx, const SendUpdates& e);
  void on(Context& cx, const RequestRefresh& e);
  void on(Context& cx, const Tick&);

  // session_open.cpp
  void on_open(Context& cx, ConnectionId id, Bytes body);
  void confirm(Context& cx, ConnectionId id);
  std::optional<OpenRefusal> refusal(const Open& open) const;
  // Closes one of the two (RFC 4271 6.8); false when it was this one.
  bool resolve_collision(Context& cx, ConnectionId id);
  // The other connection stands; false when it goes on doing so, and this one is closed.
  bool replaces_established(Context& cx, ConnectionId id);
  void send_open(Context& cx, ConnectionId id);
  void establish(Context& cx, ConnectionId id);
  Open our_open() const;

  // session_messages.cpp
  void handle(Context& cx, ConnectionId id, const Frame& f);
  void on_keepalive(Context& cx, ConnectionId id);
  void on_update(Context& cx, ConnectionId id, Bytes body);
  void on_notification(Context& cx, ConnectionId id, Bytes body);
  void on_refresh(Context& cx, ConnectionId id, Bytes body);
  // What does not belong to the state (RFC 6608 3).
  void unexpected(Context& cx, ConnectionId id, std::string_view what);
  void tell_findings(Context& cx, const std::vector<Finding>& findings, Bytes body);
  void disable(Context& cx, Family f);

  // session_lines.cpp
  void dial(Context& cx);
  void send(Context& cx, ConnectionId id, std::vector<std::uint8_t> message);
  void put(Context& cx, ConnectionId id, std::vector<std::uint8_t> octets);
  // Sends a NOTIFICATION and gives the line for the log that names the neighbor, what was sent and why.
  std::string notify(Context& cx, ConnectionId id, const Notification& n, std::string_view why);
  // As it has to be wrapped for this neighbor (RFC 8538 3.1).
  Notification worded(ConnectionId id, const Notification& n) const;
  // Sends it, closes, then waits: longer each time.
  void refuse(Context& cx, ConnectionId id, const Notification& n, std::string why);
  void close(Context& cx, ConnectionId id, std::string why, End end);
  // The line is gone, by whoever's doing.
  void lost(Context& cx, ConnectionId id, std::string why, End end);
  void retry_after(Context& cx, Duration wait);
  void back_off(Context& cx);
  Duration jittered(Duration d);
  void complain(Context& cx, std::string text);
  void tell_untold(Context& cx);
  void expire(Context& cx, ConnectionId id);

  State state() const;
  bool consistent() const;
  bool graceful(End end) const;

  Line& line(ConnectionId id) { return lines[static_cast<std::size_t>(id)]; }
  const Line& line(ConnectionId id) const { return lines[static_cast<std::size_t>(id)]; }
  bool live() const;  // a connection beyond Connecting
  std::optional<ConnectionId> established() const;
  static ConnectionId other(ConnectionId id) {
    return id == ConnectionId::Outgoing ? ConnectionId::Incoming : ConnectionId::Outgoing;
  }

  SessionConfig config;
  Random& jitter;
  std::array<Line, 2> lines;
  bool running = false;
  std::optional<TimePoint> retry;  // when to dial again
  std::optional<TimePoint> pause;  // until then the neighbor's calls are refused as well
  Seconds idle_hold{1};
  SessionStatus status;
  UpdateContext context;
  PerFamily<bool> end_of_rib;  // the neighbor has sent it
  std::string said;            // the last warning about a failed attempt, said once
  NoteLimit complaints;        // about malformed UPDATEs
};

}  // namespace cgw::bgp
