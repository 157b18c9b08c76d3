#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <variant>
#include <vector>

#include "kernel/fib.hpp"
#include "kernel/fib_message.hpp"

// What the plan wants in the kernel, what the kernel holds, and the requests that lead from one to the
// other. Talks to nobody: requests go to a Sink and are believed done unless refused() says otherwise.
namespace cgw::kernel::fib {

struct NexthopOp {
  std::uint32_t id;
  std::optional<Nexthop> nexthop;  // nullopt: delete
  Put put;
};
struct RouteOp {
  Prefix prefix;
  std::uint32_t nexthop_id;  // 0: delete
  Put put;
};
struct FallbackOp {
  Prefix prefix;
  Fallback fallback;  // None: delete
  Put put;
};
using Op = std::variant<NexthopOp, RouteOp, FallbackOp>;

class Sink {
 public:
  virtual ~Sink() = default;
  virtual void emit(Op op) = 0;
  // Returns when refused() has heard of all that the kernel did not do.
  virtual void settle() = 0;
  virtual void problem(KernelError error) = 0;
};

// The range of ids in three parts.
inline constexpr std::uint32_t kExitIds = 4096;
inline constexpr std::uint32_t kBlackholeId = kNexthopIdFirst + kExitIds;
inline constexpr std::uint32_t kGroupIdFirst = kBlackholeId + 1;

class Table {
 public:
  // An IPv6 blackhole serves routes of both families, an IPv4 one only its own; it is for kernels without IPv6.
  explicit Table(Family blackhole_family) : blackhole_family_(blackhole_family) {}

  void set_when_down(Fib::WhenDown w) { when_down_ = w; }

  // ---- what the kernel holds
  void nexthops_seen(std::map<std::uint32_t, Nexthop> now);
  void forget_routes();
  void route_seen(const RouteInfo& r);
  void refused(const Op& op);

  // ---- what is wanted
  void set_exit(rib::ExitId exit, const ExitState& state, Sink& sink);
  void exit_gone(rib::ExitId exit, Sink& sink);
  void apply(const rib::PlanChanges& changes, Sink& sink);
  void sweep(Sink& sink);
  // Every difference; what nobody wants goes too, once sweep() was called.
  void repair(Sink& sink);

  std::size_t held_routes() const { return held_routes_; }
  std::optional<std::uint32_t> nexthop_id(rib::GroupId group) const;

 private:
  struct Exit {
    std::uint32_t id = 0;
    std::optional<ExitState> state;
  };
  struct Group {
    std::vector<rib::ExitId> active;
    std::uint32_t id = 0;
    std::size_t users = 0;
  };
  struct Route {
    rib::GroupId group;
    bool wanted = false;
    Fallback fallback = Fallback::None;  // held
    std::uint32_t nexthop_id = 0;        // held
  };
  struct HashPrefix {
    std::size_t operator()(const Prefix& p) const;
  };

  void change(const rib::GroupSet& c, Sink& sink);
  void change(const rib::GroupGone& c, Sink& sink);
  void change(const rib::RouteSet& c, Sink& sink);
  void change(const rib::RouteGone& c, Sink& sink);
  void want(Route& r, std::optional<rib::GroupId> group);

  void sync_exit(Exit& e, Sink& sink);
  void sync_group(Group& g, Sink& sink);
  void sync_groups_of(rib::ExitId exit, Sink& sink);
  void sync_route(const Prefix& p, Route& r, Sink& sink);
  void restore_routes(Sink& sink);  // if a group came back without its routes
  void put(std::uint32_t id, const Nexthop& n, Sink& sink);
  void drop(std::uint32_t id, Sink& sink);

  std::vector<std::uint32_t> members_of(const Group& g, Sink& sink);
  std::uint32_t wanted_nexthop(const Route& r) const;
  Fallback wanted_fallback(const Route& r) const;
  bool claim(std::uint32_t& id, const Nexthop& n, std::uint32_t first, std::uint32_t last);
  void lose_routes(const std::set<std::uint32_t>& groups);
  void hold(Route& r, std::uint32_t nexthop_id);

  Family blackhole_family_;
  Fib::WhenDown when_down_ = Fib::WhenDown::Blackhole;
  bool swept_ = false;
  bool restore_ = false;
  std::map<rib::ExitId, Exit> exits_;
  std::map<rib::GroupId, Group> groups_;
  std::unordered_map<Prefix, Route, HashPrefix> routes_;
  std::map<std::uint32_t, Nexthop> held_;
  std::set<std::uint32_t> claimed_;  // ids that an exit, a group or the blackhole goes by
  std::set<std::uint32_t> suspect_;  // groups whose last request was refused: their routes may be gone
  std::size_t held_routes_ = 0;
};

}  // namespace cgw::kernel::fib
