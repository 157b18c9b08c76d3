#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "config/config.hpp"
#include "config/grammar.hpp"

namespace cgw::config {
namespace {

Mode outer(Mode m) {
  switch (m) {
    case Mode::Exec: return Mode::Exec;
    case Mode::Config:
    case Mode::Vpn:
    case Mode::RouteMap:
    case Mode::Router: return Mode::Config;
    case Mode::VpnTunnel: return Mode::Vpn;
    case Mode::RouterAf: return Mode::Router;
  }
  return Mode::Config;
}

bool leaves(std::string_view line) {
  return line == "exit" || line == "exit-address-family" || line == "quit";
}

// The words that say which setting a line is about: the literal ones, and the values that are its key.
std::string subject(const Match& m) {
  std::string out;
  std::size_t taken = 0;
  for (const Token& t : parse_pattern(m.command->pattern)) {
    if (t.group != 0) continue;
    const bool key = t.kind != Token::Kind::Word && taken < m.command->key_values && taken < m.args.size();
    if (t.kind != Token::Kind::Word && !key) break;
    out += (out.empty() ? "" : " ") + (key ? m.args[taken++] : t.text);
  }
  return out;
}

std::string place_of(const Cursor& at, const Match& m) {
  switch (at.mode) {
    case Mode::Exec:
    case Mode::Config: return subject(m);
    case Mode::Vpn: return fmt::format("vpn connection {} / {}", at.connection, subject(m));
    case Mode::VpnTunnel:
      return fmt::format("vpn connection {} / tunnel {} / {}", at.connection, at.tunnel, subject(m));
    case Mode::Router:
    case Mode::RouterAf: return "router bgp / " + subject(m);
    case Mode::RouteMap: return fmt::format("route-map {} {} / {}", at.route_map, at.sequence, subject(m));
  }
  return {};
}

// One file being read: the model so far, where we are in it, and what was wrong.
class Parser {
 public:
  Parser(std::string_view file, const SuiteChecker& suites, Places* places)
      : file_(file),
        suites_(suites),
        places_(places) {}

  void line(std::string_view text, unsigned number) {
    const auto words = split(text);
    if (words.empty() || words[0].text.starts_with('!') || words[0].text.starts_with('#')) return;
    const std::string_view trimmed =
        text.substr(words[0].column, words.back().column + words.back().text.size() - words[0].column);
    if (trimmed == "end") {
      at_ = {};
      return;
    }
    if (leaves(trimmed)) {
      if (at_.mode == Mode::Config) return;
      at_.mode = outer(at_.mode);
      return;
    }
    const auto found = find_row(text);
    if (!found) return wrong(number, found.error().column, found.error().text);
    Cursor at = found->cursor;
    const auto& m = found->match;
    if (places_ != nullptr) note_place(place_of(at, m), m, number);
    // Options come after the words: a value is named by its column as well as the words allow.
    if (auto done = m.command->apply(config_, at, m.args, m.negated); !done)
      return wrong(number, words[0].column, done.error());
    at_ = at;
    check_suites(m, number, words);
  }

  Result<Config, Diagnostics> take() {
    name_interfaces();
    if (!diagnostics_.empty()) return fail(std::move(diagnostics_));
    return std::move(config_);
  }

 private:
  // A free text is a place of its own: a list has many.
  void note_place(const std::string& place, const Match& m, unsigned number) {
    (*places_)[place] = number;
    if (m.free_text >= m.args.size()) return;
    const auto text = m.args.begin() + static_cast<std::ptrdiff_t>(m.free_text);
    (*places_)[fmt::format("{} / {}", place, fmt::join(text, m.args.end(), " "))] = number;
  }

  struct Found {
    Match match;
    Cursor cursor;
  };

  // The row in this mode or, as in FRR, in one further out. The complaint is the innermost one's.
  Result<Found, NoMatch> find_row(std::string_view text) {
    Cursor at = at_;
    auto first = match(at.mode, text);
    if (first) return Found{std::move(*first), at};
    // A line that is only cut short here must not become an abbreviation of something further out.
    if (!first.error().text.starts_with("% Unknown")) return fail(first.error());
    while (at.mode != Mode::Config) {
      at.mode = outer(at.mode);
      if (auto m = match(at.mode, text)) return Found{std::move(*m), at};
    }
    return fail(first.error());
  }

  void check_suites(const Match& m, unsigned number, const std::vector<Word>& words) {
    const bool ike = m.command->pattern.starts_with("ike proposal"),
               esp = m.command->pattern.starts_with("esp proposal");
    const auto checker = ike ? suites_.ike : (esp ? suites_.esp : nullptr);
    if (checker == nullptr || m.negated) return;
    for (const auto& suite : m.args) {
      const auto what = checker(suite);
      const auto word = std::ranges::find(words, std::string_view(suite), &Word::text);
      if (!what.empty()) wrong(number, word != words.end() ? word->column : 0, "% " + what);
    }
  }

  void wrong(unsigned number, std::size_t column, std::string text) {
    diagnostics_.push_back({.file = std::string(file_),
                            .line = number,
                            .column = static_cast<unsigned>(column + 1),
                            .text = std::move(text)});
  }

  // An interface that the file does not name.
  void name_interfaces() {
    for (std::size_t i = 0; i < config_.connections.size(); ++i) {
      for (auto& [number, t] : config_.connections[i].tunnels) {
        if (t.interface.empty()) t.interface = fmt::format("cgw{}t{}", i + 1, number);
      }
    }
  }

  std::string_view file_;
  const SuiteChecker& suites_;
  Places* places_;
  Config config_;
  Cursor at_;
  Diagnostics diagnostics_;
};

void render_block(const Config& c, const Cursor& at, unsigned depth, std::string& out) {
  const std::string indent(depth, ' ');
  const Command* last = nullptr;  // a row with groups has several patterns
  for (const auto& p : patterns(at.mode)) {
    if (p.command->render == nullptr || p.command == last) continue;
    last = p.command;
    for (const auto& r : p.command->render(c, at)) {
      out += indent + r.line + '\n';
      if (!r.block) continue;
      render_block(c, *r.block, depth + 1, out);
      out += indent + (r.block->mode == Mode::RouterAf ? "exit-address-family" : "exit") + '\n';
      if (depth == 0) out += "!\n";
    }
  }
}

}  // namespace

unsigned line_of(const Places& places, std::string_view place) {
  while (true) {
    if (const auto it = places.find(place); it != places.end()) return it->second;
    const auto outer = place.rfind(" / ");
    if (outer == std::string_view::npos) return 0;
    place = place.substr(0, outer);
  }
}

Result<Config, Diagnostics> parse(std::string_view text, std::string_view file, const SuiteChecker& suites,
                                  Places* places) {
  Parser parser(file, suites, places);
  for (unsigned number = 1; !text.empty(); ++number) {
    const auto end = std::min(text.find('\n'), text.size());
    parser.line(text.substr(0, end), number);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parser.take();
}

std::string render(const Config& c) {
  std::string out;
  render_block(c, Cursor{}, 0, out);
  return out;
}

std::string Diagnostic::to_string() const {
  if (line == 0) return fmt::format("{}: {}", file, text);
  if (column == 0) return fmt::format("{}:{}: {}", file, line, text);
  return fmt::format("{}:{}:{}: {}", file, line, column, text);
}

}  // namespace cgw::config
