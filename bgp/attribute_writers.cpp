// How path attributes are written.
#include <algorithm>
#include <array>

#include "bgp/attributes.hpp"

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

// RFC 8669 8: a PREFIX_SID does not leave the AS unless somebody says so.
std::vector<UnknownAttribute> unknown_for(const PathAttributes& a, bool external) {
  std::vector<UnknownAttribute> out = a.unknown;
  if (external) std::erase_if(out, [](const UnknownAttribute& u) { return u.type == kPrefixSid; });
  return out;
}

}  // namespace

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

std::vector<std::uint8_t> write_attributes(const PathAttributes& a, const AttributeForm& form) {
  Octets octets;
  const bool external = form.audience == Audience::External;
  const auto unknown = unknown_for(a, external);
  AttributeWriter out(unknown, octets);
  const Path path = path_for(a.as_path, external);
  out.write(kWellKnown, kOrigin, std::array{static_cast<std::uint8_t>(a.origin)});
  out.write(kWellKnown, kAsPath, path_octets(path, form.four_octet_as));
  if (form.next_hop) out.write(kWellKnown, kNextHop, a.next_hop.bytes());
  if (a.med) out.write(kOptional, kMed, u32_octets({*a.med}));
  // RFC 4271 5.1.5: to every internal neighbor, and to no external one.
  if (form.audience == Audience::Internal || (form.audience == Audience::Record && a.local_pref))
    out.write(kWellKnown, kLocalPref, u32_octets({a.local_pref.value_or(kDefaultLocalPref)}));
  if (a.atomic_aggregate) out.write(kWellKnown, kAtomicAggregate, {});
  if (a.aggregator) out.write(kOptionalTransitive, kAggregator, aggregator_octets(*a.aggregator, form.four_octet_as));
  write_communities(out, a);
  if (!external) write_reflection(out, a);
  write_wider_communities(out, a);
  if (!form.four_octet_as) write_as4(out, a, path);
  write_list(out, kOptionalTransitive, kLargeCommunities, a.large_communities,
             [](Writer& w, const LargeCommunity& c) { std::ranges::for_each(c, [&](auto part) { w.u32(part); }); });
  if (a.only_to_customer) out.write(kOptionalTransitive, kOnlyToCustomer, u32_octets({a.only_to_customer->value()}));
  out.unknown_below(256);
  return octets;
}

std::vector<std::uint8_t> write_mp_next_hop(const PathAttributes& a, Family family) {
  Octets out;
  Writer w(out);
  const auto length = w.len8();
  const bool unset = family == Family::V6 && a.next_hop.is_v4() && a.next_hop.is_unspecified();
  w.bytes((unset ? IpAddress::v6({}) : a.next_hop).bytes());
  if (a.link_local_next_hop) w.bytes(a.link_local_next_hop->bytes());
  return out;
}

}  // namespace cgw::bgp
