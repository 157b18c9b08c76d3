#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.hpp"
#include "base/result.hpp"
#include "base/wire.hpp"

// Who a side says it is (RFC 7296 3.5), and when two such names are the same (RFC 4945 3.1, RFC 5280 7.1).
namespace cgw::ipsec {

struct Identity {
  enum class Type : std::uint8_t { Ipv4 = 1, Fqdn = 2, Rfc822 = 3, Ipv6 = 5, DerAsn1Dn = 9, KeyId = 11 };
  Type type = Type::Ipv4;
  std::vector<std::uint8_t> data;

  static Identity of(const IpAddress& a);
  static Identity fqdn(std::string_view name);
  // "C=US, O=Example, CN=vpn": attributes in the certificate's order; a comma in a value is "\,".
  static Result<Identity, std::string> dn(std::string_view text);
  // A configuration's words: address, fqdn, email or dn, and the name itself.
  static Result<Identity, std::string> parse(std::string_view kind, std::string_view text);
  std::string to_string() const;  // printable; a DN as dn() reads it
  bool operator==(const Identity&) const = default;
};

// Host names without regard to case, DNs attribute by attribute whatever their string types are.
bool same(const Identity& a, const Identity& b);

// The body of an IDi or IDr payload. Nothing: another type, a length that the type does not have, control characters
// in a name, a DN that is not one DER Name from end to end.
std::optional<Identity> parse_id(Bytes body);
std::vector<std::uint8_t> id_body(const Identity& id);

}  // namespace cgw::ipsec
