#pragma once
#include <optional>
#include <set>
#include <string>

#include "bgp/session.hpp"
#include "bgp/table.hpp"

// How many prefixes may come from a neighbor, and what is said when fewer may go to it than there are.
namespace cgw::bgp {

struct PrefixLimit {
  std::uint32_t maximum = 1'000'000;
  Seconds pause{60};  // before the session is tried again
  bool operator==(const PrefixLimit&) const = default;
};

// What becomes of a session that has brought so many.
std::optional<Reset> past(const PrefixLimit& limit, Family f, std::uint32_t received);

// Warns of prefixes that are held back since the neighbor would reset the session (AWS: past 100 of a VGW, 1000 of a
// TGW).
std::string held_back_text(const PrefixTable& prefixes, const std::set<PrefixId>& held, std::uint32_t limit);

}  // namespace cgw::bgp
