#pragma once
#include <cstdint>
#include <string>

#include "base/result.hpp"
#include "base/strong.hpp"

namespace cgw::kernel {

using IfIndex = Strong<struct IfIndexTag, int>;
// Ties an xfrm interface, its SAs and policies together; also our name for a tunnel towards the kernel.
// Nonzero.
using IfId = Strong<struct IfIdTag, std::uint32_t>;

// What the kernel refused: the request in words, errno, and its own text (extack) where it gives one.
struct KernelError {
  int errnum = 0;
  std::string request;  // "RTM_NEWROUTE 10.0.0.0/16", "XFRM_MSG_NEWSA in c1234567"
  std::string detail;
  std::string to_string() const;  // "RTM_NEWROUTE 10.0.0.0/16: No such device (ENODEV)"
};

template <class T>
using KernelResult = Result<T, KernelError>;

// What makes an object in the kernel ours.
inline constexpr std::uint8_t kRouteProtocol = 199;               // rtm_protocol and nh_protocol
inline constexpr std::uint32_t kNexthopIdFirst = 0x0c670000;      // ids of nexthop objects and groups:
inline constexpr std::uint32_t kNexthopIdLast = 0x0c67ffff;       // 208,076,800 to 208,142,335
inline constexpr std::uint32_t kRouteMetric = 20;                 // as FRR installs eBGP routes
inline constexpr std::uint32_t kBlackholeMetric = 4'000'000'000;  // the route behind every prefix of ours

}  // namespace cgw::kernel
