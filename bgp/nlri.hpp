#pragma once
#include <span>
#include <vector>

#include "base/wire.hpp"
#include "bgp/types.hpp"

// Routes as an UPDATE's fields hold them: [path identifier (4)], length in bits (1), prefix (RFC 4271 4.3, 7911 3).
namespace cgw::bgp {

enum class PathIds : bool { Absent, Present };

// False when a prefix is longer than its family allows or runs over the end (RFC 7606 5.3). Host bits are cleared.
bool read_nlri(Bytes field, Family family, PathIds ids, std::vector<Nlri>& out);
void write_nlri(Writer& w, const Nlri& n, PathIds ids);
std::size_t nlri_octets(const Nlri& n, PathIds ids);

// A prefix that nobody can announce: multicast, reserved, loopback, link-local (RFC 4271 6.3: "an unexpected multicast
// IP address"). A default route is no such prefix.
bool is_martian(const Prefix& p);

}  // namespace cgw::bgp
