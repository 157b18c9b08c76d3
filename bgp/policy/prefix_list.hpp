#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.hpp"

namespace cgw::bgp::policy {

enum class Action : std::uint8_t { Deny, Permit };
std::string_view to_string(Action a);

// ip prefix-list NAME seq SEQ permit|deny PREFIX [ge GE] [le LE]
struct PrefixRule {
  std::uint32_t seq = 0;
  Action action = Action::Deny;
  Prefix prefix;  // "any" is the default route with le 32 or 128
  std::optional<std::uint8_t> ge, le;

  // The lengths that match: without ge and le the prefix's own; with one alone, from it or up to it.
  std::uint8_t least() const;
  std::uint8_t most() const;
  std::string to_string() const;  // "seq 5 permit 10.0.0.0/8 ge 9 le 24"
};

// The first rule by number that matches decides. A list without rules permits everything, one with rules denies what
// none of them matches (FRR).
class PrefixList {
 public:
  PrefixList() = default;
  explicit PrefixList(std::vector<PrefixRule> rules);

  struct Verdict {
    Action action;
    const PrefixRule* rule;  // the one that decided; null: none matched
  };
  Verdict apply(const Prefix& p) const;
  const std::vector<PrefixRule>& rules() const { return rules_; }  // by number

 private:
  // A trie laid out flat: the rules' distinct prefixes in order, each with the nearest that encloses it.
  struct Node {
    Prefix prefix;
    std::uint32_t parent;            // index; the node's own: it has none
    std::uint32_t first, count = 0;  // in by_prefix_
  };
  std::uint32_t enclosing(const Prefix& p) const;

  std::vector<PrefixRule> rules_;
  std::vector<std::uint32_t> by_prefix_;  // indices of rules_, grouped by prefix, by number in a group
  std::vector<Node> nodes_;
};

}  // namespace cgw::bgp::policy
