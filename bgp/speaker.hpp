#pragma once
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <variant>
#include <vector>

#include "bgp/graceful.hpp"
#include "bgp/prefix_limit.hpp"
#include "bgp/ribs.hpp"
#include "bgp/session.hpp"

// A BGP speaker: the sessions with all neighbors, joined to the tables of all routes. Pure. The shell brings each
// neighbor's events, obeys the actions, and has work() done while there is some, a piece at a time between events.
namespace cgw::bgp {

struct NeighborConfig {
  SessionConfig session;
  NeighborRoutes routes;
  PerFamily<PrefixLimit> limit;  // of what is received
  GracefulConfig graceful;       // as a helper
  // Octets that TCP is given ahead of the neighbor's reading: enough for a long fat path, and the most that a slow
  // neighbor costs.
  std::size_t window = 256U << 10;
  bool soft_reconfiguration_inbound = false;  // 'clear soft in' judges what is stored, and asks for nothing
  bool operator==(const NeighborConfig&) const = default;
};

// The paths that sessions of the neighbor have left behind count no more, from now on; changes() names their prefixes
// by and by.
struct PathsGone {};

// For the shell, in this order. Those of a Session, but for what ends in the tables.
using NeighborAction = std::variant<Dial, Close, SendBytes, SessionUp, SessionDown, PathsGone, EndOfRib, Moved, Note>;
struct SpeakerAction {
  NeighborId neighbor;
  NeighborAction action;
};
using SpeakerActions = std::vector<SpeakerAction>;

// `clear bgp`: with a NOTIFICATION; or have its routes judged again (or sent again, see soft_reconfiguration_inbound);
// or tell it all again.
enum class Clear : std::uint8_t { Hard, SoftIn, SoftOut };

struct PrefixCounts {
  std::uint32_t received = 0, accepted = 0, filtered = 0, sent = 0, held_back = 0;
  bool operator==(const PrefixCounts&) const = default;
};

// A path that packets can take, whatever health thinks of the neighbor.
struct Way {
  NeighborId neighbor;
  AttributeId attributes;
  std::uint32_t path_id = 0;
};

class Speaker {
 public:
  // random outlives the speaker: it jitters timers and seeds hashes.
  Speaker(const Router& router, const DecisionOptions& options, Random& random);
  ~Speaker();

  // The process has restarted, and packets go their old ways: the neighbors that are added now are told so, and nothing
  // else before they have told all they know, or `limit` is over (RFC 4724 4.1). Before any is added.
  void restarted(TimePoint now, Seconds limit) { restart_.begin(now + limit); }
  bool restarting() const { return restart_.begun(); }

  // ---- neighbors. One that is added waits for Start, by step().
  NeighborId add(NeighborConfig config);
  SpeakerActions remove(TimePoint now, NeighborId n);
  // What concerns routes alone takes effect without touching the session; else it is ended and begins anew.
  SpeakerActions configure(TimePoint now, NeighborId n, NeighborConfig config);
  SpeakerActions clear(TimePoint now, NeighborId n, Clear what);
  const NeighborConfig& config(NeighborId n) const { return neighbor(n).config; }
  void set_options(const DecisionOptions& options) { ribs_.set_options(options); }

  // ---- events of one neighbor; Tick when next_deadline() has come goes through tick()
  SpeakerActions step(TimePoint now, NeighborId n, const Event& event);
  SpeakerActions tick(TimePoint now);
  std::optional<TimePoint> next_deadline() const;

  // ---- work that has been put off
  bool has_work() const;
  SpeakerActions work(TimePoint now);

  // ---- from the router; all leave work behind
  void originate(const Prefix& p, const PathAttributes& a, const LocalValues& local, TimePoint now) {
    ribs_.originate(p, a, local, now);
  }
  void withdraw(const Prefix& p) { ribs_.withdraw(p); }
  void set_aggregates(const std::vector<Aggregate>& wanted) { ribs_.set_aggregates(wanted); }
  // By the verdict of health. What a dead neighbor's sessions have left goes, whatever it has promised.
  void set_usable(NeighborId n, bool usable);
  void set_next_hop(const IpAddress& a, bool reachable, std::uint32_t metric) {
    ribs_.set_next_hop(a, reachable, metric);
  }

  // ---- to program routes from, when somebody has said follow_changes(): the prefixes of which something has changed,
  // each once, and what there is now
  void follow_changes() { ribs_.follow_changes(); }
  std::vector<Prefix> take_changes(Family f, std::size_t most) { return ribs_.take_changes(f, most); }
  bool has_changes() const { return ribs_.has_changes(); }
  // The best one first; none when the best way is our own.
  std::vector<Way> ways(const Prefix& p) const;

  // ---- what there is
  const SessionStatus& status(NeighborId n) const { return neighbor(n).session->status(); }
  PrefixCounts counts(NeighborId n, Family f) const;
  const RetainedRoutes& retained(NeighborId n) const { return neighbor(n).retained; }
  const Ribs& ribs() const { return ribs_; }

 private:
  struct Neighbor {
    NeighborConfig config;
    std::unique_ptr<Session> session;
    std::size_t in_flight = 0;  // octets that TCP has not yet taken
    std::optional<TimePoint> deadline;
    PerFamily<bool> said_held_back;
    PerFamily<PrefixWarning> warning;
    bool over_limit = false;  // until the operator clears it
    Negotiated agreed;        // of the last session
    RetainedRoutes retained;
    PerFamily<std::optional<TimePoint>> refresh_end;  // of the neighbor's, at the latest
  };
  struct Turn {
    TimePoint now;
    SpeakerActions out;
  };

  Neighbor& neighbor(NeighborId n) { return neighbors_[n.value()]; }
  const Neighbor& neighbor(NeighborId n) const { return neighbors_[n.value()]; }
  void run(Turn& t, NeighborId n, const Event& event);
  void obey(Turn& t, NeighborId n, Action&& action);
  void up(Turn& t, NeighborId n, const Negotiated& agreed);
  std::optional<Reset> receive(Turn& t, NeighborId n, const Update& update);
  void end(Turn& t, NeighborId n, const Reset& reset);
  bool may_send(NeighborId n) const;
  void send(Turn& t, NeighborId n);
  void tell_held_back(Turn& t, NeighborId n, Family f);
  void arm(NeighborId n);
  std::unique_ptr<Session> make_session(NeighborId n, SessionConfig config);

  // speaker_graceful.cpp
  void down(Turn& t, NeighborId n, SessionDown&& d);
  void refresh(Turn& t, NeighborId n, const RefreshRequested& r);
  void apply(NeighborId n, const RetainedRoutes::Changes& changes);
  void expire(Turn& t, NeighborId n);
  void follow_restart();

  Random& random_;
  Ribs ribs_;
  std::deque<Neighbor> neighbors_;  // by NeighborId; 0 is nobody
  std::set<std::pair<TimePoint, NeighborId>> deadlines_;
  RestartDeferral restart_;
  std::uint16_t turn_ = 0;  // whose output was looked at last
};

}  // namespace cgw::bgp
