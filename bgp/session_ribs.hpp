#pragma once
#include <map>
#include <memory>
#include <variant>
#include <vector>

#include "bgp/adj_rib_out.hpp"
#include "bgp/session.hpp"

namespace cgw::bgp {

// The complete set of what is to be announced; the difference is sent.
struct Announce {
  std::vector<Advertisement> routes;
};
using RibsEvent = std::variant<Start, Stop, Connected, Disconnected, Received, Written, Announce, Tick>;

// From the Adj-RIB-In: attributes null means withdrawn.
struct RouteChange {
  Prefix prefix;
  AttributesPtr attributes;
};
struct RouteChanges {
  std::vector<RouteChange> changes;
};
using RibsAction = std::variant<Dial, Close, SendBytes, RouteChanges, EndOfRib, SessionUp, SessionDown, Moved, Note>;
using RibsActions = std::vector<RibsAction>;

// A Session of IPv4 unicast with its own Adj-RIB-In and Adj-RIB-Out: for a neighbor whose routes go straight to
// rib::Rib.
class SessionRibs {
 public:
  // jitter outlives the session.
  SessionRibs(SessionConfig config, Random& jitter);

  RibsActions step(TimePoint now, const RibsEvent& event);
  std::optional<TimePoint> next_deadline() const { return session_.next_deadline(); }
  const SessionStatus& status() const { return status_; }
  const std::map<Prefix, AttributesPtr>& adj_rib_in() const { return adj_rib_in_; }
  std::vector<Advertisement> adj_rib_out() const;  // what the neighbor has been told

 private:
  struct Turn;
  void run(Turn& t, const Event& e);
  void announce(Turn& t, const std::vector<Advertisement>& routes);
  void advertise(Turn& t);
  void apply(Turn& t, const Update& u);
  void withdraw(Turn& t, const Nlri& n);
  void down(Turn& t, SessionDown d);

  SessionConfig config_;
  Session session_;
  SessionStatus status_;
  std::map<Prefix, AttributesPtr> adj_rib_in_;
  AdjRibOut adj_rib_out_;
  bool said_held_back_ = false;
};

}  // namespace cgw::bgp
