#pragma once
#include <cstdint>

namespace cgw::ipsec {

// Never below what every link carries: 68 (RFC 791 3.2), with IPv6 inside 1280 (RFC 8200 5). There a short path has to
// fragment what is outside.
std::uint32_t at_least_every_links(std::uint32_t mtu, bool inner_v6);

}  // namespace cgw::ipsec
