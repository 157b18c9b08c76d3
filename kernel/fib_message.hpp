#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ip.hpp"
#include "kernel/error.hpp"
#include "kernel/fib.hpp"
#include "kernel/xfrm_socket.hpp"

// The netlink messages of nexthop objects and routes, and what dumps say. libnl-route 3.7 has no nexthop
// objects. Nothing here talks to the kernel.
namespace cgw::kernel::fib {

// A nexthop object of ours: a way out, a blackhole, or a group of either.
struct Nexthop {
  bool blackhole = false;
  Family blackhole_family = Family::V6;
  std::optional<ExitState> exit;
  std::vector<std::uint32_t> members;  // ascending
  bool is_group() const { return !members.empty(); }
  bool operator==(const Nexthop&) const = default;
};

enum class Put : std::uint8_t {
  New,      // refused when something has the place: it would not be ours
  Replace,  // in place; refused when there is nothing
  Set,      // in place or new
};
// What stands behind a prefix of ours when its group is gone. The values are the kernel's route types.
enum class Fallback : std::uint8_t { None = 0, Blackhole = 6, Unreachable = 7 };

Message put_nexthop(std::uint32_t id, const Nexthop& n, Put put);
Message delete_nexthop(std::uint32_t id);
Message put_route(const Prefix& p, std::uint32_t nexthop_id, Put put);
Message put_fallback(const Prefix& p, Fallback f, Put put);
Message delete_route(const Prefix& p, std::uint32_t metric);

Message dump_nexthops(int);
Message dump_routes(int family);

constexpr bool is_our_id(std::uint32_t id) {
  return id >= kNexthopIdFirst && id <= kNexthopIdLast;
}

struct NexthopInfo {
  std::uint32_t id = 0;
  Nexthop nexthop;
};
// Nothing unless it is ours by protocol and id.
std::optional<NexthopInfo> read_nexthop(nlmsghdr* h);

struct RouteInfo {
  Prefix prefix;
  std::uint32_t nexthop_id = 0;  // of a route in use; 0 for a fallback
  Fallback fallback = Fallback::None;
};
// Nothing unless it is ours: by protocol, table, metric, and the range of the nexthop's id.
std::optional<RouteInfo> read_route(nlmsghdr* h);

}  // namespace cgw::kernel::fib
