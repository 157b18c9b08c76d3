// What each message of the neighbor does to the session.
#include <algorithm>

#include <fmt/format.h>

#include "base/note.hpp"
#include "bgp/session_impl.hpp"

namespace cgw::bgp {
namespace {

const Notification kCollision{.code = 6, .subcode = 7, .data = {}};

std::string octets(Bytes b) {
  return hex({reinterpret_cast<const char*>(b.data()), b.size()});
}

bool is_hard_reset(const Notification& n) {
  return n.code == 6 && n.subcode == 9;
}

}  // namespace

void Session::Impl::unexpected(Context& cx, ConnectionId id, std::string_view what) {
  const auto subcode = [&]() -> std::uint8_t {
    switch (line(id).phase) {
      case Phase::OpenSent: return 1;
      case Phase::OpenConfirm: return 2;
      case Phase::Established: return 3;
      case Phase::Closed:
      case Phase::Connecting:
      case Phase::Delaying: return 0;
    }
    return 0;
  }();
  refuse(cx, id, {.code = 5, .subcode = subcode, .data = {}}, std::string(what));
}

void Session::Impl::on_keepalive(Context& cx, ConnectionId id) {
  if (line(id).phase == Phase::Established) return;
  if (line(id).phase != Phase::OpenConfirm) return unexpected(cx, id, "a KEEPALIVE before the OPEN");
  establish(cx, id);
}

void Session::Impl::on_update(Context& cx, ConnectionId id, Bytes body) {
  if (line(id).phase != Phase::Established) return unexpected(cx, id, "an UPDATE before the session was established");
  auto parsed = parse_update(body, context);
  if (!parsed) {
    ++status.malformed_updates;
    return refuse(cx, id, parsed.error(), "an UPDATE that cannot be understood: " + octets(body));
  }
  if (!parsed->findings.empty()) tell_findings(cx, parsed->findings, body);
  for (Update& u : parsed->updates) {
    if (u.end_of_rib) {
      end_of_rib[u.family] = true;
      cx.out.push_back(EndOfRib{u.family});
    } else {
      cx.out.push_back(RoutesReceived{std::move(u)});
    }
  }
  for (const Family f : kFamilies) {
    if (parsed->disabled[f]) disable(cx, f);
  }
}

void Session::Impl::tell_findings(Context& cx, const std::vector<Finding>& findings, Bytes body) {
  ++status.malformed_updates;
  status.last_finding = findings.back();
  for (const Finding& f : findings)
    complain(cx, fmt::format("UPDATE: {} ({})", f.to_string(), octets(body)));
}

void Session::Impl::disable(Context& cx, Family f) {
  context.families[f] = false;
  status.disabled[f] = true;
  const std::string why = fmt::format("{} is disabled until the session ends: {}", name_of(f),
                                      status.last_finding ? status.last_finding->what : "a malformed UPDATE");
  cx.out.push_back(Note{Level::Warning, why});
  cx.out.push_back(FamilyDisabled{f, why});
}

void Session::Impl::on_notification(Context& cx, ConnectionId id, Bytes body) {
  const auto n = parse_notification(body);
  std::string text =
      fmt::format("received NOTIFICATION {} from {}: {}", n ? n->to_string() : "(malformed)",
                  config.remote_address.to_string(), n ? n->meaning() : "it is shorter than its code and subcode");
  if (n && n->code == 2 && n->subcode == 2) text += fmt::format(" (we are AS {})", config.local_as.value());
  if (n) status.last_notification_received = line(id).received = *n;
  const bool collision = n == kCollision;
  if (collision) {
    cx.out.push_back(Note{Level::Info, text});
  } else if (text != said) {
    // SessionDown says it of an established session.
    if (line(id).phase != Phase::Established) cx.out.push_back(Note{Level::Warning, text});
    said = text;
  }
  status.last_reset = text;
  close(cx, id, text, n && is_hard_reset(*n) ? End::Final : End::Notified);
  if (!collision) back_off(cx);
}

// RFC 2918, RFC 7313.
void Session::Impl::on_refresh(Context& cx, ConnectionId id, Bytes body) {
  if (line(id).phase != Phase::Established)
    return unexpected(cx, id, "a ROUTE-REFRESH before the session was established");
  Reader r(body);
  const auto afi = r.u16();
  const auto subtype = r.u8();
  const auto safi = r.u8();
  // RFC 7313 5: "The Data field of the NOTIFICATION message MUST contain the complete ROUTE-REFRESH message."
  if (!r.done()) {
    return refuse(cx, id, {.code = 7, .subcode = 1, .data = frame(MessageType::RouteRefresh, body)},
                  "a ROUTE-REFRESH of the wrong length");
  }
  const auto family = family_of(afi, safi);
  if (!family || !context.families[*family]) return;
  if (subtype == 0) {
    cx.out.push_back(RefreshRequested{*family, RefreshKind::Request});
    return;
  }
  // RFC 7313 5: any other subtype "MUST" be ignored, and so are these where they were not agreed on.
  if (subtype > 2 || !status.negotiated->enhanced_route_refresh)
    return complain(cx, fmt::format("ROUTE-REFRESH of subtype {} is not taken", subtype));
  // RFC 7313 4: with graceful restart no refresh begins before the initial routes have ended.
  if (subtype == 1 && status.negotiated->graceful_restart && !end_of_rib[*family])
    return complain(cx, "ROUTE-REFRESH begins before End-of-RIB: it is passed over");
  cx.out.push_back(RefreshRequested{*family, RefreshKind{subtype}});
}

}  // namespace cgw::bgp
