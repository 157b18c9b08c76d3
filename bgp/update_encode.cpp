#include <algorithm>
#include <array>
#include <cassert>

#include <fmt/format.h>

#include "bgp/attributes.hpp"
#include "bgp/framing.hpp"
#include "bgp/nlri.hpp"
#include "bgp/update.hpp"

namespace cgw::bgp {
namespace {

using namespace attribute;
using Octets = std::vector<std::uint8_t>;
using Path = std::vector<AsPathSegment>;
using Type = AsPathSegment::Type;

constexpr std::size_t kLongestSegment = 255;
constexpr std::uint32_t kDefaultLocalPref = 100;

bool is_confederation(const AsPathSegment& s) {
  return s.type == Type::ConfedSequence || s.type == Type::ConfedSet;
}
bool is_large(Asn a) {
  return a.value() > 0xffff;
}

// RFC 4271 4.3: the length has two octets only when one is not enough.
void write_attribute(Writer& w, std::uint8_t flags, std::uint8_t type, Bytes value) {
  const bool extended = value.size() > 255;
  w.u8(static_cast<std::uint8_t>(flags | (extended ? kExtended : 0)));
  w.u8(type);
  if (extended) {
    w.u16(static_cast<std::uint16_t>(value.size()));
  } else {
    w.u8(static_cast<std::uint8_t>(value.size()));
  }
  w.bytes(value);
}

Octets u32_octets(std::initializer_list<std::uint32_t> values) {
  Octets out;
  Writer w(out);
  for (const auto v : values)
    w.u32(v);
  return out;
}

void write_asn(Writer& w, Asn a, bool four_octets) {
  if (four_octets) {
    w.u32(a.value());
  } else {
    w.u16(static_cast<std::uint16_t>(is_large(a) ? kAsTrans.value() : a.value()));
  }
}

// A segment holds at most 255 ASs: longer ones are cut into several.
Octets path_octets(const Path& path, bool four_octets) {
  Octets out;
  Writer w(out);
  for (const auto& s : path) {
    for (std::size_t from = 0; from < s.asns.size(); from += kLongestSegment) {
      const std::size_t n = std::min(kLongestSegment, s.asns.size() - from);
      w.u8(static_cast<std::uint8_t>(s.type));
      w.u8(static_cast<std::uint8_t>(n));
      for (std::size_t i = from; i < from + n; ++i)
        write_asn(w, s.asns[i], four_octets);
    }
  }
  return out;
}

// RFC 5065 5.1: confederation segments stay at home.
Path path_for(const Path& path, bool ebgp) {
  Path out = path;
  if (ebgp) std::erase_if(out, is_confederation);
  return out;
}

bool needs_as4_path(const Path& path) {
  return std::ranges::any_of(
      path, [](const AsPathSegment& s) { return !is_confederation(s) && std::ranges::any_of(s.asns, is_large); });
}

Octets aggregator_octets(const std::pair<Asn, IpAddress>& aggregator, bool four_octets) {
  Octets out;
  Writer w(out);
  write_asn(w, aggregator.first, four_octets);
  w.bytes(aggregator.second.bytes());
  return out;
}

// Attributes in the order of their types, those unknown to us among them.
class AttributeWriter {
 public:
  AttributeWriter(const std::vector<UnknownAttribute>& unknown, Octets& out) : unknown_(unknown), w_(out) {}
  void write(std::uint8_t flags, std::uint8_t type, Bytes value) {
    unknown_below(type);
    write_attribute(w_, flags, type, value);
  }
  void unknown_below(unsigned type) {
    for (; next_ < unknown_.size() && unknown_[next_].type < type; ++next_)
      write_attribute(w_, unknown_[next_].flags, unknown_[next_].type, unknown_[next_].value);
  }

