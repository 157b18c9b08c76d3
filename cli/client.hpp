#pragma once
#include <chrono>
#include <string>

#include <boost/json/value.hpp>

#include "base/result.hpp"

namespace cgw::cli {

struct ClientError {
  int status;  // ExitStatus
  std::string text;
};

// Asks the daemon behind RUN_DIR/cgwd.sock; the value is the answer's `data`. A daemon that is silent for `patience`
// is given up on.
Result<boost::json::value, ClientError> ask(const std::string& run_dir, const std::string& request,
                                            std::chrono::milliseconds patience = std::chrono::seconds(15));

}  // namespace cgw::cli
