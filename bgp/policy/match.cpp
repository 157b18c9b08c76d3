#include <fmt/format.h>

#include "bgp/policy/steps.hpp"

namespace cgw::bgp::policy {

const std::string& Passage::path_text() {
  if (!as_path_text) as_path_text = route.attributes.as_path_text();
  return *as_path_text;
}

namespace {

struct Matcher {
  Passage& p;
  std::string* why;
  const PathAttributes& a = p.route.attributes;

  void say(std::string text) const {
    if (why != nullptr) *why = std::move(text);
  }
  bool missing() const {
    say("there is no such list");
    return false;
  }
  // Whether a list permits, and which of its rules says so.
  template <class Verdict>
  bool judged(const Verdict& v) const {
    if (why != nullptr) *why = v.rule != nullptr ? v.rule->to_string() : "no rule matches";
    return v.action == Action::Permit;
  }
  bool by_list(Family family, const std::string& name, const Prefix& prefix) const {
    const PrefixList* list = p.set.prefix_list(family, name);
    if (list == nullptr) return missing();
    // FRR: here a list that has no rules matches nothing, though as a neighbor's filter it permits everything.
    if (list->rules().empty()) {
      say("the list has no rules");
      return false;
    }
    return judged(list->apply(prefix));
  }
  template <class Lists>
  bool by_list(const Lists& lists, const std::string& name, const auto&... of) const {
    const auto* list = find(lists, name);
    return list == nullptr ? missing() : judged(list->apply(of...));
  }
  // The value's words are made for a trace only.
  template <class T>
  bool is(const T& value, const T& wanted, std::string (*words)(const T&)) const {
    if (why != nullptr) *why = "it is " + words(value);
    return value == wanted;
  }
  bool is(std::uint32_t value, std::uint32_t wanted) const {
    return is<std::uint32_t>(value, wanted, [](const std::uint32_t& v) { return fmt::format("{}", v); });
  }
  bool is(std::string_view value, std::string_view wanted) const {
    return is<std::string_view>(value, wanted, [](const std::string_view& v) { return std::string(v); });
  }
  bool is(const IpAddress& value, const IpAddress& wanted) const {
    return is<IpAddress>(value, wanted, [](const IpAddress& v) { return v.to_string(); });
  }

  bool operator()(const MatchPrefixList& m) const { return by_list(m.family, m.name, p.route.prefix); }
  bool operator()(const MatchNextHopList& m) const {
    return by_list(m.family, m.name, Prefix{a.next_hop, a.next_hop.bits()});
  }
  bool operator()(const MatchNextHop& m) const { return is(a.next_hop, m.address); }
  bool operator()(const MatchAsPath& m) const { return by_list(p.set.as_path_lists, m.name, p.path_text()); }
  bool operator()(const MatchCommunity& m) const {
    return by_list(p.set.community_lists, m.name, a.communities, m.exact);
  }
  bool operator()(const MatchLargeCommunity& m) const {
    return by_list(p.set.large_community_lists, m.name, a.large_communities, m.exact);
  }
  bool operator()(const MatchExtendedCommunity& m) const {
    return by_list(p.set.extended_community_lists, m.name, a.extended_communities, false);
  }
  bool operator()(const MatchMetric& m) const { return is(a.med.value_or(0), m.value); }
  bool operator()(const MatchLocalPreference& m) const { return is(a.local_pref.value_or(0), m.value); }
  bool operator()(const MatchTag& m) const { return is(p.route.tag, m.value); }
  bool operator()(const MatchOrigin& m) const { return is(to_string(a.origin), to_string(m.origin)); }
  bool operator()(const MatchInterface& m) const {
    if (!p.context.interface.empty()) return is(p.context.interface, m.name);
    say("the next hop has none");
    return false;
  }
  bool operator()(const MatchTunnel& m) const {
    const Context& c = p.context;
    if (why != nullptr)
      *why = c.connection.empty() ? "it came by none" : fmt::format("it came by {} {}", c.connection, c.tunnel);
    return !c.connection.empty() && c.connection == m.connection && c.tunnel == m.number;
  }
  bool operator()(const MatchProtocol& m) const { return is(to_string(p.context.protocol), to_string(m.protocol)); }
  // FRR: "local" is for networks, redistribution and aggregates; towards a neighbor nothing matches.
  bool operator()(const MatchPeer& m) const {
    using enum Context::Direction;
    switch (p.context.direction) {
      case Originate: say("the route is our own"); return !m.address;
      case Export: say("it is asked where routes come in, not where they go out"); return false;
      case Import: return m.address ? is(p.context.peer, *m.address) : is(p.context.peer.to_string(), "local");
    }
    return false;
  }
};

}  // namespace

bool matches(Passage& p, const Match& m, std::string* why) {
  return std::visit(Matcher{p, why}, m);
}

}  // namespace cgw::bgp::policy
