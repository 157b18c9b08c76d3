#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>

#include <linux/xfrm.h>

#include "kernel/data_plane.hpp"

namespace cgw::kernel {

KernelResult<void> exempt_from_ipsec(int socket) {
  int family = 0;
  socklen_t size = sizeof family;
  if (getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &family, &size) < 0)
    return fail(KernelError{errno, "SO_DOMAIN on the UDP socket", {}});
  const bool v4 = family == AF_INET;
  const std::string what = v4 ? "IP_XFRM_POLICY on the UDP socket" : "IPV6_XFRM_POLICY on the UDP socket";
  for (const auto d : {XFRM_POLICY_IN, XFRM_POLICY_OUT}) {
    xfrm_userpolicy_info bypass{};
    bypass.sel.family = static_cast<std::uint16_t>(family);
    bypass.action = XFRM_POLICY_ALLOW;
    bypass.dir = static_cast<std::uint8_t>(d);
    if (setsockopt(socket, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_XFRM_POLICY : IPV6_XFRM_POLICY, &bypass,
                   sizeof bypass) == 0)
      continue;
    if (errno == ENOPROTOOPT || errno == EOPNOTSUPP) return {};
    return fail(KernelError{errno, what, {}});
  }
  return {};
}

}  // namespace cgw::kernel
