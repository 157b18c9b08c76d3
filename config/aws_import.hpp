#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"

// What AWS hands out for a connection -> configuration.
namespace cgw::config {

struct ImportOptions {
  std::vector<Prefix> local_networks;  // announced by BGP (`network`); never a default route by itself
  std::vector<Prefix> vpc_cidrs;       // static mode: the prefixes behind the tunnels
  // Files of ours, for tunnels without a pre-shared key.
  std::string certificate, private_key, ca_certificate;
  std::string connection;  // the one to take; empty: all of the file
  // What was imported before: tunnels keep their numbers, by AWS's outside address.
  const Config* existing = nullptr;
};

struct Imported {
  std::string format;  // what the file was taken for
  Config config;
  Secrets secrets;                 // by the names the configuration refers to
  std::vector<std::string> notes;  // what was chosen and why, one line each
  std::vector<std::string> warnings;
};

inline constexpr std::size_t kMaxImportOctets = 1U << 20;

// Any of them, told apart by what is in it: CustomerGatewayConfiguration XML, the JSON of describe-vpn-connections,
// the "Generic" text, the samples for strongSwan and for Vyatta. Errors say line, column and what to do.
Result<Imported, Diagnostics> import_aws(std::string_view text, std::string_view file, const ImportOptions& options);

// The XML alone. DOCTYPE and entity declarations are refused.
Result<Imported, Diagnostics> import_aws_xml(std::string_view text, std::string_view file,
                                             const ImportOptions& options);

// An import over what is configured already: what AWS says changes, its new connections are added, what it knows
// nothing of stays.
Config merge_import(Config base, const Config& fresh);

}  // namespace cgw::config
