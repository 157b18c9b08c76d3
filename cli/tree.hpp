#pragma once
#include <string>
#include <string_view>

#include <boost/json/value.hpp>

// Reading state trees without surprises: what is missing or of another type is empty. Private to the renderers.
namespace cgw::cli {

inline const boost::json::value& at(const boost::json::value& v, std::string_view key) {
  static const boost::json::value kNull;
  if (!v.is_object()) return kNull;
  const auto* found = v.as_object().if_contains(key);
  return found != nullptr ? *found : kNull;
}
inline std::string text(const boost::json::value& v) {
  return v.is_string() ? std::string(v.as_string()) : std::string();
}
inline std::string text(const boost::json::value& v, std::string_view key) {
  return text(at(v, key));
}
inline bool flag(const boost::json::value& v, std::string_view key) {
  const auto& f = at(v, key);
  return f.is_bool() && f.as_bool();
}
inline double number(const boost::json::value& v) {
  if (v.is_int64()) return static_cast<double>(v.as_int64());
  if (v.is_uint64()) return static_cast<double>(v.as_uint64());
  return v.is_double() ? v.as_double() : 0;
}
inline std::int64_t integer(const boost::json::value& v, std::string_view key) {
  return static_cast<std::int64_t>(number(at(v, key)));
}
inline const boost::json::array& list(const boost::json::value& v, std::string_view key) {
  static const boost::json::array kNone;
  const auto& a = at(v, key);
  return a.is_array() ? a.as_array() : kNone;
}

}  // namespace cgw::cli
