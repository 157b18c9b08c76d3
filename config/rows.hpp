#pragma once
#include <span>

#include "config/commands.hpp"

// The parts of the command table, by subject; commands() is all of them.
namespace cgw::config {

std::span<const Command> exec_rows();
std::span<const Command> global_rows();
std::span<const Command> vpn_rows();
std::span<const Command> tunnel_rows();
std::span<const Command> ipsec_rows();
std::span<const Command> traffic_rows();
std::span<const Command> authentication_rows();
std::span<const Command> router_rows();
std::span<const Command> neighbor_family_rows();
std::span<const Command> prefix_list_rows();
std::span<const Command> policy_list_rows();
std::span<const Command> route_map_rows();

// What the cursor names; they exist by then.
Connection& connection_at(Config& c, const Cursor& at);
const Connection& connection_at(const Config& c, const Cursor& at);
Tunnel& tunnel_at(Config& c, const Cursor& at);
const Tunnel& tunnel_at(const Config& c, const Cursor& at);

// Communities as FRR writes them: in order, each once. The error says which word is none.
Result<std::string, std::string> canonical_communities(std::span<const std::string> given);
Result<std::string, std::string> canonical_large_communities(std::span<const std::string> given);
Result<std::string, std::string> canonical_extended_communities(std::span<const std::string> given);

// The value of a typed decimal argument; the pattern has checked its range.
std::uint32_t to_number(std::string_view text);

}  // namespace cgw::config
