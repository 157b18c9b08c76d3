// How connections are opened, spoken on and ended.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "bgp/session_impl.hpp"

namespace cgw::bgp {
namespace {

constexpr Seconds kIdleHoldMax{60};
constexpr Seconds kProven{60};  // Established for this long: the back-off starts over
constexpr Seconds kQuickRetry{1};

void count(MessageCounts& c, MessageType type) {
  switch (type) {
    case MessageType::Open: ++c.open; return;
    case MessageType::Update: ++c.update; return;
    case MessageType::Notification: ++c.notification; return;
    case MessageType::Keepalive: ++c.keepalive; return;
    case MessageType::RouteRefresh: ++c.route_refresh; return;
  }
}

// RFC 8538 5: the ends after which nothing may be retained, and 8, since there is no room for what would be. A reset by
// the operator is none of them: the session comes back at once.
bool is_hard(const Notification& n) {
  return n.code == 6 && ((n.subcode >= 1 && n.subcode <= 3) || n.subcode == 8 || n.subcode == 9);
}

}  // namespace

void Session::Impl::handle(Context& cx, ConnectionId id, const Frame& f) {
  ++status.messages_received;
  count(status.received, f.type);
  switch (f.type) {
    case MessageType::Open: return on_open(cx, id, f.body);
    case MessageType::Keepalive: return on_keepalive(cx, id);
    case MessageType::Update: return on_update(cx, id, f.body);
    case MessageType::Notification: return on_notification(cx, id, f.body);
    case MessageType::RouteRefresh: return on_refresh(cx, id, f.body);
  }
}

void Session::Impl::dial(Context& cx) {
  retry.reset();
  if (config.passive || !running || line(ConnectionId::Outgoing).phase > Phase::Connecting) return;
  line(ConnectionId::Outgoing) = Line{};
  line(ConnectionId::Outgoing).phase = Phase::Connecting;
  retry_after(cx, jittered(config.connect_retry));
  cx.out.push_back(Dial{});
}

void Session::Impl::send(Context& cx, ConnectionId id, std::vector<std::uint8_t> message) {
  ++status.messages_sent;
  count(status.sent, MessageType{message[kHeaderOctets - 1]});
  put(cx, id, std::move(message));
}

void Session::Impl::put(Context& cx, ConnectionId id, std::vector<std::uint8_t> octets) {
  Line& l = line(id);
  // RFC 9687 4.3. Runs while octets wait for TCP to take them: a message counts as sent when it has.
  const bool watched = l.phase == Phase::Established && l.negotiated->hold_time != Seconds{0};
  if (watched && config.send_hold_time != Seconds{0} && !l.send_hold) l.send_hold = cx.now + config.send_hold_time;
  cx.out.push_back(SendBytes{id, std::move(octets)});
}

// RFC 8538 3.1: where a NOTIFICATION would be survived, one that must not be is wrapped into a Hard Reset.
Notification Session::Impl::worded(ConnectionId id, const Notification& n) const {
  const Line& l = line(id);
  const bool survived = l.phase == Phase::Established && l.negotiated->graceful_notification;
  if (!survived || !is_hard(n) || n.subcode == 9) return n;
  Notification out{.code = 6, .subcode = 9, .data = {n.code, n.subcode}};
  out.data.insert(out.data.end(), n.data.begin(), n.data.end());
  return out;
}

std::string Session::Impl::notify(Context& cx, ConnectionId id, const Notification& n, std::string_view why) {
  const Notification out = worded(id, n);
  send(cx, id, encode(out));
  status.last_notification_sent = out;
  line(id).sent = out;
  return fmt::format("sent NOTIFICATION {} to {}: {}", out.to_string(), config.remote_address.to_string(), why);
}

void Session::Impl::refuse(Context& cx, ConnectionId id, const Notification& n, std::string why) {
  const std::string text = notify(cx, id, n, why);
  // SessionDown says it of an established session.
  if (text != said && line(id).phase != Phase::Established) cx.out.push_back(Note{Level::Warning, text});
  said = text;
  status.last_reset = text;
  close(cx, id, text, is_hard(n) ? End::Final : End::Notified);
  back_off(cx);
}

void Session::Impl::close(Context& cx, ConnectionId id, std::string why, End end) {
  cx.out.push_back(Close{id});
  lost(cx, id, std::move(why), end);
}

// RFC 4724 4, 4.2: routes are retained when TCP fails, not after a NOTIFICATION; unless both set N (RFC 8538 4).
bool Session::Impl::graceful(End end) const {
  const auto& n = status.negotiated;
  if (!n || end == End::Final || (end == End::Notified && !n->graceful_notification)) return false;
  return std::ranges::any_of(kFamilies, [&](Family f) { return n->families[f] && n->retains(f); });
}

void Session::Impl::lost(Context& cx, ConnectionId id, std::string why, End end) {
  const Line ended = std::exchange(line(id), Line{});
  const bool was_established = ended.phase == Phase::Established;
  cx.why = why;
  if (was_established) {
    if (status.established && cx.now - *status.established >= kProven) idle_hold = Seconds{1};
    ++status.dropped_count;
    status.last_reset = why;
    const bool stays = graceful(end);
    status.established.reset();
    status.negotiated.reset();
    status.disabled = {};
    cx.out.push_back(SessionDown{std::move(why), stays, ended.sent, ended.received});
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

void Session::Impl::complain(Context& cx, std::string text) {
  tell_untold(cx);
  if (complaints.admit(cx.now)) cx.out.push_back(Note{Level::Warning, std::move(text)});
}

void Session::Impl::tell_untold(Context& cx) {
  if (const auto n = complaints.take_untold(cx.now)) {
    cx.out.push_back(Note{Level::Warning, fmt::format("UPDATE: {} more findings of this kind within a minute", *n)});
  }
}

}  // namespace cgw::bgp
