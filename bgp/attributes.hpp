#pragma once
#include <bitset>
#include <optional>
#include <string_view>
#include <vector>

#include "base/wire.hpp"
#include "bgp/update.hpp"

// The path attributes, one row each: flags, who may send it, reader, and what a malformed one leads to.
namespace cgw::bgp {

namespace attribute {
inline constexpr std::uint8_t kOptional = 0x80, kTransitive = 0x40, kPartial = 0x20, kExtended = 0x10;
inline constexpr std::uint8_t kWellKnown = kTransitive, kOptionalTransitive = kOptional | kTransitive;
inline constexpr std::uint8_t kOrigin = 1, kAsPath = 2, kNextHop = 3, kMed = 4, kLocalPref = 5, kAtomicAggregate = 6,
                              kAggregator = 7, kCommunities = 8, kOriginatorId = 9, kClusterList = 10, kMpReach = 14,
                              kMpUnreach = 15, kExtendedCommunities = 16, kAs4Path = 17, kAs4Aggregator = 18,
                              kTrafficEngineering = 24, kIpv6ExtendedCommunities = 25, kAigp = 26,
                              kLargeCommunities = 32, kOnlyToCustomer = 35, kPrefixSid = 40, kAttrSet = 128;
}  // namespace attribute

inline constexpr Asn kAsTrans{23456};  // RFC 6793 9

// One attribute on the wire.
struct RawAttribute {
  std::uint8_t flags = 0, type = 0;
  Bytes value;
  Bytes whole;  // with its header
};

struct ReachableRoutes {
  Family family = Family::V4;
  std::vector<Nlri> routes;
  IpAddress next_hop;
  std::optional<IpAddress> link_local_next_hop;
};
struct UnreachableRoutes {
  Family family = Family::V4;
  std::vector<Nlri> routes;
};

// What reading the attributes of one message has brought.
struct ReadAttributes {
  PathAttributes attributes;
  std::optional<ReachableRoutes> reach;      // MP_REACH_NLRI of a family agreed on
  std::optional<UnreachableRoutes> unreach;  // MP_UNREACH_NLRI of such
  bool foreign_routes = false;               // MP_REACH_NLRI that announces what was not agreed on
  std::bitset<256> present;                  // what was there and is not discarded
  std::vector<AsPathSegment> as4_path;       // RFC 6793
  std::optional<std::pair<Asn, IpAddress>> as4_aggregator;
  bool withdraw = false;  // treat-as-withdraw
  PerFamily<bool> disabled;
  std::size_t count = 0;
  std::vector<Finding> findings;
};

// The error is a session reset.
Result<ReadAttributes, Notification> read_attributes(Bytes attributes, const UpdateContext& context);

// What is wrong with the value, in words; empty when it is taken. A reader that refuses leaves `to` as it was.
using ReadValue = std::string_view (*)(const RawAttribute& raw, ReadAttributes& to, const UpdateContext& context);
std::string_view read_origin(const RawAttribute& raw, ReadAttributes& to, const UpdateContext& context);
std::string_view read_as_path(const RawAttribute& raw, ReadAttributes& to, const UpdateContext& context);
std::string_view read_next_hop(const RawAttribute& raw, ReadAttributes& to, const UpdateContext& context);
std::string_view read_med(const RawAttribute& raw, ReadAttributes& to, const UpdateContext& context);
std::string_view read_local_pref(const RawAttribute& raw, ReadAttributes& to, const UpdateContext& context);
std::string_view read_atomic_aggregate(const RawAttribute& raw, ReadAttributes& to, const UpdateContext& context);
std::string_view read_aggregator(const RawAttribute& raw, ReadAttributes& to, const UpdateContext& context);
std::string_view read_communities(const RawAttribute& raw, ReadAttributes& to, const UpdateContext& context);
std::string_view read_originator_id(const RawAttribute& raw, ReadAttributes& to, const UpdateContext& context);
std::string_view read_cluster_list(const RawAttribute& raw, ReadAttributes& to, const UpdateContext& context);
std::string_view read_mp_reach(const RawAttribute& raw, ReadAttributes& to, const UpdateContext& context);
std::string_view read_mp_unreach(const RawAttribute& raw, ReadAttributes& to, const UpdateContext& context);
std::string_view read_extended_communities(const RawAttribute& raw, ReadAttributes& to, const UpdateContext& context);
std::string_view read_as4_path(const RawAttribute& raw, ReadAttributes& to, const UpdateContext& context);
std::string_view read_as4_aggregator(const RawAttribute& raw, ReadAttributes& to, const UpdateContext& context);
std::string_view read_ipv6_extended_communities(const RawAttribute& raw, ReadAttributes& to,
                                                const UpdateContext& context);
std::string_view read_large_communities(const RawAttribute& raw, ReadAttributes& to, const UpdateContext& context);
std::string_view read_only_to_customer(const RawAttribute& raw, ReadAttributes& to, const UpdateContext& context);
// Those that are not for us: looked through, so that nothing malformed is passed on; the transitive are kept as
// unknown.
std::string_view read_prefix_sid(const RawAttribute& raw, ReadAttributes& to, const UpdateContext& context);
std::string_view read_attr_set(const RawAttribute& raw, ReadAttributes& to, const UpdateContext& context);
std::string_view read_traffic_engineering(const RawAttribute& raw, ReadAttributes& to, const UpdateContext& context);
// RFC 4271 9: kept and marked Partial.
void keep_unknown(const RawAttribute& raw, ReadAttributes& to);

// How attributes are written.
struct AttributeForm {
  Audience audience = Audience::External;
  bool four_octet_as = true;
  bool next_hop = true;  // else MP_REACH_NLRI, the writer's of the message, holds it
};
// In the order of their types.
std::vector<std::uint8_t> write_attributes(const PathAttributes& a, const AttributeForm& form);
void write_attribute(Writer& w, std::uint8_t flags, std::uint8_t type, Bytes value);
// The next hop of MP_REACH_NLRI, with its length before it; one that is not set becomes that of the family.
std::vector<std::uint8_t> write_mp_next_hop(const PathAttributes& a, Family family);

// RFC 4271 5.1.3 and 6.3: an address somebody could have, and not our own.
bool is_usable_next_hop(const IpAddress& a, const UpdateContext& context);
std::string excerpt(Bytes octets);

}  // namespace cgw::bgp