 private:
  const std::vector<UnknownAttribute>& unknown_;
  Writer w_;
  std::size_t next_ = 0;
};

template <class List, class Write>
void write_list(AttributeWriter& out, std::uint8_t flags, std::uint8_t type, const List& list, Write write) {
  if (list.empty()) return;
  Octets value;
  Writer w(value);
  for (const auto& item : list)
    write(w, item);
  out.write(flags, type, value);
}

void write_communities(AttributeWriter& out, const PathAttributes& a) {
  write_list(out, kOptionalTransitive, kCommunities, a.communities, [](Writer& w, Community c) { w.u32(c); });
}

void write_reflection(AttributeWriter& out, const PathAttributes& a) {
  if (a.originator_id) out.write(kOptional, kOriginatorId, u32_octets({a.originator_id->value()}));
  write_list(out, kOptional, kClusterList, a.cluster_list, [](Writer& w, std::uint32_t id) { w.u32(id); });
}

void write_wider_communities(AttributeWriter& out, const PathAttributes& a) {
  write_list(out, kOptionalTransitive, kExtendedCommunities, a.extended_communities,
             [](Writer& w, ExtendedCommunity c) {
               w.u32(static_cast<std::uint32_t>(c >> 32));
               w.u32(static_cast<std::uint32_t>(c));
             });
}

void write_as4(AttributeWriter& out, const PathAttributes& a, const Path& path) {
  if (needs_as4_path(path)) out.write(kOptionalTransitive, kAs4Path, path_octets(path_for(path, true), true));
  if (a.aggregator && is_large(a.aggregator->first))
    out.write(kOptionalTransitive, kAs4Aggregator, aggregator_octets(*a.aggregator, true));
}

Octets attribute_octets(const PathAttributes& a, bool with_next_hop, const UpdateContext& context) {
  Octets octets;
  AttributeWriter out(a.unknown, octets);
  const Path path = path_for(a.as_path, context.ebgp);
  out.write(kWellKnown, kOrigin, std::array{static_cast<std::uint8_t>(a.origin)});
  out.write(kWellKnown, kAsPath, path_octets(path, context.four_octet_as));
  if (with_next_hop) out.write(kWellKnown, kNextHop, a.next_hop.bytes());
  if (a.med) out.write(kOptional, kMed, u32_octets({*a.med}));
  // RFC 4271 5.1.5: to every internal neighbor, and to no external one.
  if (!context.ebgp) out.write(kWellKnown, kLocalPref, u32_octets({a.local_pref.value_or(kDefaultLocalPref)}));
  if (a.atomic_aggregate) out.write(kWellKnown, kAtomicAggregate, {});
  if (a.aggregator)
    out.write(kOptionalTransitive, kAggregator, aggregator_octets(*a.aggregator, context.four_octet_as));
  write_communities(out, a);
  if (!context.ebgp) write_reflection(out, a);
  write_wider_communities(out, a);
  if (!context.four_octet_as) write_as4(out, a, path);
  write_list(out, kOptionalTransitive, kLargeCommunities, a.large_communities,
             [](Writer& w, const LargeCommunity& c) { std::ranges::for_each(c, [&](auto part) { w.u32(part); }); });
  if (a.only_to_customer) out.write(kOptionalTransitive, kOnlyToCustomer, u32_octets({a.only_to_customer->value()}));
  out.unknown_below(256);
  return octets;
}

// Why neighbors of this context cannot be told; empty when they can.
std::string refusal(const PathAttributes& a, Family family, const UpdateContext& context) {
  const bool set = std::ranges::any_of(
      a.as_path, [](const AsPathSegment& s) { return s.type == Type::Set || s.type == Type::ConfedSet; });
  if (set && !context.accept_as_sets) return "its AS_PATH holds an AS_SET, which RFC 9774 forbids to send";
  if (family == Family::V6 && a.next_hop.is_v4()) return "an IPv6 route has an IPv4 next hop";
  if (family == Family::V4 && !a.next_hop.is_v4() && !context.extended_next_hop)
    return "its next hop is an IPv6 address, which the neighbor does not take for IPv4 routes (RFC 8950)";
  return {};
}

Octets mp_next_hop(const PathAttributes& a) {
  Octets out;
  Writer w(out);
  const auto length = w.len8();
  w.bytes(a.next_hop.bytes());
  if (a.link_local_next_hop) w.bytes(a.link_local_next_hop->bytes());
  return out;
}

// As many of the first routes as fit into `room`, taken off.
void take_routes(Writer& w, std::span<const Nlri>& routes, PathIds ids, std::size_t room) {
  while (!routes.empty()) {
    const std::size_t octets = nlri_octets(routes.front(), ids);
    if (octets > room) return;
    room -= octets;
    write_nlri(w, routes.front(), ids);
    routes = routes.subspan(1);
  }
}

constexpr std::size_t kFixed = kHeaderOctets + 4;  // the two length fields
constexpr std::size_t kMpFixed = 4 + 3;            // attribute header, family
constexpr std::size_t kPathIdOctets = 4;

std::size_t longest_route(Family family, bool path_ids) {
  return 1U + (family == Family::V4 ? 4U : 16U) + (path_ids ? kPathIdOctets : 0U);
}

}  // namespace

Result<Announcement, std::string> Announcement::of(const PathAttributes& a, Family family,
                                                   const UpdateContext& context) {
  if (auto why = refusal(a, family, context); !why.empty()) return fail(std::move(why));
  Announcement out;
  out.family_ = family;
  out.multiprotocol_ = family == Family::V6 || !a.next_hop.is_v4();
  out.path_ids_ = context.add_path_send[family];
  out.max_message_ = context.max_message;
  out.attributes_ = attribute_octets(a, !out.multiprotocol_, context);
  if (out.multiprotocol_) out.next_hop_ = mp_next_hop(a);
  const std::size_t multiprotocol = out.multiprotocol_ ? kMpFixed + out.next_hop_.size() + 1 : 0;
  const std::size_t least = kFixed + out.attributes_.size() + multiprotocol + longest_route(family, out.path_ids_);
  if (least > context.max_message) {
    return fail(fmt::format("its attributes take {} octets, which leaves no room in a message of {}",
                            out.attributes_.size(), context.max_message));
  }
  return out;
}

std::vector<std::uint8_t> Announcement::next(std::span<const Nlri>& routes) const {
  assert(!routes.empty());
  const auto ids = path_ids_ ? PathIds::Present : PathIds::Absent;
  Octets body;
  Writer w(body);
  w.u16(0);
  if (!multiprotocol_) {
    w.u16(static_cast<std::uint16_t>(attributes_.size()));
    w.bytes(attributes_);
    take_routes(w, routes, ids, max_message_ - kFixed - attributes_.size());
    return frame(MessageType::Update, body);
  }
  Octets reach;
  Writer m(reach);
  m.u16(afi_of(family_));
  m.u8(kSafiUnicast);
  m.bytes(next_hop_);
  m.u8(0);
  take_routes(m, routes, ids, max_message_ - kFixed - kMpFixed - next_hop_.size() - 1 - attributes_.size());
  {
    const auto length = w.len16();
    write_attribute(w, kOptional, kMpReach, reach);
    w.bytes(attributes_);
  }
  return frame(MessageType::Update, body);
}

Messages encode_withdraw(std::span<const Nlri> routes, Family family, const UpdateContext& context) {
  Messages out;
  const auto ids = context.add_path_send[family] ? PathIds::Present : PathIds::Absent;
  while (!routes.empty()) {
    Octets body;
    Writer w(body);
    if (family == Family::V4) {
      {
        const auto length = w.len16();
        take_routes(w, routes, ids, context.max_message - kFixed);
      }
      w.u16(0);
    } else {
      Octets unreach{0, 2, kSafiUnicast};
      Writer u(unreach);
      take_routes(u, routes, ids, context.max_message - kFixed - kMpFixed);
      w.u16(0);
      const auto length = w.len16();
      write_attribute(w, kOptional, kMpUnreach, unreach);
    }
    out.push_back(frame(MessageType::Update, body));
  }
  return out;
}

Result<Messages, std::string> encode_announce(std::span<const Nlri> routes, Family family, const PathAttributes& a,
                                              const UpdateContext& context) {
  CGW_TRY(const Announcement announcement, Announcement::of(a, family, context));
  Messages out;
  while (!routes.empty())
    out.push_back(announcement.next(routes));
  return out;
}

std::vector<std::uint8_t> encode_end_of_rib(Family family) {
  Octets body(4, 0);
  if (family == Family::V6) body = {0, 0, 0, 6, kOptional, kMpUnreach, 3, 0, 2, kSafiUnicast};
  return frame(MessageType::Update, body);
}

}  // namespace cgw::bgp
