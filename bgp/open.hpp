#pragma once
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/wire.hpp"
#include "bgp/types.hpp"

namespace cgw::bgp {

struct Capabilities {
  bool ipv4_unicast = false;  // RFC 4760
  bool any_multiprotocol = false;
  bool route_refresh = false;  // RFC 2918
  bool four_octet_as = false;  // RFC 6793
  bool operator==(const Capabilities&) const = default;
};

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
// The whole message, with all capabilities of ours.
std::vector<std::uint8_t> encode_open(Asn asn, Seconds hold_time, RouterId id);

}  // namespace cgw::bgp
