#pragma once
#include <string>

#include "base/result.hpp"
#include "config/model.hpp"

namespace cgw {

enum class Access { Anyone, OwnerOnly };
// A regular file of at most 16 MiB, whole. OwnerOnly: refused when group or others have any right to it.
Result<std::string, config::Diagnostics> read_file(const std::string& file, Access access);

}  // namespace cgw
