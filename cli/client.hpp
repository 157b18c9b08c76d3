#pragma once
#include <string>

#include <boost/json/value.hpp>

#include "base/result.hpp"

namespace cgw::cli {

struct ClientError {
  int status;  // ExitStatus
  std::string text;
};

// Asks the daemon behind RUN_DIR/cgwd.sock; the value is the answer's `data`.
Result<boost::json::value, ClientError> ask(const std::string& run_dir, const std::string& request);

}  // namespace cgw::cli
