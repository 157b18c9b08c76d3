#pragma once
#include <optional>
#include <string>

#include "bgp/types.hpp"

namespace cgw::bgp {

// What a speaker knows of itself that a route must not have met.
struct OwnIdentity {
  Asn local_as;
  RouterId router_id;
  std::optional<std::uint32_t> cluster_id;  // of a route reflector
  unsigned allow_own_as = 0;                // 'allowas-in': so many times the own AS is no loop
};

// Why a well-formed route has been here before; empty when it has not. It is kept out of the decision, not of the
// Adj-RIB-In: configuration may change (RFC 4271 9.1.2: "AS loop detection"; RFC 4456 8).
std::string loop(const PathAttributes& a, const OwnIdentity& own);

}  // namespace cgw::bgp
