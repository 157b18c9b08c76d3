#include "ipsec/mtu.hpp"

#include <algorithm>

#include "ipsec/algorithms.hpp"

namespace cgw::ipsec {

std::uint32_t tunnel_mtu(std::uint32_t link_mtu, bool outer_v6, bool udp_encap, const EspSuite& s) {
  const auto block = s.encr == Encr::AesGcm16 ? 4U : 16U;
  const auto fixed = static_cast<std::uint32_t>((outer_v6 ? 40U : 20U) + (udp_encap ? 8U : 0U) + 8U +
                                                iv_octets(s.encr) + icv_octets(s.encr, s.integ));
  if (link_mtu <= fixed + block) return at_least_every_links(0, false);
  return at_least_every_links((link_mtu - fixed) / block * block - 2, false);
}

std::uint32_t at_least_every_links(std::uint32_t mtu, bool inner_v6) {
  return std::max(mtu, inner_v6 ? 1280U : 68U);
}

std::uint32_t tunnel_mss(std::uint32_t mtu, bool inner_v6) {
  const std::uint32_t headers = inner_v6 ? 60 : 40;
  return mtu > headers ? mtu - headers : 0;
}

}  // namespace cgw::ipsec
