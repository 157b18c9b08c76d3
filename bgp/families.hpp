#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/ip.hpp"

// The address families a session can carry: unicast of IPv4 and of IPv6 (RFC 4760).
namespace cgw::bgp {

inline constexpr std::array kFamilies{Family::V4, Family::V6};

template <class T>
struct PerFamily {
  T v4{}, v6{};
  T& operator[](Family f) { return f == Family::V4 ? v4 : v6; }
  const T& operator[](Family f) const { return f == Family::V4 ? v4 : v6; }
  bool operator==(const PerFamily&) const = default;
};

inline constexpr std::uint8_t kSafiUnicast = 1;
constexpr std::uint16_t afi_of(Family f) {
  return f == Family::V4 ? 1 : 2;
}
constexpr std::optional<Family> family_of(std::uint16_t afi, std::uint8_t safi) {
  if (safi != kSafiUnicast || afi < 1 || afi > 2) return std::nullopt;
  return afi == 1 ? Family::V4 : Family::V6;
}
constexpr std::string_view name_of(Family f) {
  return f == Family::V4 ? "IPv4 unicast" : "IPv6 unicast";
}

}  // namespace cgw::bgp
