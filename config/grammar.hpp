#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "config/commands.hpp"

// Patterns of the command table and how lines fit them; private to this room.
namespace cgw::config {

// One word of a pattern.
struct Token {
  enum class Kind : std::uint8_t { Word, Choice, Range, Signed, Address, Address6, AnyAddress, PrefixText, Name, Line };
  Kind kind = Kind::Word;
  std::string text;                  // of a Word; else the placeholder as help shows it
  std::vector<std::string> choices;  // of a Choice
  std::uint64_t low = 0, high = 0;   // of a Range
  bool optional = false;
  unsigned group = 0;  // 1..: of words that are there or not together
};
// The patterns are ours: a malformed one is a bug.
std::vector<Token> parse_pattern(std::string_view pattern);

enum class Fit : std::uint8_t { No, Abbreviation, Value, Exact };
Fit fits(const Token& t, std::string_view typed);

struct Word {
  std::string_view text;
  std::size_t column;  // 0-based
};
std::vector<Word> split(std::string_view line);

// The patterns of a mode, parsed once: one for each choice of its groups.
struct Pattern {
  const Command* command;
  std::vector<Token> tokens;
  std::vector<std::string> helps;  // one a token
  // Words that must be there; the 'no' form needs its literal words and key values only.
  std::size_t required(bool negated) const;
};
const std::vector<Pattern>& patterns(Mode mode);

}  // namespace cgw::config
