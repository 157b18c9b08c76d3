#pragma once
#include <optional>
#include <vector>

#include "ipsec/child_sa.hpp"
#include "ipsec/payload.hpp"

// Traffic selectors (RFC 7296 3.13): address ranges; selectors for one protocol or port are not what a route-based
// tunnel can use and are passed over.
namespace cgw::ipsec {

// All of a family: what a route-based tunnel asks for.
AddressRange any_address(Family inside);

Payload make_ts(PayloadType type, const AddressRange& range);
Result<std::vector<AddressRange>, NotifyType> parse_ts(Bytes body);

// The first of the peer's ranges, cut to `ours`; nullopt when they share nothing.
std::optional<AddressRange> narrow(const std::vector<AddressRange>& theirs, const AddressRange& ours);

}  // namespace cgw::ipsec
