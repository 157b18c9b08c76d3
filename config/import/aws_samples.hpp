#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "config/import/aws_facts.hpp"

// What AWS's texts have in common; private to their readers.
namespace cgw::config {

// "Your VPN Connection ID : vpn-...", also behind '#' or '!'.
bool take_id(const Source& source, const Line& line, ConnectionFacts& out);

// False, with a complaint, for a text that was cut off: in the middle of a line, or after the first tunnel.
// closed: its end can be told, by what follows the tunnels or by the last line.
bool whole(const Source& source, const std::vector<Line>& lines, const ConnectionFacts& c, bool closed,
           Complaints& wrong);

// AWS's algorithms as the XML would name them: "aes128", "sha1", "2" -> "aes-128-cbc sha1 group2".
std::string floor_of(std::string_view encryption, std::string_view integrity, std::string_view group);

std::string collapsed(std::string_view s);     // blanks trimmed, and one where there are several
std::string without_unit(std::string_view s);  // "28800 seconds" -> "28800"; anything else stays
std::string unquoted(std::string_view s);      // 'x', "x" -> x
// "8h", "60m", "30s" -> seconds; anything else stays.
std::string in_seconds(std::string_view s);
// "169.254.10.2/30" -> its address, its length into `to`.
void split_length(Field& f, TunnelFacts* to);

}  // namespace cgw::config
