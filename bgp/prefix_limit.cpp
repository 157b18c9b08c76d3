#include "bgp/prefix_limit.hpp"

#include <utility>

#include <fmt/format.h>

namespace cgw::bgp {

std::optional<Reset> past(const PrefixLimit& limit, Family f, const Table::Counts& counts) {
  if (counts.octets > limit.maximum_octets) {
    return Reset{.notification = {.code = 6, .subcode = 8, .data = {}},
                 .why = fmt::format("the neighbor's {} routes of {} take more than {} MiB of memory", counts.received,
                                    name_of(f), limit.maximum_octets >> 20),
                 .pause = limit.pause};
  }
  if (counts.received <= limit.maximum || limit.warning_only) return std::nullopt;
  return Reset{.notification = {.code = 6, .subcode = 1, .data = {}},
               .why = fmt::format("the neighbor announces more than {} prefixes of {}", limit.maximum, name_of(f)),
               .pause = limit.pause};
}

std::string PrefixWarning::look(const PrefixLimit& limit, Family f, std::uint32_t received) {
  const bool over = received > limit.maximum;
  const bool near =
      limit.maximum > 0 && std::uint64_t{received} * 100 >= std::uint64_t{limit.maximum} * limit.warning_percent;
  const Said now = over ? Said::Past : (near ? Said::Near : Said::Nothing);
  const Said before = std::exchange(said_, now);
  // An end of the session speaks for itself.
  if (now <= before || (over && !limit.warning_only)) return {};
  return over ? fmt::format(
                    "the neighbor announces {} prefixes of {}, more than maximum-prefix {} allows: only warned "
                    "of, as configured",
                    received, name_of(f), limit.maximum)
              : fmt::format("the neighbor announces {} prefixes of {}, {} % of maximum-prefix {}", received, name_of(f),
                            std::uint64_t{received} * 100 / limit.maximum, limit.maximum);
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
