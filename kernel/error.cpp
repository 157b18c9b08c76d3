#include "kernel/error.hpp"

#include <cstring>

#include <fmt/format.h>

namespace cgw::kernel {

std::string KernelError::to_string() const {
  const char* name = ::strerrorname_np(errnum);
  std::string out = fmt::format("{}: {} ({})", request, ::strerrordesc_np(errnum) ? ::strerrordesc_np(errnum) : "?",
                                name != nullptr ? std::string(name) : fmt::format("errno {}", errnum));
  if (!detail.empty()) out += ": " + detail;
  return out;
}

}  // namespace cgw::kernel
