#include "ipsec/identity.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/note.hpp"
#include "ipsec/distinguished_name.hpp"

namespace cgw::ipsec {
namespace {

constexpr std::size_t kMaxName = 255, kMaxDn = 4096;

bool printable_ascii(Bytes b) {
  return std::ranges::all_of(b, [](std::uint8_t c) { return c > 0x20 && c < 0x7f; });
}

char lower(std::uint8_t c) {
  return static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}
bool same_host(Bytes a, Bytes b) {
  return std::ranges::equal(a, b, {}, lower, lower);
}

// RFC 5280 7.5: the local part exactly, the host without regard to case.
bool same_mailbox(Bytes a, Bytes b) {
  const auto at_a = std::ranges::find(a, '@') - a.begin(), at_b = std::ranges::find(b, '@') - b.begin();
  const auto n = static_cast<std::size_t>(at_a);
  return at_a == at_b && std::ranges::equal(a.first(n), b.first(n)) && same_host(a.subspan(n), b.subspan(n));
}

bool fits(Identity::Type type, Bytes data) {
  switch (type) {
    case Identity::Type::Ipv4: return data.size() == 4;
    case Identity::Type::Ipv6: return data.size() == 16;
    case Identity::Type::Fqdn: return !data.empty() && data.size() <= kMaxName && printable_ascii(data);
    case Identity::Type::Rfc822:
      return data.size() <= kMaxName && printable_ascii(data) && std::ranges::count(data, '@') == 1;
    case Identity::Type::DerAsn1Dn: return data.size() <= kMaxDn && parse_name(data) != nullptr;
    case Identity::Type::KeyId: return !data.empty() && data.size() <= kMaxName;
  }
  return false;
}

}  // namespace

Identity Identity::of(const IpAddress& a) {
  return {a.is_v4() ? Type::Ipv4 : Type::Ipv6, {a.bytes().begin(), a.bytes().end()}};
}

Identity Identity::fqdn(std::string_view name) {
  return {Type::Fqdn, {name.begin(), name.end()}};
}

Result<Identity, std::string> Identity::dn(std::string_view text) {
  const auto name = name_from_text(text);
  if (!name) return fail(name.error());
  return Identity{Type::DerAsn1Dn, der_of(name->get())};
}

Result<Identity, std::string> Identity::parse(std::string_view kind, std::string_view text) {
  if (kind == "dn") return dn(text);
  if (kind == "address") {
    const auto a = IpAddress::parse(text);
    if (!a) return fail(a.error());
    return of(*a);
  }
  const Identity id{kind == "email" ? Type::Rfc822 : Type::Fqdn, {text.begin(), text.end()}};
  if (!fits(id.type, id.data)) {
    return fail(fmt::format("'{}' is no {}", printable(text),
                            id.type == Type::Rfc822 ? "e-mail address (NAME@HOST)" : "host name"));
  }
  return id;
}

std::string Identity::to_string() const {
  if (type == Type::Ipv4 || type == Type::Ipv6) {
    if (const auto address = IpAddress::from_bytes(data)) return address->to_string();
  }
  if (type == Type::DerAsn1Dn) {
    if (const auto name = parse_name(data)) return text_of(name.get());
  }
  return printable({reinterpret_cast<const char*>(data.data()), data.size()});
}

bool same(const Identity& a, const Identity& b) {
  if (a.type != b.type) return false;
  if (a.type == Identity::Type::Fqdn) return same_host(a.data, b.data);
  if (a.type == Identity::Type::Rfc822) return same_mailbox(a.data, b.data);
  if (a.type != Identity::Type::DerAsn1Dn) return a.data == b.data;
  const auto left = parse_name(a.data), right = parse_name(b.data);
  return left && right && X509_NAME_cmp(left.get(), right.get()) == 0;
}

//    |   ID Type     |                 RESERVED                      |
//    ~                   Identification Data                         ~
std::optional<Identity> parse_id(Bytes body) {
  Reader r(body);
  const auto type = Identity::Type{r.u8()};
  r.bytes(3);
  if (!r.ok()) return std::nullopt;
  const Bytes data = r.rest();
  if (!fits(type, data)) return std::nullopt;
  return Identity{type, {data.begin(), data.end()}};
}

std::vector<std::uint8_t> id_body(const Identity& id) {
  std::vector<std::uint8_t> b{static_cast<std::uint8_t>(id.type), 0, 0, 0};
  b.insert(b.end(), id.data.begin(), id.data.end());
  return b;
}

}  // namespace cgw::ipsec
