#include "base/note.hpp"

#include <fmt/format.h>

namespace cgw {

std::string printable(std::string_view text, std::size_t limit) {
  std::string out;
  for (const char c : text.substr(0, limit)) {
    const auto u = static_cast<unsigned char>(c);
    if (u >= 0x20 && u < 0x7f && u != '\\') {
      out += c;
    } else {
      out += fmt::format("\\x{:02x}", u);
    }
  }
  if (text.size() > limit) out += "...";
  return out;
}

std::string hex(std::string_view octets, std::size_t limit) {
  std::string out;
  for (const char c : octets.substr(0, limit)) {
    if (!out.empty()) out += ' ';
    out += fmt::format("{:02x}", static_cast<unsigned char>(c));
  }
  if (octets.size() > limit) out += " ...";
  return out;
}

}  // namespace cgw
