#include "base/communities.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "base/ip.hpp"

namespace cgw {
namespace {

struct WellKnown {
  std::uint32_t value;
  std::string_view name;
};
// IANA's registry, by FRR's names.
constexpr WellKnown kWellKnown[] = {
    {kInternetCommunity, "internet"}, {0xffff0000, "graceful-shutdown"},
    {0xffff0001, "accept-own"},       {0xffff0002, "route-filter-translated-v4"},
    {0xffff0003, "route-filter-v4"},  {0xffff0004, "route-filter-translated-v6"},
    {0xffff0005, "route-filter-v6"},  {0xffff0006, "llgr-stale"},
    {0xffff0007, "no-llgr"},          {0xffff0008, "accept-own-nexthop"},
    {0xffff029a, "blackhole"},        {0xffffff01, "no-export"},
    {0xffffff02, "no-advertise"},     {0xffffff03, "local-AS"},
    {0xffffff04, "no-peer"},
};

template <class T>
std::optional<T> number(std::string_view text) {
  T v = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), v);
  if (ec != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return v;
}

std::vector<std::string_view> parts(std::string_view text) {
  std::vector<std::string_view> out;
  while (true) {
    const auto colon = std::min(text.find(':'), text.size());
    out.push_back(text.substr(0, colon));
    if (colon == text.size()) return out;
    text.remove_prefix(colon + 1);
  }
}

// RFC 4360 3: the types whose first part is an AS of two octets, an address, an AS of four octets.
enum Type : std::uint8_t { kTwoOctetAs = 0, kAddress = 1, kFourOctetAs = 2 };
enum SubType : std::uint8_t { kRouteTarget = 2, kSiteOfOrigin = 3 };

constexpr std::uint64_t extended(Type type, SubType sub_type, std::uint64_t value) {
  return std::uint64_t{type} << 56 | std::uint64_t{sub_type} << 48 | value;
}

// The six octets of an extended community's value as text; none: not of the types above.
std::optional<std::string> value_text(std::uint64_t c) {
  const auto low32 = static_cast<std::uint32_t>(c), high32 = static_cast<std::uint32_t>(c >> 16);
  const auto low16 = static_cast<std::uint16_t>(c), high16 = static_cast<std::uint16_t>(c >> 32);
  switch (c >> 56) {
    case kTwoOctetAs: return fmt::format("{}:{}", high16, low32);
    case kAddress: return fmt::format("{}:{}", IpAddress::v4(high32).to_string(), low16);
    case kFourOctetAs: return fmt::format("{}:{}", high32, low16);
    default: return std::nullopt;
  }
}

std::string unknown_text(std::uint64_t c) {
  return fmt::format("UNK:{}, {}", c >> 56, c >> 48 & 0xff);
}

std::string extended_words(std::uint64_t c, std::string_view target, std::string_view origin, char between) {
  const auto sub_type = c >> 48 & 0xff;
  const auto value = value_text(c);
  if (!value || (sub_type != kRouteTarget && sub_type != kSiteOfOrigin)) return unknown_text(c);
  return fmt::format("{}{}{}", sub_type == kRouteTarget ? target : origin, between, *value);
}

}  // namespace

Result<std::uint32_t, std::string> parse_community(std::string_view text) {
  const auto it = std::ranges::find(kWellKnown, text, &WellKnown::name);
  if (it != std::end(kWellKnown)) return it->value;
  if (const auto v = number<std::uint32_t>(text)) return *v;
  const auto halves = parts(text);
  if (halves.size() == 2) {
    const auto high = number<std::uint16_t>(halves[0]), low = number<std::uint16_t>(halves[1]);
    if (high && low) return std::uint32_t{*high} << 16 | *low;
  }
  return fail(fmt::format("'{}' is no community: AA:NN, both up to 65535, or a well-known name", text));
}

std::string community_text(std::uint32_t community) {
  const auto it = std::ranges::find(kWellKnown, community, &WellKnown::value);
  if (it != std::end(kWellKnown)) return std::string(it->name);
  return fmt::format("{}:{}", community >> 16, community & 0xffff);
}

Result<LargeCommunityValue, std::string> parse_large_community(std::string_view text) {
  const auto thirds = parts(text);
  if (thirds.size() == 3) {
    const auto a = number<std::uint32_t>(thirds[0]), b = number<std::uint32_t>(thirds[1]),
               c = number<std::uint32_t>(thirds[2]);
    if (a && b && c) return LargeCommunityValue{*a, *b, *c};
  }
  return fail(fmt::format("'{}' is no large community: AA:BB:CC, each up to 4294967295", text));
}

std::string large_community_text(const LargeCommunityValue& c) {
  return fmt::format("{}:{}:{}", c[0], c[1], c[2]);
}

Result<std::uint64_t, std::string> parse_extended_community(std::string_view kind, std::string_view value) {
  const auto wrong = [&] {
    return fail(fmt::format("'{} {}' is no extended community: rt or soo, and ASN:NN or A.B.C.D:NN", kind, value));
  };
  if (kind != "rt" && kind != "soo") return wrong();
  const SubType sub_type = kind == "rt" ? kRouteTarget : kSiteOfOrigin;
  const auto halves = parts(value);
  if (halves.size() != 2) return wrong();
  const auto low = number<std::uint32_t>(halves[1]);
  if (!low) return wrong();
  const bool short_low = *low <= std::numeric_limits<std::uint16_t>::max();
  if (const auto as = number<std::uint32_t>(halves[0])) {
    if (*as <= std::numeric_limits<std::uint16_t>::max())
      return extended(kTwoOctetAs, sub_type, std::uint64_t{*as} << 32 | *low);
    if (short_low) return extended(kFourOctetAs, sub_type, std::uint64_t{*as} << 16 | *low);
    return wrong();
  }
  const auto address = IpAddress::parse(halves[0]);
  if (!address || !address->is_v4() || !short_low) return wrong();
  return extended(kAddress, sub_type, std::uint64_t{address->v4_value()} << 16 | *low);
}

std::string extended_community_text(std::uint64_t community) {
  return extended_words(community, "RT", "SoO", ':');
}
std::string extended_community_line(std::uint64_t community) {
  return extended_words(community, "rt", "soo", ' ');
}

}  // namespace cgw
