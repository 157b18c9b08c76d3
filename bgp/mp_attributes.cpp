// MP_REACH_NLRI and MP_UNREACH_NLRI (RFC 4760 3, 4).
#include <algorithm>

#include "bgp/attributes.hpp"
#include "bgp/nlri.hpp"

namespace cgw::bgp {
namespace {

constexpr std::string_view kTaken;

bool is_link_local(const IpAddress& a) {
  return !a.is_v4() && a.bytes()[0] == 0xfe && (a.bytes()[1] & 0xc0) == 0x80;
}

PathIds path_ids(Family f, const UpdateContext& context) {
  return context.add_path_receive[f] ? PathIds::Present : PathIds::Absent;
}

// RFC 4760 3, RFC 2545 3, RFC 8950 3: its length tells which protocol it is of, and whether a link-local one follows.
bool read_mp_next_hop(Bytes hop, const UpdateContext& context, ReachableRoutes& out) {
  if (hop.size() == 4) {
    if (out.family != Family::V4) return false;
    out.next_hop = *IpAddress::from_bytes(hop);
    return true;
  }
  if (hop.size() != 16 && hop.size() != 32) return false;
  if (out.family == Family::V4 && !context.extended_next_hop) return false;
  out.next_hop = *IpAddress::from_bytes(hop.first(16));
  if (hop.size() == 16) return true;
  const IpAddress second = *IpAddress::from_bytes(hop.subspan(16));
  if (!is_link_local(second)) return true;
  // A speaker with nothing but a link-local address leaves the global one empty.
  if (out.next_hop.is_unspecified()) {
    out.next_hop = second;
  } else {
    out.link_local_next_hop = second;
  }
  return true;
}

}  // namespace

//   | AFI (2) | SAFI (1) | Length of Next Hop (1) | Next Hop | Reserved (1) | NLRI |
std::string_view read_mp_reach(const RawAttribute& raw, ReadAttributes& to, const UpdateContext& context) {
  Reader r(raw.value);
  const auto afi = r.u16();
  const auto safi = r.u8();
  const Bytes hop = r.bytes(r.u8());
  r.u8();  // reserved: "MUST be set to 0, and SHOULD be ignored upon receipt"
  if (!r.ok()) return "that is too short";
  const auto family = family_of(afi, safi);
  if (!family || !context.families[*family]) {
    to.foreign_routes = r.more();
    return kTaken;
  }
  ReachableRoutes reach{*family, {}, {}, {}};
  if (!read_mp_next_hop(hop, context, reach)) return "with a next hop of a wrong length";
  if (!read_nlri(r.rest(), *family, path_ids(*family, context), reach.routes)) return "with a malformed prefix";
  // RFC 7606 7.11 is about next hops of a wrong length, behind which the prefixes cannot be found. One that nobody can
  // have makes its routes unusable, no more (RFC 4271 6.3).
  if (!is_usable_next_hop(reach.next_hop, context)) {
    to.withdraw = true;
    to.findings.push_back({raw.type, OnError::Withdraw,
                           "MP_REACH_NLRI with the next hop " + reach.next_hop.to_string() + ", which is not usable",
                           excerpt(raw.value)});
  }
  to.reach = std::move(reach);
  return kTaken;
}

//   | AFI (2) | SAFI (1) | Withdrawn Routes |
std::string_view read_mp_unreach(const RawAttribute& raw, ReadAttributes& to, const UpdateContext& context) {
  Reader r(raw.value);
  const auto afi = r.u16();
  const auto safi = r.u8();
  if (!r.ok()) return "that is too short";
  const auto family = family_of(afi, safi);
  if (!family || !context.families[*family]) return kTaken;
  UnreachableRoutes unreach{*family, {}};
  if (!read_nlri(r.rest(), *family, path_ids(*family, context), unreach.routes)) return "with a malformed prefix";
  to.unreach = std::move(unreach);
  return kTaken;
}

}  // namespace cgw::bgp
