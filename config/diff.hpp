#pragma once
#include <string>

#include "config/model.hpp"

namespace cgw::config {

// Lines of the canonical texts that only one of them has, "-" of the old, "+" of the new, each below the lines of the
// blocks it stands in, once. Empty: they say the same.
std::string difference(const Config& old, const Config& fresh);

}  // namespace cgw::config
