#pragma once
#include <cstdint>
#include <random>
#include <vector>

#include "bgp/open.hpp"
#include "bgp/update.hpp"

// The table that bench/bgp feeds: as many prefixes as asked for, with what a full table of the Internet looks like.
// Prefix lengths: /24 64 %, /23 10 %, /22 11 %, /21 5 %, /20 4.3 %, /19 2.5 %, /18 1.4 %, /17 0.8 %, /16 1 %, laid out
// side by side. AS_PATH: 2 to 7 ASs, 4.3 on the average. Communities on half of the sets, 1 to 6.
namespace cgw::bench {

inline std::vector<bgp::Nlri> table_prefixes(std::uint32_t count) {
  std::mt19937_64 random(20261124);
  std::vector<bgp::Nlri> out;
  out.reserve(count);
  std::uint64_t at = 0x01000000;
  while (out.size() < count) {
    const auto dice = random() % 1000;
    constexpr std::uint64_t kUpTo[] = {640, 740, 850, 900, 943, 968, 982, 990, 1000};
    std::uint8_t length = 24;
    for (const auto limit : kUpTo) {
      if (dice < limit) break;
      --length;
    }
    const std::uint64_t size = std::uint64_t{1} << (32 - length);
    at = (at + size - 1) / size * size;
    if (at >> 24 == 127) at = 0x80000000;
    out.push_back({Prefix{IpAddress::v4(static_cast<std::uint32_t>(at)), length}, 0});
    at += size;
  }
  return out;
}

// The set-th set of attributes of a feeder.
inline bgp::PathAttributes table_attributes(std::uint64_t set, bgp::Asn feeder, const IpAddress& next_hop) {
  std::mt19937_64 random(set * 2654435761U + 1);
  bgp::PathAttributes a;
  bgp::AsPathSegment path{bgp::AsPathSegment::Type::Sequence, {feeder}};
  constexpr unsigned kLengths[] = {2, 3, 3, 4, 4, 4, 4, 5, 5, 6, 7};
  const unsigned length = kLengths[random() % std::size(kLengths)];
  while (path.asns.size() < length)
    path.asns.push_back(bgp::Asn{static_cast<std::uint32_t>(1000 + random() % 60000)});
  a.as_path = {std::move(path)};
  a.next_hop = next_hop;
  if (random() % 2 == 0) {
    for (std::uint64_t n = 1 + random() % 6; n > 0; --n)
      a.communities.push_back(static_cast<std::uint32_t>(0x03e80000 + random() % 0x100000));
  }
  return a;
}

// Attribute sets of 1 prefix up to many, `per_set` on the average; 0: one set for all.
inline std::vector<std::uint8_t> table_messages(const std::vector<bgp::Nlri>& prefixes, std::uint32_t per_set,
                                                const bgp::UpdateContext& context) {
  std::mt19937_64 random(7);
  std::vector<std::uint8_t> out;
  std::uint64_t set = 0;
  for (std::size_t from = 0; from < prefixes.size(); ++set) {
    std::size_t n = per_set == 0 ? prefixes.size() : (per_set == 1 ? 1 : 1 + random() % (2 * per_set - 1));
    n = std::min(n, prefixes.size() - from);
    const auto a = table_attributes(set, context.local_as, context.local_address);
    const auto messages = bgp::encode_announce(std::span(prefixes).subspan(from, n), Family::V4, a, context);
    for (const auto& m : *messages)
      out.insert(out.end(), m.begin(), m.end());
    from += n;
  }
  return out;
}

// What both ends of the bench say of themselves: IPv4 unicast and AS numbers of four octets.
inline std::vector<std::uint8_t> table_open(bgp::Asn asn, bgp::RouterId id) {
  bgp::Open open{.asn = asn, .hold_time = Seconds{240}, .router_id = id, .capabilities = {}};
  open.capabilities.families.v4 = true;
  open.capabilities.four_octet_as = true;
  return bgp::encode_open(open);
}

}  // namespace cgw::bench
