#pragma once
#include <chrono>
#include <span>
#include <string_view>
#include <vector>

#include "bgp/session.hpp"

// MRT records (RFC 6396, with add-path RFC 8050): what sessions say and what the tables hold, for bgpdump and its like.
// Each function gives whole records; who keeps the file only appends them.
namespace cgw::bgp::mrt {

using Octets = std::vector<std::uint8_t>;
using WallTime = std::chrono::sys_time<std::chrono::microseconds>;

// One session, as the records of it name it.
struct Link {
  Asn local_as, remote_as;
  IpAddress local_address, remote_address;
  std::uint16_t interface = 0;  // its index; 0: unknown
};

enum class Direction : std::uint8_t { Received, Sent };

// BGP4MP_ET: a message with its header, and a change of state. The context tells how its UPDATEs are written.
Octets message(WallTime at, const Link& link, Direction direction, const UpdateContext& context, Bytes message);
Octets state_change(WallTime at, const Link& link, State from, State to);

// TABLE_DUMP_V2: the peers, to whose places the routes refer, then each prefix once.
struct Peer {
  RouterId router_id;
  IpAddress address;
  Asn asn;
};
struct Route {
  std::uint16_t peer = 0;        // its place
  std::uint32_t originated = 0;  // seconds since 1970
  std::uint32_t path_id = 0;
  PathAttributes attributes;
};
Octets peer_index_table(WallTime at, RouterId collector, std::string_view view, std::span<const Peer> peers);
// Routes that no record can hold are left out. With path ids when one of them has some.
Octets rib_entry(WallTime at, std::uint32_t sequence, const Prefix& prefix, std::span<const Route> routes);

}  // namespace cgw::bgp::mrt
