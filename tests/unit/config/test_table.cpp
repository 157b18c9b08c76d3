// What holds for every row of the command table.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "config/commands.hpp"
#include "config/config.hpp"
#include "config/grammar.hpp"

namespace {

using namespace cgw::config;

const std::vector<Mode> kModes{Mode::Exec,   Mode::Config,   Mode::Vpn,     Mode::VpnTunnel,
                               Mode::Router, Mode::RouterAf, Mode::RouteMap};

std::vector<std::string> examples(const Token& t) {
  // Bounds of the prefixes below, whose order matters; communities and AS numbers.
  static const std::map<std::string, std::vector<std::string>> kOf{{"(0-32)", {"24"}},
                                                                   {"(0-128)", {"64"}},
                                                                   {"(1-65535)", {"20", "60"}},
                                                                   {"REGEX...", {"^65001_"}},
                                                                   {"AA:NN...", {"65000:1 no-export"}},
                                                                   {"ASN...", {"65001 65002"}},
                                                                   {"AA:BB:CC...", {"65000:1:2"}},
                                                                   {"RT-ASN:NN...", {"rt 65000:1"}},
                                                                   {"ASN:NN...", {"65000:1"}},
                                                                   {"X:X::X:X/M", {"2001:db8::/32"}}};
  if (const auto it = kOf.find(t.text); it != kOf.end()) return it->second;
  switch (t.kind) {
    case Token::Kind::Word: return {t.text};
    case Token::Kind::Choice: return t.choices;
    case Token::Kind::Range: return {std::to_string(t.low), std::to_string(t.high)};
    case Token::Kind::Address: return {"192.0.2.1"};
    case Token::Kind::AnyAddress: return {"192.0.2.1", "2001:db8::1"};
    case Token::Kind::Address6: return {"2001:db8::1"};
    case Token::Kind::Signed: return {"+5", "-5"};
    case Token::Kind::PrefixText: return {"10.9.0.0/16"};
    case Token::Kind::Name: return {"w1"};
    case Token::Kind::Line: return {"a1 b2"};
  }
  return {};
}

std::string joined(const std::string& a, const std::string& b) {
  return a.empty() ? b : a + " " + b;
}

// The row's lines: with the first and the last example of each value, with and without what is optional.
std::vector<std::string> lines(const Pattern& p) {
  std::vector<std::string> out;
  for (const bool last : {false, true}) {
    std::string line;
    for (const Token& t : p.tokens) {
      if (t.optional) out.push_back(line);
      const auto e = examples(t);
      line = joined(line, last ? e.back() : e.front());
    }
    out.push_back(line);
  }
  for (const Token& t : p.tokens) {
    if (t.kind != Token::Kind::Choice) continue;
    for (const auto& choice : t.choices) {
      std::string line;
      for (const Token& u : p.tokens)
        line = joined(line, &u == &t ? choice : examples(u).front());
      out.push_back(line);
    }
  }
  return out;
}

std::string no_form(const Pattern& p) {
  std::string line = "no";
  for (std::size_t i = 0; i < p.required(true); ++i)
    line += " " + examples(p.tokens[i]).front();
  return line;
}

// The lines that open the block a row stands in.
std::string around(const Pattern& p) {
  const bool neighbor = p.command->pattern.starts_with("neighbor") && !p.command->pattern.ends_with("(1-4294967295)");
  const std::string with_neighbor = neighbor || p.command->pattern.find("maximum") != std::string_view::npos
                                        ? " neighbor 192.0.2.1 remote-as 64512\n"
                                        : "";
  switch (p.command->mode) {
    case Mode::Exec:
    case Mode::Config: return "";
    case Mode::Vpn: return "vpn connection v\n";
    case Mode::VpnTunnel: return "vpn connection v\n tunnel 1\n";
    case Mode::Router: return "router bgp 65000\n" + with_neighbor;
    case Mode::RouterAf: return "router bgp 65000\n" + with_neighbor + " address-family ipv4 unicast\n";
    case Mode::RouteMap: return "route-map M permit 10\n";
  }
  return "";
}

Config read(const std::string& text) {
  auto c = parse(text, "f");
  if (!c) FAIL(c.error().front().to_string());
  return std::move(*c);
}

bool has(const std::vector<Completion>& list, const std::string& word) {
  return std::ranges::find(list, word, &Completion::word) != list.end();
}

}  // namespace

