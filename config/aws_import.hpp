#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"

// AWS's downloaded files -> configuration (AWS's CustomerGatewayConfiguration XML).
namespace cgw::config {

struct ImportOptions {
  std::vector<Prefix> local_networks;  // announced by BGP (`network`); never a default route by itself
  std::vector<Prefix> vpc_cidrs;       // static mode: the prefixes behind the tunnels
  // Files of ours, for tunnels without a pre-shared key.
  std::string certificate, private_key, ca_certificate;
};

struct Imported {
  Config config;
  Secrets secrets;                 // by the names the configuration refers to
  std::vector<std::string> notes;  // what was chosen and why, one line each
  std::vector<std::string> warnings;
};

inline constexpr std::size_t kMaxImportOctets = 1U << 20;

// Errors name the element, line and column, and what to do. DOCTYPE and entities declarations are refused.
Result<Imported, Diagnostics> import_aws_xml(std::string_view text, std::string_view file,
                                             const ImportOptions& options);

}  // namespace cgw::config
