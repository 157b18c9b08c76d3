#pragma once
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/time.hpp"
#include "bgp/advertiser.hpp"
#include "bgp/aggregates.hpp"
#include "bgp/families.hpp"

// The routing half of a speaker: all neighbors' Adj-RIBs-In, the Loc-RIB, all Adj-RIBs-Out, of both families. Sessions
// bring updates and carry messages; between them every piece of work is bounded, and what is left waits in queues that
// grow with the number of prefixes and no further.
namespace cgw::bgp {

// What configuration says of a neighbor's routes. All of it can change at any time.
struct NeighborRoutes {
  IpAddress address;
  ImportRules import;
  PerFamily<ExportRules> export_rules;
  PerFamily<std::shared_ptr<const RoutePolicy>> import_policy, export_policy;  // null: all routes pass
  bool reflector_client = false;
  bool tunnel = false;  // see Scope
  PerFamily<bool> default_originate;
  PerFamily<std::uint32_t> maximum_prefix_out{0xffffffff, 0xffffffff};
  bool operator==(const NeighborRoutes&) const = default;
};

class Ribs {
 public:
  Ribs(const Router& router, const DecisionOptions& options, std::uint64_t seed);
  ~Ribs();
  Ribs(const Ribs&) = delete;
  Ribs& operator=(const Ribs&) = delete;

  NeighborId add_neighbor(const NeighborRoutes& routes);
  // Its number goes to the next one that is added.
  void remove_neighbor(NeighborId n);
  // Its routes are judged anew where import rules or policy differ, and told anew where export does; no refresh needed.
  void configure(NeighborId n, const NeighborRoutes& routes);
  void set_options(const DecisionOptions& options);

  // ---- from the session
  void up(NeighborId n, const UpdateContext& agreed, RouterId peer);
  // What a session before it has left, and this one not brought again, goes (RFC 4724 4.2).
  void down(NeighborId n, const PerFamily<Leftover>& leftover);
  void down(NeighborId n, Leftover leftover) { down(n, {leftover, leftover}); }
  // RFC 9494: what a session has left is now good for the last resort, or gone.
  void leftover(NeighborId n, Family f, Leftover leftover);
  // Returns how many routes were refused since a table was full.
  std::size_t receive(NeighborId n, const Update& update, TimePoint now);
  // End-of-RIB: what this session has not brought again goes.
  void end_of_rib(NeighborId n, Family f);
  // Tells all again, between marks where both sides know them (RFC 7313).
  void refresh(NeighborId n, Family f, bool marked = false);
  // RFC 7313 4: all routes are stale until they come again; what has not when the refresh ends goes. A beginning while
  // an earlier one is not done with is passed over, so that none can make us walk the table at will: false.
  bool begin_refresh(NeighborId n, Family f);
  void end_refresh(NeighborId n, Family f);
  // RFC 4760 7: the family is as good as never agreed on.
  void disable(NeighborId n, Family f);
  // Its stored routes meet import rules and policy once more.
  void judge_again(NeighborId n) { sweep(Sweep::Kind::Accept, n); }

  // ---- from the router
  // RFC 4724 4.1: while it waits for all neighbors' routes a restarted speaker tells nothing, and no change.
  void defer(Family f, bool deferred) { deferred_[f] = deferred; }
  // By the verdict of health.
  void set_usable(NeighborId n, bool usable);
  void set_next_hop(const IpAddress& address, bool reachable, std::uint32_t metric);
  // network, redistribute, aggregate-address
  void originate(const Prefix& p, const PathAttributes& a, const LocalValues& local, TimePoint now);
  void withdraw(const Prefix& p);
  // Those of both families; the rest goes.
  void set_aggregates(const std::vector<Aggregate>& wanted);

  // ---- work, a piece at a time; it may leave output behind
  bool has_work() const;
  void work();
  // What the neighbor is to be sent next; empty octets with more() when policy let nothing of this piece pass.
  Output output(NeighborId n, std::size_t room);
  bool has_output(NeighborId n) const;
  // Prefixes of which some path has changed, each once, to program routes from. Kept once the first has been asked for.
  void follow_changes();
  std::vector<Prefix> take_changes(Family f, std::size_t most);
  bool has_changes() const;
  // The same for others who look at whole tables by themselves: each change is added to their queue until they are
  // gone.
  void follow(Family f, ChangeQueue& queue) { families_[f].followers.push_back(&queue); }
  void unfollow(Family f, ChangeQueue& queue) { std::erase(families_[f].followers, &queue); }
  Table& mutable_table(Family f) { return families_[f].table; }

