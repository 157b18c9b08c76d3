#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace cgw {

// ERROR: we cannot work; Warning: an operator should look; Info: a tunnel or session changed;
// Debug: one line a message.
enum class Level : std::uint8_t { Error, Warning, Info, Debug };

constexpr std::string_view to_string(Level level) {
  switch (level) {
    case Level::Error: return "error";
    case Level::Warning: return "warning";
    case Level::Info: return "info";
    case Level::Debug: return "debug";
  }
  return "?";
}

// A line for the log, as an action: cores have no log of their own. Never holds a secret; text
// that came from a peer is made printable with printable() first.
struct Note {
  Level level = Level::Info;
  std::string text;
  bool operator==(const Note&) const = default;
};

// Control characters and non-ASCII as \xNN, at most `limit` characters.
std::string printable(std::string_view text, std::size_t limit = 200);

// "0a 1b 2c ..." of at most `limit` octets.
std::string hex(std::string_view octets, std::size_t limit = 64);

}  // namespace cgw
