#pragma once
#include <string_view>

namespace cgw {

inline constexpr std::string_view kVersion = CGWD_VERSION;  // from meson.build

}  // namespace cgw
