#include "bgp/capabilities.hpp"

#include <algorithm>

namespace cgw::bgp {
namespace {

constexpr std::uint8_t kMultiprotocol = 1, kRouteRefresh = 2, kExtendedNextHop = 5, kExtendedMessage = 6, kRole = 9,
                       kGracefulRestart = 64, kFourOctetAs = 65, kAddPath = 69, kEnhancedRouteRefresh = 70,
                       kLongLived = 71, kFqdn = 73;
constexpr std::uint16_t kRestarted = 0x8000, kNotification = 0x4000, kRestartTime = 0x0fff;
constexpr std::uint8_t kForwarding = 0x80;
constexpr std::size_t kLongestName = 64;

bool read_multiprotocol(Reader r, Capabilities& out) {
  const auto afi = r.u16();
  r.u8();  // reserved
  const auto safi = r.u8();
  if (!r.done()) return false;
  out.any_multiprotocol = true;
  if (const auto f = family_of(afi, safi)) out.families[*f] = true;
  return true;
}

bool read_four_octet_as(Reader r, Capabilities& out, Asn& asn) {
  const Asn value{r.u32()};
  if (!r.done()) return false;
  out.four_octet_as = true;
  asn = value;
  return true;
}

// The rest answers whether it was understood.
bool read_extended_next_hop(Reader r, Capabilities& out) {
  bool agreed = false;
  while (r.more()) {
    const auto afi = r.u16(), safi = r.u16(), hop_afi = r.u16();
    agreed = agreed || (afi == 1 && safi == kSafiUnicast && hop_afi == 2);
  }
  if (r.ok()) out.extended_next_hop = out.extended_next_hop || agreed;
  return r.ok();
}

// RFC 9234 4.2: "If multiple BGP Role Capabilities are received and not all of them have the same value" the session is
// refused, which the caller does.
bool read_role(Reader r, Capabilities& out) {
  const auto value = r.u8();
  if (!r.done() || value > 4) return false;
  const Role role{value};
  out.role_contradicts = out.role_contradicts || (out.role && *out.role != role);
  out.role = role;
  return true;
}

// RFC 4724 3: of several the last counts.
bool read_graceful_restart(Reader r, Capabilities& out) {
  const auto head = r.u16();
  GracefulRestart g{.restarted = (head & kRestarted) != 0,
                    .notification = (head & kNotification) != 0,
                    .restart_time = Seconds{head & kRestartTime},
                    .forwarding = {}};
  while (r.more()) {
    const auto afi = r.u16();
    const auto safi = r.u8(), flags = r.u8();
    if (const auto f = family_of(afi, safi)) g.forwarding[*f] = (flags & kForwarding) != 0;
  }
  if (r.ok()) out.graceful_restart = g;
  return r.ok();
}

bool read_long_lived(Reader r, Capabilities& out) {
  PerFamily<std::optional<LongLived>> all;
  while (r.more()) {
    const auto afi = r.u16();
    const auto safi = r.u8(), flags = r.u8();
    const std::uint32_t high = r.u8(), low = r.u16();
    if (const auto f = family_of(afi, safi))
      all[*f] = LongLived{.forwarding = (flags & kForwarding) != 0, .stale_time = Seconds{high << 16 | low}};
  }
  if (r.ok()) out.long_lived = all;
  return r.ok();
}

// RFC 7911 4: "If any other value is received, then the capability SHOULD be treated as not understood and ignored".
bool read_add_path(Reader r, Capabilities& out) {
  PerFamily<AddPath> all = out.add_path;
  while (r.more()) {
    const auto afi = r.u16();
    const auto safi = r.u8(), value = r.u8();
    if (value < 1 || value > 3) return false;
    if (const auto f = family_of(afi, safi)) all[*f] = AddPath{value};
  }
  if (r.ok()) out.add_path = all;
  return r.ok();
}

bool read_fqdn(Reader r, Capabilities& out) {
  const Bytes host = r.bytes(r.u8());
  const Bytes domain = r.bytes(r.u8());
  if (!r.ok()) return false;
  const auto text = [](Bytes b) {
    return std::string(b.begin(), b.begin() + static_cast<std::ptrdiff_t>(std::min(b.size(), kLongestName)));
  };
  out.hostname = text(host);
  out.domain = text(domain);
  return true;
}

// False: unknown, or malformed and not needed.
bool understood(std::uint8_t code, Bytes value, Capabilities& out) {
  const Reader r(value);
  switch (code) {
    case kExtendedNextHop: return read_extended_next_hop(r, out);
    case kExtendedMessage: return value.empty() && (out.extended_messages = true);
    case kRole: return read_role(r, out);
    case kGracefulRestart: return read_graceful_restart(r, out);
    case kAddPath: return read_add_path(r, out);
    case kEnhancedRouteRefresh: return value.empty() && (out.enhanced_route_refresh = true);
    case kLongLived: return read_long_lived(r, out);
    case kFqdn: return read_fqdn(r, out);
    default: return false;
  }
}

class CapabilityWriter {
 public:
  explicit CapabilityWriter(std::vector<std::uint8_t>& out) : w_(out) {}
  template <class Value>
  void write(std::uint8_t code, Value value) {
    w_.u8(code);
    const auto length = w_.len8();
    value(w_);
  }
  void flag(std::uint8_t code) {
    write(code, [](Writer&) {});
  }

