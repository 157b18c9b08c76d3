#pragma once
#include <string_view>

#include <boost/json/value.hpp>

#include "base/result.hpp"
#include "daemon/gateway.hpp"

namespace cgw {

// All that can be shown, as data: the shell, JSON and later renderings are views of these trees. Names of
// members are part of the interface (BGP and routes: FRR's names). Never holds a secret.
boost::json::value show_vpn(const Gateway& g);
boost::json::value show_bgp_summary(const Gateway& g);
boost::json::value show_ip_route(const Gateway& g);
boost::json::value show_running_config(const Gateway& g);
boost::json::value show_version(const Gateway& g);

// The answer to a request of config::commands(); the error is FRR's "% Unknown command: ...".
Result<boost::json::value, std::string> show(const Gateway& g, std::string_view request);

}  // namespace cgw
