#include "bgp/attributes.hpp"

#include <algorithm>
#include <array>
#include <set>

#include <fmt/format.h>

#include "base/note.hpp"

namespace cgw::bgp {
namespace {

constexpr std::uint8_t kOptional = 0x80, kTransitive = 0x40, kPartial = 0x20, kExtended = 0x10;
constexpr std::uint8_t kWellKnown = kTransitive, kOptionalTransitive = kOptional | kTransitive;

std::string_view words(OnError e) {
  switch (e) {
    case OnError::Discard: return "attribute discarded";
    case OnError::Withdraw: return "routes treated as withdrawn";
    case OnError::Reset: return "session reset";
  }
  return "?";
}

struct Target {
  ReadAttributes& to;
  const UpdateContext& context;
};
// False: malformed.
using ReadValue = bool (*)(Reader value, Target t);

// Who an attribute may come from; elsewhere it is discarded whatever it holds.
enum class From : std::uint8_t { Anyone, Ibgp, OldSpeaker };

struct Row {
  std::uint8_t type;
  std::string_view name;
  std::uint8_t flags;  // Optional and Transitive as they must be
  OnError on_error;
  From from;
  ReadValue read;
};

bool read_segments(Reader r, bool four_octets, std::vector<AsPathSegment>& out) {
  while (r.more()) {
    const auto type = r.u8();
    const std::size_t count = r.u8();
    Reader asns = r.sub(count * (four_octets ? 4U : 2U));
    // RFC 7606 7.2: unknown type, overrun, a segment without an AS. Confederation segments: see the check against eBGP.
    if (!asns.ok() || type < 1 || type > 4 || count == 0) return false;
    AsPathSegment s{AsPathSegment::Type{type}, {}};
    while (asns.more()) {
      const Asn a{four_octets ? asns.u32() : asns.u16()};
      if (a == Asn{}) return false;  // RFC 7607 2
      s.asns.push_back(a);
    }
    out.push_back(std::move(s));
  }
  return r.ok();
}

bool has_confederation(const std::vector<AsPathSegment>& path) {
  return std::ranges::any_of(path, [](const AsPathSegment& s) {
    return s.type == AsPathSegment::Type::ConfedSequence || s.type == AsPathSegment::Type::ConfedSet;
  });
}

bool read_origin(Reader v, Target t) {
  const auto value = v.u8();
  if (!v.done() || value > 2) return false;
  t.to.attributes.origin = Origin{value};
  t.to.origin = true;
  return true;
}

bool read_as_path(Reader v, Target t) {
  auto& path = t.to.attributes.as_path;
  t.to.as_path = true;
  // RFC 5065 5: confederation segments have no business on an eBGP session.
  return read_segments(v, t.context.four_octet_as, path) && !(t.context.ebgp && has_confederation(path));
}

// RFC 4271 5.1.3 and 6.3: an address somebody could have, and not our own.
bool usable_next_hop(const IpAddress& a, const UpdateContext& context) {
  const auto v = a.v4_value();
  return v >> 24 != 0 && v >> 24 != 127 && v < 0xe0000000 && a != context.local_address;
}

bool read_next_hop(Reader v, Target t) {
  const IpAddress a = IpAddress::v4(v.u32());
  if (!v.done() || !usable_next_hop(a, t.context)) return false;
  t.to.attributes.next_hop = a;
  t.to.next_hop = true;
  return true;
}

bool read_med(Reader v, Target t) {
  t.to.attributes.med = v.u32();
  return v.done();
}

bool read_local_pref(Reader v, Target t) {
  t.to.attributes.local_pref = v.u32();
  return v.done();
}

bool read_atomic_aggregate(Reader v, Target t) {
  t.to.attributes.atomic_aggregate = true;
  return v.done();
}

bool read_aggregator(Reader v, Target t) {
  const Asn asn{t.context.four_octet_as ? v.u32() : v.u16()};
  const IpAddress id = IpAddress::v4(v.u32());
  if (!v.done() || asn == Asn{}) return false;
  t.to.attributes.aggregator = {asn, id};
  return true;
}

bool read_communities(Reader v, Target t) {
  if (!v.more()) return false;  // RFC 7606 7.8: a non-zero multiple of 4
  while (v.more())
    t.to.attributes.communities.push_back(v.u32());
  return v.ok();
}

bool read_four_octets(Reader v, Target) {
  v.u32();
  return v.done();
}

bool read_cluster_list(Reader v, Target) {
  if (!v.more()) return false;
  while (v.more())
    v.u32();
  return v.ok();
}

bool read_as4_path(Reader v, Target t) {
  t.to.has_as4_path = read_segments(v, true, t.to.as4_path) && !has_confederation(t.to.as4_path);
  return t.to.has_as4_path;
}

bool read_as4_aggregator(Reader v, Target t) {
  const Asn asn{v.u32()};
  const IpAddress id = IpAddress::v4(v.u32());
  if (!v.done() || asn == Asn{}) return false;
  t.to.as4_aggregator = {asn, id};
  return true;
}

// RFC 4760 3. Families other than IPv4 unicast were not agreed on: their routes are passed over.
bool read_mp_reach(Reader v, Target t) {
  const auto afi = v.u16();
  const auto safi = v.u8();
  Reader hop = v.sub(v.u8());
  v.u8();  // reserved
  if (!v.ok() || !hop.more()) return false;
  if (afi != 1 || safi != 1) return true;
  const IpAddress a = IpAddress::v4(hop.u32());
  if (!hop.done()) return false;
  t.to.mp_reach = true;
  // RFC 7606 7.11 resets for a next hop of the wrong length, behind which the prefixes cannot be found. One that nobody
  // can have makes its routes unusable, no more (RFC 4271 6.3).
  if (!usable_next_hop(a, t.context)) {
    t.to.withdraw = true;
    t.to.findings.push_back(fmt::format("MP_REACH_NLRI with the next hop {}, which is not usable: {}", a.to_string(),
                                        words(OnError::Withdraw)));
  } else {
    t.to.attributes.next_hop = a;
    t.to.next_hop = true;
  }
  return read_prefixes(v.rest(), t.to.mp_announced);
}

bool read_mp_unreach(Reader v, Target t) {
  const auto afi = v.u16();
  const auto safi = v.u8();
  if (!v.ok()) return false;
  if (afi != 1 || safi != 1) return true;
  t.to.mp_unreach = true;
  t.to.mp_empty_unreach = !v.more();
  return read_prefixes(v.rest(), t.to.mp_withdrawn);
}

// RFC 7606 7 and the attributes' own RFCs; the action stands beside each.
constexpr std::array kRows{
    Row{1, "ORIGIN", kWellKnown, OnError::Withdraw, From::Anyone, read_origin},
    Row{2, "AS_PATH", kWellKnown, OnError::Withdraw, From::Anyone, read_as_path},
    Row{3, "NEXT_HOP", kWellKnown, OnError::Withdraw, From::Anyone, read_next_hop},
    Row{4, "MULTI_EXIT_DISC", kOptional, OnError::Withdraw, From::Anyone, read_med},
    Row{5, "LOCAL_PREF", kWellKnown, OnError::Withdraw, From::Ibgp, read_local_pref},
    Row{6, "ATOMIC_AGGREGATE", kWellKnown, OnError::Discard, From::Anyone, read_atomic_aggregate},
    Row{7, "AGGREGATOR", kOptionalTransitive, OnError::Discard, From::Anyone, read_aggregator},
    Row{8, "COMMUNITIES", kOptionalTransitive, OnError::Withdraw, From::Anyone, read_communities},
    Row{9, "ORIGINATOR_ID", kOptional, OnError::Withdraw, From::Ibgp, read_four_octets},
    Row{10, "CLUSTER_LIST", kOptional, OnError::Withdraw, From::Ibgp, read_cluster_list},
    Row{14, "MP_REACH_NLRI", kOptional, OnError::Reset, From::Anyone, read_mp_reach},
    Row{15, "MP_UNREACH_NLRI", kOptional, OnError::Reset, From::Anyone, read_mp_unreach},
    Row{17, "AS4_PATH", kOptionalTransitive, OnError::Discard, From::OldSpeaker, read_as4_path},
    Row{18, "AS4_AGGREGATOR", kOptionalTransitive, OnError::Discard, From::OldSpeaker, read_as4_aggregator},
};

const Row* row_of(std::uint8_t type) {
  const auto it = std::ranges::find(kRows, type, &Row::type);
  return it == kRows.end() ? nullptr : &*it;
}

bool welcome(From from, const UpdateContext& context) {
  switch (from) {
    case From::Anyone: return true;
    case From::Ibgp: return !context.ebgp;
    case From::OldSpeaker: return !context.four_octet_as;
  }
  return true;
}

struct Raw {
  std::uint8_t flags, type;
  Bytes value;
};

std::string excerpt(const Raw& a) {
  return hex({reinterpret_cast<const char*>(a.value.data()), a.value.size()}, 32);
}

// What to answer where the session has to be reset.
Notification reset(const Raw& a) {
  std::vector<std::uint8_t> data{a.flags, a.type, static_cast<std::uint8_t>(a.value.size())};
  data.insert(data.end(), a.value.begin(),
              a.value.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(a.value.size(), 64)));
  return {.code = 3, .subcode = 9, .data = std::move(data)};
}

// RFC 4271 9: an unknown optional transitive attribute is kept and marked Partial; an unknown well-known one is an
// error, which RFC 7606 3(c) makes a withdrawal; the rest is dropped.
void take_unknown(const Raw& a, ReadAttributes& out) {
  if ((a.flags & kOptional) == 0) {
    out.withdraw = true;
    out.findings.push_back(fmt::format("unknown well-known attribute {}: {}", a.type, words(OnError::Withdraw)));
  } else if ((a.flags & kTransitive) != 0) {
    const auto flags = static_cast<std::uint8_t>((a.flags & ~kExtended) | kPartial);
    out.attributes.unknown.push_back({flags, a.type, {a.value.begin(), a.value.end()}});
  }
}

Result<void, Notification> take(const Raw& a, ReadAttributes& out, const UpdateContext& context) {
  const Row* row = row_of(a.type);
  if (row == nullptr) return take_unknown(a, out), Result<void, Notification>{};
  if (!welcome(row->from, context)) return {};
  const bool flags_fit = (a.flags & (kOptional | kTransitive)) == row->flags;
  // What a malformed attribute left behind must not stay.
  ReadAttributes before = row->on_error == OnError::Discard ? out : ReadAttributes{};
  if (flags_fit && row->read(Reader(a.value), {out, context})) return {};
  if (row->on_error == OnError::Discard) out = std::move(before);
  // RFC 7606 3(c): wrong flags mean withdraw unless the attribute's own rule is a reset.
  const OnError action = flags_fit || row->on_error == OnError::Reset ? row->on_error : OnError::Withdraw;
  out.findings.push_back(
      fmt::format("malformed {} ({} octets: {}): {}", row->name, a.value.size(), excerpt(a), words(action)));
  if (action == OnError::Reset) return fail(reset(a));
  if (action == OnError::Withdraw) out.withdraw = true;
  return {};
}

}  // namespace

