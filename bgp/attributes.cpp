#include "bgp/attributes.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/note.hpp"

namespace cgw::bgp {
namespace {

using namespace attribute;

// Who an attribute may come from; elsewhere it is discarded whatever it holds.
enum class From : std::uint8_t { Anyone, Ibgp, OldSpeaker, Nobody };

struct Row {
  std::uint8_t type;
  std::string_view name;
  std::uint8_t flags;  // Optional and Transitive as they must be
  OnError on_error;
  From from;
  ReadValue read;
};

// RFC 7606 7 and the attributes' own RFCs; the action stands beside each. DisableFamily is a session reset where no
// other family would be left.
constexpr std::array kRows{
    Row{kOrigin, "ORIGIN", kWellKnown, OnError::Withdraw, From::Anyone, read_origin},
    Row{kAsPath, "AS_PATH", kWellKnown, OnError::Withdraw, From::Anyone, read_as_path},
    Row{kNextHop, "NEXT_HOP", kWellKnown, OnError::Withdraw, From::Anyone, read_next_hop},
    Row{kMed, "MULTI_EXIT_DISC", kOptional, OnError::Withdraw, From::Anyone, read_med},
    Row{kLocalPref, "LOCAL_PREF", kWellKnown, OnError::Withdraw, From::Ibgp, read_local_pref},
    Row{kAtomicAggregate, "ATOMIC_AGGREGATE", kWellKnown, OnError::Discard, From::Anyone, read_atomic_aggregate},
    Row{kAggregator, "AGGREGATOR", kOptionalTransitive, OnError::Discard, From::Anyone, read_aggregator},
    Row{kCommunities, "COMMUNITIES", kOptionalTransitive, OnError::Withdraw, From::Anyone, read_communities},
    Row{kOriginatorId, "ORIGINATOR_ID", kOptional, OnError::Withdraw, From::Ibgp, read_originator_id},
    Row{kClusterList, "CLUSTER_LIST", kOptional, OnError::Withdraw, From::Ibgp, read_cluster_list},
    Row{kMpReach, "MP_REACH_NLRI", kOptional, OnError::DisableFamily, From::Anyone, read_mp_reach},
    Row{kMpUnreach, "MP_UNREACH_NLRI", kOptional, OnError::DisableFamily, From::Anyone, read_mp_unreach},
    Row{kExtendedCommunities, "EXTENDED COMMUNITIES", kOptionalTransitive, OnError::Withdraw, From::Anyone,
        read_extended_communities},
    Row{kAs4Path, "AS4_PATH", kOptionalTransitive, OnError::Discard, From::OldSpeaker, read_as4_path},
    Row{kAs4Aggregator, "AS4_AGGREGATOR", kOptionalTransitive, OnError::Discard, From::OldSpeaker, read_as4_aggregator},
    Row{kTrafficEngineering, "TRAFFIC ENGINEERING", kOptional, OnError::Withdraw, From::Anyone,
        read_traffic_engineering},
    Row{kIpv6ExtendedCommunities, "IPv6 EXTENDED COMMUNITIES", kOptionalTransitive, OnError::Withdraw, From::Anyone,
        read_ipv6_extended_communities},
    // RFC 7311 3.3: where it is not enabled it is "quietly ignored"; with the transitive bit it is malformed and
    // discarded.
    Row{kAigp, "AIGP", kOptional, OnError::Discard, From::Nobody, nullptr},
    Row{kLargeCommunities, "LARGE COMMUNITIES", kOptionalTransitive, OnError::Withdraw, From::Anyone,
        read_large_communities},
    Row{kOnlyToCustomer, "ONLY_TO_CUSTOMER", kOptionalTransitive, OnError::Withdraw, From::Anyone,
        read_only_to_customer},
    // RFC 8669 5, 6: discarded from outside of the SR domain, which no eBGP neighbor is in.
    Row{kPrefixSid, "PREFIX_SID", kOptionalTransitive, OnError::Discard, From::Ibgp, read_prefix_sid},
    Row{kAttrSet, "ATTR_SET", kOptionalTransitive, OnError::Withdraw, From::Anyone, read_attr_set},
};

const Row* row_of(std::uint8_t type) {
  static const auto kIndex = [] {
    std::array<const Row*, 256> index{};
    for (const Row& row : kRows)
      index[row.type] = &row;
    return index;
  }();
  return kIndex[type];
}

bool welcome(From from, const UpdateContext& context) {
  switch (from) {
    case From::Anyone: return true;
    case From::Ibgp: return !context.ebgp;
    case From::OldSpeaker: return !context.four_octet_as;
    case From::Nobody: return false;
  }
  return true;
}

// RFC 4271 6.3: "the Data field MUST contain the erroneous attribute (type, length, and value)". An extended message
// may hold more than a NOTIFICATION.
Notification reset(std::uint8_t subcode, const RawAttribute& a) {
  constexpr std::size_t kMost = 2048;
  const Bytes data = a.whole.first(std::min(a.whole.size(), kMost));
  return {.code = 3, .subcode = subcode, .data = {data.begin(), data.end()}};
}

// RFC 7606 2, 7.11, 7.12: what cannot be read of one family must not cost the other.
OnError disable_or_reset(const RawAttribute& a, ReadAttributes& out, const UpdateContext& context) {
  Reader r(a.value);
  const auto afi = r.u16();
  const auto safi = r.u8();
  const auto family = family_of(afi, safi);
  if (!r.ok()) return OnError::Reset;
  if (!family || !context.families[*family]) return OnError::DisableFamily;  // nothing of it is taken anyway
  const bool other_stays =
      std::ranges::any_of(kFamilies, [&](Family f) { return f != *family && context.families[f] && !out.disabled[f]; });
  if (!other_stays) return OnError::Reset;
  out.disabled[*family] = true;
  return OnError::DisableFamily;
}

// RFC 4271 9: an unknown optional transitive attribute is kept and marked Partial; an unknown well-known one is an
// error, which RFC 7606 3(c) makes a withdrawal; the rest is dropped.
void take_unknown(const RawAttribute& a, ReadAttributes& out) {
  if ((a.flags & kOptional) == 0) {
    out.withdraw = true;
    out.findings.push_back(
        {a.type, OnError::Withdraw, fmt::format("unknown well-known attribute {}", a.type), excerpt(a.value)});
  } else if ((a.flags & kTransitive) != 0) {
    keep_unknown(a, out);
  }
}

Result<void, Notification> take(const RawAttribute& a, ReadAttributes& out, const UpdateContext& context) {
  const Row* row = row_of(a.type);
  if (row == nullptr) return take_unknown(a, out), Result<void, Notification>{};
  if (!welcome(row->from, context)) return {};
  const bool flags_fit = (a.flags & (kOptional | kTransitive)) == row->flags;
  const auto why = flags_fit ? row->read(a, out, context) : std::string_view("with wrong flags");
  if (why.empty()) {
    out.present.set(a.type);
    return {};
  }
  // RFC 7606 3(c): wrong flags mean withdraw unless the attribute's own rule is stronger.
  OnError action = flags_fit ? row->on_error : std::max(row->on_error, OnError::Withdraw);
  if (action == OnError::DisableFamily) action = disable_or_reset(a, out, context);
  out.findings.push_back(
      {a.type, action, fmt::format("malformed {} of {} octets, {}", row->name, a.value.size(), why), excerpt(a.whole)});
  if (action == OnError::Reset) return fail(reset(9, a));
  if (action == OnError::Withdraw) out.withdraw = true;
  return {};
}

}  // namespace

std::string excerpt(Bytes octets) {
  return hex({reinterpret_cast<const char*>(octets.data()), octets.size()}, 32);
}

//   | Flags (1) | Type (1) | Length (1, or 2 with the extended bit) | Value |
Result<ReadAttributes, Notification> read_attributes(Bytes attributes, const UpdateContext& context) {
  ReadAttributes out;
  std::bitset<256> seen;
  for (Bytes left = attributes; !left.empty();) {
    Reader r(left);
    RawAttribute a{.flags = r.u8(), .type = r.u8(), .value = {}, .whole = {}};
    const std::size_t header = (a.flags & kExtended) != 0 ? 4 : 3;
    const std::size_t length = header == 4 ? r.u16() : r.u8();
    a.value = r.bytes(length);
    if (!r.ok()) {
      // RFC 7606 4: the rest of the attributes cannot be read, but the NLRI field can.
      out.withdraw = true;
      out.findings.push_back({a.type, OnError::Withdraw,
                              fmt::format("attribute {} runs over the end of the attributes", a.type), excerpt(left)});
      break;
    }
    a.whole = left.first(header + length);
    left = left.subspan(header + length);
    ++out.count;
    if (seen.test(a.type)) {
      // RFC 7606 3(g): a second MP_(UN)REACH resets, a second of any other is passed over.
      if (a.type == kMpReach || a.type == kMpUnreach) return fail(reset(1, a));
      out.findings.push_back({a.type, OnError::Discard,
                              fmt::format("attribute {} is there twice, and the first is kept", a.type),
                              excerpt(a.whole)});
      continue;
    }
    seen.set(a.type);
    if (auto ok = take(a, out, context); !ok) return fail(std::move(ok).error());
  }
  return out;
}

}  // namespace cgw::bgp
