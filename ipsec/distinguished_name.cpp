#include "ipsec/distinguished_name.hpp"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "base/note.hpp"

namespace cgw::ipsec {
namespace {

constexpr std::string_view kBlank = " \t";

using BioPtr = std::unique_ptr<BIO, OpenSslFree<BIO_free_all>>;

std::string_view trim(std::string_view s) {
  const auto from = s.find_first_not_of(kBlank);
  if (from == std::string_view::npos) return {};
  return s.substr(from, s.find_last_not_of(kBlank) - from + 1);
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

// RFC 4514 2.4: '\' before a special character, or before two hexadecimal digits.
std::optional<std::string> unescape(std::string_view s) {
  std::string out;
  for (std::size_t i = 0; i < s.size(); ++i) {
    if (s[i] != '\\') {
      out += s[i];
      continue;
    }
    if (++i == s.size()) return std::nullopt;
    const int high = hex_digit(s[i]), low = i + 1 < s.size() ? hex_digit(s[i + 1]) : -1;
    if (high >= 0 && low >= 0) {
      out += static_cast<char>(high << 4 | low);
      ++i;
    } else {
      out += s[i];
    }
  }
  return out;
}

// Up to the first unescaped ',' or '+'.
std::size_t end_of_attribute(std::string_view s) {
  std::size_t i = 0;
  while (i < s.size() && s[i] != ',' && s[i] != '+')
    i += s[i] == '\\' ? 2 : 1;
  return std::min(i, s.size());
}

Result<void, std::string> add(X509_NAME* name, std::string_view attribute, bool same_rdn) {
  const auto equals = attribute.find('=');
  const auto type = trim(attribute.substr(0, equals));
  if (equals == std::string_view::npos || type.empty())
    return fail(fmt::format("'{}': an attribute is written TYPE=VALUE, as CN=vpn.example.com", printable(attribute)));
  const auto value = unescape(trim(attribute.substr(equals + 1)));
  if (!value || value->empty()) return fail(fmt::format("'{}' has no value", printable(attribute)));
  const std::string type_text(type);
  if (OBJ_txt2nid(type_text.c_str()) == NID_undef)
    return fail(fmt::format("'{}' is no attribute of a DN (CN, O, OU, C, ST, L, serialNumber, ...)", printable(type)));
  const auto* octets = reinterpret_cast<const unsigned char*>(value->data());
  const int added = X509_NAME_add_entry_by_txt(name, type_text.c_str(), MBSTRING_UTF8, octets,
                                               static_cast<int>(value->size()), -1, same_rdn ? -1 : 0);
  if (added != 1) return fail(fmt::format("'{}': the value does not fit the attribute", printable(attribute)));
  return {};
}

}  // namespace

NamePtr parse_name(Bytes der) {
  const unsigned char* at = der.data();
  NamePtr name(d2i_X509_NAME(nullptr, &at, static_cast<long>(der.size())));
  return name && at == der.data() + der.size() ? std::move(name) : nullptr;
}

std::vector<std::uint8_t> der_of(const X509_NAME* name) {
  const int size = i2d_X509_NAME(name, nullptr);
  require(size > 0, "a DN's DER");
  std::vector<std::uint8_t> out(static_cast<std::size_t>(size));
  unsigned char* at = out.data();
  i2d_X509_NAME(name, &at);
  return out;
}

std::string text_of(const X509_NAME* name) {
  if (X509_NAME_entry_count(name) == 0) return "(empty DN)";
  const BioPtr bio(BIO_new(BIO_s_mem()));
  constexpr unsigned long kForm = ASN1_STRFLGS_RFC2253 | XN_FLAG_SEP_CPLUS_SPC | XN_FLAG_FN_SN;
  require(bio && X509_NAME_print_ex(bio.get(), name, 0, kForm) >= 0, "a DN's text");
  char* octets = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &octets);
  // The flags have made it printable ASCII.
  constexpr std::size_t kMost = 400;
  return {octets, std::min(static_cast<std::size_t>(size), kMost)};
}

Result<NamePtr, std::string> name_from_text(std::string_view text) {
  NamePtr name(X509_NAME_new());
  bool same_rdn = false;
  for (std::string_view left = text;;) {
    const auto end = end_of_attribute(left);
    if (auto added = add(name.get(), left.substr(0, end), same_rdn); !added) return fail(std::move(added).error());
    if (end == left.size()) return name;
    same_rdn = left[end] == '+';
    left.remove_prefix(end + 1);
  }
}

}  // namespace cgw::ipsec
