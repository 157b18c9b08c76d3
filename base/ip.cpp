#include "base/ip.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>

#include <fmt/format.h>

namespace cgw {
namespace {

struct AddressAndLength {
  IpAddress address;
  std::uint8_t length;
};

Result<AddressAndLength, std::string> parse_with_length(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) {
    return fail(fmt::format("'{}' is not a prefix (A.B.C.D/M expected)", text));
  }
  CGW_TRY(const IpAddress address, IpAddress::parse(text.substr(0, slash)));
  const auto digits = text.substr(slash + 1);
  unsigned length = 0;
  const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  if (ec != std::errc{} || end != digits.data() + digits.size() || length > address.bits()) {
    return fail(fmt::format("'{}': the prefix length must be 0 to {}", text, address.bits()));
  }
  return AddressAndLength{address, static_cast<std::uint8_t>(length)};
}

}  // namespace

IpAddress IpAddress::v4(std::uint32_t value) {
  IpAddress a;
  for (std::size_t i = 0; i < 4; ++i) {
    a.bytes_[i] = static_cast<std::uint8_t>(value >> (24 - 8 * i));
  }
  return a;
}

IpAddress IpAddress::v6(const std::array<std::uint8_t, 16>& network_order) {
  IpAddress a;
  a.family_ = Family::V6;
  a.bytes_ = network_order;
  return a;
}

Result<IpAddress, std::string> IpAddress::from_bytes(std::span<const std::uint8_t> network_order) {
  IpAddress a;
  if (network_order.size() != 4 && network_order.size() != 16) {
    return fail(fmt::format("an address of {} octets", network_order.size()));
  }
  a.family_ = network_order.size() == 4 ? Family::V4 : Family::V6;
  std::ranges::copy(network_order, a.bytes_.begin());
  return a;
}

Result<IpAddress, std::string> IpAddress::parse(std::string_view text) {
  const std::string copy(text);
  IpAddress a;
  if (copy.size() == text.size() && inet_pton(AF_INET, copy.c_str(), a.bytes_.data()) == 1) {
    return a;
  }
  if (inet_pton(AF_INET6, copy.c_str(), a.bytes_.data()) == 1) {
    a.family_ = Family::V6;
    return a;
  }
  return fail(fmt::format("'{}' is not an IP address", text));
}

bool IpAddress::is_unspecified() const {
  return std::ranges::all_of(bytes_, [](auto b) { return b == 0; });
}

std::uint32_t IpAddress::v4_value() const {
  std::uint32_t v = 0;
  for (std::size_t i = 0; i < 4; ++i)
    v = v << 8 | bytes_[i];
  return v;
}

std::span<const std::uint8_t> IpAddress::bytes() const {
  return std::span(bytes_).first(is_v4() ? 4 : 16);
}

std::string IpAddress::to_string() const {
  char text[INET6_ADDRSTRLEN] = {};
  inet_ntop(is_v4() ? AF_INET : AF_INET6, bytes_.data(), text, sizeof text);
  return text;
}

Prefix Prefix::of(const IpAddress& address, std::uint8_t length) {
  length = std::min(length, address.bits());
  std::array<std::uint8_t, 16> bytes{};
  std::ranges::copy(address.bytes(), bytes.begin());
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const auto kept = std::clamp<int>(length - static_cast<int>(8 * i), 0, 8);
    bytes[i] = static_cast<std::uint8_t>(bytes[i] & (0xff00U >> kept));
  }
  const auto masked = IpAddress::from_bytes(std::span(bytes).first(address.bytes().size()));
  return {*masked, length};
}

Result<Prefix, std::string> Prefix::parse(std::string_view text) {
  CGW_TRY(const auto parsed, parse_with_length(text));
  const Prefix p = of(parsed.address, parsed.length);
  if (p.address != parsed.address) {
    return fail(fmt::format("'{}' has host bits set: {} is meant?", text, p.to_string()));
  }
  return p;
}

bool Prefix::contains(const IpAddress& a) const {
  return a.family() == address.family() && of(a, length) == *this;
}

bool Prefix::contains(const Prefix& p) const {
  return p.length >= length && contains(p.address);
}

std::string Prefix::to_string() const {
  return fmt::format("{}/{}", address.to_string(), length);
}

Result<InterfaceAddress, std::string> InterfaceAddress::parse(std::string_view text) {
  CGW_TRY(const auto parsed, parse_with_length(text));
  return InterfaceAddress{parsed.address, parsed.length};
}

std::string InterfaceAddress::to_string() const {
  return fmt::format("{}/{}", address.to_string(), length);
}

std::string Endpoint::to_string() const {
  if (address.is_v4()) return fmt::format("{}:{}", address.to_string(), port);
  return fmt::format("[{}]:{}", address.to_string(), port);
}

}  // namespace cgw
