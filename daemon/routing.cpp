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

bgp::NeighborConfig tunnel_neighbor(const bgp::SessionConfig& session) {
  const bool internal = session.local_as == session.remote_as;
  bgp::NeighborConfig n{.session = session, .routes = {}, .limit = {}};
  n.routes.address = session.remote_address;
  n.routes.tunnel = true;
  n.routes.import.kind = internal ? bgp::SourceKind::Ibgp : bgp::SourceKind::Ebgp;
  n.routes.import.remote_as = session.remote_as;
  bgp::ExportRules& out = n.routes.export_rules[session.local_address.family()];
  out.kind = n.routes.import.kind;
  out.local_as = session.local_as;
  out.scope = bgp::Scope::Own;
  out.next_hop = session.local_address;
  return n;
}

rib::Path path(rib::ExitId exit, const bgp::PathSource& from, const bgp::PathAttributes& a, std::uint32_t weight,
               TimePoint learned) {
  rib::Path p;
  p.exit = exit;
  p.next_hop = from.address;
  p.internal = from.kind == bgp::SourceKind::Ibgp;
  p.weight = weight;
  p.local_pref = a.local_pref.value_or(100);
  p.as_path_length = a.as_path_length();
  p.origin = static_cast<std::uint8_t>(a.origin);
  p.med = a.med.value_or(0);
  p.neighbor_as = a.first_as().value_or(bgp::Asn{}).value();
  p.router_id = from.router_id;
  p.learned = learned;
  p.as_path = a.as_path_text();
  return p;
}

std::vector<rib::Path> paths(const bgp::Speaker& speaker, const Prefix& prefix, const ExitOf& exit_of, TimePoint now) {
  constexpr std::uint8_t kExternal = 20, kInternal = 200;
  std::vector<rib::Path> out;
  const bgp::Ribs& ribs = speaker.ribs();
  for (const bgp::Way& way : speaker.ways(prefix)) {
    const auto exit = exit_of(way.neighbor);
    if (!exit || std::ranges::any_of(out, [&](const rib::Path& p) { return p.exit == *exit; })) continue;
    out.push_back(path(*exit, ribs.sources()[way.neighbor.value()].path, ribs.pool().attributes(way.attributes),
                       ribs.pool().keys(way.attributes).local.weight, now));
  }
  for (rib::Path& p : out)
    p.distance = out.front().internal ? kInternal : kExternal;
  return out;
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