  // ---- what there is
  const Table& table(Family f) const { return families_[f].table; }
  const AttributePool& pool() const { return pool_; }
  const Sources& sources() const { return sources_; }
  const DecisionOptions& options() const { return options_; }
  const NeighborRoutes& routes(NeighborId n) const { return neighbor(n).routes; }
  const Aggregates& aggregates(Family f) const { return families_[f].aggregates; }
  // The seconds that Path::since counts.
  std::uint32_t clock(TimePoint now) const;
  // Null while it is down or has not agreed on the family.
  const Advertiser* advertiser(NeighborId n, Family f) const;
  std::size_t groups() const { return groups_.size(); }

 private:
  struct Rib {
    Rib(Family f, std::uint64_t seed, Ribs& r)
        : table(f, seed, r.pool_, r.sources_, r.options_),
          aggregates(table, r.pool_, r.router_) {}
    Table table;
    Aggregates aggregates;
    std::unique_ptr<ChangeQueue> changes;
    std::vector<ChangeQueue*> followers;
  };
  struct Families {
    Rib v4, v6;
    Rib& operator[](Family f) { return f == Family::V4 ? v4 : v6; }
    const Rib& operator[](Family f) const { return f == Family::V4 ? v4 : v6; }
  };
  struct Neighbor {
    NeighborRoutes routes;
    bool up = false;
    UpdateContext agreed;
    RouterId peer;
    PerFamily<std::unique_ptr<Advertiser>> out;
    PerFamily<std::uint8_t> epochs;  // begun since all that was left behind was last swept for sure
    PerFamily<bool> refreshing;      // the neighbor tells all again
  };
  // A walk through a table.
  struct Sweep {
    enum class Kind : std::uint8_t { RemoveLeftover, RemoveOlder, RemoveAll, LongLived, Accept, Decide };
    Kind kind = Kind::Decide;
    Family family = Family::V4;
    NeighborId neighbor;
    std::uint32_t at = 0;
    bool same(const Sweep& o) const { return kind == o.kind && family == o.family && neighbor == o.neighbor; }
  };

  Neighbor& neighbor(NeighborId n) { return neighbors_[n.value()]; }
  const Neighbor& neighbor(NeighborId n) const { return neighbors_[n.value()]; }
  std::uint32_t seconds(TimePoint now);

  // Import.
  AttributeId accept(const Neighbor& n, const Nlri& nlri, AttributeId received);
  AttributeId judge(const Neighbor& n, const Nlri& nlri, const PathAttributes& a, AttributeId received);
  void changed(Rib& rib, const TableChange& c);

  // Export.
  GroupKey group_key(const Neighbor& n, Family f) const;
  std::shared_ptr<UpdateGroup> group(GroupKey key);
  AdvertiserConfig advertiser_config(NeighborId n, Family f) const;
  void regroup(NeighborId n);
  void tell_all();

  // Sweeps.
  void sweep(Sweep::Kind kind, NeighborId n);
  void sweep(Sweep::Kind kind, NeighborId n, Family f);
  void step_sweep(Sweep& s);
  void step_aggregates(Rib& rib);
  void visit(const Sweep& s, Rib& rib, PrefixId id);
  bool sweeping(Sweep::Kind kind, NeighborId n, Family f) const;
  void finish_removing(NeighborId n, Family f);
  void begin_epoch(NeighborId n, Family f);

  Router router_;
  DecisionOptions options_;
  AttributePool pool_;
  Sources sources_;
  std::vector<Provenance> provenance_;
  Families families_;
  std::deque<Neighbor> neighbors_;
  std::vector<NeighborId> free_;
  std::vector<std::weak_ptr<UpdateGroup>> groups_;
  std::deque<Sweep> sweeps_;
  std::optional<TimePoint> start_;
  std::uint32_t latest_ = 0;  // second in which something was told us
  PerFamily<bool> deferred_;
};

}  // namespace cgw::bgp
