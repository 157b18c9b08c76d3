#pragma once
#include <string>
#include <string_view>

#include <boost/json/value.hpp>

#include "base/result.hpp"
#include "bgp/policy/policy_set.hpp"

namespace cgw {

// `test policy route-map NAME PREFIX [as-path ASN...] ...`: whether the map permits such a route, step by step, and
// what it makes of it. The error is for the user.
Result<boost::json::value, std::string> test_policy(const bgp::policy::PolicySet& set, std::string_view request);

}  // namespace cgw
