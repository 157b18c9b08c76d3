#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "config/model.hpp"

// The one table of the language: configuration lines and operational commands, each with its mode, words,
// typed arguments, help and effect. Parser, `no` forms, running-config, help and completion come from it.
namespace cgw::config {

enum class Mode : std::uint8_t {
  Exec,       // host#
  Config,     // host(config)#
  Vpn,        // host(config-vpn)#
  VpnTunnel,  // host(config-vpn-tunnel)#
  Router,     // host(config-router)#
  RouterAf,   // host(config-router-af)#
  RouteMap,   // host(config-route-map)#
};
std::string_view prompt_suffix(Mode m);  // "#", "(config)#", ...

// Where in the model a configuration line acts.
struct Cursor {
  Mode mode = Mode::Config;
  std::string connection;  // in Vpn, VpnTunnel
  unsigned tunnel = 0;     // in VpnTunnel
  std::string route_map;   // in RouteMap
  std::uint32_t sequence = 0;
};

using Args = std::vector<std::string>;  // the typed words of the line, in order

// A line of running-config, and the block it opens, if it does.
struct Rendered {
  std::string line;
  std::optional<Cursor> block;
};

// A pattern is words separated by blanks; a word in capitals or angle form is a typed argument:
//   A.B.C.D  X:X::X:X  A.B.C.D|X:X::X:X  A.B.C.D/M  X:X::X:X/M  A.B.C.D/M|X:X::X:X/M  (1-4294967295)  <+/-metric>
//   WORD  LINE...  {choice|choice}  [optional]
// [several words] are there or not together; then the literal ones are arguments too.
struct Command {
  Mode mode = Mode::Exec;
  std::string_view pattern;
  std::string_view help;  // one phrase a word, separated by '\n', in the pattern's order
  // Configuration lines: change the model, or say why not. negated: the line began with "no".
  Result<void, std::string> (*apply)(Config& c, Cursor& at, const Args& args, bool negated) = nullptr;
  // The lines this row contributes at `at`; none when all is default. What apply() writes, render() reads.
  std::vector<Rendered> (*render)(const Config& c, const Cursor& at) = nullptr;
  // Operational commands: the request the daemon (or the shell itself) answers, e.g. "show vpn".
  std::string_view request = {};
  bool negatable = false;
  // Values that say which one is meant: the `no` form needs them, and may leave the others out.
  std::size_t key_values = 0;
};

std::span<const Command> commands();

struct Match {
  const Command* command = nullptr;
  Args args;
  bool negated = false;
  std::size_t free_text = static_cast<std::size_t>(-1);  // where in args a LINE... begins
};
// FRR's words: "% Unknown command: show bogus", "% Command incomplete: show ip",
// "% Ambiguous command: sh b"; column: where in the line (0-based) the trouble starts.
struct NoMatch {
  std::string text;
  std::size_t column = 0;
};
// Any unambiguous abbreviation matches.
Result<Match, NoMatch> match(Mode mode, std::string_view line);

struct Completion {
  std::string word;  // "<cr>" when the line may end here
  std::string help;
  bool literal = true;  // can be inserted by Tab
};
// What may follow `line`; with a partial last word, what that word may become.
std::vector<Completion> complete(Mode mode, std::string_view line);

}  // namespace cgw::config
