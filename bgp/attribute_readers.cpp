// How the value of each path attribute is read.
#include <algorithm>

#include "bgp/attributes.hpp"

namespace cgw::bgp {
namespace {

constexpr std::string_view kTaken;
constexpr std::string_view kLength = "of a wrong length";

using Type = AsPathSegment::Type;

bool is_set(const AsPathSegment& s) {
  return s.type == Type::Set || s.type == Type::ConfedSet;
}
bool is_confederation(const AsPathSegment& s) {
  return s.type == Type::ConfedSequence || s.type == Type::ConfedSet;
}

// RFC 7606 7.2: the path is malformed.
std::string_view read_segments(Bytes value, bool four_octets, std::vector<AsPathSegment>& out) {
  Reader r(value);
  while (r.more()) {
    const auto type = r.u8();
    const std::size_t count = r.u8();
    if (!r.ok()) return "with a cut segment";
    if (type < 1 || type > 4) return "with an unknown segment type";
    if (count == 0) return "with an empty segment";
    Reader asns = r.sub(count * (four_octets ? 4U : 2U));
    if (!asns.ok()) return "with a segment that runs over its end";
    AsPathSegment s{Type{type}, {}};
    s.asns.reserve(count);
    while (asns.more()) {
      const Asn a{four_octets ? asns.u32() : asns.u16()};
      if (a == Asn{}) return "with AS 0";  // RFC 7607 2
      s.asns.push_back(a);
    }
    out.push_back(std::move(s));
  }
  return kTaken;
}

std::string_view read_aggregator_value(Bytes value, bool four_octets, std::optional<std::pair<Asn, IpAddress>>& out) {
  Reader r(value);
  const Asn asn{four_octets ? r.u32() : r.u16()};
  const IpAddress id = IpAddress::v4(r.u32());
  if (!r.done()) return kLength;
  if (asn == Asn{}) return "with AS 0";  // RFC 7607 2
  out = {asn, id};
  return kTaken;
}

// RFC 7606 7.8, 7.10, 7.14, 7.15: a non-zero multiple of the size of one.
bool is_list_of(std::size_t size, Bytes value) {
  return !value.empty() && value.size() % size == 0;
}

std::string_view read_u32(Bytes value, std::optional<std::uint32_t>& out) {
  Reader r(value);
  const auto v = r.u32();
  if (!r.done()) return kLength;
  out = v;
  return kTaken;
}

}  // namespace

std::string_view read_origin(const RawAttribute& raw, ReadAttributes& to, const UpdateContext&) {
  if (raw.value.size() != 1) return kLength;
  if (raw.value[0] > 2) return "with an undefined value";
  to.attributes.origin = Origin{raw.value[0]};
  return kTaken;
}

std::string_view read_as_path(const RawAttribute& raw, ReadAttributes& to, const UpdateContext& context) {
  std::vector<AsPathSegment> path;
  if (const auto why = read_segments(raw.value, context.four_octet_as, path); !why.empty()) return why;
  // RFC 5065 5: confederation segments have no business on an eBGP session.
  if (context.ebgp && std::ranges::any_of(path, is_confederation)) return "with confederation segments";
  if (!context.accept_as_sets && std::ranges::any_of(path, is_set)) return "with an AS_SET";  // RFC 9774 3
  to.attributes.as_path = std::move(path);
  return kTaken;
}

bool is_usable_next_hop(const IpAddress& a, const UpdateContext& context) {
  if (a == context.local_address || a.is_unspecified()) return false;
  const auto octets = a.bytes();
  if (a.is_v4()) return octets[0] != 0 && octets[0] != 127 && octets[0] < 224;
  const bool loopback = octets[15] == 1 && std::ranges::all_of(octets.first(15), [](std::uint8_t b) { return b == 0; });
  return !loopback && octets[0] != 0xff;
}

std::string_view read_next_hop(const RawAttribute& raw, ReadAttributes& to, const UpdateContext& context) {
  Reader r(raw.value);
  const IpAddress a = IpAddress::v4(r.u32());
  if (!r.done()) return kLength;
  if (!is_usable_next_hop(a, context)) return "that is not usable";
  to.attributes.next_hop = a;
  return kTaken;
}

std::string_view read_med(const RawAttribute& raw, ReadAttributes& to, const UpdateContext&) {
  return read_u32(raw.value, to.attributes.med);
}

std::string_view read_local_pref(const RawAttribute& raw, ReadAttributes& to, const UpdateContext&) {
  return read_u32(raw.value, to.attributes.local_pref);
}

std::string_view read_atomic_aggregate(const RawAttribute& raw, ReadAttributes& to, const UpdateContext&) {
  if (!raw.value.empty()) return kLength;
  to.attributes.atomic_aggregate = true;
  return kTaken;
}

std::string_view read_aggregator(const RawAttribute& raw, ReadAttributes& to, const UpdateContext& context) {
  return read_aggregator_value(raw.value, context.four_octet_as, to.attributes.aggregator);
}

std::string_view read_communities(const RawAttribute& raw, ReadAttributes& to, const UpdateContext&) {
  if (!is_list_of(4, raw.value)) return kLength;
  to.attributes.communities.reserve(raw.value.size() / 4);
  for (Reader r(raw.value); r.more();)
    to.attributes.communities.push_back(r.u32());
  return kTaken;
}

std::string_view read_extended_communities(const RawAttribute& raw, ReadAttributes& to, const UpdateContext&) {
  if (!is_list_of(8, raw.value)) return kLength;
  for (Reader r(raw.value); r.more();)
    to.attributes.extended_communities.push_back(r.u64());
  return kTaken;
}

std::string_view read_large_communities(const RawAttribute& raw, ReadAttributes& to, const UpdateContext&) {
  if (!is_list_of(12, raw.value)) return kLength;  // RFC 8092 6
  for (Reader r(raw.value); r.more();) {
    const auto global = r.u32(), first = r.u32(), second = r.u32();
    to.attributes.large_communities.push_back({global, first, second});
  }
  return kTaken;
}

std::string_view read_ipv6_extended_communities(const RawAttribute& raw, ReadAttributes& to, const UpdateContext&) {
  if (!is_list_of(20, raw.value)) return kLength;  // RFC 7606 7.15
  // Carried as they are: the Partial bit is as it came, for this one is known.
  const auto flags = static_cast<std::uint8_t>(raw.flags & ~attribute::kExtended);
  to.attributes.unknown.push_back({flags, raw.type, {raw.value.begin(), raw.value.end()}});
  return kTaken;
}

std::string_view read_originator_id(const RawAttribute& raw, ReadAttributes& to, const UpdateContext&) {
  std::optional<std::uint32_t> id;
  if (const auto why = read_u32(raw.value, id); !why.empty()) return why;
  to.attributes.originator_id = RouterId{*id};
  return kTaken;
}

std::string_view read_cluster_list(const RawAttribute& raw, ReadAttributes& to, const UpdateContext&) {
  if (!is_list_of(4, raw.value)) return kLength;
  for (Reader r(raw.value); r.more();)
    to.attributes.cluster_list.push_back(r.u32());
  return kTaken;
}

std::string_view read_as4_path(const RawAttribute& raw, ReadAttributes& to, const UpdateContext& context) {
  std::vector<AsPathSegment> path;
  if (const auto why = read_segments(raw.value, true, path); !why.empty()) return why;
  if (path.empty()) return kLength;  // RFC 6793 6: "less than 6"
  // RFC 9774 3, the later word on AS_CONFED_SETs as well: withdrawn for a set "in the AS_PATH or AS4_PATH".
  if (!context.accept_as_sets && std::ranges::any_of(path, is_set)) {
    to.withdraw = true;
    to.findings.push_back({raw.type, OnError::Withdraw, "AS4_PATH with an AS_SET", excerpt(raw.value)});
  }
  // RFC 6793 6: confederation segments in it are discarded, and the rest is used.
  std::erase_if(path, is_confederation);
  to.as4_path = std::move(path);
  return kTaken;
}

std::string_view read_as4_aggregator(const RawAttribute& raw, ReadAttributes& to, const UpdateContext&) {
  return read_aggregator_value(raw.value, true, to.as4_aggregator);
}

std::string_view read_only_to_customer(const RawAttribute& raw, ReadAttributes& to, const UpdateContext&) {
  Reader r(raw.value);
  const Asn asn{r.u32()};
  if (!r.done()) return kLength;         // RFC 9234 5
  if (asn == Asn{}) return "with AS 0";  // RFC 7607
  to.attributes.only_to_customer = asn;
  return kTaken;
}

std::string_view read_prefix_sid(const RawAttribute& raw, ReadAttributes& to, const UpdateContext&) {
  if (raw.value.empty()) return kLength;
  // RFC 8669 6, 3.1, 3.2: a Label-Index has 7 octets, an Originator SRGB flags and ranges of 6.
  for (Reader r(raw.value); r.more();) {
    const auto type = r.u8();
    const std::size_t length = r.u16();
    r.sub(length);
    if (!r.ok()) return "with a TLV that runs over its end";
    if (type == 1 && length != 7) return "with a Label-Index of a wrong length";
    if (type == 3 && (length < 8 || (length - 2) % 6 != 0)) return "with an Originator SRGB of a wrong length";
  }
  keep_unknown(raw, to);
  return kTaken;
}

std::string_view read_attr_set(const RawAttribute& raw, ReadAttributes& to, const UpdateContext&) {
  // RFC 6368 5: the origin AS, then attributes as in an UPDATE.
  Reader r(raw.value);
  r.u32();
  while (r.more()) {
    const auto flags = r.u8();
    r.u8();
    r.sub((flags & attribute::kExtended) != 0 ? r.u16() : r.u8());
  }
  if (!r.ok()) return "that cannot be taken apart";
  keep_unknown(raw, to);
  return kTaken;
}

std::string_view read_traffic_engineering(const RawAttribute& raw, ReadAttributes&, const UpdateContext&) {
  // RFC 5543 3: descriptors of at least 36 octets. It is non-transitive and of use for VPNs only: dropped.
  return raw.value.size() < 36 ? kLength : kTaken;
}

void keep_unknown(const RawAttribute& raw, ReadAttributes& to) {
  const auto flags = static_cast<std::uint8_t>((raw.flags & ~attribute::kExtended) | attribute::kPartial);
  to.attributes.unknown.push_back({flags, raw.type, {raw.value.begin(), raw.value.end()}});
}

}  // namespace cgw::bgp
