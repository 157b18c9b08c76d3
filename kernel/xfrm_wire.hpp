#pragma once
#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>

#include <linux/xfrm.h>
#include <netlink/attr.h>

#include "base/ip.hpp"
#include "kernel/error.hpp"
#include "kernel/xfrm_socket.hpp"

// Between our types and those of linux/xfrm.h, for the files that build and read its messages.
namespace cgw::kernel::xfrm {

inline Message message(std::uint16_t type, int flags = 0) {
  Message m(nlmsg_alloc());
  if (m) nlmsg_put(m.get(), NL_AUTO_PORT, NL_AUTO_SEQ, type, 0, flags);
  return m;
}

template <class T>
void append(const Message& m, const T& payload) {
  nlmsg_append(m.get(), const_cast<T*>(&payload), sizeof payload, NLMSG_ALIGNTO);
}

inline xfrm_address_t raw(const IpAddress& a) {
  xfrm_address_t out{};
  std::ranges::copy(a.bytes(), reinterpret_cast<std::uint8_t*>(&out));
  return out;
}

inline IpAddress cooked(const xfrm_address_t& a, int family) {
  const auto* p = reinterpret_cast<const std::uint8_t*>(&a);
  return IpAddress::from_bytes({p, family == AF_INET6 ? 16u : 4u}).value_or(IpAddress{});
}

inline std::uint16_t family_of(const IpAddress& a) {
  return a.is_v4() ? AF_INET : AF_INET6;
}

// The attribute's value, or zero: the kernel leaves out what is not set.
inline std::uint32_t number(const nlattr* a) {
  return a != nullptr && nla_len(a) == 4 ? nla_get_u32(a) : 0;
}

inline constexpr xfrm_lifetime_cfg kForever{.soft_byte_limit = XFRM_INF,
                                            .hard_byte_limit = XFRM_INF,
                                            .soft_packet_limit = XFRM_INF,
                                            .hard_packet_limit = XFRM_INF};

}  // namespace cgw::kernel::xfrm
