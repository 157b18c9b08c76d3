#pragma once
#include <memory>
#include <string>

#include "bgp/policy/policy_set.hpp"
#include "config/config.hpp"
#include "daemon/credentials.hpp"

namespace cgw {

struct Loaded {
  config::Config config;
  config::Secrets secrets;
  CredentialsByTunnel credentials;
  std::shared_ptr<const bgp::policy::PolicySet> policy;
  config::Diagnostics warnings;
};

// Reads and validates a configuration and the file 'secrets' beside it. A secrets file that others may
// read is refused.
Result<Loaded, config::Diagnostics> load(const std::string& config_file);

}  // namespace cgw
