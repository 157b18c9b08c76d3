// From the neighbor's OPEN to the established session.
#include <algorithm>

#include <fmt/format.h>

#include "bgp/session_impl.hpp"

namespace cgw::bgp {
namespace {

const Notification kCollision{.code = 6, .subcode = 7, .data = {}};

OpenRefusal refuse_with(std::uint8_t subcode, std::string why, std::vector<std::uint8_t> data = {}) {
  return {{.code = 2, .subcode = subcode, .data = std::move(data)}, std::move(why)};
}

std::string_view name(std::optional<Role> r) {
  return r ? to_string(*r) : "none";
}

// RFC 5492 5: what we would have needed.
std::vector<std::uint8_t> wanted(const PerFamily<bool>& families) {
  Capabilities c;
  c.families = families;
  return write_capabilities(c, {});
}

}  // namespace

Open Session::Impl::our_open() const {
  return {.asn = config.local_as,
          .hold_time = config.hold_time,
          .router_id = config.router_id,
          .capabilities = config.capabilities};
}

void Session::Impl::on_open(Context& cx, ConnectionId id, Bytes body) {
  // RFC 4271 8.2.2, event 20: the neighbor was faster than our delay.
  if (line(id).phase == Phase::Delaying) send_open(cx, id);
  if (line(id).phase != Phase::OpenSent) return unexpected(cx, id, "a second OPEN");
  auto open = parse_open(body);
  if (!open) return refuse(cx, id, open.error().notification, open.error().why);
  if (const auto no = refusal(*open)) return refuse(cx, id, no->notification, no->why);
  line(id).peer = *open;
  line(id).received_open = frame(MessageType::Open, body);
  if (resolve_collision(cx, id)) confirm(cx, id);
}

// What is well-formed and still not what was configured (RFC 4271 6.2).
std::optional<OpenRefusal> Session::Impl::refusal(const Open& open) const {
  if (open.asn != config.remote_as) {
    return refuse_with(2, fmt::format("it is AS {}, but AS {} is configured: correct 'neighbor {} remote-as'",
                                      open.asn.value(), config.remote_as.value(), config.remote_address.to_string()));
  }
  const bool ibgp = config.local_as == config.remote_as;
  if (ibgp && open.router_id == config.router_id) return refuse_with(3, "it has our router id: change 'bgp router-id'");
  const auto& theirs = open.capabilities;
  const auto& role = config.capabilities.role;
  if (!ibgp && theirs.role_contradicts) return refuse_with(11, "it claims several roles");
  const bool mismatch = theirs.role ? role && !correspond(*role, *theirs.role) : role && config.strict_role;
  if (!ibgp && mismatch) {
    return refuse_with(11, fmt::format("its role is {} and ours {}: correct 'neighbor {} local-role'",
                                       name(theirs.role), name(role), config.remote_address.to_string()));
  }
  if (negotiate(our_open(), open).families == PerFamily<bool>{}) {
    return refuse_with(7, "it shares no address family with us: correct 'address-family'",
                       wanted(config.capabilities.families));
  }
  return std::nullopt;
}

void Session::Impl::confirm(Context& cx, ConnectionId id) {
  Line& l = line(id);
  Negotiated n = negotiate(our_open(), *l.peer);
  n.keepalive_time =
      std::clamp(config.keepalive_time, Seconds{1}, Seconds{std::max<Seconds::rep>(n.hold_time.count() / 3, 1)});
  status.peer_router_id = n.remote_router_id;
  status.hold_time = n.hold_time;
  status.keepalive_time = n.keepalive_time;
  l.phase = Phase::OpenConfirm;
  // Without a hold time the large one stays until the session is established: nothing else ends this state.
  if (n.hold_time != Seconds{0}) {
    l.hold = cx.now + n.hold_time;
    l.keepalive = cx.now + jittered(n.keepalive_time);
  }
  l.negotiated = std::move(n);
  cx.why = "OPEN accepted";
  send(cx, id, frame(MessageType::Keepalive, {}));
}

// RFC 4271 6.8, RFC 6286 2.3: of two connections the one opened by the speaker with the higher identifier (then AS)
// stays.
bool Session::Impl::resolve_collision(Context& cx, ConnectionId id) {
  const Line& rival = line(other(id));
  if (rival.phase == Phase::Established) return replaces_established(cx, id);
  if (rival.phase != Phase::OpenConfirm && rival.phase != Phase::OpenSent) return true;
  if (rival.phase == Phase::OpenSent && !rival.peer) return true;  // its own OPEN will decide
  const auto& peer = *line(id).peer;
  const auto ours = std::pair(config.router_id, config.local_as), theirs = std::pair(peer.router_id, peer.asn);
  const ConnectionId loser = ours < theirs ? ConnectionId::Outgoing : ConnectionId::Incoming;
  const auto text = notify(cx, loser, kCollision, "both have called; the call of the higher router id stays");
  cx.out.push_back(Note{Level::Info, text});
  close(cx, loser, "connection collision resolved", End::Final);
  return loser != id;
}

bool Session::Impl::replaces_established(Context& cx, ConnectionId id) {
  // RFC 4724 4.2: "it MUST treat the subsequent open connection from the peer as an indication of the termination of
  // the old TCP session": closed without a NOTIFICATION, and the routes stay.
  if (id == ConnectionId::Incoming && graceful(End::TransportLost)) {
    close(cx, other(id), "the neighbor has started over", End::TransportLost);
    return true;
  }
  const auto text = notify(cx, id, kCollision, "the session stands on another connection");
  cx.out.push_back(Note{Level::Info, text});
  close(cx, id, "connection collision resolved: the established one stays", End::Final);
  return false;
}

void Session::Impl::establish(Context& cx, ConnectionId id) {
  Line& l = line(id);
  l.phase = Phase::Established;
  if (l.negotiated->hold_time == Seconds{0}) l.hold.reset();
  status.established = cx.now;
  ++status.established_count;
  status.negotiated = l.negotiated;
  status.disabled = {};
  end_of_rib = {};
  context = update_context(*l.negotiated, config.local_as, config.local_address);
  context.enforce_first_as = config.enforce_first_as;
  context.accept_as_sets = config.accept_as_sets;
  said.clear();
  cx.why = "KEEPALIVE received";
  cx.out.push_back(SessionUp{*l.negotiated, l.sent_open, l.received_open});
}

}  // namespace cgw::bgp
