#include "daemon/policy.hpp"

#include <algorithm>
#include <charconv>
#include <functional>

#include <fmt/format.h>

#include "base/communities.hpp"

namespace cgw {
namespace {

namespace p = bgp::policy;
using Words = std::vector<std::string>;

Words words_of(std::string_view text) {
  Words out;
  for (auto at = text.find_first_not_of(' '); at != std::string_view::npos; at = text.find_first_not_of(' ', at)) {
    const auto end = std::min(text.find(' ', at), text.size());
    out.emplace_back(text.substr(at, end - at));
    at = end;
  }
  return out;
}

std::uint32_t number(std::string_view text) {
  std::uint32_t v = 0;
  std::from_chars(text.data(), text.data() + text.size(), v);
  return v;
}

p::Number adjustment(std::string_view text) {
  using How = p::Number::How;
  if (text.starts_with('+')) return {How::Add, number(text.substr(1))};
  if (text.starts_with('-')) return {How::Subtract, number(text.substr(1))};
  return {How::Set, number(text)};
}

bgp::Origin origin(std::string_view text) {
  if (text == "egp") return bgp::Origin::Egp;
  return text == "incomplete" ? bgp::Origin::Incomplete : bgp::Origin::Igp;
}

p::Protocol protocol(std::string_view text) {
  using enum p::Protocol;
  for (const auto one : {Bgp, Connected, Static, Kernel}) {
    if (p::to_string(one) == text) return one;
  }
  return Bgp;
}

std::vector<bgp::Asn> as_numbers(const Words& words) {
  std::vector<bgp::Asn> out;
  for (const auto& w : words)
    out.emplace_back(number(w));
  return out;
}

// The grammar has checked the words; one that is none after all is left out.
void read(std::vector<bgp::Community>& out, const Words& words) {
  for (const auto& w : words) {
    if (const auto c = parse_community(w)) out.push_back(*c);
  }
}
void read(std::vector<bgp::LargeCommunity>& out, const Words& words) {
  for (const auto& w : words) {
    if (const auto c = parse_large_community(w)) out.push_back(*c);
  }
}
void read(std::vector<bgp::ExtendedCommunity>& out, const Words& words) {
  std::string kind;
  for (const auto& w : words) {
    if (w == "rt" || w == "soo") {
      kind = w;
    } else if (const auto c = parse_extended_community(kind, w)) {
      out.push_back(*c);
    }
  }
}

p::Action action(bool permit) {
  return permit ? p::Action::Permit : p::Action::Deny;
}

p::PrefixList prefix_list(const config::PrefixList& list) {
  std::vector<p::PrefixRule> rules;
  for (const auto& [sequence, r] : list.rules) {
    p::PrefixRule rule{sequence, action(r.permit), r.prefix, r.ge, r.le};
    if (r.any) rule.le = r.prefix.address.bits();
    rules.push_back(rule);
  }
  return p::PrefixList(std::move(rules));
}

// ---- route-maps: what each "match" and "set" line is, by its words

using MakeMatch = p::Match (*)(const Words&);
const std::map<std::string_view, MakeMatch>& matches() {
  static const std::map<std::string_view, MakeMatch> kAll{
      {"ip address prefix-list",
       [](const Words& w) -> p::Match {
         return p::MatchPrefixList{Family::V4, w[0]};
       }},
      {"ipv6 address prefix-list",
       [](const Words& w) -> p::Match {
         return p::MatchPrefixList{Family::V6, w[0]};
       }},
      {"ip next-hop prefix-list",
       [](const Words& w) -> p::Match {
         return p::MatchNextHopList{Family::V4, w[0]};
       }},
      {"ipv6 next-hop prefix-list",
       [](const Words& w) -> p::Match {
         return p::MatchNextHopList{Family::V6, w[0]};
       }},
      {"ip next-hop address", [](const Words& w) -> p::Match { return p::MatchNextHop{*IpAddress::parse(w[0])}; }},
      {"ipv6 next-hop address", [](const Words& w) -> p::Match { return p::MatchNextHop{*IpAddress::parse(w[0])}; }},
      {"as-path", [](const Words& w) -> p::Match { return p::MatchAsPath{w[0]}; }},
      {"community",
       [](const Words& w) -> p::Match {
         return p::MatchCommunity{w[0], w.size() > 1};
       }},
      {"large-community",
       [](const Words& w) -> p::Match {
         return p::MatchLargeCommunity{w[0], w.size() > 1};
       }},
      {"extcommunity", [](const Words& w) -> p::Match { return p::MatchExtendedCommunity{w[0]}; }},
      {"metric", [](const Words& w) -> p::Match { return p::MatchMetric{number(w[0])}; }},
      {"local-preference", [](const Words& w) -> p::Match { return p::MatchLocalPreference{number(w[0])}; }},
      {"tag", [](const Words& w) -> p::Match { return p::MatchTag{number(w[0])}; }},
      {"origin", [](const Words& w) -> p::Match { return p::MatchOrigin{origin(w[0])}; }},
      {"interface", [](const Words& w) -> p::Match { return p::MatchInterface{w[0]}; }},
      {"tunnel",
       [](const Words& w) -> p::Match {
         return p::MatchTunnel{w[0], number(w[1])};
       }},
      {"source-protocol", [](const Words& w) -> p::Match { return p::MatchProtocol{protocol(w[0])}; }},
      {"peer",
       [](const Words& w) -> p::Match {
         const auto a = IpAddress::parse(w[0]);
         return p::MatchPeer{a ? std::optional(*a) : std::nullopt};
       }},
  };
  return kAll;
}

template <class T>
p::Set community_set(Words w) {
  T set;
  if (w.back() == "additive") {
    set.additive = true;
    w.pop_back();
  }
  if (w[0] != "none") read(set.communities, w);
  return set;
}
p::Set extended(std::string kind, Words w) {
  p::SetExtendedCommunity set;
  w.insert(w.begin(), std::move(kind));
  read(set.communities, w);
  return set;
}
p::Set next_hop(Family family, const Words& w) {
  if (w[0] == "peer-address") return p::SetNextHopToPeer{family};
  if (w[0] == "unchanged") return p::KeepNextHop{};
  return p::SetNextHop{*IpAddress::parse(w.back())};
}

using MakeSet = p::Set (*)(const Words&);
const std::map<std::string_view, MakeSet>& sets() {
  static const std::map<std::string_view, MakeSet> kAll{
      {"local-preference", [](const Words& w) -> p::Set { return p::SetLocalPreference{adjustment(w[0])}; }},
      {"metric", [](const Words& w) -> p::Set { return p::SetMetric{adjustment(w[0])}; }},
      {"weight", [](const Words& w) -> p::Set { return p::SetWeight{number(w[0])}; }},
      {"tag", [](const Words& w) -> p::Set { return p::SetTag{number(w[0])}; }},
      {"origin", [](const Words& w) -> p::Set { return p::SetOrigin{origin(w[0])}; }},
      {"as-path prepend",
       [](const Words& w) -> p::Set {
         if (w[0] == "last-as") return p::PrependLastAs{number(w[1])};
         return p::PrependAsPath{as_numbers(w)};
       }},
      {"as-path exclude", [](const Words& w) -> p::Set { return p::ExcludeAsPath{as_numbers(w)}; }},
      {"community", [](const Words& w) -> p::Set { return community_set<p::SetCommunity>(w); }},
      {"large-community", [](const Words& w) -> p::Set { return community_set<p::SetLargeCommunity>(w); }},
      {"extcommunity rt", [](const Words& w) -> p::Set { return extended("rt", w); }},
      {"extcommunity soo", [](const Words& w) -> p::Set { return extended("soo", w); }},
      {"extcommunity",
       [](const Words&) -> p::Set {
         return p::SetExtendedCommunity{{}, true};
       }},
      {"comm-list", [](const Words& w) -> p::Set { return p::DeleteCommunities{w[0]}; }},
      {"large-comm-list", [](const Words& w) -> p::Set { return p::DeleteLargeCommunities{w[0]}; }},
      {"ip next-hop", [](const Words& w) -> p::Set { return next_hop(Family::V4, w); }},
      {"ipv6 next-hop", [](const Words& w) -> p::Set { return next_hop(Family::V6, w); }},
  };
  return kAll;
}

p::RouteMapEntry entry(std::uint32_t sequence, const config::RouteMapEntry& e) {
  p::RouteMapEntry out{.sequence = sequence, .action = action(e.permit), .call = e.call, .go_on = e.go_on};
  for (const auto& [what, value] : e.matches)
    out.matches.push_back(matches().at(what)(words_of(value)));
  for (const auto& [what, value] : e.sets)
    out.sets.push_back(sets().at(what)(words_of(value)));
  return out;
}

class Compiler {
 public:
  Compiler(const config::Policy& policy, const config::Places& places) : policy_(policy), places_(places) {}

