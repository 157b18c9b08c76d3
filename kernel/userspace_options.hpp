#pragma once
#include "ipsec/esp.hpp"
#include "kernel/error.hpp"
#include "kernel/vnet_header.hpp"

namespace cgw::kernel::userspace {

struct Options {
  std::size_t threads = 1;  // for each tunnel, that send; and that receive
  // For measurements and tests; none of it is needed otherwise.
  ipsec::EspCrypto crypto = ipsec::EspCrypto::Fastest;
  bool datagram_offload = true;  // UDP_SEGMENT, UDP_GRO
  Offloads tun{.tcp = true, .udp = true};
};

// Words of the environment variable CGWD_ESP, separated by commas: "openssl" (AES-GCM by OpenSSL even where libipsec-mb
// is at hand), "ipsec-mb" (or fail), "no-udp-offload", "no-tun-offload".
KernelResult<Options> parse_options(std::string_view words);
KernelResult<Options> options_from_environment();

}  // namespace cgw::kernel::userspace
