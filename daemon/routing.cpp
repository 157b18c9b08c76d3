#include "daemon/routing.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace cgw::routing {

rib::Fitness fitness(health::Verdict v) {
  switch (v) {
    case health::Verdict::Up: return rib::Fitness::Up;
    case health::Verdict::Degraded: return rib::Fitness::Degraded;
    case health::Verdict::Draining: return rib::Fitness::Draining;
    case health::Verdict::Down: return rib::Fitness::Down;
  }
  return rib::Fitness::Down;
}

rib::Path path(rib::ExitId exit, const IpAddress& next_hop, bgp::RouterId neighbor, const bgp::PathAttributes& a,
               TimePoint learned) {
  rib::Path p;
  p.exit = exit;
  p.next_hop = next_hop;
  p.local_pref = 100;
  p.as_path_length = a.as_path_length();
  p.origin = static_cast<std::uint8_t>(a.origin);
  p.med = a.med.value_or(0);
  p.neighbor_as = a.first_as().value_or(bgp::Asn{}).value();
  p.router_id = neighbor.value();
  p.learned = learned;
  p.as_path = a.as_path_text();
  return p;
}

std::uint32_t announced_med(health::Verdict own, std::span<const Sibling> siblings) {
  constexpr std::uint32_t kMed = 100, kOtherDown = 50, kDraining = 200;
  const bool other_down =
      std::ranges::any_of(siblings, [](const Sibling& s) { return s.served && s.verdict == health::Verdict::Down; });
  switch (own) {
    case health::Verdict::Up:
    case health::Verdict::Degraded: return other_down ? kOtherDown : kMed;
    case health::Verdict::Draining: return kDraining;
    case health::Verdict::Down: return kMed;
  }
  return kMed;
}

std::string why_left(const rib::Rib& rib, rib::ExitId exit, const rib::PlanChanges& changes, std::string_view from,
                     std::string_view to) {
  const auto groups = rib.groups();
  const bool offers = std::ranges::any_of(
      groups, [&](const rib::GroupSet& g) { return std::ranges::find(g.ranked, exit) != g.ranked.end(); });
  if (!offers) return fmt::format("the neighbor of {} offers no route any more", from);
  for (const auto& c : changes) {
    const auto* set = std::get_if<rib::RouteSet>(&c);
    const auto view = set != nullptr ? rib.find(set->prefix) : std::nullopt;
    if (!view) continue;
    for (const auto& candidate : view->candidates) {
      if (candidate.path.exit == exit && candidate.lost_by != rib::Rule::Same)
        return fmt::format("{} is better by {}", to, to_string(candidate.lost_by));
    }
  }
  return fmt::format("{} is fit again and preferred", to);
}

}  // namespace cgw::routing
