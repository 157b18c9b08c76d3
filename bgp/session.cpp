#include "bgp/session.hpp"

#include <algorithm>
#include <cassert>

#include <fmt/format.h>

#include "base/overload.hpp"
#include "bgp/session_impl.hpp"

namespace cgw::bgp {
namespace {

constexpr Seconds kLargeHold{240};  // RFC 4271 8.2.2: "A HoldTimer value of 4 minutes is suggested"
constexpr Seconds kIdleHoldMax{60};
constexpr Seconds kProven{60};  // Established for this long: the back-off starts over
constexpr Seconds kQuickRetry{1};

}  // namespace

std::string_view to_string(State s) {
  switch (s) {
    case State::Idle: return "Idle";
    case State::Connect: return "Connect";
    case State::Active: return "Active";
    case State::OpenSent: return "OpenSent";
    case State::OpenConfirm: return "OpenConfirm";
    case State::Established: return "Established";
  }
  return "?";
}

Session::Session(SessionConfig config, Random& jitter) : impl_(std::make_unique<Impl>(config, jitter)) {}
Session::~Session() = default;
Actions Session::step(TimePoint now, const Event& event) {
  return impl_->step(now, event);
}
std::optional<TimePoint> Session::next_deadline() const {
  const auto protocol = impl_->next_deadline(), untold = impl_->complaints.next_deadline();
  return protocol && untold ? std::min(protocol, untold) : (protocol ? protocol : untold);
}
const SessionStatus& Session::status() const {
  return impl_->status;
}
const std::map<Prefix, AttributesPtr>& Session::adj_rib_in() const {
  return impl_->adj_rib_in;
}
std::vector<Advertisement> Session::adj_rib_out() const {
  std::vector<Advertisement> out;
  for (const auto& [prefix, a] : impl_->adj_rib_out.told())
    out.push_back(a);
  return out;
}

Actions Session::Impl::step(TimePoint now, const Event& event) {
  Context cx{.now = now, .out = {}, .changes = {}, .why = {}};
  const State before = state();
  std::visit([&](const auto& e) { on(cx, e); }, event);
  finish(cx, before);
  assert(consistent());
  return std::move(cx.out);
}

void Session::Impl::finish(Context& cx, State before) {
  if (!cx.changes.empty()) cx.out.push_back(RouteChanges{std::move(cx.changes)});
  status.state = state();
  status.prefixes_received = static_cast<std::uint32_t>(adj_rib_in.size());
  status.prefixes_sent = static_cast<std::uint32_t>(adj_rib_out.told().size());
  status.prefixes_held_back = static_cast<std::uint32_t>(adj_rib_out.held_back().size());
  if (status.state != before) cx.out.push_back(Moved{before, status.state, cx.why});
}

std::optional<TimePoint> Session::Impl::next_deadline() const {
  std::optional<TimePoint> best = retry;
  for (const Line& l : lines) {
    for (const auto& at : {l.hold, l.keepalive}) {
      if (at && (!best || *at < *best)) best = at;
    }
  }
  return best;
}

State Session::Impl::state() const {
  switch (std::max(lines[0].phase, lines[1].phase)) {
    case Phase::Established: return State::Established;
    case Phase::OpenConfirm: return State::OpenConfirm;
    case Phase::OpenSent: return State::OpenSent;
    case Phase::Connecting: return State::Connect;
    case Phase::Closed: return running ? State::Active : State::Idle;
  }
  return State::Idle;
}

bool Session::Impl::live() const {
  return std::ranges::any_of(lines, [](const Line& l) { return l.phase > Phase::Connecting; });
}

// A session that should run is never without something it waits for.
bool Session::Impl::consistent() const {
  const bool established = state() == State::Established;
  const bool quiet_by_agreement = established && status.hold_time == Seconds{0};
  const bool waits = next_deadline().has_value() || quiet_by_agreement || config.passive;
  const auto incoming = line(ConnectionId::Incoming).phase;
  return (!running || waits) && incoming != Phase::Connecting && (established || adj_rib_in.empty());
}

void Session::Impl::on(Context& cx, const Start&) {
  if (live()) return;
  running = true;
  idle_hold = Seconds{1};
  cx.why = "started";
  dial(cx);
}

void Session::Impl::on(Context& cx, const Stop& e) {
  running = false;
  retry.reset();
  const Notification cease{.code = 6, .subcode = e.cease_subcode, .data = {}};
  for (const auto id : {ConnectionId::Outgoing, ConnectionId::Incoming}) {
    if (line(id).phase > Phase::Connecting) cx.out.push_back(Note{Level::Info, notify(cx, id, cease, e.why)});
    if (line(id).phase != Phase::Closed) close(cx, id, e.why);
  }
  retry.reset();
  cx.why = e.why;
}

void Session::Impl::dial(Context& cx) {
  retry.reset();
  if (config.passive || !running || line(ConnectionId::Outgoing).phase > Phase::Connecting) return;
  line(ConnectionId::Outgoing) = Line{};
  line(ConnectionId::Outgoing).phase = Phase::Connecting;
  retry_after(cx, jittered(config.connect_retry));
  cx.out.push_back(Dial{});
}

void Session::Impl::on(Context& cx, const Connected& e) {
  const bool expected = e.connection == ConnectionId::Incoming || line(e.connection).phase == Phase::Connecting;
  if (!running || !expected) {
    cx.out.push_back(Close{e.connection});
    return;
  }
  // The shell has accepted anew: what was on this line is no more.
  if (line(e.connection).phase > Phase::Connecting)
    lost(cx, e.connection, "replaced by a new connection of the neighbor");
  if (line(other(e.connection)).phase == Phase::Established) {
    // RFC 4271 6.8: the established one stays. If the neighbor has lost it, this KEEPALIVE finds that out at once.
    send(cx, other(e.connection), frame(MessageType::Keepalive, {}));
    const Notification collision{.code = 6, .subcode = 7, .data = {}};
    cx.out.push_back(
        Note{Level::Info, notify(cx, e.connection, collision, "the session stands on another connection")});
    cx.out.push_back(Close{e.connection});
    line(e.connection) = Line{};
    return;
  }
  Line& l = line(e.connection);
  l = Line{};
  l.phase = Phase::OpenSent;
  l.hold = cx.now + kLargeHold;
  retry.reset();
  cx.why = e.connection == ConnectionId::Outgoing ? "TCP connection made" : "TCP connection accepted";
  send(cx, e.connection, encode_open(config.local_as, config.hold_time, config.router_id));
}

void Session::Impl::on(Context& cx, const Disconnected& e) {
  if (line(e.connection).phase == Phase::Closed) return;
  const bool was_dialing = line(e.connection).phase == Phase::Connecting;
  lost(cx, e.connection, e.why);
  if (!was_dialing) return;
  status.last_reset = status.last_reset.empty() ? "TCP: " + e.why : status.last_reset;
  if (!live() && running) retry_after(cx, jittered(config.connect_retry));
}

void Session::Impl::on(Context& cx, const Received& e) {
  if (line(e.connection).phase <= Phase::Connecting) return;
  line(e.connection).framer.push(e.bytes);
  while (line(e.connection).phase > Phase::Connecting) {
    auto next = line(e.connection).framer.next();
    if (!next) return refuse(cx, e.connection, next.error(), "what the neighbor sent is no BGP");
    if (!*next) return;
    ++status.messages_received;
    if (line(e.connection).phase >= Phase::OpenConfirm && status.hold_time != Seconds{0}) {
      line(e.connection).hold = cx.now + status.hold_time;
    }
    handle(cx, e.connection, **next);
  }
}

void Session::Impl::on(Context& cx, const Announce& e) {
  adj_rib_out.want(e.routes, config.maximum_prefix_out);
  const auto& held = adj_rib_out.held_back();
  if (held.empty()) {
    said_held_back = false;
  } else if (!said_held_back) {
    said_held_back = true;
    constexpr std::size_t kNamed = 10;
    std::string names;
    for (std::size_t i = 0; i < held.size() && i < kNamed; ++i)
      names += (i > 0 ? ", " : "") + held[i].to_string();
    cx.out.push_back(
        Note{Level::Warning,
             fmt::format("{} prefixes are held back: the neighbor resets the session past {} ({}{}); "
                         "aggregate them, or raise maximum-prefix-out if it takes more",
                         held.size(), config.maximum_prefix_out, names, held.size() > kNamed ? ", ..." : "")});
  }
  if (state() == State::Established) advertise(cx);
}

void Session::Impl::on(Context& cx, const Tick&) {
  for (const auto id : {ConnectionId::Outgoing, ConnectionId::Incoming}) {
    Line& l = line(id);
    if (l.hold && *l.hold <= cx.now) {
      refuse(cx, id, {.code = 4, .subcode = 0, .data = {}}, "hold timer expired: nothing heard from the neighbor");
      continue;
    }
    if (l.keepalive && *l.keepalive <= cx.now) {
      l.keepalive = cx.now + jittered(status.keepalive_time);
      send(cx, id, frame(MessageType::Keepalive, {}));
    }
  }
  tell_untold(cx);
  if (!retry || *retry > cx.now) return;
  retry.reset();
  if (live()) return;
  cx.why = "connect retry timer";
  dial(cx);
  // Passive and stopped sessions do not dial; they wait to be called.
}

void Session::Impl::handle(Context& cx, ConnectionId id, const Frame& f) {
  switch (f.type) {
    case MessageType::Open: return on_open(cx, id, f.body);
    case MessageType::Keepalive: return on_keepalive(cx, id);
    case MessageType::Update: return on_update(cx, id, f.body);
    case MessageType::Notification: return on_notification(cx, id, f.body);
    case MessageType::RouteRefresh: return on_refresh(cx, id, f.body);
  }
}

void Session::Impl::establish(Context& cx, ConnectionId id) {
  line(id).phase = Phase::Established;
  if (status.hold_time == Seconds{0}) line(id).hold.reset();
  status.established = cx.now;
  ++status.established_count;
  said.clear();
  adj_rib_out.forget();
  cx.why = "KEEPALIVE received";
  cx.out.push_back(SessionUp{});
  advertise(cx);
  send(cx, id, encode_end_of_rib(Family::V4));
}

void Session::Impl::advertise(Context& cx) {
  const auto id =
      line(ConnectionId::Outgoing).phase == Phase::Established ? ConnectionId::Outgoing : ConnectionId::Incoming;
  for (auto& m : adj_rib_out.difference(config, update_context()))
    send(cx, id, std::move(m));
}

void Session::Impl::send(Context& cx, ConnectionId id, std::vector<std::uint8_t> message) {
  ++status.messages_sent;
  cx.out.push_back(SendBytes{id, std::move(message)});
}

std::string Session::Impl::notify(Context& cx, ConnectionId id, const Notification& n, std::string_view why) {
  send(cx, id, encode(n));
  return fmt::format("sent NOTIFICATION {} to {}: {}", n.to_string(), config.remote_address.to_string(), why);
}

void Session::Impl::refuse(Context& cx, ConnectionId id, const Notification& n, std::string why) {
  const std::string text = notify(cx, id, n, why);
  // SessionDown says it of an established session.
  if (text != said && line(id).phase != Phase::Established) cx.out.push_back(Note{Level::Warning, text});
  said = text;
  status.last_reset = text;
  close(cx, id, text);
  back_off(cx);
}

void Session::Impl::close(Context& cx, ConnectionId id, std::string why) {
  cx.out.push_back(Close{id});
  lost(cx, id, std::move(why));
}

void Session::Impl::lost(Context& cx, ConnectionId id, std::string why) {
  const bool was_established = line(id).phase == Phase::Established;
  line(id) = Line{};
  cx.why = why;
  if (was_established) {
    if (status.established && cx.now - *status.established >= kProven) idle_hold = Seconds{1};
    status.established.reset();
    ++status.dropped_count;
    status.last_reset = why;
    adj_rib_in.clear();
    adj_rib_out.forget();
    cx.changes.clear();
    cx.out.push_back(SessionDown{std::move(why)});
  }
  if (running && !live() && !retry) retry_after(cx, jittered(kQuickRetry));
}

void Session::Impl::retry_after(Context& cx, Duration wait) {
  if (!config.passive) retry = cx.now + wait;
}

// RFC 4271 8.1.1, IdleHoldTime: a neighbor that refuses us is not asked again and again.
void Session::Impl::back_off(Context& cx) {
  if (!running || live()) return;
  retry_after(cx, jittered(idle_hold));
  idle_hold = std::min(idle_hold * 2, kIdleHoldMax);
}

// RFC 4271 10: 0.75 to 1.0 of the value.
Duration Session::Impl::jittered(Duration d) {
  const auto quarter = static_cast<std::uint64_t>(std::max<Duration::rep>(d.count() / 4, 1));
  return d - Duration(static_cast<Duration::rep>(jitter.below(quarter)));
}

UpdateContext Session::Impl::update_context() const {
  UpdateContext c;
  c.ebgp = config.local_as != config.remote_as;
  c.local_as = config.local_as;
  c.remote_as = config.remote_as;
  c.local_address = config.local_address;
  for (const Line& l : lines) {
    if (l.phase == Phase::Established && l.peer) c.four_octet_as = l.peer->capabilities.four_octet_as;
  }
  return c;
}

}  // namespace cgw::bgp
