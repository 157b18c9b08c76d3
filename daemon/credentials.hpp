#pragma once
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "config/config.hpp"
#include "ipsec/trust.hpp"

// Certificates, keys and identities of tunnels, from the files that a configuration names.
namespace cgw {

using CredentialsByTunnel = std::map<std::pair<std::string, unsigned>, std::shared_ptr<const ipsec::Credentials>>;

// Of every tunnel that has a certificate. Errors name the file; what ends soon becomes a warning.
Result<CredentialsByTunnel, config::Diagnostics> load_credentials(const config::Config& c,
                                                                  config::Diagnostics& warnings);

// Who we are, and who the peer has to be. credentials: null with a shared key. local: the address that we send from.
ipsec::Identity local_identity(const config::Tunnel& t, const ipsec::Credentials* credentials, const IpAddress& local);
ipsec::Identity remote_identity(const config::Tunnel& t);

ipsec::WallTime wall_clock();

}  // namespace cgw
