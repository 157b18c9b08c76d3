#include "bgp/policy/neighbor_policy.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace cgw::bgp::policy {
namespace {

// What no AWS gateway has a reason to send: RFC 6890's blocks that are not forwardable, and the default route. Private
// and shared (100.64.0.0/10) addresses are what VPCs are made of.
const PrefixList& tunnel_import() {
  static const PrefixList kList = [] {
    std::vector<PrefixRule> rules;
    const auto add = [&](Action action, std::string_view prefix, bool longer) {
      PrefixRule r{.seq = static_cast<std::uint32_t>(5 * (rules.size() + 1)),
                   .action = action,
                   .prefix = *Prefix::parse(prefix)};
      if (longer) r.le = r.prefix.address.bits();
      rules.push_back(r);
    };
    for (const char* exact : {"0.0.0.0/0", "::/0"})
      add(Action::Deny, exact, false);
    for (const char* block :
         {"0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3", "::/8", "fe80::/10", "ff00::/8"})
      add(Action::Deny, block, true);
    for (const char* rest : {"0.0.0.0/0", "::/0"})
      add(Action::Permit, rest, true);
    return PrefixList(std::move(rules));
  }();
  return kList;
}

struct LooksAtContext {
  bool operator()(const auto&) const { return false; }
  bool operator()(const MatchTag&) const { return true; }
  bool operator()(const MatchInterface&) const { return true; }
  bool operator()(const MatchTunnel&) const { return true; }
  bool operator()(const MatchProtocol&) const { return true; }
  bool operator()(const MatchPeer&) const { return true; }
};

void say(Trace* trace, std::string where, std::string what) {
  if (trace != nullptr) trace->push_back({std::move(where), std::move(what)});
}

template <class Verdict>
std::string words(const Verdict& v) {
  const std::string_view said = v.action == Action::Permit ? "permitted" : "denied";
  return fmt::format("{}: {}", said, v.rule != nullptr ? v.rule->to_string() : "no rule matches");
}

}  // namespace

NeighborPolicy::NeighborPolicy(std::shared_ptr<const PolicySet> set, Family family, Filters filters)
    : set_(std::move(set)),
      family_(family),
      filters_(std::move(filters)) {
  if (filters_.none() && filters_.otherwise == Default::TunnelImport) lists_.push_back(&tunnel_import());
  if (const auto* list = set_->prefix_list(family_, filters_.prefix_list)) lists_.push_back(list);
  std::vector<std::string> seen;
  if (!filters_.route_map.empty()) look_at(filters_.route_map, seen);
  std::ranges::sort(lists_);
  const auto rest = std::ranges::unique(lists_);
  lists_.erase(rest.begin(), rest.end());
  depends_on_.prefix = !lists_.empty();
}

// Collects what a map and those it calls look at.
void NeighborPolicy::look_at(std::string_view route_map, std::vector<std::string>& seen) {
  if (std::ranges::find(seen, route_map) != seen.end()) return;
  seen.emplace_back(route_map);
  const RouteMap* map = find(set_->route_maps, route_map);
  if (map == nullptr) return;
  for (const RouteMapEntry& e : map->entries) {
    for (const Match& m : e.matches) {
      if (std::visit(LooksAtContext{}, m)) depends_on_.context = true;
      const auto* by_prefix = std::get_if<MatchPrefixList>(&m);
      const auto* list = by_prefix != nullptr ? set_->prefix_list(by_prefix->family, by_prefix->name) : nullptr;
      if (list != nullptr) lists_.push_back(list);
    }
    if (!e.call.empty()) look_at(e.call, seen);
  }
}

std::optional<std::uint64_t> NeighborPolicy::class_of(const Prefix& p) const {
  if (lists_.size() > 64) return std::nullopt;
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < lists_.size(); ++i) {
    if (lists_[i]->apply(p).action == Action::Permit) bits |= std::uint64_t{1} << i;
  }
  return bits;
}

bool NeighborPolicy::by_default(const Route& route, Trace* trace) const {
  switch (filters_.otherwise) {
    case Default::Permit: say(trace, "no filter is configured", "permitted"); return true;
    case Default::Deny:
      say(trace, "no filter is configured", "denied: eBGP without a policy (RFC 8212): add a route-map");
      return false;
    case Default::TunnelImport: {
      const auto v = tunnel_import().apply(route.prefix);
      say(trace, "what a tunnel imports by default", words(v));
      return v.action == Action::Permit;
    }
  }
  return false;
}

bool NeighborPolicy::apply(Route& route, const Context& context, Trace* trace) const {
  if (filters_.none()) return by_default(route, trace);
  if (!filters_.prefix_list.empty()) {
    const PrefixList* list = set_->prefix_list(family_, filters_.prefix_list);
    const std::string where = trace == nullptr ? "" : "prefix-list " + filters_.prefix_list;
    if (list == nullptr) return say(trace, where, "denied: it does not exist"), false;
    const auto v = list->apply(route.prefix);
    say(trace, where, trace == nullptr ? "" : words(v));
    if (v.action == Action::Deny) return false;
  }
  if (!filters_.filter_list.empty()) {
    const AsPathList* list = find(set_->as_path_lists, filters_.filter_list);
    const std::string where = trace == nullptr ? "" : "filter-list " + filters_.filter_list;
    if (list == nullptr) return say(trace, where, "denied: it does not exist"), false;
    const auto v = list->apply(route.attributes.as_path_text());
    say(trace, where, trace == nullptr ? "" : words(v));
    if (v.action == Action::Deny) return false;
  }
  return filters_.route_map.empty() || policy::apply(*set_, filters_.route_map, route, context, trace);
}

}  // namespace cgw::bgp::policy