TEST_CASE("every word of every row has its help") {
  for (const Mode mode : kModes) {
    for (const Pattern& p : patterns(mode)) {
      CAPTURE(p.command->pattern);
      CHECK(p.helps.size() == p.tokens.size());
      CHECK(std::ranges::none_of(p.helps, &std::string::empty));
    }
  }
}

TEST_CASE("every row is configuration or a request, never neither and never both") {
  for (const Command& c : commands()) {
    CAPTURE(c.pattern);
    CHECK((c.mode == Mode::Exec) == !c.request.empty());
    CHECK((c.mode == Mode::Exec) == (c.apply == nullptr));
  }
}

TEST_CASE("every row's lines are understood as that row") {
  for (const Mode mode : kModes) {
    for (const Pattern& p : patterns(mode)) {
      for (const auto& line : lines(p)) {
        CAPTURE(line);
        const auto m = match(mode, line);
        REQUIRE(m);
        CHECK(m->command == p.command);
      }
    }
  }
}

TEST_CASE("help leads through every row, word by word, to its end") {
  for (const Mode mode : kModes) {
    for (const Pattern& p : patterns(mode)) {
      std::string line;
      for (const Token& t : p.tokens) {
        CAPTURE(line);
        const auto list = complete(mode, line.empty() ? "" : line + " ");
        CHECK(has(list, t.kind == Token::Kind::Choice ? t.choices.front() : t.text));
        if (t.optional) CHECK(has(list, "<cr>"));
        line = joined(line, examples(t).front());
      }
      CHECK(has(complete(mode, line + " "), "<cr>"));
    }
  }
}

TEST_CASE("what any row sets is rendered, and reads back as it was") {
  for (const Mode mode : kModes) {
    if (mode == Mode::Exec) continue;
    for (const Pattern& p : patterns(mode)) {
      auto all = lines(p);
      if (p.command->negatable) all.push_back(no_form(p));
      for (const auto& line : all) {
        // 'no' of what has to be there first.
        if (line.starts_with("no ") && !parse(around(p) + line, "f")) continue;
        CAPTURE(line);
        const Config c = read(around(p) + line);
        const std::string text = render(c);
        CHECK(read(text) == c);
        CHECK(render(read(text)) == text);
      }
    }
  }
}

TEST_CASE("the 'no' form of any row takes back what the row has set") {
  for (const Mode mode : kModes) {
    for (const Pattern& p : patterns(mode)) {
      if (!p.command->negatable || mode == Mode::Exec) continue;  // a command at the prompt sets no configuration
      const std::string no = no_form(p);
      for (const auto& line : lines(p)) {
        // The same key as the 'no' form, which has the first example.
        if (p.command->key_values > 0 && line != lines(p).front()) continue;
        CAPTURE(line);
        const std::string before = around(p);
        if (p.command->pattern == "initiate" || p.command->pattern == "probe") {  // on by default
          CHECK(read(before + no + "\n") != read(before));
          CHECK(read(before + no + "\n" + line) == read(before));
        } else if (p.command->pattern.ends_with("activate")) {
          CHECK(!parse(before + no, "f"));
        } else {
          CHECK(read(before + line + "\n" + no) == read(before));
        }
      }
    }
  }
}

TEST_CASE("every row that renders has a value that differs from the default") {
  for (const Mode mode : kModes) {
    for (const Pattern& p : patterns(mode)) {
      if (p.command->render == nullptr || p.command->pattern.starts_with("address-family")) continue;
      CAPTURE(p.command->pattern);
      const std::string before = around(p);
      auto all = lines(p);
      all.push_back(p.command->key_values == 0 ? no_form(p) : "");
      CHECK(std::ranges::any_of(all,
                                [&](const auto& line) { return render(read(before + line)) != render(read(before)); }));
    }
  }
}
