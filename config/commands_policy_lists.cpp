// Rows of bgp as-path access-list and the three kinds of community-lists; FRR's syntax.
#include <algorithm>
#include <charconv>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/communities.hpp"
#include "config/rows.hpp"
#include "config/sequence.hpp"

namespace cgw::config {
namespace {

using Lines = std::vector<Rendered>;
using Done = Result<void, std::string>;

std::string joined(std::span<const std::string> words) {
  return fmt::format("{}", fmt::join(words.begin(), words.end(), " "));
}

// ---- as-path access-list

Done set_as_path(Config& c, Cursor&, const Args& a, bool negated) {
  auto& all = c.policy.as_path_lists;
  const SequenceArgs s = read_sequence(a);
  const TextRule rule{s.action.value_or(false), joined(s.rest)};
  if (!negated) {
    if (rule.text.find_first_not_of("1234567890_^|[,{}() ]$*+.?-\\") != std::string::npos)
      return fail(fmt::format("% Invalid character in as-path access-list {}", rule.text));
    auto& rules = all[s.name];
    const bool there = std::ranges::any_of(rules, [&](const auto& entry) { return entry.second == rule; });
    if (!there || s.sequence) rules[s.sequence.value_or(next_sequence(rules))] = rule;
    return {};
  }
  const auto it = all.find(s.name);
  if (it == all.end()) return fail(fmt::format("% bgp as-path access-list {} doesn't exist", s.name));
  if (!s.sequence && !s.action) {
    all.erase(it);
    return {};
  }
  const auto gone = std::erase_if(it->second, [&](const auto& entry) {
    return (!s.sequence || entry.first == *s.sequence) && (s.rest.empty() || entry.second == rule);
  });
  if (gone == 0) return fail(fmt::format("% Regex entered {} does not exist", rule.text));
  if (it->second.empty()) all.erase(it);
  return {};
}

Lines show_as_paths(const Config& c, const Cursor&) {
  Lines out;
  for (const auto& [name, rules] : c.policy.as_path_lists) {
    for (const auto& [sequence, r] : rules)
      out.push_back(
          {fmt::format("bgp as-path access-list {} seq {} {} {}", name, sequence, r.permit ? "permit" : "deny", r.text),
           {}});
  }
  return out;
}

// ---- community-lists

std::string_view words(CommunityKind k) {
  switch (k) {
    case CommunityKind::Standard: return "community-list";
    case CommunityKind::Large: return "large-community-list";
    case CommunityKind::Extended: return "extcommunity-list";
  }
  return "?";
}

bool numbered(std::string_view name) {
  return std::ranges::all_of(name, [](char c) { return c >= '0' && c <= '9'; });
}

// Of a standard list: in order, each once, as FRR writes them.
Result<std::string, std::string> canonical(CommunityKind kind, std::span<const std::string> given) {
  switch (kind) {
    case CommunityKind::Standard: return canonical_communities(given);
    case CommunityKind::Large: return canonical_large_communities(given);
    case CommunityKind::Extended: return canonical_extended_communities(given);
  }
  return std::string();
}

// Of what is left after the style: NAME [seq N] permit|deny ...
Done set_list(Config& c, CommunityKind kind, bool is_expanded, std::span<const std::string> args, bool negated) {
  const Args a(args.begin(), args.end());
  const SequenceArgs s = read_sequence(a);
  auto& all = c.policy.community_lists[kind];
  TextRule rule{s.action.value_or(false), joined(s.rest)};
  if (!is_expanded && !s.rest.empty()) {
    auto text = canonical(kind, s.rest);
    if (!text) return fail("% Malformed community-list value: " + text.error());
    rule.text = std::move(*text);
  }
  if (numbered(s.name) && (to_number(s.name) >= 100) != is_expanded)
    return fail("% " + s.name + ": 1 to 99 are standard lists, 100 to 500 expanded ones");
  const auto it = all.find(s.name);
  if (!negated) {
    if (it != all.end() && it->second.expanded != is_expanded)
      return fail(fmt::format("% Community name conflict, {} is already a{} list", s.name,
                              it->second.expanded ? "n expanded" : " standard"));
    auto& list = all[s.name];
    list.expanded = is_expanded;
    const bool there = std::ranges::any_of(list.rules, [&](const auto& entry) { return entry.second == rule; });
    if (!there || s.sequence) list.rules[s.sequence.value_or(next_sequence(list.rules))] = rule;
    return {};
  }
  if (it == all.end()) return fail(fmt::format("% Can't find {}", words(kind)));
  const auto gone = std::erase_if(it->second.rules, [&](const auto& entry) {
    return (!s.sequence || entry.first == *s.sequence) && (s.rest.empty() || entry.second == rule);
  });
  if (gone == 0) return fail(fmt::format("% Can't find {}", words(kind)));
  if (it->second.rules.empty()) all.erase(it);
  if (all.empty()) c.policy.community_lists.erase(kind);
  return {};
}

template <CommunityKind K, bool Expanded>
Done set_named(Config& c, Cursor&, const Args& a, bool negated) {
  return set_list(c, K, Expanded, a, negated);
}
template <CommunityKind K>
Done set_numbered(Config& c, Cursor&, const Args& a, bool negated) {
  const auto number = to_number(a[0]);
  if (number == 0 || number > 500) return fail("% " + a[0] + " is no community-list: 1 to 99, or 100 to 500 expanded");
  return set_list(c, K, number >= 100, a, negated);
}

template <CommunityKind K>
Lines show_lists(const Config& c, const Cursor&) {
  Lines out;
  const auto found = c.policy.community_lists.find(K);
  if (found == c.policy.community_lists.end()) return out;
  std::vector<std::string> names;
  for (const auto& [name, list] : found->second)
    names.push_back(name);
  // Numbers first, by value.
  std::ranges::sort(names, {},
                    [](const std::string& n) { return std::tuple(!numbered(n), numbered(n) ? to_number(n) : 0, n); });
  for (const auto& name : names) {
    const CommunityList& list = found->second.at(name);
    const std::string_view style = numbered(name) ? "" : (list.expanded ? "expanded " : "standard ");
    for (const auto& [sequence, r] : list.rules)
      out.push_back({fmt::format("bgp {} {}{} seq {} {} {}", words(K), style, name, sequence,
                                 r.permit ? "permit" : "deny", r.text),
                     {}});
  }
  return out;
}

constexpr std::string_view kAsPathHelp =
    "BGP information\nBGP autonomous system path filter\nSpecify an access list name\nRegular expression access list "
    "name\nSequence number of an entry\nSequence number\nWhat becomes of a match\nA regular-expression to match the "
    "BGP "
    "AS paths";
constexpr std::string_view kStandardHelp =
    "BGP information\nAdd a community list entry\nNamed list of communities\nName\nSequence number of an "
    "entry\nSequence number\nWhat becomes of a match\nCommunities";
constexpr std::string_view kExpandedHelp =
    "BGP information\nAdd a community list entry\nNamed list of regular expressions\nName\nSequence number of an "
    "entry\nSequence number\nWhat becomes of a match\nA regular expression over the communities' text";
constexpr std::string_view kNumberHelp =
    "BGP information\nAdd a community list entry\nStandard list number, from 100 an expanded one\nSequence number of "
    "an "
    "entry\nSequence number\nWhat becomes of a match\nCommunities, or a regular expression";

using enum CommunityKind;
constexpr Command row(std::string_view pattern, std::string_view help, decltype(Command::apply) apply,
                      decltype(Command::render) render = nullptr) {
  return {.mode = Mode::Config,
          .pattern = pattern,
          .help = help,
          .apply = apply,
          .render = render,
          .negatable = true,
          .key_values = 1};
}
constexpr Command kRows[] = {
    row("bgp as-path access-list WORD [seq (0-4294967295)] {deny|permit} REGEX...", kAsPathHelp, set_as_path,
        show_as_paths),
    row("bgp community-list standard WORD [seq (0-4294967295)] {deny|permit} AA:NN...", kStandardHelp,
        set_named<Standard, false>, show_lists<Standard>),
    row("bgp community-list expanded WORD [seq (0-4294967295)] {deny|permit} LINE...", kExpandedHelp,
        set_named<Standard, true>),
    row("bgp community-list (1-500) [seq (0-4294967295)] {deny|permit} AA:NN...", kNumberHelp, set_numbered<Standard>),
    row("bgp extcommunity-list standard WORD [seq (0-4294967295)] {deny|permit} RT-ASN:NN...", kStandardHelp,
        set_named<Extended, false>, show_lists<Extended>),
    row("bgp extcommunity-list expanded WORD [seq (0-4294967295)] {deny|permit} LINE...", kExpandedHelp,
        set_named<Extended, true>),
    row("bgp extcommunity-list (1-500) [seq (0-4294967295)] {deny|permit} RT-ASN:NN...", kNumberHelp,
        set_numbered<Extended>),
    row("bgp large-community-list standard WORD [seq (0-4294967295)] {deny|permit} AA:BB:CC...", kStandardHelp,
        set_named<Large, false>, show_lists<Large>),
    row("bgp large-community-list expanded WORD [seq (0-4294967295)] {deny|permit} LINE...", kExpandedHelp,
        set_named<Large, true>),
    row("bgp large-community-list (1-500) [seq (0-4294967295)] {deny|permit} AA:BB:CC...", kNumberHelp,
        set_numbered<Large>),
};

}  // namespace

namespace {

template <class T>
std::string in_order(std::vector<T> values, std::string (*text)(T)) {
  std::ranges::sort(values);
  const auto rest = std::ranges::unique(values);
  values.erase(rest.begin(), rest.end());
  std::string out;
  for (const T& v : values)
    out += (out.empty() ? "" : " ") + text(v);
  return out;
}

}  // namespace

Result<std::string, std::string> canonical_communities(std::span<const std::string> given) {
  std::vector<std::uint32_t> out;
  for (const auto& word : given) {
    CGW_TRY(const auto c, parse_community(word));
    out.push_back(c);
  }
  return in_order<std::uint32_t>(out, community_text);
}

Result<std::string, std::string> canonical_large_communities(std::span<const std::string> given) {
  std::vector<LargeCommunityValue> out;
  for (const auto& word : given) {
    CGW_TRY(const auto c, parse_large_community(word));
    out.push_back(c);
  }
  return in_order<LargeCommunityValue>(out, [](LargeCommunityValue v) { return large_community_text(v); });
}

// "rt A B soo C": a kind stands for all that follow it.
Result<std::string, std::string> canonical_extended_communities(std::span<const std::string> given) {
  std::vector<std::uint64_t> out;
  std::string kind = "?";
  for (const auto& word : given) {
    if (word == "rt" || word == "soo") {
      kind = word;
      continue;
    }
    CGW_TRY(const auto c, parse_extended_community(kind, word));
    out.push_back(c);
  }
  if (out.empty()) return fail(std::string("'rt ASN:NN' or 'soo ASN:NN' is expected"));
  return in_order<std::uint64_t>(out, extended_community_line);
}

std::span<const Command> policy_list_rows() {
  return kRows;
}

}  // namespace cgw::config