  Result<p::PolicySet, config::Diagnostics> run() {
    for (const auto& [name, list] : policy_.prefix_lists)
      out_.prefix_lists[name] = prefix_list(list);
    for (const auto& [name, list] : policy_.ipv6_prefix_lists)
      out_.ipv6_prefix_lists[name] = prefix_list(list);
    for (const auto& [name, rules] : policy_.as_path_lists)
      as_paths(name, rules);
    lists(config::CommunityKind::Standard, "community-list", out_.community_lists);
    lists(config::CommunityKind::Large, "large-community-list", out_.large_community_lists);
    lists(config::CommunityKind::Extended, "extcommunity-list", out_.extended_community_lists);
    for (const auto& [name, map] : policy_.route_maps) {
      for (const auto& [sequence, e] : map)
        out_.route_maps[name].entries.push_back(entry(sequence, e));
    }
    if (!errors_.empty()) return fail(std::move(errors_));
    return std::move(out_);
  }

 private:
  std::optional<p::Regex> regex(const std::string& place, const std::string& text) {
    auto compiled = p::Regex::compile(text);
    if (compiled) return std::move(*compiled);
    errors_.push_back({.line = config::line_of(places_, place + " / " + text),
                       .text = fmt::format("% can't compile regexp {}: {}", text, compiled.error())});
    return std::nullopt;
  }

