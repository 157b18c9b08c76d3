#pragma once
#include <optional>
#include <string>

#include "bgp/open.hpp"
#include "bgp/update.hpp"

namespace cgw::bgp {

// What two OPENs have agreed on.
struct Negotiated {
  Asn remote_as;
  RouterId remote_router_id;
  Seconds hold_time{}, keepalive_time{};
  PerFamily<bool> families;
  PerFamily<bool> add_path_receive, add_path_send;
  bool four_octet_as = false;
  bool route_refresh = false;           // the neighbor takes our requests
  bool enhanced_route_refresh = false;  // both mark beginning and end
  bool extended_messages = false;       // both take 65535 octets
  bool extended_next_hop = false;
  std::optional<Role> local_role, remote_role;
  // The neighbor's; empty when it or we did not offer any (RFC 4724 3, 9494 4.5).
  std::optional<GracefulRestart> graceful_restart;
  PerFamily<std::optional<LongLived>> long_lived;
  bool graceful_notification = false;  // RFC 8538 2: both set N
  std::string hostname, domain;        // the neighbor's, printable

  bool operator==(const Negotiated&) const = default;
  // Routes of the family may stay when the session ends.
  bool retains(Family f) const { return graceful_restart && graceful_restart->forwarding[f].has_value(); }
};

Negotiated negotiate(const Open& ours, const Open& theirs);
UpdateContext update_context(const Negotiated& n, Asn local_as, const IpAddress& local_address);

}  // namespace cgw::bgp
