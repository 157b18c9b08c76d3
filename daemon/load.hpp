#pragma once
#include <string>

#include "config/config.hpp"
#include "daemon/credentials.hpp"

namespace cgw {

struct Loaded {
  config::Config config;
  config::Secrets secrets;
  CredentialsByTunnel credentials;
  config::Diagnostics warnings;
};

// Reads and validates a configuration and the file 'secrets' beside it. A secrets file that others may
// read is refused.
Result<Loaded, config::Diagnostics> load(const std::string& config_file);

}  // namespace cgw
