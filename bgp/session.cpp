#include "bgp/session.hpp"

#include <algorithm>
#include <cassert>

#include <fmt/format.h>

#include "bgp/session_impl.hpp"

namespace cgw::bgp {
namespace {

constexpr Seconds kLargeHold{240};  // RFC 4271 8.2.2: "A HoldTimer value of 4 minutes is suggested"
const Notification kCollision{.code = 6, .subcode = 7, .data = {}};

// RFC 9003 2: its length, then UTF-8, at most 255 octets; a character is not cut.
std::vector<std::uint8_t> shutdown_communication(std::uint8_t subcode, const std::string& text) {
  if (text.empty() || (subcode != 2 && subcode != 4)) return {};
  std::size_t n = std::min<std::size_t>(text.size(), 255);
  while (n < text.size() && n > 0 && (static_cast<std::uint8_t>(text[n]) & 0xc0) == 0x80)
    --n;
  std::vector<std::uint8_t> out{static_cast<std::uint8_t>(n)};
  out.insert(out.end(), text.begin(), text.begin() + static_cast<std::ptrdiff_t>(n));
  return out;
}

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

Capabilities default_capabilities() {
  Capabilities c;
  c.families.v4 = true;
  c.any_multiprotocol = true;
  c.route_refresh = true;
  c.four_octet_as = true;
  return c;
}

Seconds default_send_hold_time(Seconds hold_time) {
  return std::max(Seconds{480}, 2 * hold_time);
}

Session::Session(SessionConfig config, Random& jitter) : impl_(std::make_unique<Impl>(std::move(config), jitter)) {}
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
void Session::end_restart() {
  if (auto& graceful = impl_->config.capabilities.graceful_restart) graceful->restarted = false;
}
const UpdateContext& Session::context() const {
  return impl_->context;
}

Actions Session::Impl::step(TimePoint now, const Event& event) {
  Context cx{.now = now, .out = {}, .why = {}};
  const State before = state();
  std::visit([&](const auto& e) { on(cx, e); }, event);
  status.state = state();
  if (status.state != before) cx.out.push_back(Moved{before, status.state, cx.why});
  assert(consistent());
  return std::move(cx.out);
}

std::optional<TimePoint> Session::Impl::next_deadline() const {
  std::optional<TimePoint> best = retry;
  for (const Line& l : lines) {
    for (const auto& at : {l.hold, l.keepalive, l.delay_open, l.send_hold}) {
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
    // RFC 4271 8.2.2: the delay is spent in Connect after our call, in Active after the neighbor's.
    case Phase::Delaying: return line(ConnectionId::Outgoing).phase == Phase::Delaying ? State::Connect : State::Active;
    case Phase::Connecting: return State::Connect;
    case Phase::Closed: return running ? State::Active : State::Idle;
  }
  return State::Idle;
}

bool Session::Impl::live() const {
  return std::ranges::any_of(lines, [](const Line& l) { return l.phase > Phase::Connecting; });
}

std::optional<ConnectionId> Session::Impl::established() const {
  for (const auto id : {ConnectionId::Outgoing, ConnectionId::Incoming}) {
    if (line(id).phase == Phase::Established) return id;
  }
  return std::nullopt;
}

// A session that should run is never without something it waits for.
bool Session::Impl::consistent() const {
  const bool up = state() == State::Established;
  const bool quiet_by_agreement = up && status.hold_time == Seconds{0};
  const bool waits = next_deadline().has_value() || quiet_by_agreement || config.passive;
  const auto incoming = line(ConnectionId::Incoming).phase;
  const bool one_at_most = lines[0].phase != Phase::Established || lines[1].phase != Phase::Established;
  return (!running || waits) && incoming != Phase::Connecting && up == status.negotiated.has_value() && one_at_most;
}

void Session::Impl::on(Context& cx, const Start&) {
  if (live()) return;
  running = true;
  idle_hold = Seconds{1};
  pause.reset();
  cx.why = "started";
  dial(cx);
}

void Session::Impl::on(Context& cx, const Stop& e) {
  running = false;
  pause.reset();
  const Notification cease{
      .code = 6, .subcode = e.cease_subcode, .data = shutdown_communication(e.cease_subcode, e.communication)};
  for (const auto id : {ConnectionId::Outgoing, ConnectionId::Incoming}) {
    if (line(id).phase > Phase::Connecting) cx.out.push_back(Note{Level::Info, notify(cx, id, cease, e.why)});
    if (line(id).phase != Phase::Closed) close(cx, id, e.why, End::Final);
  }
  retry.reset();
  cx.why = e.why;
}

void Session::Impl::on(Context& cx, const Reset& e) {
  for (const auto id : {ConnectionId::Outgoing, ConnectionId::Incoming}) {
    if (line(id).phase > Phase::Connecting) refuse(cx, id, e.notification, e.why);
  }
  if (!running || live() || !e.pause) return;
  const Duration wait = jittered(*e.pause);
  pause = cx.now + wait;
  retry_after(cx, wait);
}

void Session::Impl::on(Context& cx, const Connected& e) {
  const bool expected = e.connection == ConnectionId::Incoming || line(e.connection).phase == Phase::Connecting;
  if (!running || !expected) {
    cx.out.push_back(Close{e.connection});
    return;
  }
  // The shell has accepted anew: what was on this line is no more.
  if (line(e.connection).phase > Phase::Connecting)
    lost(cx, e.connection, "replaced by a new connection of the neighbor", End::TransportLost);
  if (pause && cx.now < *pause) {
    const Notification rejected{.code = 6, .subcode = 5, .data = {}};
    cx.out.push_back(Note{Level::Debug, notify(cx, e.connection, rejected, "the session pauses")});
    cx.out.push_back(Close{e.connection});
    line(e.connection) = Line{};
    return;
  }
  const ConnectionId rival = other(e.connection);
  // RFC 4724 4.2: with graceful restart the neighbor may have started over; its OPEN will tell.
  if (line(rival).phase == Phase::Established && !graceful(End::TransportLost)) {
    // RFC 4271 6.8: the established one stays. If the neighbor has lost it, this KEEPALIVE finds that out at once.
    send(cx, rival, frame(MessageType::Keepalive, {}));
    cx.out.push_back(
        Note{Level::Info, notify(cx, e.connection, kCollision, "the session stands on another connection")});
    cx.out.push_back(Close{e.connection});
    line(e.connection) = Line{};
    return;
  }
  Line& l = line(e.connection);
  l = Line{};
  if (config.capabilities.extended_messages) l.framer.allow_extended();
  retry.reset();
  cx.why = e.connection == ConnectionId::Outgoing ? "TCP connection made" : "TCP connection accepted";
  if (config.delay_open == Seconds{0}) return send_open(cx, e.connection);
  l.phase = Phase::Delaying;
  l.delay_open = cx.now + jittered(config.delay_open);
}

void Session::Impl::send_open(Context& cx, ConnectionId id) {
  Line& l = line(id);
  l.phase = Phase::OpenSent;
  l.delay_open.reset();
  l.hold = cx.now + kLargeHold;
  l.sent_open = encode_open(our_open());
  send(cx, id, l.sent_open);
}

void Session::Impl::on(Context& cx, const Disconnected& e) {
  if (line(e.connection).phase == Phase::Closed) return;
  const bool was_dialing = line(e.connection).phase == Phase::Connecting;
  lost(cx, e.connection, e.why, End::TransportLost);
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
    Line& l = line(e.connection);
    if (l.negotiated && l.negotiated->hold_time != Seconds{0}) l.hold = cx.now + l.negotiated->hold_time;
    handle(cx, e.connection, **next);
  }
}

void Session::Impl::on(Context& cx, const Written& e) {
  Line& l = line(e.connection);
  if (e.waiting == 0) {
    l.send_hold.reset();
  } else if (l.send_hold) {
    l.send_hold = cx.now + config.send_hold_time;
  }
}

void Session::Impl::on(Context& cx, const SendUpdates& e) {
  const auto id = established();
  if (!id || e.octets.empty()) return;
  status.messages_sent += e.messages;
  status.sent.update += e.messages - e.marks;
  status.sent.route_refresh += e.marks;
  put(cx, *id, e.octets);
}

void Session::Impl::on(Context& cx, const RequestRefresh& e) {
  const auto id = established();
  if (!id || !status.negotiated->route_refresh || !context.families[e.family]) return;
  send(cx, *id, encode_route_refresh(e.family, RefreshKind::Request));
}

void Session::Impl::on(Context& cx, const Tick&) {
  for (const auto id : {ConnectionId::Outgoing, ConnectionId::Incoming})
    expire(cx, id);
  tell_untold(cx);
  if (!retry || *retry > cx.now) return;
  retry.reset();
  if (live()) return;
  cx.why = "connect retry timer";
  dial(cx);
  // Passive and stopped sessions do not dial; they wait to be called.
}

void Session::Impl::expire(Context& cx, ConnectionId id) {
  Line& l = line(id);
  if (l.hold && *l.hold <= cx.now) {
    return refuse(cx, id, {.code = 4, .subcode = 0, .data = {}}, "hold timer expired: nothing heard from the neighbor");
  }
  if (l.send_hold && *l.send_hold <= cx.now) {
    return refuse(cx, id, {.code = 8, .subcode = 0, .data = {}},
                  "send hold timer expired: the neighbor reads nothing of what is sent");
  }
  if (l.delay_open && *l.delay_open <= cx.now) {
    cx.why = "delay of the OPEN over";
    return send_open(cx, id);
  }
  if (l.keepalive && *l.keepalive <= cx.now) {
    l.keepalive = cx.now + jittered(l.negotiated->keepalive_time);
    send(cx, id, frame(MessageType::Keepalive, {}));
  }
}

}  // namespace cgw::bgp
