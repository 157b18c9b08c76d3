#pragma once
#include <string>

#include "config/aws_import.hpp"

namespace cgw::cli {

// What was found in AWS's file, a line a tunnel; keys by name.
std::string import_summary(const config::Imported& imported);

}  // namespace cgw::cli
