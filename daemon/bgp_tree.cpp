// Tables of routes. Keys and their order are FRR 8.4's.
#include "daemon/bgp_tree.hpp"

#include <algorithm>
#include <vector>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "daemon/bgp_tree_parts.hpp"

namespace cgw {
namespace json = boost::json;
using namespace bgp_tree;

namespace bgp_tree {

std::string_view origin_word(std::uint8_t origin) {
  return origin == 0 ? "IGP" : (origin == 1 ? "EGP" : "incomplete");
}

std::string_view peer_type(bgp::SourceKind k) {
  switch (k) {
    case bgp::SourceKind::Local: return "";
    case bgp::SourceKind::Ebgp: return "external";
    case bgp::SourceKind::ConfedEbgp: return "confed-external";
    case bgp::SourceKind::Ibgp: return "internal";
  }
  return "";
}

bool is_shown(const bgp::Table& table, const bgp::Path& p) {
  return p.accepted != bgp::AttributeId{} && table.standing(p.neighbor).good(p.epoch);
}

bool multipath(const bgp::Ribs& ribs, const bgp::Table& table, bgp::PrefixId id, const bgp::Path& p) {
  const bgp::Path* best = table.best(id);
  return best != nullptr && best != &p && table.eligible(p) &&
         bgp::is_multipath(table.candidate(*best), table.candidate(p), ribs.options());
}

namespace {

std::string_view reason(bgp::Rule r) {
  switch (r) {
    case bgp::Rule::Same: return "Nothing left to compare";
    case bgp::Rule::LlgrStale: return "Path Staleness";
    case bgp::Rule::Weight: return "Weight";
    case bgp::Rule::LocalPref: return "Local Pref";
    case bgp::Rule::LocalOrigin: return "Local Route";
    case bgp::Rule::AsPathLength: return "AS Path";
    case bgp::Rule::Origin: return "Origin";
    case bgp::Rule::Med: return "MED";
    case bgp::Rule::Kind: return "Peer Type";
    case bgp::Rule::IgpMetric: return "IGP Metric";
    case bgp::Rule::Oldest: return "Older Path";
    case bgp::Rule::BgpIdentifier: return "Router ID";
    case bgp::Rule::ClusterLength: return "Cluster length";
    case bgp::Rule::PeerAddress: return "Neighbor IP";
    case bgp::Rule::PathId: return "Path ID";
  }
  return "";
}

}  // namespace

std::string_view selection_reason(const bgp::Ribs& ribs, const bgp::Table& table, bgp::PrefixId id) {
  const bgp::Path* best = table.best(id);
  if (best == nullptr) return "";
  std::vector<bgp::Candidate> others;
  for (const auto* p = table.first(id); p != nullptr; p = table.next(p))
    if (p != best && table.eligible(*p)) others.push_back(table.candidate(*p));
  if (others.empty()) return "First path received";
  const auto second = bgp::select(others, ribs.options());
  return reason(bgp::compare(table.candidate(*best), others[second], ribs.options()).rule);
}

}  // namespace bgp_tree

namespace {

// In the order of prefixes; of a table that is too large some of them.
std::vector<std::pair<Prefix, bgp::PrefixId>> prefixes_of(const bgp::Table& table, auto&& wanted) {
  std::vector<std::pair<Prefix, bgp::PrefixId>> out;
  for (std::uint32_t i = 0; i < table.prefixes().limit() && out.size() < kMostRoutesShown; ++i) {
    const bgp::PrefixId id{i};
    if (table.prefixes().in_use(id) && wanted(id)) out.emplace_back(table.prefixes().prefix(id), id);
  }
  std::ranges::sort(out, {}, [](const auto& e) { return e.first; });
  return out;
}

std::size_t count_paths(const bgp::Ribs& ribs, Family f) {
  const bgp::Table& table = ribs.table(f);
  std::size_t n = 0;
  for (std::uint32_t i = 0; i < table.prefixes().limit(); ++i) {
    if (!table.prefixes().in_use(bgp::PrefixId{i})) continue;
    for (const auto* p = table.first(bgp::PrefixId{i}); p != nullptr; p = table.next(p))
      n += is_shown(table, *p) ? 1U : 0U;
  }
  return n;
}

json::object hop_tree(const BgpView& v, const bgp::Path& p, const IpAddress& address) {
  json::object hop{{"ip", p.neighbor == 0 ? (address.is_v4() ? "0.0.0.0" : "::") : address.to_string()}};
  if (p.neighbor == 0 && !v.hostname.empty()) hop["hostname"] = v.hostname;
  hop["afi"] = address.is_v4() ? "ipv4" : "ipv6";
  if (!address.is_v4()) hop["scope"] = "global";
  hop["used"] = true;
  return hop;
}

json::object path_tree(const BgpView& v, const bgp::Table& table, const Prefix& prefix, bgp::PrefixId id,
                       const bgp::Path& p) {
  const bgp::Ribs& ribs = v.speaker.ribs();
  const bgp::Source& source = ribs.sources()[p.neighbor];
  const auto& keys = ribs.pool().keys(p.accepted);
  const auto a = ribs.pool().attributes(p.accepted);
  json::object out;
  if (table.eligible(p)) out["valid"] = true;
  if (!table.standing(p.neighbor).fresh(p.epoch)) out["stale"] = true;
  if (multipath(ribs, table, id, p)) out["multipath"] = true;
  if (p.best) {
    out["bestpath"] = true;
    out["selectionReason"] = selection_reason(ribs, table, id);
  }
  out["pathFrom"] = source.path.kind == bgp::SourceKind::Ibgp ? "internal" : "external";
  out["prefix"] = prefix.address.to_string();
  out["prefixLen"] = prefix.length;
  out["network"] = prefix.to_string();
  out["version"] = 0;
  if (a.med) out["metric"] = *a.med;
  if (a.local_pref) out["locPrf"] = *a.local_pref;
  out["weight"] = keys.local.weight;
  out["peerId"] = p.neighbor == 0 ? "(unspec)" : source.path.address.to_string();
  out["path"] = a.as_path_text();
  out["origin"] = origin_word(keys.origin);
  out["nexthops"] = json::array{hop_tree(v, p, a.next_hop)};
  return out;
}

bool is_of(const bgp::Table& table, const bgp::Path& p, std::optional<bgp::NeighborId> of) {
  return is_shown(table, p) && (!of || p.neighbor == of->value());
}

json::object code_keys() {
  return {{"suppressed", "s"}, {"damped", "d"},   {"history", "h"},    {"valid", "*"}, {"best", ">"},
          {"multipath", "="},  {"internal", "i"}, {"ribFailure", "r"}, {"stale", "S"}, {"removed", "R"}};
}

json::object adjacent_tree(const Prefix& prefix, const bgp::PathAttributes& a, std::uint32_t weight) {
  json::object out{{"addrPrefix", prefix.address.to_string()},
                   {"prefixLen", prefix.length},
                   {"network", prefix.to_string()},
                   {prefix.address.is_v4() ? "nextHop" : "nextHopGlobal", a.next_hop.to_string()}};
  if (a.med) out["metric"] = *a.med;
  if (a.local_pref) out["locPrf"] = *a.local_pref;
  out["weight"] = weight;
  out["path"] = a.as_path_text();
  constexpr std::string_view kLetters[] = {"i", "e", "?"};
  out["bgpOriginCode"] = kLetters[static_cast<std::size_t>(a.origin)];
  out["appliedStatusSymbols"] = json::object{{"*", true}, {">", true}};
  return out;
}

// The path of the neighbor with the lowest path id; most have one.
const bgp::Path* path_of(const bgp::Table& table, bgp::PrefixId id, bgp::NeighborId n) {
  for (const auto* p = table.first(id); p != nullptr; p = table.next(p))
    if (p->neighbor == n.value()) return p;
  return nullptr;
}

}  // namespace

json::value bgp_table_tree(const BgpView& v, Family f, std::optional<bgp::NeighborId> of) {
  const bgp::Table& table = v.speaker.ribs().table(f);
  const auto has = [&](bgp::PrefixId id) {
    for (const auto* p = table.first(id); p != nullptr; p = table.next(p))
      if (is_of(table, *p, of)) return true;
    return false;
  };
  json::object routes;
  const auto shown = prefixes_of(table, has);
  for (const auto& [prefix, id] : shown) {
    json::array paths;
    for (const auto* p = table.first(id); p != nullptr; p = table.next(p))
      if (is_of(table, *p, of)) paths.push_back(path_tree(v, table, prefix, id, *p));
    routes[prefix.to_string()] = std::move(paths);
  }
  json::object out{{"vrfId", 0},
                   {"vrfName", "default"},
                   {"tableVersion", 0},
                   {"routerId", IpAddress::v4(v.router_id.value()).to_string()},
                   {"defaultLocPrf", 100},
                   {"localAS", v.asn.value()},
                   {"routes", std::move(routes)},
                   {"totalRoutes", table.prefixes().size()},
                   {"totalPaths", count_paths(v.speaker.ribs(), f)}};
  if (!of && shown.size() == kMostRoutesShown) out["notDisplayed"] = table.prefixes().size() - shown.size();
  return out;
}

json::value bgp_neighbor_routes_tree(const BgpView& v, Family f, bgp::NeighborId n, NeighborRoutesView which) {
  const bgp::Ribs& ribs = v.speaker.ribs();
  const bgp::Table& table = ribs.table(f);
  const bgp::Advertiser* advertiser = ribs.advertiser(n, f);
  const bool advertised = which == NeighborRoutesView::Advertised;
  const auto wanted = [&](bgp::PrefixId id) {
    if (advertised) return advertiser != nullptr && advertiser->told(id) && table.best(id) != nullptr;
    const auto* p = path_of(table, id, n);
    return p != nullptr && (which == NeighborRoutesView::Received || p->accepted == bgp::AttributeId{});
  };
  json::object routes;
  for (const auto& [prefix, id] : prefixes_of(table, wanted)) {
    if (!advertised) {
      const auto& received = path_of(table, id, n)->received;
      routes[prefix.to_string()] = adjacent_tree(prefix, ribs.pool().attributes(received), 0);
    } else if (const auto told = advertiser->told(id, *table.best(id))) {
      routes[prefix.to_string()] = adjacent_tree(prefix, *told, 0);
    }
  }
  const std::size_t total = routes.size();
  json::object out{{"bgpTableVersion", 0},
                   {"bgpLocalRouterId", IpAddress::v4(v.router_id.value()).to_string()},
                   {"defaultLocPrf", 100},
                   {"localAS", v.asn.value()},
                   {"bgpStatusCodes", code_keys()},
                   {"bgpOriginCodes", json::object{{"igp", "i"}, {"egp", "e"}, {"incomplete", "?"}}},
                   {advertised ? "advertisedRoutes" : "receivedRoutes", std::move(routes)},
                   {"totalPrefixCounter", total}};
  out["filteredPrefixCounter"] =
      which == NeighborRoutesView::Received ? v.speaker.counts(n, f).filtered : std::uint32_t{0};
  return out;
}

}  // namespace cgw
