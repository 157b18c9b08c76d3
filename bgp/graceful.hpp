#pragma once
#include <map>
#include <optional>
#include <vector>

#include "bgp/negotiated.hpp"
#include "bgp/table.hpp"

// Graceful restart (RFC 4724, RFC 8538) and its long-lived form (RFC 9494): what becomes of routes whose session has
// gone, and for whom a speaker that has itself restarted waits. Decides only; Ribs keeps the routes.
namespace cgw::bgp {

// What we allow a neighbor, whatever it asks for.
struct GracefulConfig {
  Seconds maximum_restart_time{4095};  // without a session
  Seconds stale_time{360};             // from the new session on, until its End-of-RIB
  Seconds maximum_long_lived_time{0xffffff};
  bool operator==(const GracefulConfig&) const = default;
};

// The helper's side of one neighbor: the routes of its last session.
class RetainedRoutes {
 public:
  struct Change {
    Family family = Family::V4;
    Leftover leftover = Leftover::Gone;
    bool operator==(const Change&) const = default;
  };
  using Changes = std::vector<Change>;

  // The session has ended; graceful as it said itself. What its routes now are.
  PerFamily<Leftover> down(TimePoint now, const Negotiated& agreed, bool graceful, const GracefulConfig& config);
  // A new one stands: routes of families whose forwarding the neighbor has not preserved go.
  Changes up(TimePoint now, const Negotiated& agreed, const GracefulConfig& config);
  // The new session has brought all it has.
  void end_of_rib(Family f) { families_[f] = {}; }
  // The neighbor is known to be dead, whatever it has promised.
  Changes dead();
  Changes tick(TimePoint now);

  std::optional<TimePoint> next_deadline() const;
  Leftover leftover(Family f) const { return families_[f].leftover; }
  std::optional<TimePoint> until(Family f) const { return families_[f].until; }

 private:
  struct Retained {
    Leftover leftover = Leftover::Gone;
    std::optional<TimePoint> until;
    Seconds long_lived{0};  // after the restart time
  };
  void drop(Family f, Changes& out);

  PerFamily<Retained> families_;
  bool up_ = false;
};

// The restarter's side (RFC 4724 4.1): nothing is told, and no packet's way changed, before the neighbors that help
// have all told what they know, or the time is over.
class RestartDeferral {
 public:
  void begin(TimePoint until) { until_ = until; }
  bool begun() const { return until_.has_value(); }
  // A neighbor that is to be waited for, of these families ...
  void expect(NeighborId n, const PerFamily<bool>& families);
  // ... unless it has restarted itself, or does not help.
  void up(NeighborId n, const Negotiated& agreed);
  void end_of_rib(NeighborId n, Family f);
  void forget(NeighborId n) { awaited_.erase(n); }
  void tick(TimePoint now);
  // True once, when nobody is waited for any more.
  bool end();

  bool deferring(Family f) const;
  bool deferring() const { return deferring(Family::V4) || deferring(Family::V6); }
  std::optional<TimePoint> next_deadline() const { return until_; }

 private:
  std::optional<TimePoint> until_;
  std::map<NeighborId, PerFamily<bool>> awaited_;
};

}  // namespace cgw::bgp
