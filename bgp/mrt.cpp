#include "bgp/mrt.hpp"

#include <algorithm>

#include "bgp/attributes.hpp"

namespace cgw::bgp::mrt {
namespace {

// RFC 6396 4, 4.3, 4.4; RFC 8050 3, 4.
constexpr std::uint16_t kTableDumpV2 = 13, kBgp4mpEt = 17;
constexpr std::uint16_t kMessage = 1, kMessageAs4 = 4, kStateChangeAs4 = 5, kMessageLocal = 6, kMessageAs4Local = 7,
                        kMessageAddPath = 8, kMessageAs4AddPath = 9, kMessageLocalAddPath = 10,
                        kMessageAs4LocalAddPath = 11;
constexpr std::uint16_t kPeerIndexTable = 1, kRibIpv4Unicast = 2, kRibIpv6Unicast = 4, kRibIpv4UnicastAddPath = 8,
                        kRibIpv6UnicastAddPath = 10;
constexpr std::uint8_t kPeerIpv6 = 1, kPeerAs4 = 2;
constexpr std::size_t kMost = 65535;  // entries of a record, octets of a route's attributes

//   | Timestamp (4) | Type (2) | Subtype (2) | Length (4) | [Microseconds (4)] | Message |
Octets record(WallTime at, std::uint16_t type, std::uint16_t subtype, Bytes body) {
  const auto since = at.time_since_epoch();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since);
  const bool extended = type == kBgp4mpEt;
  Octets out;
  Writer w(out);
  w.u32(static_cast<std::uint32_t>(seconds.count()));
  w.u16(type);
  w.u16(subtype);
  w.u32(static_cast<std::uint32_t>(body.size() + (extended ? 4 : 0)));
  if (extended) w.u32(static_cast<std::uint32_t>((since - seconds).count()));
  w.bytes(body);
  return out;
}

void write_asn(Writer& w, Asn asn, bool four_octets) {
  if (four_octets) {
    w.u32(asn.value());
  } else {
    w.u16(static_cast<std::uint16_t>(asn.value() > 0xffff ? kAsTrans.value() : asn.value()));
  }
}

// Both addresses have the family of the neighbor's; ours may be unknown yet.
void write_link(Writer& w, const Link& link, bool four_octets) {
  const Family family = link.remote_address.family();
  const IpAddress none = family == Family::V4 ? IpAddress{} : IpAddress::v6({});
  write_asn(w, link.remote_as, four_octets);
  write_asn(w, link.local_as, four_octets);
  w.u16(link.interface);
  w.u16(afi_of(family));
  w.bytes(link.remote_address.bytes());
  w.bytes((link.local_address.family() == family ? link.local_address : none).bytes());
}

std::uint16_t message_subtype(bool four_octets, bool path_ids, Direction direction) {
  const bool sent = direction == Direction::Sent;
  if (path_ids && four_octets) return sent ? kMessageAs4LocalAddPath : kMessageAs4AddPath;
  if (path_ids) return sent ? kMessageLocalAddPath : kMessageAddPath;
  if (four_octets) return sent ? kMessageAs4Local : kMessageAs4;
  return sent ? kMessageLocal : kMessage;
}

// The family of the routes of an UPDATE: that of its multiprotocol attributes, else IPv4.
std::optional<Family> family_of_update(Bytes body) {
  Reader r(body);
  r.sub(r.u16());
  Reader attributes = r.sub(r.u16());
  while (attributes.more()) {
    const auto flags = attributes.u8(), type = attributes.u8();
    Reader value = attributes.sub((flags & attribute::kExtended) != 0 ? attributes.u16() : attributes.u8());
    if (type != attribute::kMpReach && type != attribute::kMpUnreach) continue;
    const auto afi = value.u16();
    return family_of(afi, value.u8());
  }
  return Family::V4;
}

// RFC 8050 3: the subtype says whether the routes of this very message have path identifiers.
bool has_path_ids(Bytes message, const PerFamily<bool>& agreed) {
  if (!agreed.v4 && !agreed.v6) return false;
  if (message.size() < kHeaderOctets || MessageType{message[kHeaderOctets - 1]} != MessageType::Update) return false;
  const auto family = family_of_update(message.subspan(kHeaderOctets));
  return family && agreed[*family];
}

// RFC 6396 4.3's numbers are those of RFC 4271's MIB.
std::uint16_t number(State s) {
  return static_cast<std::uint16_t>(static_cast<unsigned>(s) + 1);
}

// RFC 6396 4.3.4: AS numbers of four octets whatever the session, and of MP_REACH_NLRI the next hop alone, with its
// length.
Octets attributes(const PathAttributes& a, Family family) {
  const bool multiprotocol = family == Family::V6 || !a.next_hop.is_v4();
  Octets out = write_attributes(a, {Audience::Record, true, !multiprotocol});
  Writer w(out);
  if (multiprotocol) write_attribute(w, attribute::kOptional, attribute::kMpReach, write_mp_next_hop(a, family));
  return out;
}

std::uint16_t rib_subtype(Family family, bool path_ids) {
  if (family == Family::V4) return path_ids ? kRibIpv4UnicastAddPath : kRibIpv4Unicast;
  return path_ids ? kRibIpv6UnicastAddPath : kRibIpv6Unicast;
}

}  // namespace

