#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <span>

#include "kernel/fib.hpp"
#include "kernel/fib_message.hpp"
#include "kernel/links.hpp"
#include "kernel/mss_table.hpp"
#include "kernel/netlink_batch.hpp"
#include "kernel/tunnel_link.hpp"
#include "kernel/xfrm.hpp"

namespace cgw::kernel {
namespace {

// Deletes all; what vanished meanwhile is not counted.
KernelResult<std::size_t> delete_all(RequestSocket& socket, const std::vector<Message>& messages) {
  std::size_t deleted = messages.size();
  for (std::size_t at = 0; at < messages.size(); at += kBatchSize) {
    const std::size_t n = std::min(kBatchSize, messages.size() - at);
    CGW_TRY(const auto refused, send_batch(socket, std::span(messages).subspan(at, n)));
    for (const auto& r : refused) {
      if (r.errnum != ESRCH && r.errnum != ENOENT) return fail(KernelError{r.errnum, "removing routes", r.detail});
      --deleted;
    }
  }
  return deleted;
}

KernelResult<std::size_t> purge_routes(RequestSocket& socket) {
  std::vector<Message> doomed;
  for (const int family : {AF_INET, AF_INET6}) {
    const std::size_t before = doomed.size();
    const auto restart = [&] { doomed.resize(before); };
    const auto take = [&](nlmsghdr* h) {
      if (const auto r = fib::read_route(h))
        doomed.push_back(fib::delete_route(r->prefix, r->nexthop_id != 0 ? kRouteMetric : kBlackholeMetric));
    };
    auto done = consistent_dump(socket, fib::dump_routes, family, "RTM_GETROUTE", restart, take);
    if (!done && family == AF_INET) return fail(std::move(done).error());  // IPv6 may be missing
  }
  return delete_all(socket, doomed);
}

KernelResult<std::size_t> purge_nexthops(RequestSocket& socket) {
  std::map<std::uint32_t, bool> seen;  // id, is a group
  const auto take = [&](nlmsghdr* h) {
    if (const auto n = fib::read_nexthop(h)) seen[n->id] = n->nexthop.is_group();
  };
  auto done = consistent_dump(
      socket, fib::dump_nexthops, 0, "RTM_GETNEXTHOP", [&] { seen.clear(); }, take);
  if (!done) return fail(std::move(done).error());
  std::vector<Message> doomed;
  for (const bool groups : {true, false}) {  // a group goes with its last member and would not be counted
    for (const auto& [id, is_group] : seen) {
      if (is_group == groups) doomed.push_back(fib::delete_nexthop(id));
    }
  }
  return delete_all(socket, doomed);
}

KernelResult<std::size_t> purge_interfaces() {
  CGW_TRY(auto links, Links::open());
  CGW_TRY(const auto names, links.ours());
  for (const auto& name : names) {
    if (auto removed = links.remove(name); !removed) return fail(std::move(removed).error());
  }
  return names.size();
}

}  // namespace

KernelResult<Purged> purge() {
  Purged out;
  CGW_TRY(auto socket, open_batch_socket());
  CGW_TRY(out.routes, purge_routes(socket));
  CGW_TRY(out.nexthops, purge_nexthops(socket));
  CGW_TRY(const XfrmPurged xfrm, purge_xfrm());
  out.states = xfrm.states;
  out.policies = xfrm.policies;
  CGW_TRY(out.interfaces, purge_interfaces());
  CGW_TRY(const bool table, remove_mss_table());
  out.tables = table ? 1 : 0;
  return out;
}

}  // namespace cgw::kernel
