#pragma once
#include <vector>

#include "base/wire.hpp"
#include "bgp/types.hpp"

// The canonical form of a set of path attributes: equal sets have equal octets, whatever order and flags they came in.
// Denser than the wire's, with lengths of one octet where they fit, and free of its limits (AS numbers have four
// octets, segments any length). Made by us alone, hence read without doubt.
namespace cgw::bgp {

// Appends to out.
void write_canonical(const PathAttributes& a, std::vector<std::uint8_t>& out);
PathAttributes read_canonical(Bytes octets);

}  // namespace cgw::bgp
