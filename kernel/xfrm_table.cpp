#include "kernel/xfrm_table.hpp"

#include <cerrno>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <linux/netlink.h>

namespace cgw::kernel {
namespace xfrm {
namespace {

std::string words(std::string_view request, const SaName& name) {
  return fmt::format("{} {:08x} to {}", request, name.spi.value(), name.destination.to_string());
}

// Removed by somebody else, or expired: what we wanted.
KernelResult<void> unless_gone(KernelResult<void> done) {
  if (!done && done.error().errnum != ESRCH && done.error().errnum != ENOENT) return done;
  return {};
}

}  // namespace

KernelResult<std::optional<SaInfo>> find_sa(RequestSocket& socket, const SaName& name) {
  std::optional<SaInfo> found;
  const auto done = unless_gone(socket.request(get_sa(name), words("XFRM_MSG_GETSA", name), [&](nlmsghdr* h) {
    SaInfo info;
    if (read_sa(h, info)) found = info;
  }));
  if (!done) return fail(done.error());
  return found;
}

KernelResult<void> remove_sa(RequestSocket& socket, const SaName& name) {
  return unless_gone(socket.request(delete_sa(name), words("XFRM_MSG_DELSA", name)));
}

KernelResult<void> remove_policy(RequestSocket& socket, const Policy& p) {
  return unless_gone(socket.request(delete_policy(p), fmt::format("XFRM_MSG_DELPOLICY if_id {:#x}", p.id.value())));
}

KernelResult<std::vector<SaInfo>> list_sas(RequestSocket& socket, const std::function<bool(const SaInfo&)>& which) {
  std::vector<SaInfo> found;
  const auto dumped = socket.request(dump_sas(), "XFRM_MSG_GETSA (all)", [&](nlmsghdr* h) {
    SaInfo info;
    if (read_sa(h, info) && which(info)) found.push_back(info);
  });
  if (!dumped) return fail(dumped.error());
  return found;
}

KernelResult<std::vector<Policy>> list_policies(RequestSocket& socket,
                                                const std::function<bool(const Policy&)>& which) {
  std::vector<Policy> found;
  const auto dumped = socket.request(dump_policies(), "XFRM_MSG_GETPOLICY (all)", [&](nlmsghdr* h) {
    Policy info;
    if (read_policy(h, info) && which(info)) found.push_back(info);
  });
  if (!dumped) return fail(dumped.error());
  return found;
}

KernelResult<std::size_t> remove_sas(RequestSocket& socket, const std::function<bool(const SaInfo&)>& which) {
  CGW_TRY(const auto found, list_sas(socket, which));
  for (const auto& sa : found) {
    if (const auto done = remove_sa(socket, sa.name); !done) return fail(done.error());
  }
  return found.size();
}

KernelResult<std::size_t> remove_policies(RequestSocket& socket, const std::function<bool(const Policy&)>& which) {
  CGW_TRY(const auto found, list_policies(socket, which));
  for (const auto& p : found) {
    if (const auto done = remove_policy(socket, p); !done) return fail(done.error());
  }
  return found.size();
}

}  // namespace xfrm

KernelResult<XfrmPurged> purge_xfrm() {
  auto socket = RequestSocket::open(NETLINK_XFRM);
  if (!socket && socket.error().errnum == EPROTONOSUPPORT) return XfrmPurged{};
  if (!socket) return fail(std::move(socket).error());
  XfrmPurged out;
  CGW_TRY(out.policies, xfrm::remove_policies(*socket, [](const auto& p) { return is_our_if_id(p.id); }));
  CGW_TRY(out.states,
          xfrm::remove_sas(*socket, [](const auto& s) { return is_our_if_id(s.id) && s.reqid == s.id.value(); }));
  return out;
}

}  // namespace cgw::kernel
