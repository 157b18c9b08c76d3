#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

namespace cgw::test {

// "feff e992" -> {0xfe, 0xff, 0xe9, 0x92}
inline std::vector<std::uint8_t> octets(std::string_view hex) {
  std::vector<std::uint8_t> out;
  int high = -1;
  for (const char c : hex) {
    const int v = c >= '0' && c <= '9'
                      ? c - '0'
                      : (c >= 'a' && c <= 'f' ? c - 'a' + 10 : (c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1));
    if (v < 0) continue;
    if (high < 0) {
      high = v;
    } else {
      out.push_back(static_cast<std::uint8_t>(high << 4 | v));
      high = -1;
    }
  }
  return out;
}

inline std::vector<std::uint8_t> text(std::string_view s) {
  return {s.begin(), s.end()};
}

}  // namespace cgw::test
