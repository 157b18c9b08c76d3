#include "bgp/attribute_octets.hpp"

#include <array>

namespace cgw::bgp {
namespace {

// | what (1) | length (7 bits an octet, least first, high bit: more) | value |
// RFC 4271's and its successors' type codes; 0 has an unknown attribute's flags and type at its front.
enum What : std::uint8_t {
  kUnknown = 0,
  kOrigin = 1,
  kAsPath = 2,
  kNextHop = 3,
  kMed = 4,
  kLocalPref = 5,
  kAtomicAggregate = 6,
  kAggregator = 7,
  kCommunities = 8,
  kOriginatorId = 9,
  kClusterList = 10,
  kLinkLocal = 14,
  kExtendedCommunities = 16,
  kLargeCommunities = 32,
  kOnlyToCustomer = 35,
};

void write_length(Writer& w, std::size_t n) {
  for (; n >= 0x80; n >>= 7)
    w.u8(static_cast<std::uint8_t>(n | 0x80));
  w.u8(static_cast<std::uint8_t>(n));
}

std::size_t read_length(Reader& r) {
  std::size_t n = 0;
  for (unsigned shift = 0;; shift += 7) {
    const std::uint8_t b = r.u8();
    n |= static_cast<std::size_t>(b & 0x7f) << shift;
    if ((b & 0x80) == 0) return n;
  }
}

std::size_t length_octets(std::size_t n) {
  std::size_t octets = 1;
  for (; n >= 0x80; n >>= 7)
    ++octets;
  return octets;
}

void write_u32(Writer& w, What what, std::uint32_t value) {
  w.u8(what);
  w.u8(4);
  w.u32(value);
}

void write_octets(Writer& w, What what, Bytes value) {
  w.u8(what);
  write_length(w, value.size());
  w.bytes(value);
}

void write_path(Writer& w, const std::vector<AsPathSegment>& path) {
  std::size_t size = 0;
  for (const auto& s : path)
    size += 1 + length_octets(s.asns.size()) + 4 * s.asns.size();
  w.u8(kAsPath);
  write_length(w, size);
  for (const auto& s : path) {
    w.u8(static_cast<std::uint8_t>(s.type));
    write_length(w, s.asns.size());
    for (const Asn a : s.asns)
      w.u32(a.value());
  }
}

std::vector<AsPathSegment> read_path(Reader r) {
  std::vector<AsPathSegment> path;
  while (r.more()) {
    AsPathSegment& s = path.emplace_back();
    s.type = AsPathSegment::Type{r.u8()};
    s.asns.resize(read_length(r));
    for (Asn& a : s.asns)
      a = Asn{r.u32()};
  }
  return path;
}

IpAddress read_address(Reader r) {
  return IpAddress::from_bytes(r.rest()).value_or(IpAddress{});
}

void write_communities(Writer& w, const PathAttributes& a) {
  if (!a.communities.empty()) {
    w.u8(kCommunities);
    write_length(w, 4 * a.communities.size());
    for (const Community c : a.communities)
      w.u32(c);
  }
  if (!a.extended_communities.empty()) {
    w.u8(kExtendedCommunities);
    write_length(w, 8 * a.extended_communities.size());
    for (const ExtendedCommunity c : a.extended_communities) {
      w.u32(static_cast<std::uint32_t>(c >> 32));
      w.u32(static_cast<std::uint32_t>(c));
    }
  }
  if (!a.large_communities.empty()) {
    w.u8(kLargeCommunities);
    write_length(w, 12 * a.large_communities.size());
    for (const LargeCommunity& c : a.large_communities) {
      for (const std::uint32_t part : c)
        w.u32(part);
    }
  }
}

void write_reflection(Writer& w, const PathAttributes& a) {
  if (a.originator_id) write_u32(w, kOriginatorId, a.originator_id->value());
  if (a.cluster_list.empty()) return;
  w.u8(kClusterList);
  write_length(w, 4 * a.cluster_list.size());
  for (const std::uint32_t c : a.cluster_list)
    w.u32(c);
}

void read_list(Reader v, std::vector<std::uint32_t>& out) {
  while (v.more())
    out.push_back(v.u32());
}

void read_unknown(Reader v, PathAttributes& a) {
  UnknownAttribute& u = a.unknown.emplace_back();
  u.flags = v.u8();
  u.type = v.u8();
  const Bytes value = v.rest();
  u.value.assign(value.begin(), value.end());
}

void read_aggregator(Reader v, PathAttributes& a) {
  const Asn asn{v.u32()};
  a.aggregator = {asn, read_address(v)};
}

void read_large(Reader v, PathAttributes& a) {
  while (v.more()) {
    LargeCommunity& c = a.large_communities.emplace_back();
    for (std::uint32_t& part : c)
      part = v.u32();
  }
}

void read_one(What what, Reader v, PathAttributes& a) {
  switch (what) {
    case kUnknown: return read_unknown(v, a);
    case kOrigin: a.origin = Origin{v.u8()}; return;
    case kAsPath: a.as_path = read_path(v); return;
    case kNextHop: a.next_hop = read_address(v); return;
    case kMed: a.med = v.u32(); return;
    case kLocalPref: a.local_pref = v.u32(); return;
    case kAtomicAggregate: a.atomic_aggregate = true; return;
    case kAggregator: return read_aggregator(v, a);
    case kCommunities: return read_list(v, a.communities);
    case kOriginatorId: a.originator_id = RouterId{v.u32()}; return;
    case kClusterList: return read_list(v, a.cluster_list);
    case kLinkLocal: a.link_local_next_hop = read_address(v); return;
    case kExtendedCommunities:
      while (v.more())
        a.extended_communities.push_back(v.u64());
      return;
    case kLargeCommunities: return read_large(v, a);
    case kOnlyToCustomer: a.only_to_customer = Asn{v.u32()}; return;
  }
}

}  // namespace

void write_canonical(const PathAttributes& a, std::vector<std::uint8_t>& out) {
  Writer w(out);
  w.u8(kOrigin);
  w.u8(1);
  w.u8(static_cast<std::uint8_t>(a.origin));
  write_path(w, a.as_path);
  write_octets(w, kNextHop, a.next_hop.bytes());
  if (a.link_local_next_hop) write_octets(w, kLinkLocal, a.link_local_next_hop->bytes());
  if (a.med) write_u32(w, kMed, *a.med);
  if (a.local_pref) write_u32(w, kLocalPref, *a.local_pref);
  if (a.atomic_aggregate) write_octets(w, kAtomicAggregate, {});
  if (a.aggregator) {
    w.u8(kAggregator);
    w.u8(static_cast<std::uint8_t>(4 + a.aggregator->second.bytes().size()));
    w.u32(a.aggregator->first.value());
    w.bytes(a.aggregator->second.bytes());
  }
  write_communities(w, a);
  write_reflection(w, a);
  if (a.only_to_customer) write_u32(w, kOnlyToCustomer, a.only_to_customer->value());
  for (const UnknownAttribute& u : a.unknown) {
    w.u8(kUnknown);
    write_length(w, 2 + u.value.size());
    w.u8(u.flags);
    w.u8(u.type);
    w.bytes(u.value);
  }
}

PathAttributes read_canonical(Bytes octets) {
  PathAttributes a;
  Reader r(octets);
  while (r.more()) {
    const auto what = What{r.u8()};
    const std::size_t length = read_length(r);
    read_one(what, r.sub(length), a);
  }
  return a;
}

}  // namespace cgw::bgp
