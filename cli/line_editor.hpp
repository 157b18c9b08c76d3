#pragma once

#include "cli/shell.hpp"

namespace cgw::cli {

// The prompt on a terminal: history, Tab and `?` from the command table. Returns the status of the last command.
int interact(Shell& shell);

}  // namespace cgw::cli