 private:
  Writer w_;
};

void write_family(Writer& w, Family f) {
  w.u16(afi_of(f));
  w.u8(kSafiUnicast);
}

void write_graceful_restart(Writer& w, const GracefulRestart& g) {
  const auto time = static_cast<std::uint16_t>(std::clamp<Seconds::rep>(g.restart_time.count(), 0, kRestartTime));
  w.u16(static_cast<std::uint16_t>((g.restarted ? kRestarted : 0) | (g.notification ? kNotification : 0) | time));
  for (const Family f : kFamilies) {
    if (!g.forwarding[f]) continue;
    write_family(w, f);
    w.u8(*g.forwarding[f] ? kForwarding : 0);
  }
}

void write_long_lived(Writer& w, const PerFamily<std::optional<LongLived>>& all) {
  for (const Family f : kFamilies) {
    if (!all[f]) continue;
    write_family(w, f);
    w.u8(all[f]->forwarding ? kForwarding : 0);
    const auto time = static_cast<std::uint32_t>(std::clamp<Seconds::rep>(all[f]->stale_time.count(), 0, 0xffffff));
    w.u8(static_cast<std::uint8_t>(time >> 16));
    w.u16(static_cast<std::uint16_t>(time));
  }
}

void write_add_path(Writer& w, const PerFamily<AddPath>& all) {
  for (const Family f : kFamilies) {
    if (all[f] == AddPath::None) continue;
    write_family(w, f);
    w.u8(static_cast<std::uint8_t>(all[f]));
  }
}

void write_fqdn(Writer& w, const Capabilities& c) {
  for (const std::string* s : {&c.hostname, &c.domain}) {
    const auto length = w.len8();
    w.bytes({reinterpret_cast<const std::uint8_t*>(s->data()), std::min(s->size(), kLongestName)});
  }
}

}  // namespace

std::string_view to_string(Role r) {
  switch (r) {
    case Role::Provider: return "provider";
    case Role::RouteServer: return "rs-server";
    case Role::RouteServerClient: return "rs-client";
    case Role::Customer: return "customer";
    case Role::Peer: return "peer";
  }
  return "?";
}

bool correspond(Role local, Role remote) {
  switch (local) {
    case Role::Provider: return remote == Role::Customer;
    case Role::RouteServer: return remote == Role::RouteServerClient;
    case Role::RouteServerClient: return remote == Role::RouteServer;
    case Role::Customer: return remote == Role::Provider;
    case Role::Peer: return remote == Role::Peer;
  }
  return false;
}

bool read_capability(std::uint8_t code, Bytes value, Capabilities& out, Asn& four_octet_as) {
  switch (code) {
    case kMultiprotocol: return read_multiprotocol(Reader(value), out);
    case kRouteRefresh: return value.empty() && (out.route_refresh = true);
    case kFourOctetAs: return read_four_octet_as(Reader(value), out, four_octet_as);
    default:
      if (!understood(code, value, out)) out.unknown.push_back(code);
      return true;
  }
}

std::vector<std::uint8_t> write_capabilities(const Capabilities& c, Asn asn) {
  std::vector<std::uint8_t> octets;
  CapabilityWriter out(octets);
  for (const Family f : kFamilies) {
    if (!c.families[f]) continue;
    out.write(kMultiprotocol, [&](Writer& w) {
      w.u16(afi_of(f));
      w.u8(0);
      w.u8(kSafiUnicast);
    });
  }
  if (c.route_refresh) out.flag(kRouteRefresh);
  if (c.extended_next_hop) {
    out.write(kExtendedNextHop, [](Writer& w) {
      w.u16(afi_of(Family::V4));
      w.u16(kSafiUnicast);
      w.u16(afi_of(Family::V6));
    });
  }
  if (c.extended_messages) out.flag(kExtendedMessage);
  if (c.role) out.write(kRole, [&](Writer& w) { w.u8(static_cast<std::uint8_t>(*c.role)); });
  if (c.graceful_restart)
    out.write(kGracefulRestart, [&](Writer& w) { write_graceful_restart(w, *c.graceful_restart); });
  if (c.four_octet_as) out.write(kFourOctetAs, [&](Writer& w) { w.u32(asn.value()); });
  if (c.add_path != PerFamily<AddPath>{}) out.write(kAddPath, [&](Writer& w) { write_add_path(w, c.add_path); });
  if (c.enhanced_route_refresh) out.flag(kEnhancedRouteRefresh);
  // RFC 9494 3.1: it "MUST" go with the other.
  const bool long_lived = c.long_lived.v4 || c.long_lived.v6;
  if (long_lived && c.graceful_restart) out.write(kLongLived, [&](Writer& w) { write_long_lived(w, c.long_lived); });
  if (!c.hostname.empty()) out.write(kFqdn, [&](Writer& w) { write_fqdn(w, c); });
  return octets;
}

}  // namespace cgw::bgp
