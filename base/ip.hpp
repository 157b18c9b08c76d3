#pragma once
#include <array>
#include <compare>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace cgw {

enum class Family : std::uint8_t { V4, V6 };

// An IPv4 or IPv6 address. Ordered by family, then numerically. Default: 0.0.0.0.
class IpAddress {
 public:
  constexpr IpAddress() = default;
  // value: host byte order, 0xC0000201 is 192.0.2.1
  static IpAddress v4(std::uint32_t value);
  static IpAddress v6(const std::array<std::uint8_t, 16>& network_order);
  // 4 or 16 octets in network order; any other size yields an error.
  static Result<IpAddress, std::string> from_bytes(std::span<const std::uint8_t> network_order);
  // Dotted quad or RFC 4291 text. The error names the text.
  static Result<IpAddress, std::string> parse(std::string_view text);

  Family family() const { return family_; }
  bool is_v4() const { return family_ == Family::V4; }
  bool is_unspecified() const;
  // Host byte order; only for IPv4 addresses.
  std::uint32_t v4_value() const;
  // 4 or 16 octets, network order; valid as long as the address.
  std::span<const std::uint8_t> bytes() const;
  // 32 or 128
  std::uint8_t bits() const { return is_v4() ? 32 : 128; }
  std::string to_string() const;

  auto operator<=>(const IpAddress&) const = default;

 private:
  Family family_ = Family::V4;
  std::array<std::uint8_t, 16> bytes_{};
};

// A prefix whose host bits are zero once made by of() or parse().
struct Prefix {
  IpAddress address;
  std::uint8_t length = 0;  // 0..32 or 0..128

  // Clears the host bits; length is capped at the family's width.
  static Prefix of(const IpAddress& address, std::uint8_t length);
  // "10.0.0.0/16". Host bits that are set are an error that names the right prefix.
  static Result<Prefix, std::string> parse(std::string_view text);

  bool contains(const IpAddress& a) const;
  bool contains(const Prefix& p) const;
  bool is_default() const { return length == 0; }
  std::string to_string() const;
  auto operator<=>(const Prefix&) const = default;
};

// An address on a subnet, host bits kept: "169.254.10.2/30".
struct InterfaceAddress {
  IpAddress address;
  std::uint8_t length = 0;

  static Result<InterfaceAddress, std::string> parse(std::string_view text);
  Prefix subnet() const { return Prefix::of(address, length); }
  std::string to_string() const;
  auto operator<=>(const InterfaceAddress&) const = default;
};

// A UDP or TCP endpoint; port in host byte order.
struct Endpoint {
  IpAddress address;
  std::uint16_t port = 0;

  std::string to_string() const;  // "192.0.2.1:500", "[2001:db8::1]:500"
  auto operator<=>(const Endpoint&) const = default;
};

}  // namespace cgw
