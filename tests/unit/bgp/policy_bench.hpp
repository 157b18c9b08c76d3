#pragma once
// Policies made of a few words, for tests.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "base/communities.hpp"
#include "bgp/policy/apply.hpp"

namespace policy_bench {

using namespace cgw;
using namespace cgw::bgp;
using namespace cgw::bgp::policy;

inline PrefixRule prefix_rule(std::uint32_t seq, Action action, const char* prefix, std::optional<std::uint8_t> ge = {},
                              std::optional<std::uint8_t> le = {}) {
  return {seq, action, *Prefix::parse(prefix), ge, le};
}

inline Regex regex(const char* text) {
  auto r = Regex::compile(text);
  REQUIRE(r);
  return *r;
}

inline std::vector<Community> communities(std::initializer_list<const char*> words) {
  std::vector<Community> out;
  for (const char* w : words)
    out.push_back(*parse_community(w));
  return out;
}

inline std::vector<Asn> asns(std::initializer_list<std::uint32_t> numbers) {
  std::vector<Asn> out;
  for (const auto n : numbers)
    out.emplace_back(n);
  return out;
}

// As the lab's neighbor 192.0.2.1 in AS 65001 sends it.
inline Route route(const char* prefix = "10.0.0.0/16", std::initializer_list<std::uint32_t> path = {65001}) {
  Route r;
  r.prefix = *Prefix::parse(prefix);
  r.attributes.as_path = {{.asns = asns(path)}};
  r.attributes.next_hop = *IpAddress::parse("192.0.2.1");
  return r;
}

inline Context from_neighbor() {
  Context c;
  c.peer = *IpAddress::parse("192.0.2.1");
  return c;
}

inline RouteMapEntry permit(std::uint32_t sequence, std::vector<Match> matches = {}, std::vector<Set> sets = {}) {
  return {sequence, Action::Permit, std::move(matches), std::move(sets), {}, {}};
}
inline RouteMapEntry deny(std::uint32_t sequence, std::vector<Match> matches = {}) {
  return {sequence, Action::Deny, std::move(matches), {}, {}, {}};
}
inline RouteMapEntry then(RouteMapEntry e, std::uint32_t go_on = 0) {
  e.go_on = go_on;
  return e;
}
inline RouteMapEntry calling(RouteMapEntry e, std::string map) {
  e.call = std::move(map);
  return e;
}

// The map "M" of these entries, in a set.
inline PolicySet with_map(std::vector<RouteMapEntry> entries) {
  PolicySet set;
  set.route_maps["M"] = {std::move(entries)};
  return set;
}

inline bool permits(const PolicySet& set, Route& r, const Context& c = from_neighbor()) {
  return apply(set, "M", r, c);
}

}  // namespace policy_bench
