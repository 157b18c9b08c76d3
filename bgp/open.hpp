#pragma once
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/wire.hpp"
#include "bgp/capabilities.hpp"
#include "bgp/types.hpp"

namespace cgw::bgp {

// RFC 4271 4.2 with its capabilities (RFC 5492). asn is the four-octet one where the capability names it.
struct Open {
  Asn asn;
  Seconds hold_time{};
  RouterId router_id;
  Capabilities capabilities;
  bool operator==(const Open&) const = default;
};

// What to answer (RFC 4271 6.2), and in words what was wrong.
struct OpenRefusal {
  Notification notification;
  std::string why;
};
Result<Open, OpenRefusal> parse_open(Bytes body);
// The whole message; with more than 255 octets of capabilities in the extended form (RFC 9072).
std::vector<std::uint8_t> encode_open(const Open& open);

}  // namespace cgw::bgp
