#pragma once
#include <cstdint>
#include <span>

#include "base/wire.hpp"

namespace cgw::kernel {

// What of an inner packet the tunnel's outer header repeats: DSCP and ECN (RFC 4301 5.1.2.1, RFC 6040 4.1).
// packet: at least the IP header is there.
std::uint8_t traffic_class(Bytes packet);

// Congestion marked on the way goes into the inner header (RFC 6040 4.2). False: it cannot, the packet must be dropped,
// since its sender would never learn.
bool take_congestion(std::span<std::uint8_t> packet, std::uint8_t outer);

}  // namespace cgw::kernel