  void as_paths(const std::string& name, const config::BySequence<config::TextRule>& rules) {
    std::vector<p::AsPathRule> out;
    for (const auto& [sequence, r] : rules) {
      if (auto re = regex("bgp as-path access-list " + name, r.text))
        out.push_back({sequence, action(r.permit), std::move(*re)});
    }
    out_.as_path_lists.emplace(name, p::AsPathList(std::move(out)));
  }

  template <class T>
  void lists(config::CommunityKind kind, std::string_view words, p::Named<p::CommunityList<T>>& out) {
    const auto found = policy_.community_lists.find(kind);
    if (found == policy_.community_lists.end()) return;
    for (const auto& [name, list] : found->second) {
      const bool numbered = name.find_first_not_of("0123456789") == std::string::npos;
      const std::string place = fmt::format("bgp {} {}{}", words, numbered ? "" : "expanded ", name);
      std::vector<p::CommunityRule<T>> rules;
      for (const auto& [sequence, r] : list.rules) {
        p::CommunityRule<T> rule{sequence, action(r.permit), std::vector<T>{}};
        if (!list.expanded) {
          read(std::get<std::vector<T>>(rule.what), words_of(r.text));
        } else if (auto re = regex(place, r.text)) {
          rule.what = std::move(*re);
        }
        rules.push_back(std::move(rule));
      }
      out.emplace(name, p::CommunityList<T>(std::move(rules)));
    }
  }

  const config::Policy& policy_;
  const config::Places& places_;
  p::PolicySet out_;
  config::Diagnostics errors_;
};

}  // namespace

Result<bgp::policy::PolicySet, config::Diagnostics> compile_policy(const config::Policy& policy,
                                                                   const config::Places& places) {
  return Compiler(policy, places).run();
}

}  // namespace cgw
