#include "config/import/aws_rules.hpp"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

namespace cgw::config {
namespace {

bool letter_or_digit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// Octets that follow a first one, and the least code point they must make (RFC 3629: no overlong forms).
struct Utf8Form {
  unsigned following;
  std::uint32_t bits, least;
};
std::optional<Utf8Form> utf8_form(std::uint8_t first) {
  if (first < 0x80) return Utf8Form{0, first, 0};
  if (first >= 0xc2 && first < 0xe0) return Utf8Form{1, first & 0x1fU, 0x80};
  if (first >= 0xe0 && first < 0xf0) return Utf8Form{2, first & 0x0fU, 0x800};
  if (first >= 0xf0 && first < 0xf5) return Utf8Form{3, first & 0x07U, 0x10000};
  return std::nullopt;
}

}  // namespace

bool reserved_inside(const Prefix& p) {
  static const std::vector<Prefix> kReserved = [] {
    std::vector<Prefix> out;
    for (const char* text : {"169.254.0.0/30", "169.254.1.0/30", "169.254.2.0/30", "169.254.3.0/30", "169.254.4.0/30",
                             "169.254.5.0/30", "169.254.169.252/30"}) {
      out.push_back(*Prefix::parse(text));
    }
    return out;
  }();
  return std::ranges::any_of(kReserved, [&](const Prefix& r) { return r.contains(p) || p.contains(r); });
}

std::string key_fault(std::string_view key) {
  if (key.size() < 8 || key.size() > 64) return fmt::format("has {} characters, AWS's have 8 to 64", key.size());
  if (key.front() == '0') return "begins with 0, which AWS does not allow";
  const auto fine = [](char c) { return letter_or_digit(c) || c == '.' || c == '_'; };
  const auto at = std::ranges::find_if_not(key, fine);
  if (at == key.end()) return {};
  return fmt::format("holds a character that AWS does not allow, at position {}", at - key.begin() + 1);
}

bool is_id(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return letter_or_digit(c) || c == '-'; });
}

std::optional<std::size_t> not_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    auto form = utf8_form(static_cast<std::uint8_t>(text[i]));
    if (!form) return i;
    std::size_t next = i + 1;
    for (unsigned n = 0; n < form->following; ++n, ++next) {
      if (next == text.size() || (static_cast<std::uint8_t>(text[next]) & 0xc0U) != 0x80) return i;
      form->bits = form->bits << 6 | (static_cast<std::uint8_t>(text[next]) & 0x3fU);
    }
    if (form->bits < form->least || form->bits > 0x10ffff || (form->bits >= 0xd800 && form->bits < 0xe000)) return i;
    i = next;
  }
  return std::nullopt;
}

}  // namespace cgw::config
