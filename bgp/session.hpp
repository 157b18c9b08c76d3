#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/note.hpp"
#include "base/random.hpp"
#include "bgp/types.hpp"

// A BGP-4 session with one neighbour (RFC 4271): FSM with both connections of a collision,
// Adj-RIB-In and Adj-RIB-Out. Pure: the shell owns the sockets, which it knows by ConnectionId.
namespace cgw::bgp {

enum class State : std::uint8_t { Idle, Connect, Active, OpenSent, OpenConfirm, Established };
std::string_view to_string(State s);

struct SessionConfig {
  Asn local_as, remote_as;
  RouterId router_id;
  IpAddress local_address, remote_address;
  Seconds hold_time{30};       // 0 or >= 3
  Seconds keepalive_time{10};  // capped at a third of the negotiated hold time
  Seconds connect_retry{5};    // with 0.75..1.0 jitter
  bool passive = false;
  // Prefixes we may announce at most (AWS: 100 to a VGW, 1000 to a TGW); the rest is held back, with a
  // Warning note, before the peer resets the session.
  std::uint32_t maximum_prefix_out = 100;
  // Prefixes accepted at most; past it the session is ceased (6/1) and restarted after a minute.
  std::uint32_t maximum_prefix_in = 1'000'000;
};

// Which TCP connection: the one we dial or the one we accepted. At most one of each lives.
enum class ConnectionId : std::uint8_t { Outgoing, Incoming };

// What we announce: our networks. AS_PATH (our AS) and NEXT_HOP (local_address) are put by the session.
struct Advertisement {
  Prefix prefix;
  std::optional<std::uint32_t> med;
  std::vector<std::uint32_t> communities;
  bool operator==(const Advertisement&) const = default;
};

// ---- events; in brackets RFC 4271 8.1's names
struct Start {};  // [AutomaticStart]: the tunnel carries traffic
// [ManualStop, AutomaticStop]: NOTIFICATION Cease with this subcode (RFC 4486) when a session is up.
struct Stop {
  std::uint8_t cease_subcode = 2;
  std::string why;
};
struct Connected {  // [Tcp_CR_Acked | TcpConnectionConfirmed]
  ConnectionId connection;
};
struct Disconnected {  // [TcpConnectionFails]; also a dial that failed
  ConnectionId connection;
  std::string why;
};
struct Received {
  ConnectionId connection;
  std::vector<std::uint8_t> bytes;  // as read from the stream, any cut
};
// The complete set of what is to be announced; the session sends the difference.
struct Announce {
  std::vector<Advertisement> routes;
};
struct Tick {};
using Event = std::variant<Start, Stop, Connected, Disconnected, Received, Announce, Tick>;

// ---- actions, in this order
struct Dial {};  // open the outgoing connection; an earlier attempt is abandoned
struct Close {
  ConnectionId connection;
};
struct SendBytes {
  ConnectionId connection;
  std::vector<std::uint8_t> bytes;
};
// From the Adj-RIB-In, after import checks: attributes null means withdrawn.
struct RouteChange {
  Prefix prefix;
  AttributesPtr attributes;
};
struct RouteChanges {
  std::vector<RouteChange> changes;
};
struct EndOfRib {};
struct SessionUp {};
// All routes of the neighbour are gone from the Adj-RIB-In; no RouteChange is sent for each.
struct SessionDown {
  std::string why;
};
struct Moved {
  State from, to;
  std::string why;
};
using Action = std::variant<Dial, Close, SendBytes, RouteChanges, EndOfRib, SessionUp, SessionDown, Moved, Note>;
using Actions = std::vector<Action>;

// What `show bgp summary` and `show bgp neighbors` tell.
struct SessionStatus {
  State state = State::Idle;
  std::optional<TimePoint> established;
  Seconds hold_time{}, keepalive_time{};  // negotiated
  RouterId peer_router_id;
  std::uint64_t messages_received = 0, messages_sent = 0;
  std::uint32_t prefixes_received = 0, prefixes_sent = 0, prefixes_held_back = 0;
  std::uint32_t established_count = 0, dropped_count = 0;
  std::string last_reset;  // words; empty if there was none
  std::uint64_t malformed_updates = 0;
};

class Session {
 public:
  // jitter outlives the session.
  Session(SessionConfig config, Random& jitter);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  Actions step(TimePoint now, const Event& event);
  std::optional<TimePoint> next_deadline() const;
  const SessionStatus& status() const;
  const std::map<Prefix, AttributesPtr>& adj_rib_in() const;
  std::vector<Advertisement> adj_rib_out() const;  // what the neighbour has been told

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace cgw::bgp
