#pragma once
#include <string>

#include <boost/json/value.hpp>

// Text of the daemon's state trees (daemon/state_tree.hpp), and JSON as a person reads it.
namespace cgw::cli {

std::string render_vpn(const boost::json::value& tree);
std::string render_bgp_summary(const boost::json::value& tree);  // FRR's layout
std::string render_ip_route(const boost::json::value& tree);     // FRR's layout
// FRR's layouts of `show bgp ipv4|ipv6 unicast`, with a prefix, and of a neighbor's advertised, received or filtered
// routes.
std::string render_bgp_table(const boost::json::value& tree);
std::string render_bgp_prefix(const boost::json::value& tree);
std::string render_bgp_neighbor_routes(const boost::json::value& tree);
std::string render_running_config(const boost::json::value& tree);
std::string render_version(const boost::json::value& tree);

std::string pretty(const boost::json::value& v);

// The configuration as a tree, from its text.
boost::json::value config_tree(const std::string& text);

}  // namespace cgw::cli
