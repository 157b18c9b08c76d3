#pragma once
#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <fmt/format.h>

#include "config/rows.hpp"

// Rows of a `tunnel` block that do the same to different members.
namespace cgw::config {

inline std::vector<Rendered> line_if(bool present, std::string text) {
  if (!present) return {};
  return {{std::move(text), {}}};
}

// What holds a value of its own or goes by itself: the row `... auto`.
template <auto Member>
Result<void, std::string> set_auto(Config& c, Cursor& at, const Args&, bool) {
  (tunnel_at(c, at).*Member).reset();
  return {};
}

// Rows that hold one number, with a default.
template <auto Member>
Result<void, std::string> set_count(Config& c, Cursor& at, const Args& a, bool negated) {
  using Value = std::remove_reference_t<decltype(tunnel_at(c, at).*Member)>;
  std::int64_t v = 0;
  if (!negated) std::from_chars(a[0].data(), a[0].data() + a[0].size(), v);
  tunnel_at(c, at).*Member = negated ? Tunnel{}.*Member : Value(v);
  return {};
}
template <class Value>
std::vector<Rendered> show_count(std::string_view words, const Value& v, const Value& by_default) {
  if constexpr (requires { v.count(); }) {
    return line_if(v != by_default, fmt::format("{} {}", words, v.count()));
  } else {
    return line_if(v != by_default, fmt::format("{} {}", words, v));
  }
}

template <auto Member>
Result<void, std::string> set_flag(Config& c, Cursor& at, const Args&, bool negated) {
  tunnel_at(c, at).*Member = !negated;
  return {};
}

}  // namespace cgw::config
