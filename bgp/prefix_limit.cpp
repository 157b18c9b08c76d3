#include "bgp/prefix_limit.hpp"

#include <fmt/format.h>

namespace cgw::bgp {

std::optional<Reset> past(const PrefixLimit& limit, Family f, std::uint32_t received) {
  if (received <= limit.maximum) return std::nullopt;
  return Reset{.notification = {.code = 6, .subcode = 1, .data = {}},
               .why = fmt::format("the neighbor announces more than {} prefixes of {}", limit.maximum, name_of(f)),
               .pause = limit.pause};
}

std::string held_back_text(const PrefixTable& prefixes, const std::set<PrefixId>& held, std::uint32_t limit) {
  constexpr std::size_t kNamed = 10;
  std::string names;
  std::size_t n = 0;
  for (auto it = held.begin(); it != held.end() && n < kNamed; ++it, ++n)
    names += (n > 0 ? ", " : "") + prefixes.prefix(*it).to_string();
  return fmt::format(
      "{} prefixes are held back: the neighbor resets the session past {} ({}{}); "
      "aggregate them, or raise maximum-prefix-out if it takes more",
      held.size(), limit, names, held.size() > kNamed ? ", ..." : "");
}

}  // namespace cgw::bgp
