// Rows of ip prefix-list and ipv6 prefix-list; FRR's syntax.
#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "config/rows.hpp"
#include "config/sequence.hpp"

namespace cgw::config {
namespace {

using Lines = std::vector<Rendered>;
using Done = Result<void, std::string>;

template <Family F>
auto& lists(Config& c) {
  return F == Family::V4 ? c.policy.prefix_lists : c.policy.ipv6_prefix_lists;
}
template <Family F>
const auto& lists(const Config& c) {
  return F == Family::V4 ? c.policy.prefix_lists : c.policy.ipv6_prefix_lists;
}

// "any", or a prefix with its bounds: what stands behind the action. Host bits are cut off, as FRR does.
template <Family F>
Result<PrefixListRule, std::string> read_what(bool permit, std::span<const std::string> words) {
  PrefixListRule r{.permit = permit};
  if (words.empty()) {
    r.any = true;
    r.prefix = F == Family::V4 ? Prefix{} : Prefix{IpAddress::v6({}), 0};
    return r;
  }
  const auto address = InterfaceAddress::parse(words[0]);
  if (!address) return fail("% " + address.error());
  if (address->address.family() != F)
    return fail(fmt::format("% {} is no {} prefix", words[0], F == Family::V4 ? "IPv4" : "IPv6"));
  r.prefix = address->subnet();
  for (std::size_t i = 1; i + 1 < words.size(); i += 2)
    (words[i] == "ge" ? r.ge : r.le) = static_cast<std::uint8_t>(to_number(words[i + 1]));
  const auto least = r.ge.value_or(r.prefix.length), most = r.le.value_or(r.prefix.address.bits());
  if (least < r.prefix.length || most < least) {
    return fail(
        fmt::format("% Invalid prefix range for {}: Make sure that mask length <= ge <= le", r.prefix.to_string()));
  }
  return r;
}

// 'no': the whole list, a number, or the rule that reads so.
template <Family F>
Done remove(Config& c, const SequenceArgs& s, bool any) {
  auto& all = lists<F>(c);
  const auto it = all.find(s.name);
  if (it == all.end()) return fail("% Can't find specified prefix-list");
  auto& rules = it->second.rules;
  if (!s.action && !s.sequence) {
    all.erase(it);
    return {};
  }
  const bool whole = any || !s.rest.empty();
  CGW_TRY(const PrefixListRule r, read_what<F>(s.action.value_or(false), s.rest));
  const auto gone = std::erase_if(rules, [&](const auto& entry) {
    return (!s.sequence || entry.first == *s.sequence) && (!whole || entry.second == r);
  });
  if (gone == 0) return fail("% Can't find specified prefix-list");
  if (rules.empty() && it->second.description.empty()) all.erase(it);
  return {};
}

template <Family F, bool Any>
Done set_rule(Config& c, Cursor&, const Args& a, bool negated) {
  const SequenceArgs s = read_sequence(a);
  if (negated) return remove<F>(c, s, Any && s.action);
  CGW_TRY(const PrefixListRule r, read_what<F>(*s.action, s.rest));
  auto& rules = lists<F>(c)[s.name].rules;
  // The same rule twice is one, unless it is given another number.
  const auto same = std::ranges::find(rules, r, [](const auto& entry) { return entry.second; });
  if (same != rules.end() && !s.sequence) return {};
  rules[s.sequence.value_or(next_sequence(rules))] = r;
  return {};
}

// "le 24 ge 17" is one row of its own, whose literal words are no arguments.
template <Family F>
Done set_rule_le_ge(Config& c, Cursor& at, const Args& a, bool negated) {
  Args words = a;
  if (words.size() > 4) {
    words.insert(words.end() - 2, "le");
    words.insert(words.end() - 1, "ge");
  }
  return set_rule<F, false>(c, at, words, negated);
}

template <Family F>
Done set_description(Config& c, Cursor&, const Args& a, bool negated) {
  auto& all = lists<F>(c);
  if (negated) {
    const auto it = all.find(a[0]);
    if (it == all.end()) return fail("% Can't find specified prefix-list");
    it->second.description.clear();
    if (it->second.rules.empty()) all.erase(it);
    return {};
  }
  all[a[0]].description = fmt::format("{}", fmt::join(a.begin() + 1, a.end(), " "));
  return {};
}

template <Family F>
Lines show_lists(const Config& c, const Cursor&) {
  Lines out;
  for (const auto& [name, list] : lists<F>(c)) {
    const std::string head = fmt::format("{} prefix-list {}", F == Family::V4 ? "ip" : "ipv6", name);
    if (!list.description.empty()) out.push_back({fmt::format("{} description {}", head, list.description), {}});
    for (const auto& [sequence, r] : list.rules) {
      std::string line = fmt::format("{} seq {} {} {}", head, sequence, r.permit ? "permit" : "deny",
                                     r.any ? "any" : r.prefix.to_string());
      if (r.ge) line += fmt::format(" ge {}", *r.ge);
      if (r.le) line += fmt::format(" le {}", *r.le);
      out.push_back({std::move(line), {}});
    }
  }
  return out;
}

constexpr Command kRows[] = {
    {.mode = Mode::Config,
     .pattern = "ip prefix-list WORD description LINE...",
     .help = "IP information\nBuild a prefix list\nName of a prefix list\nPrefix-list specific description\nUp to 80 "
             "characters describing this prefix-list",
     .apply = set_description<Family::V4>,
     .render = show_lists<Family::V4>,
     .negatable = true,
     .key_values = 1},
    {.mode = Mode::Config,
     .pattern = "ip prefix-list WORD [seq (1-4294967295)] {deny|permit} A.B.C.D/M [ge (0-32)] [le (0-32)]",
     .help =
         "IP information\nBuild a prefix list\nName of a prefix list\nSequence number of an entry\nSequence "
         "number\nWhat becomes of a match\nIP prefix <network>/<length>, e.g., 35.0.0.0/8\nMinimum prefix length to "
         "be matched\nMinimum prefix length\nMaximum prefix length to be matched\nMaximum prefix length",
     .apply = set_rule<Family::V4, false>,
     .negatable = true,
     .key_values = 1},
    {.mode = Mode::Config,
     .pattern = "ip prefix-list WORD [seq (1-4294967295)] {deny|permit} A.B.C.D/M le (0-32) ge (0-32)",
     .help =
         "IP information\nBuild a prefix list\nName of a prefix list\nSequence number of an entry\nSequence "
         "number\nWhat becomes of a match\nIP prefix <network>/<length>, e.g., 35.0.0.0/8\nMaximum prefix length to "
         "be matched\nMaximum prefix length\nMinimum prefix length to be matched\nMinimum prefix length",
     .apply = set_rule_le_ge<Family::V4>,
     .negatable = true,
     .key_values = 1},
    {.mode = Mode::Config,
     .pattern = "ip prefix-list WORD [seq (1-4294967295)] {deny|permit} any",
     .help = "IP information\nBuild a prefix list\nName of a prefix list\nSequence number of an entry\nSequence "
             "number\nWhat becomes of a match\nAny prefix match",
     .apply = set_rule<Family::V4, true>,
     .negatable = true,
     .key_values = 1},
    {.mode = Mode::Config,
     .pattern = "ipv6 prefix-list WORD description LINE...",
     .help = "IPv6 information\nBuild a prefix list\nName of a prefix list\nPrefix-list specific description\nUp to 80 "
             "characters describing this prefix-list",
     .apply = set_description<Family::V6>,
     .render = show_lists<Family::V6>,
     .negatable = true,
     .key_values = 1},
    {.mode = Mode::Config,
     .pattern = "ipv6 prefix-list WORD [seq (1-4294967295)] {deny|permit} X:X::X:X/M [ge (0-128)] [le (0-128)]",
     .help =
         "IPv6 information\nBuild a prefix list\nName of a prefix list\nSequence number of an entry\nSequence "
         "number\nWhat becomes of a match\nIPv6 prefix <network>/<length>, e.g., 3ffe::/16\nMinimum prefix length to "
         "be matched\nMinimum prefix length\nMaximum prefix length to be matched\nMaximum prefix length",
     .apply = set_rule<Family::V6, false>,
     .negatable = true,
     .key_values = 1},
    {.mode = Mode::Config,
     .pattern = "ipv6 prefix-list WORD [seq (1-4294967295)] {deny|permit} X:X::X:X/M le (0-128) ge (0-128)",
     .help =
         "IPv6 information\nBuild a prefix list\nName of a prefix list\nSequence number of an entry\nSequence "
         "number\nWhat becomes of a match\nIPv6 prefix <network>/<length>, e.g., 3ffe::/16\nMaximum prefix length to "
         "be matched\nMaximum prefix length\nMinimum prefix length to be matched\nMinimum prefix length",
     .apply = set_rule_le_ge<Family::V6>,
     .negatable = true,
     .key_values = 1},
    {.mode = Mode::Config,
     .pattern = "ipv6 prefix-list WORD [seq (1-4294967295)] {deny|permit} any",
     .help = "IPv6 information\nBuild a prefix list\nName of a prefix list\nSequence number of an entry\nSequence "
             "number\nWhat becomes of a match\nAny prefix match",
     .apply = set_rule<Family::V6, true>,
     .negatable = true,
     .key_values = 1},
};

}  // namespace

std::span<const Command> prefix_list_rows() {
  return kRows;
}

}  // namespace cgw::config
