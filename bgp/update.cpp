#include "bgp/update.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "bgp/attributes.hpp"
#include "bgp/framing.hpp"

namespace cgw::bgp {
namespace {

std::unexpected<Notification> update_error(std::uint8_t subcode) {
  return fail(Notification{.code = 3, .subcode = subcode, .data = {}});
}

constexpr Asn kAsTrans{23456};

// RFC 6793 4.2.3: a true number in AGGREGATOR says that an old speaker has aggregated since, and neither
// AS4_AGGREGATOR nor AS4_PATH holds any more. Decided when all attributes are read: they come in any order.
bool merge_as4_aggregator(ReadAttributes& r) {
  auto& aggregator = r.attributes.aggregator;
  if (!aggregator || !r.as4_aggregator) return true;
  if (aggregator->first != kAsTrans) return false;
  aggregator = r.as4_aggregator;
  return true;
}

// RFC 6793 4.2.3: the leading ASs of AS_PATH that AS4_PATH does not hold, then AS4_PATH.
void merge_as4_path(ReadAttributes& r) {
  auto& path = r.attributes.as_path;
  const auto count = [](const std::vector<AsPathSegment>& p) {
    std::size_t n = 0;
    for (const auto& s : p)
      n += s.type == AsPathSegment::Type::Set ? 1 : s.asns.size();
    return n;
  };
  const std::size_t have = count(path), have4 = count(r.as4_path);
  if (!r.has_as4_path || have < have4) return;
  std::vector<AsPathSegment> merged;
  std::size_t keep = have - have4;
  for (const auto& s : path) {
    if (keep == 0) break;
    AsPathSegment head = s;
    if (s.type == AsPathSegment::Type::Set) {
      --keep;
    } else {
      head.asns.resize(std::min(keep, s.asns.size()));
      keep -= head.asns.size();
    }
    merged.push_back(std::move(head));
  }
  merged.insert(merged.end(), r.as4_path.begin(), r.as4_path.end());
  path = std::move(merged);
}

bool contains(const std::vector<AsPathSegment>& path, Asn asn) {
  return std::ranges::any_of(path,
                             [&](const AsPathSegment& s) { return std::ranges::find(s.asns, asn) != s.asns.end(); });
}

// Why routes with these attributes cannot be used; empty when they can.
std::string refusal(const ReadAttributes& r, const UpdateContext& context) {
  if (r.withdraw) return "malformed attributes";
  if (!r.origin || !r.as_path || !r.next_hop) {
    return fmt::format("{} is missing", !r.origin ? "ORIGIN" : (!r.as_path ? "AS_PATH" : "NEXT_HOP"));
  }
  const auto& path = r.attributes.as_path;
  if (contains(path, context.local_as)) return fmt::format("AS_PATH holds our own AS {}", context.local_as.value());
  if (context.ebgp && r.attributes.first_as() != context.remote_as) {
    return fmt::format("AS_PATH '{}' does not begin with the neighbor's AS {}", r.attributes.as_path_text(),
                       context.remote_as.value());
  }
  return {};
}

void write_prefix(Writer& w, const Prefix& p) {
  w.u8(p.length);
  w.bytes(p.address.bytes().first((p.length + 7U) / 8U));
}

void write_attribute(Writer& w, std::uint8_t flags, std::uint8_t type, Bytes value) {
  const bool extended = value.size() > 255;
  w.u8(static_cast<std::uint8_t>(flags | (extended ? 0x10 : 0)));
  w.u8(type);
  if (extended) {
    w.u16(static_cast<std::uint16_t>(value.size()));
  } else {
    w.u8(static_cast<std::uint8_t>(value.size()));
  }
  w.bytes(value);
}

std::vector<std::uint8_t> u32_octets(std::uint32_t v) {
  std::vector<std::uint8_t> out;
  Writer(out).u32(v);
  return out;
}

// AS numbers that do not fit a two-octet speaker go as AS_TRANS, the true path as AS4_PATH (RFC 6793 4.2.2).
std::vector<std::uint8_t> path_octets(const std::vector<AsPathSegment>& path, bool four_octets) {
  std::vector<std::uint8_t> out;
  Writer w(out);
  for (const auto& s : path) {
    w.u8(static_cast<std::uint8_t>(s.type));
    w.u8(static_cast<std::uint8_t>(s.asns.size()));
    for (const Asn a : s.asns) {
      if (four_octets) {
        w.u32(a.value());
      } else {
        w.u16(a.value() > 0xffff ? static_cast<std::uint16_t>(kAsTrans.value())
                                 : static_cast<std::uint16_t>(a.value()));
      }
    }
  }
  return out;
}

std::vector<std::uint8_t> attribute_octets(const PathAttributes& a, const UpdateContext& context) {
  std::vector<std::uint8_t> out;
  Writer w(out);
  write_attribute(w, 0x40, 1, std::vector{static_cast<std::uint8_t>(a.origin)});
  write_attribute(w, 0x40, 2, path_octets(a.as_path, context.four_octet_as));
  write_attribute(w, 0x40, 3, a.next_hop.bytes());
  if (a.med) write_attribute(w, 0x80, 4, u32_octets(*a.med));
  if (a.local_pref && !context.ebgp) write_attribute(w, 0x40, 5, u32_octets(*a.local_pref));
  if (!a.communities.empty()) {
    std::vector<std::uint8_t> value;
    Writer c(value);
    for (const auto community : a.communities)
      c.u32(community);
    write_attribute(w, 0xc0, 8, value);
  }
  const bool big = std::ranges::any_of(a.as_path, [](const AsPathSegment& s) {
    return std::ranges::any_of(s.asns, [](Asn n) { return n.value() > 0xffff; });
  });
  if (big && !context.four_octet_as) write_attribute(w, 0xc0, 17, path_octets(a.as_path, true));
  for (const auto& u : a.unknown)
    write_attribute(w, u.flags, u.type, u.value);
  return out;
}

// As many prefixes from `from` on as fit into `room` octets.
std::vector<std::uint8_t> take_prefixes(const std::vector<Prefix>& prefixes, std::size_t& from, std::size_t room) {
  std::vector<std::uint8_t> out;
  Writer w(out);
  constexpr std::size_t kLongest = 5;
  while (from < prefixes.size() && out.size() + kLongest <= room)
    write_prefix(w, prefixes[from++]);
  return out;
}

}  // namespace

//   | Withdrawn Routes Length (2) | Withdrawn Routes | Total Path Attribute Length (2) | Path Attributes | NLRI |
Result<Update, Notification> parse_update(Bytes body, const UpdateContext& context) {
  Reader r(body);
  const Bytes withdrawn = r.bytes(r.u16());
  const Bytes attributes = r.bytes(r.u16());
  if (!r.ok()) return update_error(1);
  const Bytes nlri = r.rest();

  Update u;
  if (!read_prefixes(withdrawn, u.withdrawn) || !read_prefixes(nlri, u.announced)) return update_error(10);
  CGW_TRY(ReadAttributes read, read_attributes(attributes, context));
  u.findings = std::move(read.findings);
  const bool plain_end = body.size() == 4;
  const bool mp_end = read.mp_empty_unreach && read.count == 1 && u.withdrawn.empty() && u.announced.empty();
  u.end_of_rib = plain_end || mp_end;
  u.withdrawn.insert(u.withdrawn.end(), read.mp_withdrawn.begin(), read.mp_withdrawn.end());
  u.announced.insert(u.announced.end(), read.mp_announced.begin(), read.mp_announced.end());
  if (u.announced.empty()) {
    // RFC 7606 5.2: an error that asks for withdrawal, and no route that could be withdrawn: nothing was understood.
    if (read.withdraw && u.withdrawn.empty()) return update_error(1);
    return u;
  }
  if (merge_as4_aggregator(read)) merge_as4_path(read);
  u.not_usable = refusal(read, context);
  if (!u.not_usable.empty()) {
    u.withdrawn.insert(u.withdrawn.end(), u.announced.begin(), u.announced.end());
    u.announced.clear();
    return u;
  }
  u.attributes = std::make_shared<const PathAttributes>(std::move(read.attributes));
  return u;
}

Messages encode_withdraw(const std::vector<Prefix>& prefixes) {
  Messages out;
  for (std::size_t from = 0; from < prefixes.size();) {
    std::vector<std::uint8_t> body;
    Writer w(body);
    const auto routes = take_prefixes(prefixes, from, kMaxMessage - kHeaderOctets - 4);
    w.u16(static_cast<std::uint16_t>(routes.size()));
    w.bytes(routes);
    w.u16(0);
    out.push_back(frame(MessageType::Update, body));
  }
  return out;
}

Messages encode_announce(const std::vector<Prefix>& prefixes, const PathAttributes& a, const UpdateContext& context) {
  Messages out;
  const auto attributes = attribute_octets(a, context);
  constexpr std::size_t kFixed = kHeaderOctets + 4, kLongestPrefix = 5;
  if (attributes.size() + kFixed + kLongestPrefix > kMaxMessage) return out;
  for (std::size_t from = 0; from < prefixes.size();) {
    std::vector<std::uint8_t> body;
    Writer w(body);
    w.u16(0);
    w.u16(static_cast<std::uint16_t>(attributes.size()));
    w.bytes(attributes);
    w.bytes(take_prefixes(prefixes, from, kMaxMessage - kFixed - attributes.size()));
    out.push_back(frame(MessageType::Update, body));
  }
  return out;
}

std::vector<std::uint8_t> encode_end_of_rib() {
  return frame(MessageType::Update, std::vector<std::uint8_t>(4, 0));
}

}  // namespace cgw::bgp
