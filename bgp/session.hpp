#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/note.hpp"
#include "base/random.hpp"
#include "bgp/framing.hpp"
#include "bgp/negotiated.hpp"

// A BGP-4 session with one neighbor (RFC 4271): the FSM, with both connections of a collision, and the codec. It keeps
// no routes. Pure: the shell owns the sockets, which it knows by ConnectionId.
namespace cgw::bgp {

enum class State : std::uint8_t { Idle, Connect, Active, OpenSent, OpenConfirm, Established };
std::string_view to_string(State s);

Capabilities default_capabilities();
// RFC 9687 6.
Seconds default_send_hold_time(Seconds hold_time);

struct SessionConfig {
  Asn local_as, remote_as;
  RouterId router_id;
  IpAddress local_address, remote_address;
  Seconds hold_time{30};       // 0 or >= 3
  Seconds keepalive_time{10};  // capped at a third of the negotiated hold time
  Seconds connect_retry{5};    // with 0.75..1.0 jitter
  bool passive = false;
  Capabilities capabilities = default_capabilities();  // what we offer
  bool strict_role = false;                            // RFC 9234 4.2: a neighbor without a role is refused
  bool enforce_first_as = true;
  bool accept_as_sets = false;
  Seconds delay_open{0};  // RFC 4271 8.1.1; 0: our OPEN goes at once
  // RFC 9687; 0: off. Only for a shell that tells Written.
  Seconds send_hold_time{0};
  bool operator==(const SessionConfig&) const = default;
};

// Which TCP connection: the one we dial or the one we accepted. At most one of each lives.
enum class ConnectionId : std::uint8_t { Outgoing, Incoming };

// ---- events; in brackets RFC 4271 8.1's names
struct Start {};  // [AutomaticStart]: the tunnel carries traffic
// [ManualStop, AutomaticStop]: NOTIFICATION Cease with this subcode (RFC 4486) when a session is up.
struct Stop {
  std::uint8_t cease_subcode = 2;
  std::string why;
  std::string communication{};  // RFC 9003: for the neighbor's operator, with subcodes 2 and 4
};
// Ends what is up with this NOTIFICATION and comes back by itself, not before `pause` is over: a limit was passed, an
// operator cleared the session.
struct Reset {
  Notification notification;
  std::string why;
  std::optional<Duration> pause{};
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
// TCP has taken octets of this connection; so many are waiting still.
struct Written {
  ConnectionId connection;
  std::size_t waiting = 0;
};
// Whole messages for the neighbor, one behind the other, by bgp/update's encoder in the context of the session. Nothing
// when it is not up.
struct SendUpdates {
  std::vector<std::uint8_t> octets;
  std::uint32_t messages = 1;
  std::uint32_t marks = 0;  // of them ROUTE-REFRESH: where a refresh begins and ends
};
// All routes of the family are wanted again (RFC 2918).
struct RequestRefresh {
  Family family = Family::V4;
};
struct Tick {};
using Event =
    std::variant<Start, Stop, Reset, Connected, Disconnected, Received, Written, SendUpdates, RequestRefresh, Tick>;

// ---- actions, in this order
struct Dial {};  // open the outgoing connection; an earlier attempt is abandoned
struct Close {
  ConnectionId connection;
};
struct SendBytes {
  ConnectionId connection;
  std::vector<std::uint8_t> bytes;
};
struct SessionUp {
  Negotiated negotiated;
  std::vector<std::uint8_t> sent_open, received_open;  // whole messages, as BMP tells them (RFC 7854 4.10)
};
// All routes of the neighbor go, unless `graceful`: then those of the families that the negotiation retains may stay,
// stale, for the neighbor's restart time (RFC 4724 4.2, 8538 4).
struct SessionDown {
  std::string why;
  bool graceful = false;
  std::optional<Notification> sent, received;  // that ended it
};
struct RoutesReceived {
  Update update;  // well-formed; whether it may be used is for policy and bgp/eligibility
};
struct EndOfRib {
  Family family = Family::V4;
};
// Request: send all again, between Begin and End where enhanced refresh is negotiated. Begin: mark all as stale; End:
// what is still so goes (RFC 7313 4).
struct RefreshRequested {
  Family family = Family::V4;
  RefreshKind kind = RefreshKind::Request;
};
// RFC 4760 7: the routes of this family go, and none comes before the session ends.
struct FamilyDisabled {
  Family family = Family::V4;
  std::string why;
};
struct Moved {
  State from, to;
  std::string why;
};
using Action = std::variant<Dial, Close, SendBytes, SessionUp, SessionDown, RoutesReceived, EndOfRib, RefreshRequested,
                            FamilyDisabled, Moved, Note>;
using Actions = std::vector<Action>;

struct MessageCounts {
  std::uint64_t open = 0, update = 0, notification = 0, keepalive = 0, route_refresh = 0;
  std::uint64_t total() const { return open + update + notification + keepalive + route_refresh; }
};

// What `show bgp summary` and `show bgp neighbors` tell.
struct SessionStatus {
  State state = State::Idle;
  std::optional<TimePoint> established;
  Seconds hold_time{}, keepalive_time{};  // negotiated
  RouterId peer_router_id;
  std::uint64_t messages_received = 0, messages_sent = 0;
  std::uint32_t established_count = 0, dropped_count = 0;
  std::string last_reset;  // words; empty if there was none
  std::uint64_t malformed_updates = 0;
  MessageCounts received, sent;
  std::optional<Negotiated> negotiated;  // of the session that stands
  std::optional<Notification> last_notification_received, last_notification_sent;
  std::optional<Finding> last_finding;  // of the last malformed UPDATE
  PerFamily<bool> disabled;             // families that an error cost until the session ends
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
  // Of a speaker whose restart is over: its next OPEN says R no more (RFC 4724 3).
  void end_restart();
  // How to write UPDATEs for the neighbor; of use while the session is up.
  const UpdateContext& context() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace cgw::bgp
