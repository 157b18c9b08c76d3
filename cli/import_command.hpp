#pragma once
#include <string>
#include <vector>

namespace cgw::cli {

// `import aws FILE [connection VPN-ID] [local-network P]... [vpc-cidr P]... [--output CONF] [--secrets FILE]`; args:
// what follows `aws`. Any of AWS's files. Prints the configuration on stdout, or writes it, or changes what is there
// and shows the difference; keys go to the secrets file (0600) and nowhere else. Returns the exit status.
int import_aws(const std::vector<std::string>& args);

}  // namespace cgw::cli
