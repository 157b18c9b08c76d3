#pragma once
#include <chrono>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

#include "bgp/update.hpp"

// BMP messages (RFC 7854; Adj-RIB-Out RFC 8671, Loc-RIB RFC 9069): what a monitoring station is told of our sessions
// and tables. Each function gives whole messages; who keeps the connection only sends them.
namespace cgw::bgp::bmp {

using Octets = std::vector<std::uint8_t>;
using WallTime = std::chrono::sys_time<std::chrono::microseconds>;

enum class View : std::uint8_t { AdjRibIn, AdjRibInPostPolicy, AdjRibOutPostPolicy, LocRib };

// Whose routes: the neighbor's; of the Loc-RIB our own AS and router id, without an address.
struct Peer {
  IpAddress address;
  Asn asn;
  RouterId router_id;
  View view = View::AdjRibIn;
};

// RFC 7854 4.4. Both are the first messages of a connection, and its last.
Octets initiation(std::string_view system_name, std::string_view description);
enum class TerminationReason : std::uint16_t { Closed = 0, Unspecified = 1, OutOfResources = 2, Redundant = 3 };
Octets termination(TerminationReason reason);

struct Ends {
  IpAddress local_address;
  std::uint16_t local_port = 0, remote_port = 0;
};
// The OPENs as they went over the wire, with their headers.
Octets peer_up(WallTime at, const Peer& peer, const Ends& ends, Bytes sent_open, Bytes received_open);

// RFC 7854 4.9, in the order of its reasons; FSM events by their numbers in RFC 4271 8.1.
struct NotificationSent {
  Notification notification;
};
struct FsmEvent {
  std::uint16_t event = 0;
};
struct NotificationReceived {
  Notification notification;
};
struct ClosedByPeer {};
struct Deconfigured {};
using DownReason = std::variant<NotificationSent, FsmEvent, NotificationReceived, ClosedByPeer, Deconfigured>;
Octets peer_down(WallTime at, const Peer& peer, const DownReason& reason);

// RFC 7854 4.6: the routes as UPDATEs with AS numbers of four octets, with path ids when the session has agreed on
// them.
Octets announced(WallTime at, const Peer& peer, Family family, std::span<const Nlri> routes, const PathAttributes& a,
                 bool path_ids);
Octets withdrawn(WallTime at, const Peer& peer, Family family, std::span<const Nlri> routes, bool path_ids);
// All that was there when the station came has been told.
Octets end_of_rib(WallTime at, const Peer& peer, Family family);

// RFC 7854 4.8, RFC 8671 6.2.
struct Statistics {
  std::uint32_t rejected = 0;             // prefixes, by import policy
  std::uint32_t treated_as_withdraw = 0;  // UPDATEs
  PerFamily<std::uint64_t> adj_rib_in, loc_rib, adj_rib_out;
};
Octets statistics(WallTime at, const Peer& peer, const Statistics& s);

}  // namespace cgw::bgp::bmp
