#include <doctest/doctest.h>

#include <algorithm>
#include <functional>

#include "bgp/decision.hpp"

using namespace cgw;
using namespace cgw::bgp;

namespace {

// A candidate with its parts.
struct Way {
  AttributeKeys keys;
  PathSource source;
  std::uint32_t metric = 0, since = 0, path_id = 0;
  bool llgr_stale = false;

  Candidate candidate() const { return {&keys, &source, metric, since, path_id, llgr_stale}; }
};

Way way() {
  Way w;
  w.keys.neighbor_as = 64512;
  w.keys.as_path_length = 2;
  w.source.router_id = 10;
  w.source.address = IpAddress::v4(10);
  return w;
}

Comparison between(const Way& a, const Way& b, const DecisionOptions& o = {}) {
  const Comparison forth = compare(a.candidate(), b.candidate(), o), back = compare(b.candidate(), a.candidate(), o);
  CHECK(forth.order == -back.order);
  CHECK(forth.rule == back.rule);
  return forth;
}

std::size_t best(const std::vector<Way>& ways, const DecisionOptions& o = {}) {
  std::vector<Candidate> c;
  for (const Way& w : ways)
    c.push_back(w.candidate());
  return select(c, o);
}

}  // namespace

// Each rule in its turn: the second way is worse by this rule and better by every later one.
TEST_CASE("the rules apply in their order [RFC 4271 9.1.2.2]") {
  using Worsen = std::function<void(Way&)>;
  const std::vector<std::pair<Rule, Worsen>> rules = {
      {Rule::LlgrStale, [](Way& w) { w.keys.llgr_stale = true; }},
      {Rule::Weight, [](Way& w) { w.keys.local.weight = 1; }},
      {Rule::LocalPref, [](Way& w) { w.keys.local_pref = 50; }},
      {Rule::LocalOrigin, [](Way& w) { w.source.kind = SourceKind::Ibgp; }},
      {Rule::AsPathLength, [](Way& w) { w.keys.as_path_length = 9; }},
      {Rule::Origin, [](Way& w) { w.keys.origin = 2; }},
      {Rule::Med, [](Way& w) { w.keys.med = 100; }},
      {Rule::Kind, [](Way& w) { w.source.kind = SourceKind::Ibgp; }},
      {Rule::IgpMetric, [](Way& w) { w.metric = 100; }},
      {Rule::Oldest, [](Way& w) { w.since = 100; }},
      {Rule::BgpIdentifier, [](Way& w) { w.source.router_id = 100; }},
      {Rule::ClusterLength, [](Way& w) { w.keys.cluster_length = 3; }},
      {Rule::PeerAddress, [](Way& w) { w.source.address = IpAddress::v4(100); }},
      {Rule::PathId, [](Way& w) { w.path_id = 100; }},
  };
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const auto& [rule, worsen] = rules[i];
    Way better = way(), worse = way();
    better.keys.local.weight = worse.keys.local.weight = 5;
    if (rule == Rule::LocalOrigin) better.source.kind = SourceKind::Local;
    worsen(worse);
    for (std::size_t later = i + 1; later < rules.size(); ++later) {
      // A kind decides twice, and iBGP paths have no age.
      const bool kind = rules[later].first == Rule::LocalOrigin || rules[later].first == Rule::Kind;
      if (kind || (rule == Rule::LocalOrigin && rules[later].first == Rule::Oldest)) continue;
      rules[later].second(better);
    }
    INFO(to_string(rule));
    const Comparison c = between(better, worse);
    CHECK(c.order < 0);
    CHECK(c.rule == rule);
  }
}

TEST_CASE("MED compares paths of one neighboring AS, or of all on request; a missing one is 0 or the worst") {
  Way a = way(), b = way();
  a.keys.med = 10;
  a.keys.has_med = b.keys.has_med = true;
  b.keys.med = 5;
  CHECK(between(a, b).rule == Rule::Med);
  b.keys.neighbor_as = 64513;
  CHECK(between(a, b).rule != Rule::Med);
  CHECK(between(a, b, {.always_compare_med = true}).rule == Rule::Med);
  b = way();
  CHECK(between(b, a).order < 0);
  CHECK(between(b, a, {.missing_med_as_worst = true}).order > 0);
}

TEST_CASE("the order of arrival decides nothing: deterministic MED") {
  // The classic: without grouping, each of the three beats another one.
  Way a = way(), b = way(), c = way();
  a.keys.med = 0, a.source.router_id = 3;
  b.keys.med = 10, b.source.router_id = 1;
  c.keys.neighbor_as = 64513, c.source.router_id = 2;
  std::vector<Way> ways = {a, b, c};
  std::ranges::sort(ways, {}, [](const Way& w) { return w.source.router_id; });
  do {
    CHECK(ways[best(ways)].source.router_id == 2);
  } while (std::next_permutation(ways.begin(), ways.end(),
                                 [](const Way& x, const Way& y) { return x.source.router_id < y.source.router_id; }));
}

TEST_CASE("the older of two eBGP paths stays, unless router ids are to decide; iBGP paths have no age") {
  Way young = way(), old = way();
  young.since = 20, young.source.router_id = 1;
  old.since = 10, old.source.router_id = 2;
  CHECK(between(old, young).rule == Rule::Oldest);
  CHECK(between(young, old, {.compare_router_id = true}).rule == Rule::BgpIdentifier);
  young.source.kind = old.source.kind = SourceKind::Ibgp;
  CHECK(between(young, old).rule == Rule::BgpIdentifier);
}

TEST_CASE("ORIGINATOR_ID stands for the router id of a reflected path [RFC 4456 9]") {
  Way a = way(), b = way();
  a.source.kind = b.source.kind = SourceKind::Ibgp;
  a.source.router_id = 1, a.keys.originator = 50;
  b.source.router_id = 9;
  CHECK(between(b, a).order < 0);
}

TEST_CASE("multipath: equal up to the metric, of one kind, and as many as were asked for") {
  Way a = way(), b = way();
  b.source.router_id = 99, b.since = 50;
  const auto shared = [&](const DecisionOptions& o) { return is_multipath(a.candidate(), b.candidate(), o); };
  CHECK_FALSE(shared({}));
  CHECK(shared({.maximum_paths = 2}));
  CHECK_FALSE(shared({.maximum_paths_ibgp = 2}));
  b.keys.neighbor_as = 64513;
  CHECK_FALSE(shared({.maximum_paths = 2}));
  CHECK(shared({.maximum_paths = 2, .multipath_relax = true}));
  b.metric = 1;
  CHECK_FALSE(shared({.maximum_paths = 2, .multipath_relax = true}));
  b = way();
  b.source.kind = SourceKind::Ibgp;
  CHECK_FALSE(shared({.maximum_paths = 2, .maximum_paths_ibgp = 2}));
}
