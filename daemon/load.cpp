#include "daemon/load.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fmt/format.h>

#include "ipsec/algorithms.hpp"

namespace cgw {
namespace {

using config::Diagnostic;
using config::Diagnostics;

constexpr off_t kMaxFile = 16 << 20;

std::unexpected<Diagnostics> one(const std::string& file, std::string text) {
  return fail(Diagnostics{Diagnostic{.file = file, .text = std::move(text)}});
}

enum class Access { Anyone, OwnerOnly };

Result<std::string, Diagnostics> read_file(const std::string& file, Access access) {
  const int fd = open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return one(file, fmt::format("cannot be read: {}", std::strerror(errno)));
  struct stat st {};
  std::string text;
  if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= kMaxFile) {
    text.resize(static_cast<std::size_t>(st.st_size));
    const ssize_t n = read(fd, text.data(), text.size());
    text.resize(n < 0 ? 0 : static_cast<std::size_t>(n));
    close(fd);
  } else {
    close(fd);
    return one(file, "is no regular file of at most 16 MiB");
  }
  if (access == Access::OwnerOnly && (st.st_mode & 077) != 0) {
    return one(file, fmt::format("holds keys but its mode is {:04o}: others could read it; chmod 600 {}",
                                 st.st_mode & 07777, file));
  }
  return text;
}

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
  warn_of_weak(out.config, out.warnings);
  for (auto& d : out.warnings)
    d.file = config_file;
  return out;
}

}  // namespace cgw
