#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "base/ip.hpp"
#include "base/note.hpp"
#include "base/strong.hpp"
#include "base/time.hpp"

// From all paths to the ones in use: prefix table, best path, forwarding plan. Knows tunnels only as
// numbered exits whose fitness somebody else judges.
namespace cgw::rib {

// A tunnel, as something packets can be sent into. Assigned by the gateway, never reused for another.
using ExitId = Strong<struct ExitTag, std::uint32_t>;

enum class Protocol : std::uint8_t { Connected, Static, Bgp };
std::string_view to_string(Protocol p);

// Health's verdict, as the plan needs it: lower tiers serve only when no better one does.
enum class Fitness : std::uint8_t { Up, Degraded, Draining, Down };

// One way to a prefix. All candidates of a prefix compare by the numbered rules of better().
struct Path {
  Protocol protocol = Protocol::Bgp;
  std::uint8_t distance = 20;  // administrative distance: connected 0, static 1, eBGP 20
  ExitId exit;
  IpAddress next_hop;  // the peer's inside address
  // BGP only:
  std::uint32_t weight = 0;
  std::uint32_t local_pref = 100;
  std::uint32_t as_path_length = 0;
  std::uint8_t origin = 0;
  std::uint32_t med = 0;          // missing counts as 0 (RFC 4271 9.1.2.2)
  std::uint32_t neighbor_as = 0;  // MED compares among equal ones only
  bool internal = false;          // by iBGP
  std::uint32_t router_id = 0;
  // Static only: lower is preferred; equal means "follow the peer".
  std::uint32_t preference = 0;
  TimePoint learned{};
  std::string as_path;  // for show
  bool operator==(const Path&) const = default;
};

// Which rule decides between two candidates, in this order; the words for `show ip route X why`. Oldest (BGP only): the
// path that has been here longest stays, whatever attributes it changed since; so equal paths do not flap.
enum class Rule : std::uint8_t {
  Same,
  Distance,
  Weight,
  LocalPref,
  AsPathLength,
  Origin,
  Med,
  Kind,
  Preference,
  FollowPeer,
  Oldest,
  RouterId,
  PeerAddress,
};
std::string_view to_string(Rule r);

// Negative: a is better. Total order; rule tells which comparison decided. followed: the exit on which the
// peer's own traffic arrives, if known (static mode).
struct Comparison {
  int order = 0;
  Rule rule = Rule::Same;
};
Comparison compare(const Path& a, const Path& b, std::optional<ExitId> followed = {});

// ---- the forwarding plan

// Prefixes with the same ranked exits share a group. The group's active exits are the first of the best
// fitness; none when all are down: then packets meet a blackhole.
using GroupId = Strong<struct GroupTag, std::uint32_t>;

struct GroupSet {  // create, or replace what it points at
  GroupId group;
  std::vector<ExitId> ranked;  // what defines it
  std::vector<ExitId> active;  // one, or several with maximum-paths; empty: blackhole
};
struct GroupGone {
  GroupId group;
};
struct RouteSet {
  Prefix prefix;
  GroupId group;
  Protocol protocol;
};
struct RouteGone {
  Prefix prefix;
};
using PlanChange = std::variant<GroupSet, GroupGone, RouteSet, RouteGone>;
// In the order in which they must be applied: groups before the routes that use them, gone groups last.
using PlanChanges = std::vector<PlanChange>;

struct Candidate {
  Path path;
  bool best = false;          // by the rules, fitness aside
  Rule lost_by = Rule::Same;  // the rule by which the best one beat it
  bool active = false;        // carries the packets now
};
struct RouteView {
  Prefix prefix;
  GroupId group;
  std::vector<Candidate> candidates;  // ranked; empty for a retained prefix
  bool blackhole = false;             // nothing serves it
};

class Rib {
 public:
  explicit Rib(std::uint32_t maximum_paths = 1) : maximum_paths_(maximum_paths) {}

  // One path per (prefix, protocol, exit); the new one replaces the old and keeps its `learned`. A Connected path wins
  // by distance, and the prefix is then left to the kernel's own route: the plan has no route for it.
  void update(const Prefix& prefix, Path path);
  void withdraw(const Prefix& prefix, Protocol protocol, ExitId exit);
  // All paths of the protocol at once, at most one of an exit: what is not among them is withdrawn. Those of BGP carry
  // one distance, that of the best: among themselves its own rules decide.
  void replace(const Prefix& prefix, Protocol protocol, std::vector<Path> paths);
  // The session (or the configuration) behind these paths is gone. With retain, prefixes that lose their
  // last path stay in the plan on a blackhole, until somebody offers a path or release() is called.
  void withdraw_all(Protocol protocol, ExitId exit, bool retain);
  // End-of-RIB from every live session: retained prefixes that nobody offered again are dropped.
  void release_retained();
  void set_fitness(ExitId exit, Fitness f);
  void set_followed(std::optional<ExitId> exit);  // static mode; re-ranks static paths only

  // What has changed since the last call. After set_fitness alone it holds GroupSets only: its size does
  // not depend on the number of prefixes.
  PlanChanges take_changes();

  std::size_t prefixes() const;
  std::optional<RouteView> find(const Prefix& prefix) const;
  std::vector<RouteView> view() const;  // ordered by prefix
  std::vector<GroupSet> groups() const;

 private:
  // What defines a group: the exits in order, and which are as good as the one before them (for maximum-paths).
  struct Ranking {
    std::vector<ExitId> exits;
    std::vector<bool> equal;  // equal[i]: to exits[i-1] by all rules before Oldest
    auto operator<=>(const Ranking&) const = default;
  };
  struct Group {
    Ranking ranking;
    std::vector<ExitId> active;
    std::size_t users = 0;
    bool published = false;
  };
  struct Entry {
    std::vector<Path> paths;       // ranked by settle()
    std::optional<GroupId> group;  // as last published
    Protocol protocol = Protocol::Bgp;
    bool retained = false;
    bool dirty = false;
  };
  using Table = std::map<Prefix, Entry>;

  void touch(Table::iterator it);
  void settle(Table::iterator it, PlanChanges& routes, std::vector<Prefix>& empty);
  void leave(GroupId id);
  GroupId join(Ranking ranking);
  std::vector<ExitId> active_of(const Ranking& r) const;
  Fitness fitness_of(ExitId exit) const;
  RouteView view_of(const Prefix& prefix, const Entry& e) const;

  std::uint32_t maximum_paths_;
  Table table_;
  std::map<GroupId, Group> groups_;
  std::map<Ranking, GroupId> by_ranking_;
  std::map<ExitId, std::set<GroupId>> by_exit_;
  std::map<ExitId, Fitness> fitness_;
  std::optional<ExitId> followed_;

  std::vector<Prefix> dirty_;
  std::set<GroupId> stale_groups_;  // whose active exits may have changed
  std::set<GroupId> unused_;        // without users at some moment since the last take_changes()
  std::vector<GroupId> free_ids_;
  std::uint32_t next_id_ = 1;
};

// The candidates of a prefix, best first, by compare() with MED compared within each neighboring AS first, so that
// the order does not depend on the order of arrival (deterministic MED).
void rank(std::vector<Path>& paths, std::optional<ExitId> followed);

}  // namespace cgw::rib
