#pragma once
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/wire.hpp"
#include "bgp/types.hpp"

namespace cgw::bgp {

// What the session has agreed on, as far as parsing depends on it.
struct UpdateContext {
  bool ebgp = true;
  bool four_octet_as = true;
  Asn local_as, remote_as;
  IpAddress local_address;
};

// One UPDATE, RFC 7606 already applied: prefixes that must be treated as withdrawn are among `withdrawn`.
struct Update {
  std::vector<Prefix> withdrawn;
  std::vector<Prefix> announced;
  AttributesPtr attributes;           // set when announced is not empty
  bool end_of_rib = false;            // RFC 4724 2, IPv4 unicast
  std::vector<std::string> findings;  // what was malformed and what was done, for the log
  std::string not_usable;  // why all announced prefixes moved to withdrawn (AS loop, ...); empty if they did not
};

// The error resets the session (RFC 4271 6.3 as far as RFC 7606 leaves it).
Result<Update, Notification> parse_update(Bytes body, const UpdateContext& context);

// Messages of at most 4096 octets that withdraw, or announce with these attributes.
using Messages = std::vector<std::vector<std::uint8_t>>;
Messages encode_withdraw(const std::vector<Prefix>& prefixes);
Messages encode_announce(const std::vector<Prefix>& prefixes, const PathAttributes& a, const UpdateContext& context);
std::vector<std::uint8_t> encode_end_of_rib();

}  // namespace cgw::bgp
