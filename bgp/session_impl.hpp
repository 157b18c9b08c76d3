#pragma once
#include <array>
#include <deque>

#include "base/note_limit.hpp"
#include "bgp/adj_rib_out.hpp"
#include "bgp/framing.hpp"
#include "bgp/open.hpp"
#include "bgp/session.hpp"

namespace cgw::bgp {

// The state machine behind Session. Each of the two possible connections goes through the states of RFC 4271 8.2.2 on
// its own; at most one becomes Established, and the session's state is that of the further one.
struct Session::Impl {
  // In the order of progress.
  enum class Phase : std::uint8_t { Closed, Connecting, OpenSent, OpenConfirm, Established };
  struct Line {
    Phase phase = Phase::Closed;
    Framer framer;
    std::optional<Open> peer;
    std::optional<TimePoint> hold, keepalive;
  };
  struct Context {
    TimePoint now;
    Actions out;
    std::vector<RouteChange> changes;
    std::string why;  // of a change of state in this step
  };

  Impl(SessionConfig c, Random& j) : config(c), jitter(j) {}

  Actions step(TimePoint now, const Event& event);
  std::optional<TimePoint> next_deadline() const;

  void on(Context& cx, const Start&);
  void on(Context& cx, const Stop& e);
  void on(Context& cx, const Connected& e);
  void on(Context& cx, const Disconnected& e);
  void on(Context& cx, const Received& e);
  void on(Context& cx, const Announce& e);
  void on(Context& cx, const Tick&);

  void handle(Context& cx, ConnectionId id, const Frame& f);
  void on_open(Context& cx, ConnectionId id, Bytes body);
  void on_keepalive(Context& cx, ConnectionId id);
  void on_update(Context& cx, ConnectionId id, Bytes body);
  void on_notification(Context& cx, ConnectionId id, Bytes body);
  void on_refresh(Context& cx, ConnectionId id, Bytes body);
  // Closes one of the two (RFC 4271 6.8); false when it was this one.
  bool resolve_collision(Context& cx, ConnectionId id);

  void dial(Context& cx);
  void establish(Context& cx, ConnectionId id);
  void advertise(Context& cx);
  void send(Context& cx, ConnectionId id, std::vector<std::uint8_t> message);
  // Sends a NOTIFICATION and gives the line for the log that names the neighbor, what was sent and why.
  std::string notify(Context& cx, ConnectionId id, const Notification& n, std::string_view why);
  // That, then close, then wait: longer each time.
  void refuse(Context& cx, ConnectionId id, const Notification& n, std::string why);
  void close(Context& cx, ConnectionId id, std::string why);
  // The line is gone, by whoever's doing.
  void lost(Context& cx, ConnectionId id, std::string why);
  void retry_after(Context& cx, Duration wait);
  void back_off(Context& cx);
  Duration jittered(Duration d);
  void apply(Context& cx, const Update& u);
  void complain(Context& cx, std::string text);
  void tell_untold(Context& cx);
  void finish(Context& cx, State before);
  UpdateContext update_context() const;
  State state() const;
  bool consistent() const;

  Line& line(ConnectionId id) { return lines[static_cast<std::size_t>(id)]; }
  const Line& line(ConnectionId id) const { return lines[static_cast<std::size_t>(id)]; }
  bool live() const;  // a connection beyond Connecting
  static ConnectionId other(ConnectionId id) {
    return id == ConnectionId::Outgoing ? ConnectionId::Incoming : ConnectionId::Outgoing;
  }

  SessionConfig config;
  Random& jitter;
  std::array<Line, 2> lines;
  bool running = false;
  std::optional<TimePoint> retry;  // when to dial again
  Seconds idle_hold{1};
  std::map<Prefix, AttributesPtr> adj_rib_in;
  AdjRibOut adj_rib_out;
  SessionStatus status;
  bool said_held_back = false;
  std::string said;      // the last warning about a failed attempt, said once
  NoteLimit complaints;  // about malformed UPDATEs
};

}  // namespace cgw::bgp
