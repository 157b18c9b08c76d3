#include "daemon/load.hpp"

#include <filesystem>

#include <fmt/format.h>

#include "daemon/credentials.hpp"
#include "daemon/files.hpp"
#include "daemon/policy.hpp"
#include "ipsec/algorithms.hpp"

namespace cgw {
namespace {

using config::Diagnostic;
using config::Diagnostics;

template <auto Parse>
std::string fault(std::string_view text) {
  const auto suite = Parse(text);
  return suite ? std::string() : suite.error();
}
constexpr config::SuiteChecker kSuites{fault<ipsec::parse_ike_suite>, fault<ipsec::parse_esp_suite>};

// Algorithms that are configured but weak.
void warn_of_weak(const config::Config& c, config::Diagnostics& warnings) {
  const auto warn = [&](const config::Connection& connection, unsigned tunnel, const std::string& suite,
                        const std::string& why) {
    if (why.empty()) return;
    warnings.push_back(
        {.text = fmt::format("warning: vpn connection {} tunnel {}: {}: {}", connection.id, tunnel, suite, why)});
  };
  for (const auto& connection : c.connections) {
    for (const auto& [number, t] : connection.tunnels) {
      for (const auto& s : t.ike_proposals)
        warn(connection, number, s, ipsec::weakness(*ipsec::parse_ike_suite(s)));
      for (const auto& s : t.esp_proposals)
        warn(connection, number, s, ipsec::weakness(*ipsec::parse_esp_suite(s)));
    }
  }
}

bool needs_secrets(const config::Config& c) {
  for (const auto& connection : c.connections) {
    for (const auto& [number, tunnel] : connection.tunnels) {
      if (!tunnel.pre_shared_key.empty()) return true;
    }
  }
  return false;
}

}  // namespace

Result<Loaded, Diagnostics> load(const std::string& config_file) {
  Loaded out;
  CGW_TRY(const std::string text, read_file(config_file, Access::Anyone));
  config::Places places;
  CGW_TRY(out.config, config::parse(text, config_file, kSuites, &places));

  auto policy = compile_policy(out.config.policy, places);
  if (!policy) {
    for (auto& d : policy.error())
      d.file = config_file;
    return fail(std::move(policy).error());
  }
  out.policy = std::make_shared<const bgp::policy::PolicySet>(std::move(*policy));

  const auto secrets_file = (std::filesystem::path(config_file).parent_path() / "secrets").string();
  if (needs_secrets(out.config)) {
    CGW_TRY(const std::string secrets, read_file(secrets_file, Access::OwnerOnly));
    CGW_TRY(out.secrets, config::parse_secrets(secrets, secrets_file));
  }
  auto findings = config::validate(out.config, &out.secrets, places);
  for (auto& d : findings.errors) {
    if (d.file.empty()) d.file = config_file;
  }
  if (!findings.errors.empty()) return fail(std::move(findings.errors));
  out.warnings = std::move(findings.warnings);
  auto credentials = load_credentials(out.config, out.warnings);
  if (!credentials) {
    for (auto& d : credentials.error()) {
      if (d.file.empty()) d.file = config_file;
    }
    return fail(std::move(credentials).error());
  }
  out.credentials = std::move(*credentials);
  warn_of_weak(out.config, out.warnings);
  for (auto& d : out.warnings)
    d.file = config_file;
  return out;
}

}  // namespace cgw
