#pragma once
#include <functional>
#include <map>
#include <optional>
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

// The line on which a block or a setting stands, by its words: "vpn connection v / tunnel 1 / mtu".
using Places = std::map<std::string, unsigned, std::less<>>;
// Of a place, or of the block around it; 0: it has none.
unsigned line_of(const Places& places, std::string_view place);

// The whole file. Every wrong line is reported, not only the first. file: its name for diagnostics.
Result<Config, Diagnostics> parse(std::string_view text, std::string_view file, const SuiteChecker& suites = {},
                                  Places* places = nullptr);

// The canonical text; parse(render(c)) == c. Secrets appear as names only.
std::string render(const Config& c);

// What no single line can see: missing addresses, two tunnels with one outside address or overlapping inside
// subnets, a neighbor that is no tunnel's, a static route to an unknown connection, interface names that clash,
// secrets that are missing, prefixes over AWS's limits. Texts of warnings start with "warning: "; they stop nothing.
// secrets null: not checked. places: for the lines of the findings.
struct Findings {
  Diagnostics errors, warnings;
};
// Of lists and maps that are named and do not exist: warnings, part of the above.
Diagnostics missing_names(const Policy& policy, const Places& places);
Findings validate(const Config& c, const Secrets* secrets, const Places& places = {});

// The router's own number, the same in every session (RFC 4271 4.2): as configured, else the first IPv4 outside address
// of ours, else the first IPv4 inside address. An IPv6 address is none.
std::optional<IpAddress> bgp_identifier(const Config& c);

// "NAME KEY" lines. Errors show neither.
Result<Secrets, Diagnostics> parse_secrets(std::string_view text, std::string_view file);
std::string render_secrets(const Secrets& s);

}  // namespace cgw::config