Octets message(WallTime at, const Link& link, Direction direction, const UpdateContext& context, Bytes message) {
  const auto& ids = direction == Direction::Sent ? context.add_path_send : context.add_path_receive;
  Octets body;
  Writer w(body);
  write_link(w, link, context.four_octet_as);
  w.bytes(message);
  return record(at, kBgp4mpEt, message_subtype(context.four_octet_as, has_path_ids(message, ids), direction), body);
}

Octets state_change(WallTime at, const Link& link, State from, State to) {
  Octets body;
  Writer w(body);
  write_link(w, link, true);
  w.u16(number(from));
  w.u16(number(to));
  return record(at, kBgp4mpEt, kStateChangeAs4, body);
}

//   | Collector BGP ID (4) | View Name Length (2) | View Name | Peer Count (2) | Peers |
Octets peer_index_table(WallTime at, RouterId collector, std::string_view view, std::span<const Peer> peers) {
  Octets body;
  Writer w(body);
  w.u32(collector.value());
  {
    const auto length = w.len16();
    const auto name = view.substr(0, kMost);
    w.bytes({reinterpret_cast<const std::uint8_t*>(name.data()), name.size()});
  }
  peers = peers.first(std::min(peers.size(), kMost));
  w.u16(static_cast<std::uint16_t>(peers.size()));
  for (const Peer& p : peers) {
    w.u8(static_cast<std::uint8_t>(kPeerAs4 | (p.address.is_v4() ? 0 : kPeerIpv6)));
    w.u32(p.router_id.value());
    w.bytes(p.address.bytes());
    w.u32(p.asn.value());
  }
  return record(at, kTableDumpV2, kPeerIndexTable, body);
}

//   | Sequence Number (4) | Prefix Length (1) | Prefix | Entry Count (2) | Entries |
//   | Peer Index (2) | Originated Time (4) | [Path Identifier (4)] | Attribute Length (2) | Attributes |
Octets rib_entry(WallTime at, std::uint32_t sequence, const Prefix& prefix, std::span<const Route> routes) {
  const Family family = prefix.address.family();
  const bool path_ids = std::ranges::any_of(routes, [](const Route& r) { return r.path_id != 0; });
  Octets entries;
  Writer e(entries);
  std::uint16_t count = 0;
  for (const Route& r : routes) {
    const Octets octets = attributes(r.attributes, family);
    if (octets.size() > kMost || count == kMost) continue;
    ++count;
    e.u16(r.peer);
    e.u32(r.originated);
    if (path_ids) e.u32(r.path_id);
    e.u16(static_cast<std::uint16_t>(octets.size()));
    e.bytes(octets);
  }
  Octets body;
  Writer w(body);
  w.u32(sequence);
  w.u8(prefix.length);
  w.bytes(prefix.address.bytes().first((prefix.length + 7U) / 8U));
  w.u16(count);
  w.bytes(entries);
  return record(at, kTableDumpV2, rib_subtype(family, path_ids), body);
}

}  // namespace cgw::bgp::mrt
