#pragma once
#include <string>
#include <string_view>

#include <sys/types.h>

#include "base/result.hpp"

namespace cgw::cli {

// At most `limit` octets; the error names the file and what the system says.
Result<std::string, std::string> read_file(const std::string& path, std::size_t limit);

// Whole or not at all (temporary file, fsync, rename), with exactly this mode. Missing directories are made.
Result<void, std::string> write_file(const std::string& path, std::string_view content, mode_t mode);

}  // namespace cgw::cli
