#pragma once
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "config/model.hpp"

// Text <-> model. Pure: reading files is the caller's.
namespace cgw::config {

// Says what is wrong with a proposal such as "aes256gcm16-prfsha384-ecp384"; empty when nothing is. The caller gives
// it, since this room knows nothing of IPsec.
struct SuiteChecker {
  std::string (*ike)(std::string_view text) = nullptr;
  std::string (*esp)(std::string_view text) = nullptr;
};

// The whole file. Every wrong line is reported, not only the first. file: its name for diagnostics.
Result<Config, Diagnostics> parse(std::string_view text, std::string_view file, const SuiteChecker& suites = {});

// The canonical text; parse(render(c)) == c. Secrets appear as names only.
std::string render(const Config& c);

// What no single line can see: missing addresses, two tunnels with one outside address, a neighbour
// that is no tunnel's, a static route to an unknown connection, interface names that clash or are too
// long, secrets that are missing, a hold time below 3, prefixes over AWS's limits (Warning texts start
// with "warning: " and do not stop anything). secrets null: not checked.
struct Findings {
  Diagnostics errors, warnings;
};
Findings validate(const Config& c, const Secrets* secrets);

Result<Secrets, Diagnostics> parse_secrets(std::string_view text, std::string_view file);
std::string render_secrets(const Secrets& s);

}  // namespace cgw::config
