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

// What the cursor names; they exist by then.
Connection& connection_at(Config& c, const Cursor& at);
const Connection& connection_at(const Config& c, const Cursor& at);
Tunnel& tunnel_at(Config& c, const Cursor& at);
const Tunnel& tunnel_at(const Config& c, const Cursor& at);

// The value of a typed decimal argument; the pattern has checked its range.
std::uint32_t to_number(std::string_view text);

}  // namespace cgw::config
