#pragma once

namespace cgw::cli {

// The program's exit statuses.
enum ExitStatus : int {
  kOk = 0,
  kCommandError = 1,
  kFileError = 2,  // a configuration or import file
  kUnreachable = 3,
  kNotPermitted = 4,
};

}  // namespace cgw::cli
