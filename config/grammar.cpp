#include "config/grammar.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <map>

#include <fmt/format.h>

#include "base/ip.hpp"

namespace cgw::config {
namespace {

std::vector<std::string> cut(std::string_view text, char at) {
  std::vector<std::string> out;
  while (true) {
    const auto end = std::min(text.find(at), text.size());
    out.emplace_back(text.substr(0, end));
    if (end == text.size()) return out;
    text.remove_prefix(end + 1);
  }
}

std::uint64_t number(std::string_view text) {
  std::uint64_t v = 0;
  std::from_chars(text.data(), text.data() + text.size(), v);
  return v;
}

Token parse_token(std::string_view word) {
  Token t;
  if (word.starts_with('[')) {
    t = parse_token(word.substr(1, word.size() - 2));
    t.optional = true;
    return t;
  }
  t.text = std::string(word);
  if (word.starts_with('{')) {
    t.kind = Token::Kind::Choice;
    t.choices = cut(word.substr(1, word.size() - 2), '|');
  } else if (word.starts_with('(')) {
    t.kind = Token::Kind::Range;
    const auto bounds = cut(word.substr(1, word.size() - 2), '-');
    t.low = number(bounds[0]);
    t.high = number(bounds[1]);
  } else if (word == "A.B.C.D") {
    t.kind = Token::Kind::Address;
  } else if (word == "X:X::X:X") {
    t.kind = Token::Kind::Address6;
  } else if (word == "A.B.C.D|X:X::X:X") {
    t.kind = Token::Kind::AnyAddress;
  } else if (word == "<+/-metric>") {
    t.kind = Token::Kind::Signed;
    t.high = std::numeric_limits<std::uint32_t>::max();
  } else if (word == "A.B.C.D/M" || word == "X:X::X:X/M" || word == "A.B.C.D/M|X:X::X:X/M") {
    t.kind = Token::Kind::PrefixText;
  } else if (word.ends_with("...")) {
    t.kind = Token::Kind::Line;
  } else if (std::ranges::all_of(word, [](char c) { return (c >= 'A' && c <= 'Z') || c == '-'; })) {
    t.kind = Token::Kind::Name;
  }
  return t;
}

bool in_range(const Token& t, std::string_view typed) {
  std::uint64_t v = 0;
  const auto [end, ec] = std::from_chars(typed.data(), typed.data() + typed.size(), v);
  return ec == std::errc{} && end == typed.data() + typed.size() && v >= t.low && v <= t.high;
}

// A row without groups is one pattern, one with n of them 2^n.
void add_patterns(const Command& c, std::vector<Pattern>& out) {
  const auto tokens = parse_pattern(c.pattern);
  const auto helps = cut(c.help, '\n');
  unsigned groups = 0;
  for (const Token& t : tokens)
    groups = std::max(groups, t.group);
  for (unsigned chosen = 0; chosen < 1U << groups; ++chosen) {
    Pattern p{&c, {}, {}};
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      if (tokens[i].group != 0 && (chosen >> (tokens[i].group - 1) & 1) == 0) continue;
      p.tokens.push_back(tokens[i]);
      if (i < helps.size()) p.helps.push_back(helps[i]);
    }
    out.push_back(std::move(p));
  }
}

std::vector<Pattern> make_patterns(Mode mode) {
  std::vector<Pattern> out;
  for (const Command& c : commands()) {
    if (c.mode == mode) add_patterns(c, out);
  }
  return out;
}

// The token that takes word i: a Line takes all that is left.
const Token* token_at(const Pattern& p, std::size_t i) {
  if (i < p.tokens.size()) return &p.tokens[i];
  const bool rest = !p.tokens.empty() && p.tokens.back().kind == Token::Kind::Line;
  return rest ? &p.tokens.back() : nullptr;
}

// Patterns whose first words fit; a word typed in full, or a value, shuts out those it merely abbreviates.
std::vector<const Pattern*> candidates(Mode mode, const std::vector<Word>& words, std::size_t count,
                                       std::size_t& failed_at) {
  std::vector<const Pattern*> live;
  for (const auto& p : patterns(mode))
    live.push_back(&p);
  for (std::size_t i = 0; i < count; ++i) {
    const auto fit = [&](const Pattern* p) {
      const Token* t = token_at(*p, i);
      return t == nullptr ? Fit::No : fits(*t, words[i].text);
    };
    Fit best = Fit::No;
    for (const auto* p : live)
      best = std::max(best, fit(p));
    const Fit least = best == Fit::Exact ? Fit::Exact : (best == Fit::No ? Fit::Exact : Fit::Abbreviation);
    std::erase_if(live, [&](const Pattern* p) { return fit(p) < least; });
    if (live.empty()) {
      failed_at = i;
      return live;
    }
  }
  return live;
}

// The word that abbreviates different words of those that are left.
std::optional<std::size_t> ambiguous(const std::vector<const Pattern*>& live, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const Token* first = nullptr;
    for (const Pattern* p : live) {
      const Token* t = token_at(*p, i);
      if (t == nullptr || t->kind != Token::Kind::Word) continue;
      if (first != nullptr && first->text != t->text) return i;
      first = t;
    }
  }
  return std::nullopt;
}

