#pragma once
#include <optional>
#include <span>
#include <string>

#include "config/rows.hpp"

// What the lines of all numbered lists have in common: NAME [seq N] permit|deny ...
namespace cgw::config {

struct SequenceArgs {
  std::string name;
  std::optional<std::uint32_t> sequence;
  std::optional<bool> action;  // true: permit; none: a 'no' form that ends before it
  std::span<const std::string> rest;
};

inline SequenceArgs read_sequence(const Args& a) {
  SequenceArgs out{.name = a[0]};
  std::size_t i = 1;
  if (a.size() > 2 && a[1] == "seq") {
    out.sequence = to_number(a[2]);
    i = 3;
  }
  if (i < a.size()) out.action = a[i++] == "permit";
  out.rest = std::span(a).subspan(std::min(i, a.size()));
  return out;
}

// FRR's: five after the last one, or after the multiple of five below it.
template <class Rules>
std::uint32_t next_sequence(const Rules& rules) {
  return rules.empty() ? 5 : rules.rbegin()->first / 5 * 5 + 5;
}

}  // namespace cgw::config
