#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

// BGP communities as text, the way FRR reads and writes them. The error names the text.
namespace cgw {

// RFC 1997: the AS in the high half. "65000:1", a well-known name such as "no-export", or the number.
inline constexpr std::uint32_t kInternetCommunity = 0;  // in a community-list: every route
Result<std::uint32_t, std::string> parse_community(std::string_view text);
std::string community_text(std::uint32_t community);

// RFC 8092: "65000:1:2".
using LargeCommunityValue = std::array<std::uint32_t, 3>;
Result<LargeCommunityValue, std::string> parse_large_community(std::string_view text);
std::string large_community_text(const LargeCommunityValue& community);

// RFC 4360, the eight octets as one number. kind: "rt" or "soo"; value: "65000:1", "192.0.2.1:1" or, with an AS of four
// octets (RFC 5668), "4200000000:1".
Result<std::uint64_t, std::string> parse_extended_community(std::string_view kind, std::string_view value);
std::string extended_community_text(std::uint64_t community);  // as shown: "RT:65000:1"
std::string extended_community_line(std::uint64_t community);  // as configured: "rt 65000:1"

}  // namespace cgw
