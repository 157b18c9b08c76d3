#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/wire.hpp"
#include "bgp/families.hpp"
#include "bgp/types.hpp"

// What a speaker says in its OPEN that it can do (RFC 5492), and what two have in common.
namespace cgw::bgp {

// RFC 9234 4.1: what the speaker is to its neighbor.
enum class Role : std::uint8_t { Provider = 0, RouteServer = 1, RouteServerClient = 2, Customer = 3, Peer = 4 };
std::string_view to_string(Role r);
// RFC 9234 4.2, Table 2.
bool correspond(Role local, Role remote);

// RFC 7911 4, as a mask.
enum class AddPath : std::uint8_t { None = 0, Receive = 1, Send = 2, Both = 3 };
constexpr bool includes(AddPath a, AddPath what) {
  return (static_cast<std::uint8_t>(a) & static_cast<std::uint8_t>(what)) != 0;
}

// RFC 4724 3.
struct GracefulRestart {
  bool restarted = false;     // R: it has lost its routes, and waits for nobody's End-of-RIB
  bool notification = false;  // N, RFC 8538 2: a NOTIFICATION is survived as well
  Seconds restart_time{};     // at most 4095 s
  // Of the families listed: whether forwarding went on (F).
  PerFamily<std::optional<bool>> forwarding;
  bool operator==(const GracefulRestart&) const = default;
};

// RFC 9494 3.1.
struct LongLived {
  bool forwarding = false;
  Seconds stale_time{};  // 24 bits
  bool operator==(const LongLived&) const = default;
};

struct Capabilities {
  PerFamily<bool> families;  // RFC 4760 8
  bool any_multiprotocol = false;
  bool route_refresh = false;           // RFC 2918
  bool enhanced_route_refresh = false;  // RFC 7313
  bool extended_messages = false;       // RFC 8654
  bool extended_next_hop = false;       // RFC 8950: IPv4 unicast behind an IPv6 next hop
  bool four_octet_as = false;           // RFC 6793; the number is the OPEN's
  std::optional<Role> role;             // RFC 9234
  bool role_contradicts = false;        // several, not all the same
  PerFamily<AddPath> add_path;          // RFC 7911
  std::optional<GracefulRestart> graceful_restart;
  PerFamily<std::optional<LongLived>> long_lived;
  std::string hostname, domain;       // draft-walton-bgp-hostname-capability; as sent, to be made printable
  std::vector<std::uint8_t> unknown;  // codes of those that were passed over (RFC 5492 3)
  bool operator==(const Capabilities&) const = default;
};

// Takes one capability. False: one that the session depends on is malformed. Of the others a malformed one is passed
// over like an unknown one.
bool read_capability(std::uint8_t code, Bytes value, Capabilities& out, Asn& four_octet_as);
// Code, length and value of each, in the order of the codes. `asn` is the number of the four-octet capability.
std::vector<std::uint8_t> write_capabilities(const Capabilities& c, Asn asn);

}  // namespace cgw::bgp
