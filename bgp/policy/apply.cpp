#include "bgp/policy/apply.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "bgp/policy/steps.hpp"

namespace cgw::bgp::policy {
namespace {

constexpr unsigned kDeepest = 10;  // calls within calls

using Entries = std::vector<RouteMapEntry>;

// One route's way through a map and those it calls.
class Walk {
 public:
  Walk(Passage& passage, Trace* trace) : passage_(passage), trace_(trace) {}

  bool through(std::string_view name, unsigned depth) {
    const RouteMap* map = find(passage_.set.route_maps, name);
    if (map == nullptr) return end(false, name, "it does not exist");
    if (map->entries.empty()) return end(false, name, "it has no entries");
    if (depth > kDeepest) return end(false, name, "maps call each other too deep");
    const Entries& all = map->entries;
    bool permitted = false;  // by an entry that went on, with none after it that did not match
    for (auto e = all.begin(); e != all.end();) {
      const std::string where = heading(name, *e);
      if (!all_match(*e, where)) {
        permitted = false;
        ++e;
        continue;
      }
      if (e->action == Action::Deny) return end(false, where, "it matches");
      for (const Set& s : e->sets)
        set(s, where);
      if (!agreed(*e, where, depth)) return false;
      if (!e->go_on) return end(true, where, "it matches");
      permitted = true;
      const auto sequence = std::max(*e->go_on, e->sequence + 1);
      e = std::ranges::find_if(e, all.end(), [&](const RouteMapEntry& o) { return o.sequence >= sequence; });
      say(where, e == all.end() ? "goes on past the last entry" : fmt::format("goes on at {}", e->sequence));
    }
    return end(permitted, name, permitted ? "nothing objects after the last entry" : "no entry matches");
  }

 private:
  std::string heading(std::string_view map, const RouteMapEntry& e) const {
    if (trace_ == nullptr) return {};
    return fmt::format("route-map {} {} {}", map, to_string(e.action), e.sequence);
  }
  void say(std::string_view where, std::string what) {
    if (trace_ != nullptr) trace_->push_back({std::string(where), std::move(what)});
  }
  bool end(bool permit, std::string_view where, std::string_view why) {
    if (trace_ != nullptr) {
      const bool entry = where.starts_with("route-map ");
      say(entry ? where : fmt::format("route-map {}", where),
          fmt::format("{}: {}", permit ? "permitted" : "denied", why));
    }
    return permit;
  }

  bool all_match(const RouteMapEntry& e, const std::string& where) {
    if (trace_ == nullptr)
      return std::ranges::all_of(e.matches, [&](const Match& m) { return matches(passage_, m, nullptr); });
    for (const Match& m : e.matches) {
      std::string why;
      const bool hit = matches(passage_, m, &why);
      say(where, fmt::format("match {}: {} ({})", to_string(m), hit ? "yes" : "no", why));
      if (!hit) return false;
    }
    return true;
  }
  void set(const Set& s, const std::string& where) {
    if (trace_ != nullptr) say(where, "set " + to_string(s));
    perform(passage_, s);
  }
  // A map to call that does not exist has no say.
  bool agreed(const RouteMapEntry& e, const std::string& where, unsigned depth) {
    if (e.call.empty()) return true;
    const bool there = find(passage_.set.route_maps, e.call) != nullptr;
    if (trace_ != nullptr) say(where, fmt::format("call {}{}", e.call, there ? "" : ": it does not exist"));
    return !there || through(e.call, depth + 1);
  }

  Passage& passage_;
  Trace* trace_;
};

}  // namespace

bool apply(const PolicySet& set, std::string_view route_map, Route& route, const Context& context, Trace* trace) {
  Passage passage{set, route, context};
  return Walk(passage, trace).through(route_map, 0);
}

}  // namespace cgw::bgp::policy
