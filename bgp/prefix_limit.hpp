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
  std::uint32_t warning_percent = 75;
  bool warning_only = false;
  std::optional<Seconds> pause = Seconds{60};  // before the session is tried again; none: when the operator clears it
  // Of memory for all its routes. What several share counts for each: a bound on what it could cost.
  std::uint64_t maximum_octets = std::uint64_t{1} << 30;
  bool operator==(const PrefixLimit&) const = default;
};

// What becomes of a session that has brought so much: it ends, or nothing.
std::optional<Reset> past(const PrefixLimit& limit, Family f, const Table::Counts& counts);

// Says once that the limit is near, once that it is passed, and again when it has come down in between.
class PrefixWarning {
 public:
  // Empty: nothing to say.
  std::string look(const PrefixLimit& limit, Family f, std::uint32_t received);

 private:
  enum class Said : std::uint8_t { Nothing, Near, Past };
  Said said_ = Said::Nothing;
};

// Warns of prefixes that are held back since the neighbor would reset the session (AWS: past 100 of a VGW, 1000 of a
// TGW).
std::string held_back_text(const PrefixTable& prefixes, const std::set<PrefixId>& held, std::uint32_t limit);

}  // namespace cgw::bgp
