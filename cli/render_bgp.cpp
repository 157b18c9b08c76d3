// FRR's layouts of BGP routes, from trees with FRR's keys: what tools have learned to read.
#include <algorithm>
#include <vector>

#include <fmt/format.h>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "base/ip.hpp"
#include "cli/render.hpp"
#include "cli/tree.hpp"

namespace cgw::cli {
namespace {

using boost::json::value;

constexpr const char* kCodes =
    "Status codes:  s suppressed, d damped, h history, * valid, > best, = multipath,\n"
    "               i internal, r RIB-failure, S Stale, R Removed\n"
    "Nexthop codes: @NNN nexthop's vrf id, < announce-nh-self\n"
    "Origin codes:  i - IGP, e - EGP, ? - incomplete\n"
    "RPKI validation codes: V valid, I invalid, N Not found\n\n"
    "   Network          Next Hop            Metric LocPrf Weight Path\n";

std::string head(std::int64_t version, const std::string& router_id, const value& tree) {
  return fmt::format("BGP table version is {}, local router ID is {}, vrf id 0\nDefault local pref {}, local AS {}\n{}",
                     version, router_id, integer(tree, "defaultLocPrf"), integer(tree, "localAS"), kCodes);
}

// Left in its column, or on a line of its own when it fills it.
std::string column(const std::string& text, std::size_t width, std::size_t next) {
  if (text.size() < width) return fmt::format("{:<{}}", text, width);
  return fmt::format("{}\n{:{}}", text, "", next);
}

std::string number_or_blank(const value& v, std::string_view key, int width) {
  if (at(v, key).is_null()) return fmt::format("{:{}}", "", width);
  return fmt::format("{:>{}}", integer(v, key), width);
}

// `status`: three letters. The prefix is told once, for the first of its paths.
std::string route_line(const std::string& status, const std::string& prefix, const std::string& next_hop,
                       const value& route, char origin) {
  std::string path = text(route, "path");
  if (!path.empty()) path += ' ';
  return fmt::format("{}{}{}{}{}{:>7} {}{}\n", status, column(prefix, 17, 20), column(next_hop, 16, 36),
                     number_or_blank(route, "metric", 10), number_or_blank(route, "locPrf", 7),
                     integer(route, "weight"), path, origin);
}

char origin_letter(const std::string& word) {
  if (word == "IGP") return 'i';
  return word == "EGP" ? 'e' : '?';
}

std::string path_line(const value& p, const std::string& prefix) {
  const char second = flag(p, "bestpath") ? '>' : (flag(p, "multipath") ? '=' : ' ');
  const char first = flag(p, "stale") ? 'S' : (flag(p, "valid") ? '*' : ' ');
  const char third = text(p, "pathFrom") == "internal" ? 'i' : ' ';
  const auto& hops = list(p, "nexthops");
  return route_line({first, second, third}, prefix, hops.empty() ? "" : text(hops.front(), "ip"), p,
                    origin_letter(text(p, "origin")));
}

std::vector<std::pair<Prefix, const value*>> sorted(const value& routes) {
  std::vector<std::pair<Prefix, const value*>> out;
  if (!routes.is_object()) return out;
  for (const auto& [words, route] : routes.as_object()) {
    if (const auto p = Prefix::parse(words)) out.emplace_back(*p, &route);
  }
  std::ranges::sort(out, {}, [](const auto& e) { return e.first; });
  return out;
}

// ---- one prefix in detail

bool has_community(const value& path, std::string_view word) {
  return std::ranges::any_of(list(at(path, "community"), "list"), [&](const value& c) { return text(c) == word; });
}

std::string paths_line(const boost::json::array& paths) {
  const auto best = std::ranges::find_if(paths, [](const value& p) { return flag(at(p, "bestpath"), "overall"); });
  if (best == paths.end()) return fmt::format("Paths: ({} available, no best path)\n", paths.size());
  const char* limit = "";
  if (has_community(*best, "noAdvertise")) {
    limit = ", not advertised to any peer";
  } else if (has_community(*best, "noExport")) {
    limit = ", not advertised to EBGP peer";
  } else if (has_community(*best, "localAs")) {
    limit = ", not advertised outside local AS";
  }
  return fmt::format("Paths: ({} available, best #{}, table default{})\n", paths.size(), best - paths.begin() + 1,
                     limit);
}

std::string told_lines(const value& told) {
  if (!told.is_object() || told.as_object().empty()) return "  Not advertised to any peer\n";
  std::string out = "  Advertised to non peer-group peers:\n ";
  for (const auto& [peer, names] : told.as_object())
    out += ' ' + std::string(peer);
  return out + '\n';
}

std::string next_hop_line(const value& p) {
  const auto& hops = list(p, "nexthops");
  const value none;
  const value& hop = hops.empty() ? none : hops.front();
  const auto& peer = at(p, "peer");
  const std::string originator = text(p, "originatorId");
  std::string out = "    " + text(hop, "ip");
  if (!flag(hop, "accessible")) {
    out += " (inaccessible)";
  } else if (integer(hop, "metric") != 0) {
    out += fmt::format(" (metric {})", integer(hop, "metric"));
  }
  out += fmt::format(" from {} ({})\n", text(peer, "peerId"), originator.empty() ? text(peer, "routerId") : originator);
  if (hops.size() > 1) out += fmt::format("    ({}) (used)\n", text(hops[1], "ip"));
  return out;
}

std::string origin_line(const value& p) {
  std::string out = "      Origin " + text(p, "origin");
  const auto add = [&](std::string_view words, std::string_view key) {
    if (!at(p, key).is_null()) out += fmt::format(", {} {}", words, integer(p, key));
  };
  add("metric", "metric");
  add("localpref", "locPrf");
  add("weight", "weight");
  add("tag", "tag");
  out += flag(p, "valid") ? ", valid" : ", invalid";
  if (const std::string type = text(at(p, "peer"), "type"); !type.empty()) out += ", " + type;
  if (flag(p, "sourced")) out += ", sourced";
  if (flag(p, "local")) out += ", local";
  if (flag(p, "atomicAggregate")) out += ", atomic-aggregate";
  if (flag(p, "multipath")) out += ", multipath";
  const auto& best = at(p, "bestpath");
  if (flag(best, "overall")) out += fmt::format(", best ({})", text(best, "selectionReason"));
  return out + '\n';
}

std::string path_lines(const value& p) {
  std::string out = "  " + text(at(p, "aspath"), "string");
  if (!at(p, "aggregatorAs").is_null())
    out += fmt::format(", (aggregated by {} {})", integer(p, "aggregatorAs"), text(p, "aggregatorId"));
  out += '\n' + next_hop_line(p) + origin_line(p);
  const auto add = [&](std::string_view words, std::string_view key) {
    if (const auto& c = at(p, key); c.is_object()) out += fmt::format("      {}: {}\n", words, text(c, "string"));
  };
  add("Community", "community");
  add("Extended Community", "extendedCommunity");
  add("Large Community", "largeCommunity");
  if (const std::string originator = text(p, "originatorId"); !originator.empty()) {
    out += "      Originator: " + originator;
    const auto& clusters = list(at(p, "clusterList"), "list");
    if (!clusters.empty()) out += ", Cluster list: ";
    for (const auto& c : clusters)
      out += text(c) + ' ';
    out += '\n';
  }
  return out + "      Last update: " + text(at(p, "lastUpdate"), "string");
}

}  // namespace

std::string render_bgp_table(const value& tree) {
  const auto routes = sorted(at(tree, "routes"));
  if (routes.empty()) return fmt::format("No BGP prefixes displayed, {} exist\n", integer(tree, "totalRoutes"));
  std::string out = head(integer(tree, "tableVersion"), text(tree, "routerId"), tree);
  for (const auto& [prefix, paths] : routes) {
    if (!paths->is_array()) continue;
    std::string shown = prefix.to_string();
    for (const auto& p : paths->as_array())
      out += path_line(p, std::exchange(shown, std::string()));
  }
  out += fmt::format("\nDisplayed  {} routes and {} total paths\n", routes.size(), integer(tree, "totalPaths"));
  if (const auto more = integer(tree, "notDisplayed"); more > 0)
    out += fmt::format("{} more routes are there: ask for them by prefix\n", more);
  return out;
}

std::string render_bgp_prefix(const value& tree) {
  const auto& paths = list(tree, "paths");
  if (paths.empty()) return "% Network not in table\n";
  std::string out = fmt::format("BGP routing table entry for {}, version {}\n{}{}", text(tree, "prefix"),
                                integer(tree, "version"), paths_line(paths), told_lines(at(tree, "advertisedTo")));
  for (const auto& p : paths)
    out += path_lines(p);
  return out;
}

std::string render_bgp_neighbor_routes(const value& tree) {
  if (const std::string warning = text(tree, "warning"); !warning.empty()) return warning + '\n';
  std::string out = head(integer(tree, "bgpTableVersion"), text(tree, "bgpLocalRouterId"), tree);
  const auto& told = at(tree, "advertisedRoutes");
  const auto routes = sorted(told.is_null() ? at(tree, "receivedRoutes") : told);
  for (const auto& [prefix, route] : routes) {
    const std::string letter = text(*route, "bgpOriginCode");
    out += route_line("*> ", prefix.to_string(), text(*route, "nextHop"), *route, letter.empty() ? '?' : letter[0]);
  }
  if (routes.empty()) return out;
  out += fmt::format("\nTotal number of prefixes {}", integer(tree, "totalPrefixCounter"));
  if (const auto filtered = integer(tree, "filteredPrefixCounter"); filtered > 0)
    out += fmt::format(" ({} filtered)", filtered);
  return out + '\n';
}

}  // namespace cgw::cli
