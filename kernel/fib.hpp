#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "base/ip.hpp"
#include "kernel/error.hpp"
#include "rib/rib.hpp"

// The forwarding plan in the kernel: one nexthop object an exit, one nexthop group a plan group (a group of
// a single blackhole nexthop when nothing serves), one route a prefix that points at its group, and behind
// each a blackhole route of kBlackholeMetric that no interface event removes.
namespace cgw::kernel {

struct ExitState {
  IfIndex interface;
  IpAddress next_hop;  // on-link there
  bool operator==(const ExitState&) const = default;
};

struct FibErrors {
  std::vector<KernelError> errors;  // what was refused; the rest was done
};

class Fib {
 public:
  // Reads what an earlier process left (our protocol, our id range); it stays in use until replaced, and
  // goes at sweep().
  static KernelResult<Fib> open();
  ~Fib();
  Fib(Fib&&) noexcept;
  Fib& operator=(Fib&&) noexcept;

  enum class WhenDown : std::uint8_t { Blackhole, Unreachable, Remove };
  void set_when_down(WhenDown w);  // before the first apply

  // The exit's interface exists (again): its nexthop object is created, or created anew after the kernel
  // dropped it with the interface; groups and routes that it took along are restored.
  FibErrors set_exit(rib::ExitId exit, const ExitState& state);
  FibErrors exit_gone(rib::ExitId exit);
  // Batched; a GroupSet for an existing group is one message, replaced in place.
  FibErrors apply(const rib::PlanChanges& changes);
  // Removes adopted routes and nexthops that nothing has claimed since open().
  FibErrors sweep();
  // Reads the kernel and repairs every difference; the number of repairs.
  Result<std::size_t, KernelError> resync();
  // Kernel routes currently held for us, by prefix (for `show ip route`: FIB mark and nexthop ids).
  std::size_t routes() const;
  std::optional<std::uint32_t> nexthop_id(rib::GroupId group) const;

 private:
  struct Impl;
  explicit Fib(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Everything of ours: routes, nexthops, interfaces, SAs and policies, the nft table. Counts what it removed.
struct Purged {
  std::size_t routes = 0, nexthops = 0, interfaces = 0, states = 0, policies = 0, tables = 0;
};
KernelResult<Purged> purge();

}  // namespace cgw::kernel