bool read_prefixes(Bytes field, std::vector<Prefix>& out) {
  Reader r(field);
  while (r.more()) {
    const std::uint8_t length = r.u8();
    if (length > 32) return false;
    const Bytes octets = r.bytes((length + 7U) / 8U);
    if (!r.ok()) return false;
    std::uint32_t v = 0;
    for (std::size_t i = 0; i < octets.size(); ++i)
      v |= static_cast<std::uint32_t>(octets[i]) << (24 - 8 * i);
    out.push_back(Prefix::of(IpAddress::v4(v), length));
  }
  return r.ok();
}

Result<ReadAttributes, Notification> read_attributes(Bytes attributes, const UpdateContext& context) {
  ReadAttributes out;
  std::set<std::uint8_t> seen;
  Reader r(attributes);
  while (r.more()) {
    const auto flags = r.u8();
    const auto type = r.u8();
    const std::size_t length = (flags & kExtended) != 0 ? r.u16() : r.u8();
    const Bytes value = r.bytes(length);
    if (!r.ok()) {
      // RFC 7606 4: the rest of the attributes cannot be read, but the NLRI field can.
      out.withdraw = true;
      out.findings.push_back(
          fmt::format("attribute {} runs over the end of the attributes: {}", type, words(OnError::Withdraw)));
      break;
    }
    ++out.count;
    const Raw a{flags, type, value};
    if (!seen.insert(type).second) {
      // RFC 7606 3(g): a second MP_(UN)REACH resets, a second of any other is passed over.
      if (type == 14 || type == 15) return fail(Notification{.code = 3, .subcode = 1, .data = {}});
      out.findings.push_back(fmt::format("attribute {} is there twice: the first is kept", type));
      continue;
    }
    if (auto ok = take(a, out, context); !ok) return fail(std::move(ok).error());
  }
  return out;
}

}  // namespace cgw::bgp
