// What each message of the neighbor does to the session.
#include <algorithm>

#include <fmt/format.h>

#include "base/note.hpp"
#include "bgp/eligibility.hpp"
#include "bgp/session_impl.hpp"

namespace cgw::bgp {
namespace {

constexpr Seconds kPrefixLimitPause{60};
const Notification kCollision{.code = 6, .subcode = 7, .data = {}};

}  // namespace

void Session::Impl::on_open(Context& cx, ConnectionId id, Bytes body) {
  // RFC 6608 3: which state did not expect it.
  if (line(id).phase != Phase::OpenSent) {
    const std::uint8_t subcode = line(id).phase == Phase::OpenConfirm ? 2 : 3;
    return refuse(cx, id, {.code = 5, .subcode = subcode, .data = {}}, "a second OPEN");
  }
  auto open = parse_open(body);
  if (!open) return refuse(cx, id, open.error().notification, open.error().why);
  if (open->asn != config.remote_as) {
    return refuse(cx, id, {.code = 2, .subcode = 2, .data = {}},
                  fmt::format("it is AS {}, but AS {} is configured: correct 'neighbor {} remote-as'",
                              open->asn.value(), config.remote_as.value(), config.remote_address.to_string()));
  }
  const bool ibgp = config.local_as == config.remote_as;
  if (ibgp && open->router_id == config.router_id) {
    return refuse(cx, id, {.code = 2, .subcode = 3, .data = {}}, "it has our router id: change 'bgp router-id'");
  }
  line(id).peer = *open;
  if (!resolve_collision(cx, id)) return;
  status.peer_router_id = open->router_id;
  // RFC 4271 4.2: "the smaller of its configured Hold Time and the Hold Time received in the OPEN message".
  status.hold_time = std::min(config.hold_time, open->hold_time);
  status.keepalive_time =
      std::clamp(config.keepalive_time, Seconds{1}, Seconds{std::max<Seconds::rep>(status.hold_time.count() / 3, 1)});
  Line& l = line(id);
  l.phase = Phase::OpenConfirm;
  // Without a hold time the large one stays until the session is established: nothing else ends this state.
  if (status.hold_time != Seconds{0}) {
    l.hold = cx.now + status.hold_time;
    l.keepalive = cx.now + jittered(status.keepalive_time);
  }
  cx.why = "OPEN accepted";
  send(cx, id, frame(MessageType::Keepalive, {}));
}

// RFC 4271 6.8, RFC 6286 2.3: of two connections the one opened by the speaker with the higher identifier (then AS)
// stays.
bool Session::Impl::resolve_collision(Context& cx, ConnectionId id) {
  const Line& rival = line(other(id));
  if (rival.phase == Phase::Established) {
    const auto text = notify(cx, id, kCollision, "the session stands on another connection");
    cx.out.push_back(Note{Level::Info, text});
    close(cx, id, "connection collision resolved: the established one stays");
    return false;
  }
  if (rival.phase != Phase::OpenConfirm && rival.phase != Phase::OpenSent) return true;
  if (rival.phase == Phase::OpenSent && !rival.peer) return true;  // its own OPEN will decide
  const auto& peer = *line(id).peer;
  const auto ours = std::pair(config.router_id, config.local_as), theirs = std::pair(peer.router_id, peer.asn);
  const ConnectionId loser = ours < theirs ? ConnectionId::Outgoing : ConnectionId::Incoming;
  const auto text = notify(cx, loser, kCollision, "both have called; the call of the higher router id stays");
  cx.out.push_back(Note{Level::Info, text});
  close(cx, loser, "connection collision resolved");
  return loser != id;
}

void Session::Impl::on_keepalive(Context& cx, ConnectionId id) {
  if (line(id).phase == Phase::Established) return;
  if (line(id).phase != Phase::OpenConfirm) {
    return refuse(cx, id, {.code = 5, .subcode = 1, .data = {}}, "a KEEPALIVE before the OPEN");
  }
  establish(cx, id);
}

void Session::Impl::on_update(Context& cx, ConnectionId id, Bytes body) {
  if (line(id).phase != Phase::Established) {
    const std::uint8_t subcode = line(id).phase == Phase::OpenSent ? 1 : 2;
    return refuse(cx, id, {.code = 5, .subcode = subcode, .data = {}}, "an UPDATE before the session was established");
  }
  auto update = parse_update(body, update_context());
  if (!update) {
    ++status.malformed_updates;
    const std::string octets = hex({reinterpret_cast<const char*>(body.data()), body.size()});
    return refuse(cx, id, update.error(), "an UPDATE that cannot be understood: " + octets);
  }
  if (!update->findings.empty()) {
    ++status.malformed_updates;
    const std::string octets = hex({reinterpret_cast<const char*>(body.data()), body.size()});
    for (const auto& f : update->findings)
      complain(cx, fmt::format("UPDATE: {} ({})", f.to_string(), octets));
  }
  bool end_of_rib = false;
  for (const Update& u : update->updates) {
    apply(cx, u);
    end_of_rib = end_of_rib || u.end_of_rib;
  }
  if (adj_rib_in.size() > config.maximum_prefix_in) {
    refuse(cx, id, {.code = 6, .subcode = 1, .data = {}},
           fmt::format("the neighbor announces more than {} prefixes", config.maximum_prefix_in));
    if (!live()) retry_after(cx, jittered(kPrefixLimitPause));
    return;
  }
  if (!end_of_rib) return;
  // The routes before it belong to what it ends.
  if (!cx.changes.empty()) cx.out.push_back(RouteChanges{std::exchange(cx.changes, {})});
  cx.out.push_back(EndOfRib{});
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

// RFC 4271 9: withdrawals first; a prefix in both fields is announced.
void Session::Impl::apply(Context& cx, const Update& u) {
  const auto withdraw = [&](const Prefix& p) {
    if (adj_rib_in.erase(p) > 0) cx.changes.push_back({p, nullptr});
  };
  for (const Nlri& n : u.withdrawn)
    withdraw(n.prefix);
  if (u.announced.empty()) return;
  const std::string why =
      loop(*u.attributes, {.local_as = config.local_as, .router_id = config.router_id, .cluster_id = {}});
  if (!why.empty()) {
    cx.out.push_back(Note{Level::Debug, fmt::format("{} prefixes are not used: {}", u.announced.size(), why)});
    for (const Nlri& n : u.announced)
      withdraw(n.prefix);
    return;
  }
  for (const Nlri& n : u.announced) {
    adj_rib_in[n.prefix] = u.attributes;
    cx.changes.push_back({n.prefix, u.attributes});
  }
}

void Session::Impl::on_notification(Context& cx, ConnectionId id, Bytes body) {
  const auto n = parse_notification(body);
  std::string text =
      fmt::format("received NOTIFICATION {} from {}: {}", n ? n->to_string() : "(malformed)",
                  config.remote_address.to_string(), n ? n->meaning() : "it is shorter than its code and subcode");
  if (n && n->code == 2 && n->subcode == 2) text += fmt::format(" (we are AS {})", config.local_as.value());
  const bool collision = n == kCollision;
  if (collision) {
    cx.out.push_back(Note{Level::Info, text});
  } else if (text != said) {
    // SessionDown says it of an established session.
    if (line(id).phase != Phase::Established) cx.out.push_back(Note{Level::Warning, text});
    said = text;
  }
  status.last_reset = text;
  close(cx, id, text);
  if (!collision) back_off(cx);
}

// RFC 2918; the subtypes of RFC 7313 mark the ends of a refresh and were not agreed on.
void Session::Impl::on_refresh(Context& cx, ConnectionId id, Bytes body) {
  if (line(id).phase != Phase::Established) {
    const std::uint8_t subcode = line(id).phase == Phase::OpenSent ? 1 : 2;
    return refuse(cx, id, {.code = 5, .subcode = subcode, .data = {}},
                  "a ROUTE-REFRESH before the session was established");
  }
  Reader r(body);
  const auto afi = r.u16();
  const auto subtype = r.u8();
  const auto safi = r.u8();
  if (!r.done()) return refuse(cx, id, {.code = 7, .subcode = 1, .data = {}}, "a ROUTE-REFRESH of the wrong length");
  if (afi != 1 || safi != 1 || subtype != 0) return;
  adj_rib_out.forget();
  advertise(cx);
}

}  // namespace cgw::bgp
