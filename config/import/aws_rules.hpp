#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/ip.hpp"

// What AWS allows in a Site-to-Site VPN connection; private to this room.
namespace cgw::config {

// 169.254 blocks that AWS keeps for itself, or overlaps one.
bool reserved_inside(const Prefix& p);

// What is wrong with a pre-shared key, without showing it; empty: nothing. AWS: 8 to 64 of A-Z a-z 0-9 . _, the
// first not 0.
std::string key_fault(std::string_view key);

// Letters, digits and '-': an id is a word of the configuration, and a blank or a line break in it would become a
// command.
bool is_id(std::string_view text);

// Where text stops being UTF-8.
std::optional<std::size_t> not_utf8(std::string_view text);

}  // namespace cgw::config