bool means_no(const std::vector<Word>& words) {
  return !words.empty() && words[0].text == "no";
}

}  // namespace

std::vector<Token> parse_pattern(std::string_view pattern) {
  std::vector<Token> out;
  unsigned groups = 0;
  bool within = false;
  for (const Word& w : split(pattern)) {
    std::string_view text = w.text;
    const bool opens = text.starts_with('[') && !text.ends_with(']'), closes = within && text.ends_with(']');
    if (opens) {
      ++groups;
      within = true;
    }
    text = text.substr(opens ? 1 : 0, text.size() - (opens || closes ? 1 : 0));
    out.push_back(parse_token(text));
    if (within) out.back().group = groups;
    if (closes) within = false;
  }
  return out;
}

std::size_t Pattern::required(bool negated) const {
  if (!negated) return static_cast<std::size_t>(std::ranges::count(tokens, false, &Token::optional));
  std::size_t least = 0, values = 0;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const Token& t = tokens[i];
    const bool word = t.kind == Token::Kind::Word;
    const bool key = !word && t.group == 0 && values++ < command->key_values;
    if (t.optional || (!word && !key && t.group == 0)) break;
    least = i + 1;
  }
  return least;
}

Fit fits(const Token& t, std::string_view typed) {
  switch (t.kind) {
    case Token::Kind::Word:
      if (typed == t.text) return Fit::Exact;
      return t.text.starts_with(typed) ? Fit::Abbreviation : Fit::No;
    case Token::Kind::Choice: {
      const auto same = [&](const std::string& c) { return c == typed; };
      const auto begins = [&](const std::string& c) { return c.starts_with(typed); };
      if (std::ranges::any_of(t.choices, same)) return Fit::Exact;
      return std::ranges::count_if(t.choices, begins) == 1 ? Fit::Abbreviation : Fit::No;
    }
    case Token::Kind::Range: return in_range(t, typed) ? Fit::Value : Fit::No;
    case Token::Kind::Signed: {
      const bool sign = typed.starts_with('+') || typed.starts_with('-');
      return sign && in_range(t, typed.substr(1)) ? Fit::Value : Fit::No;
    }
    case Token::Kind::Address6: {
      const auto a = IpAddress::parse(typed);
      return a && !a->is_v4() ? Fit::Value : Fit::No;
    }
    case Token::Kind::Address: {
      const auto a = IpAddress::parse(typed);
      return a && a->is_v4() ? Fit::Value : Fit::No;
    }
    case Token::Kind::AnyAddress: return IpAddress::parse(typed) ? Fit::Value : Fit::No;
    // A wrong prefix is told apart in words by the command; a slash makes it one.
    case Token::Kind::PrefixText: return typed.find('/') != std::string_view::npos ? Fit::Value : Fit::No;
    case Token::Kind::Name:
    case Token::Kind::Line: return Fit::Value;
  }
  return Fit::No;
}

std::vector<Word> split(std::string_view line) {
  std::vector<Word> out;
  constexpr std::string_view kBlank = " \t\r";
  for (std::size_t at = line.find_first_not_of(kBlank); at != std::string_view::npos;
       at = line.find_first_not_of(kBlank, at)) {
    const auto end = std::min(line.find_first_of(kBlank, at), line.size());
    out.push_back({line.substr(at, end - at), at});
    at = end;
  }
  return out;
}

