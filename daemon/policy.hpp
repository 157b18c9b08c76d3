#pragma once
#include "base/result.hpp"
#include "bgp/policy/policy_set.hpp"
#include "config/config.hpp"

namespace cgw {

// The configuration's lists and route-maps, ready for use. What no single line can see is an error with its line: an
// expression that is none.
Result<bgp::policy::PolicySet, config::Diagnostics> compile_policy(const config::Policy& policy,
                                                                   const config::Places& places = {});

}  // namespace cgw
