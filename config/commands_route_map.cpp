// Rows of route-map and its block; FRR's syntax.
#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "config/rows.hpp"

namespace cgw::config {
namespace {

using Lines = std::vector<Rendered>;
using Done = Result<void, std::string>;
using Value = Result<std::string, std::string>;

Done enter(Config& c, Cursor& at, const Args& a, bool negated) {
  auto& all = c.policy.route_maps;
  const auto sequence = a.size() > 2 ? to_number(a[2]) : 0;
  if (!negated) {
    all[a[0]][sequence].permit = a[1] == "permit";
    at = {.mode = Mode::RouteMap, .route_map = a[0], .sequence = sequence};
    return {};
  }
  const auto it = all.find(a[0]);
  if (it == all.end()) return fail("% Could not find route-map " + a[0]);
  if (a.size() == 2) return fail("% Command incomplete: no route-map " + a[0] + " " + a[1]);
  if (a.size() > 2) {
    const auto entry = it->second.find(sequence);
    if (entry == it->second.end() || entry->second.permit != (a[1] == "permit"))
      return fail(fmt::format("% Could not find route-map entry {} {}", a[0], a[2]));
    it->second.erase(entry);
  }
  if (a.size() == 1 || it->second.empty()) all.erase(it);
  return {};
}

Lines show_maps(const Config& c, const Cursor&) {
  Lines out;
  for (const auto& [name, map] : c.policy.route_maps) {
    for (const auto& [sequence, e] : map)
      out.push_back({fmt::format("route-map {} {} {}", name, e.permit ? "permit" : "deny", sequence),
                     Cursor{.mode = Mode::RouteMap, .route_map = name, .sequence = sequence}});
  }
  return out;
}

RouteMapEntry& entry_at(Config& c, const Cursor& at) {
  return c.policy.route_maps.find(at.route_map)->second.at(at.sequence);
}

// In the order of the alphabet, as FRR writes them.
Lines show_entry(const Config& c, const Cursor& at) {
  const RouteMapEntry& e = c.policy.route_maps.find(at.route_map)->second.at(at.sequence);
  Lines out;
  if (!e.call.empty()) out.push_back({"call " + e.call, {}});
  if (!e.description.empty()) out.push_back({"description " + e.description, {}});
  for (const auto& [what, value] : e.matches)
    out.push_back({fmt::format("match {} {}", what, value), {}});
  if (e.go_on) out.push_back({*e.go_on == 0 ? "on-match next" : fmt::format("on-match goto {}", *e.go_on), {}});
  for (const auto& [what, value] : e.sets)
    out.push_back({fmt::format("set {} {}", what, value), {}});
  return out;
}

// ---- matches and sets: words that say what, and a value

template <std::size_t N>
struct Words {
  constexpr Words(const char (&text)[N]) { std::copy_n(text, N, data); }  // NOLINT: implicit, for template arguments
  char data[N];
};

Value as_typed(const Args& a) {
  return fmt::format("{}", fmt::join(a, " "));
}

template <Words What, Value (*Read)(const Args&) = as_typed>
Done match_row(Config& c, Cursor& at, const Args& a, bool negated) {
  auto& matches = entry_at(c, at).matches;
  if (negated) {
    matches.erase(What.data);
    return {};
  }
  CGW_TRY(matches[What.data], Read(a));
  return {};
}
template <Words What, Value (*Read)(const Args&) = as_typed>
Done set_row(Config& c, Cursor& at, const Args& a, bool negated) {
  auto& sets = entry_at(c, at).sets;
  if (negated) {
    sets.erase(What.data);
    return {};
  }
  CGW_TRY(sets[What.data], Read(a));
  return {};
}

Value local(const Args&) {
  return std::string("local");
}
Value none(const Args&) {
  return std::string("none");
}
Value to_delete(const Args& a) {
  return a[0] + " delete";
}
Value last_as(const Args& a) {
  return "last-as " + a[0];
}
Value peer_address(const Args&) {
  return std::string("peer-address");
}
Value unchanged(const Args&) {
  return std::string("unchanged");
}
Value global(const Args& a) {
  return "global " + a[0];
}

Value as_numbers(const Args& a) {
  for (const auto& word : a) {
    const bool digits = std::ranges::all_of(word, [](char c) { return c >= '0' && c <= '9'; });
    if (!digits || word.size() > 10 || std::stoull(word) == 0 || std::stoull(word) > 0xffffffff)
      return fail(fmt::format("% '{}' is no AS number (1 to 4294967295)", word));
  }
  if (a.size() > 255) return fail(std::string("% more than 255 AS numbers"));
  return as_typed(a);
}

// Communities, perhaps "additive" behind them; or "none" alone.
template <Result<std::string, std::string> (*Canonical)(std::span<const std::string>)>
Value communities(const Args& a) {
  if (a.size() == 1 && a[0] == "none") return a[0];
  const bool additive = a.back() == "additive";
  const auto given = std::span(a).first(a.size() - (additive ? 1 : 0));
  auto text = Canonical(given);
  if (given.empty() || !text)
    return fail(
        fmt::format("% Malformed communities attribute '{}'{}", fmt::join(a, " "), text ? "" : ": " + text.error()));
  return *text + (additive ? " additive" : "");
}

template <Words Kind>
Value extended(const Args& a) {
  for (const auto& word : a) {
    const std::string pair[] = {Kind.data, word};
    const auto one = canonical_extended_communities(pair);
    if (!one) return fail("% Malformed communities attribute: " + one.error());
  }
  return as_typed(a);
}

Done set_description(Config& c, Cursor& at, const Args& a, bool negated) {
  entry_at(c, at).description = negated ? "" : fmt::format("{}", fmt::join(a, " "));
  return {};
}
Done set_call(Config& c, Cursor& at, const Args& a, bool negated) {
  if (!negated && a[0] == at.route_map) return fail(std::string("% a route-map cannot call itself"));
  entry_at(c, at).call = negated ? "" : a[0];
  return {};
}
Done set_next(Config& c, Cursor& at, const Args&, bool negated) {
  entry_at(c, at).go_on = negated ? std::nullopt : std::optional(0U);
  return {};
}
Done set_goto(Config& c, Cursor& at, const Args& a, bool negated) {
  if (negated) {
    entry_at(c, at).go_on.reset();
    return {};
  }
  if (to_number(a[0]) <= at.sequence)
    return fail(fmt::format("% Can't jump backwards: {} is not behind {}", a[0], at.sequence));
  entry_at(c, at).go_on = to_number(a[0]);
  return {};
}

constexpr Command row(std::string_view pattern, std::string_view help, decltype(Command::apply) apply,
                      decltype(Command::render) render = nullptr) {
  return {
      .mode = Mode::RouteMap, .pattern = pattern, .help = help, .apply = apply, .render = render, .negatable = true};
}

constexpr Command kRows[] = {
    {.mode = Mode::Config,
     .pattern = "route-map WORD {deny|permit} (1-65535)",
     .help = "Create route-map or enter route-map command mode\nRoute map tag\nWhat becomes of a match\nSequence to "
             "insert to/delete from existing route-map entry",
     .apply = enter,
     .render = show_maps,
     .negatable = true,
     .key_values = 1},
    row("description LINE...", "Route-map comment\nComment describing this route-map rule", set_description,
        show_entry),
    row("call WORD", "Jump to another Route-Map after match+set\nTarget route-map name", set_call),
    row("continue [(1-65535)]", "Continue on a different entry within the route-map\nRoute-map entry sequence number",
        [](Config& c, Cursor& at, const Args& a, bool negated) {
          return a.empty() ? set_next(c, at, a, negated) : set_goto(c, at, a, negated);
        }),
    row("on-match next", "Exit policy on matches\nNext clause", set_next),
    row("on-match goto (1-65535)", "Exit policy on matches\nGoto Clause number\nNumber", set_goto),

    row("match ip address prefix-list WORD",
        "Match values from routing table\nIP information\nMatch address of route\nMatch entries of prefix-lists\nIP "
        "prefix-list name",
        match_row<"ip address prefix-list">),
    row("match ip next-hop address A.B.C.D",
        "Match values from routing table\nIP information\nMatch next-hop address of route\nIP address\nIP address of "
        "next "
        "hop",
        match_row<"ip next-hop address">),
    row("match ip next-hop prefix-list WORD",
        "Match values from routing table\nIP information\nMatch next-hop address of route\nMatch entries of "
        "prefix-lists\nIP prefix-list name",
        match_row<"ip next-hop prefix-list">),
    row("match ipv6 address prefix-list WORD",
        "Match values from routing table\nIPv6 information\nMatch IPv6 address of route\nMatch entries of "
        "prefix-lists\nIPv6 prefix-list name",
        match_row<"ipv6 address prefix-list">),
    row("match ipv6 next-hop address X:X::X:X",
        "Match values from routing table\nIPv6 information\nMatch IPv6 next-hop address of route\nIPv6 address\nIPv6 "
        "address of next hop",
        match_row<"ipv6 next-hop address">),
    row("match ipv6 next-hop prefix-list WORD",
        "Match values from routing table\nIPv6 information\nMatch IPv6 next-hop address of route\nMatch entries of "
        "prefix-lists\nIPv6 prefix-list name",
        match_row<"ipv6 next-hop prefix-list">),
    row("match as-path WORD", "Match values from routing table\nMatch BGP AS path list\nAS path access-list name",
        match_row<"as-path">),
    row("match community WORD [exact-match]",
        "Match values from routing table\nMatch BGP community list\nCommunity-list number or name\nDo exact matching "
        "of "
        "communities",
        match_row<"community">),
    row("match large-community WORD [exact-match]",
        "Match values from routing table\nMatch BGP large community list\nLarge Community-list number or name\nDo "
        "exact "
        "matching of communities",
        match_row<"large-community">),
    row("match extcommunity WORD",
        "Match values from routing table\nMatch BGP/VPN extended community list\nExtended community-list number or "
        "name",
        match_row<"extcommunity">),
    row("match metric (0-4294967295)", "Match values from routing table\nMatch metric of route\nMetric value",
        match_row<"metric">),
    row("match local-preference (0-4294967295)",
        "Match values from routing table\nMatch local-preference of route\nMatch value", match_row<"local-preference">),
    row("match tag (1-4294967295)", "Match values from routing table\nMatch tag of route\nTag value", match_row<"tag">),
    row("match origin {egp|igp|incomplete}", "Match values from routing table\nBGP origin code\nOrigin",
        match_row<"origin">),
    row("match interface WORD", "Match values from routing table\nMatch first hop interface of route\nInterface name",
        match_row<"interface">),
    row("match tunnel WORD (1-64)",
        "Match values from routing table\nMatch the tunnel a route came by\nIts vpn connection\nIts number",
        match_row<"tunnel">),
    row("match source-protocol {bgp|connected|kernel|static}",
        "Match values from routing table\nMatch protocol via which the route was learnt\nProtocol",
        match_row<"source-protocol">),
    row("match peer A.B.C.D|X:X::X:X", "Match values from routing table\nMatch peer address\nAddress of peer",
        match_row<"peer">),
    row("match peer local", "Match values from routing table\nMatch peer address\nStatic or Redistributed routes",
        match_row<"peer", local>),

    row("set local-preference (0-4294967295)",
        "Set values in destination routing protocol\nBGP local preference path attribute\nPreference value",
        set_row<"local-preference">),
    row("set local-preference <+/-metric>",
        "Set values in destination routing protocol\nBGP local preference path attribute\nAdd or subtract",
        set_row<"local-preference">),
    row("set metric (0-4294967295)",
        "Set values in destination routing protocol\nMetric value for destination routing protocol\nMetric value",
        set_row<"metric">),
    row("set metric <+/-metric>",
        "Set values in destination routing protocol\nMetric value for destination routing protocol\nAdd or subtract "
        "metric",
        set_row<"metric">),
    row("set weight (0-4294967295)",
        "Set values in destination routing protocol\nBGP weight for routing table\nWeight value", set_row<"weight">),
    row("set tag (1-4294967295)",
        "Set values in destination routing protocol\nTag value for routing protocol\nTag value", set_row<"tag">),
    row("set origin {egp|igp|incomplete}", "Set values in destination routing protocol\nBGP origin code\nOrigin",
        set_row<"origin">),
    row("set as-path prepend ASN...",
        "Set values in destination routing protocol\nTransform BGP AS_PATH attribute\nPrepend to the as-path\nAS "
        "numbers",
        set_row<"as-path prepend", as_numbers>),
    row("set as-path prepend last-as (1-10)",
        "Set values in destination routing protocol\nTransform BGP AS_PATH attribute\nPrepend to the as-path\nUse the "
        "last AS-number in the as-path\nNumber of times to insert",
        set_row<"as-path prepend", last_as>),
    row("set as-path exclude ASN...",
        "Set values in destination routing protocol\nTransform BGP AS_PATH attribute\nExclude from the as-path\nAS "
        "numbers",
        set_row<"as-path exclude", as_numbers>),
    row("set community AA:NN...",
        "Set values in destination routing protocol\nBGP community attribute\nCommunities, then additive; or none",
        set_row<"community", communities<canonical_communities>>),
    row("set large-community AA:BB:CC...",
        "Set values in destination routing protocol\nBGP large community attribute\nLarge communities, then additive; "
        "or "
        "none",
        set_row<"large-community", communities<canonical_large_communities>>),
    row("set extcommunity rt ASN:NN...",
        "Set values in destination routing protocol\nBGP extended community attribute\nRoute Target extended "
        "community\nVPN extended communities",
        set_row<"extcommunity rt", extended<"rt">>),
    row("set extcommunity soo ASN:NN...",
        "Set values in destination routing protocol\nBGP extended community attribute\nSite-of-Origin extended "
        "community\nVPN extended communities",
        set_row<"extcommunity soo", extended<"soo">>),
    row("set extcommunity none",
        "Set values in destination routing protocol\nBGP extended community attribute\nNo extended community attribute",
        set_row<"extcommunity", none>),
    row("set comm-list WORD delete",
        "Set values in destination routing protocol\nset BGP community list (for deletion)\nCommunity-list number or "
        "name\nDelete matching communities",
        set_row<"comm-list", to_delete>),
    row("set large-comm-list WORD delete",
        "Set values in destination routing protocol\nset BGP large community list (for deletion)\nLarge Community-list "
        "number or name\nDelete matching large communities",
        set_row<"large-comm-list", to_delete>),
    row("set ip next-hop A.B.C.D",
        "Set values in destination routing protocol\nIP information\nNext hop address\nIP address of next hop",
        set_row<"ip next-hop">),
    row("set ip next-hop peer-address",
        "Set values in destination routing protocol\nIP information\nNext hop address\nUse peer address (for BGP only)",
        set_row<"ip next-hop", peer_address>),
    row("set ip next-hop unchanged",
        "Set values in destination routing protocol\nIP information\nNext hop address\nDon't modify existing Next hop "
        "address",
        set_row<"ip next-hop", unchanged>),
    row("set ipv6 next-hop global X:X::X:X",
        "Set values in destination routing protocol\nIPv6 information\nIPv6 next-hop address\nIPv6 global "
        "address\nIPv6 "
        "address of next hop",
        set_row<"ipv6 next-hop", global>),
    row("set ipv6 next-hop peer-address",
        "Set values in destination routing protocol\nIPv6 information\nIPv6 next-hop address\nUse peer address (for "
        "BGP "
        "only)",
        set_row<"ipv6 next-hop", peer_address>),
};

}  // namespace

std::span<const Command> route_map_rows() {
  return kRows;
}

}  // namespace cgw::config