const std::vector<Pattern>& patterns(Mode mode) {
  static const std::map<Mode, std::vector<Pattern>> kAll = [] {
    std::map<Mode, std::vector<Pattern>> all;
    for (const Mode m :
         {Mode::Exec, Mode::Config, Mode::Vpn, Mode::VpnTunnel, Mode::Router, Mode::RouterAf, Mode::RouteMap})
      all[m] = make_patterns(m);
    return all;
  }();
  return kAll.at(mode);
}

Result<Match, NoMatch> match(Mode mode, std::string_view line) {
  auto words = split(line);
  Match m;
  if (means_no(words)) {
    m.negated = true;
    words.erase(words.begin());
  }
  std::size_t failed_at = 0;
  auto live = candidates(mode, words, words.size(), failed_at);
  const std::string text(line.substr(std::min(line.find_first_not_of(" \t"), line.size())));
  if (live.empty()) {
    const std::size_t column = failed_at < words.size() ? words[failed_at].column : 0;
    return fail(NoMatch{fmt::format("% Unknown command: {}", text), column});
  }
  if (const auto at = ambiguous(live, words.size()))
    return fail(NoMatch{fmt::format("% Ambiguous command: {}", text), words[*at].column});
  std::erase_if(live, [&](const Pattern* p) { return words.size() < p->required(m.negated); });
  if (live.empty()) return fail(NoMatch{fmt::format("% Command incomplete: {}", text), line.size()});
  if (m.negated) {
    std::erase_if(live, [](const Pattern* p) { return !p->command->negatable; });
    if (live.empty()) return fail(NoMatch{fmt::format("% Unknown command: {} (it has no 'no' form)", text), 0});
  }
  // Several that differ in what may follow only: the one that needs least.
  const Pattern& p = **std::ranges::min_element(live, {}, [&](const Pattern* q) { return q->required(m.negated); });
  m.command = p.command;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const Token& t = *token_at(p, i);
    if (t.kind == Token::Kind::Word) {
      if (t.optional || t.group != 0) m.args.emplace_back(t.text);
      continue;
    }
    if (t.kind == Token::Kind::Line) m.free_text = std::min(m.free_text, m.args.size());
    std::string value(words[i].text);
    if (t.kind == Token::Kind::Choice) {
      for (const auto& c : t.choices) {
        if (c.starts_with(words[i].text)) value = c;
      }
    }
    m.args.push_back(std::move(value));
  }
  return m;
}

std::vector<Completion> complete(Mode mode, std::string_view line) {
  auto words = split(line);
  const bool negated = means_no(words) && (words.size() > 1 || line.ends_with(' '));
  if (negated) words.erase(words.begin());
  const bool partial = !words.empty() && !line.ends_with(' ');
  const std::size_t whole = partial ? words.size() - 1 : words.size();
  std::size_t failed_at = 0;
  std::map<std::string, Completion> out;
  for (const Pattern* p : candidates(mode, words, whole, failed_at)) {
    if (negated && !p->command->negatable) continue;
    const Token* t = token_at(*p, whole);
    if (!partial && whole >= p->required(negated)) out.emplace("<cr>", Completion{"<cr>", "", false});
    if (t == nullptr) continue;
    const std::string help = p->helps.empty() ? "" : p->helps[std::min(whole, p->helps.size() - 1)];
    const auto begins = [&](std::string_view w) { return !partial || w.starts_with(words[whole].text); };
    if (t->kind == Token::Kind::Word) {
      if (begins(t->text)) out.emplace(t->text, Completion{t->text, help, true});
    } else if (t->kind == Token::Kind::Choice) {
      for (const auto& c : t->choices) {
        if (begins(c)) out.emplace(c, Completion{c, help, true});
      }
    } else if (!partial || fits(*t, words[whole].text) != Fit::No) {
      out.emplace(t->text, Completion{t->text, help, false});
    }
  }
  std::vector<Completion> list;
  for (auto& [word, c] : out)
    list.push_back(std::move(c));
  return list;
}

std::string_view prompt_suffix(Mode m) {
  switch (m) {
    case Mode::Exec: return "#";
    case Mode::Config: return "(config)#";
    case Mode::Vpn: return "(config-vpn)#";
    case Mode::VpnTunnel: return "(config-vpn-tunnel)#";
    case Mode::Router: return "(config-router)#";
    case Mode::RouterAf: return "(config-router-af)#";
    case Mode::RouteMap: return "(config-route-map)#";
  }
  return "#";
}

}  // namespace cgw::config
