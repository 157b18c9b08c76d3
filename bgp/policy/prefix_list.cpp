#include "bgp/policy/prefix_list.hpp"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>

namespace cgw::bgp::policy {

std::string_view to_string(Action a) {
  return a == Action::Permit ? "permit" : "deny";
}

std::uint8_t PrefixRule::least() const {
  return ge.value_or(prefix.length);
}
std::uint8_t PrefixRule::most() const {
  return le ? *le : (ge ? prefix.address.bits() : prefix.length);
}
std::string PrefixRule::to_string() const {
  std::string out = fmt::format("seq {} {} {}", seq, policy::to_string(action), prefix.to_string());
  if (ge) out += fmt::format(" ge {}", *ge);
  if (le) out += fmt::format(" le {}", *le);
  return out;
}

PrefixList::PrefixList(std::vector<PrefixRule> rules) : rules_(std::move(rules)) {
  std::ranges::sort(rules_, {}, &PrefixRule::seq);
  by_prefix_.resize(rules_.size());
  std::iota(by_prefix_.begin(), by_prefix_.end(), 0U);
  std::ranges::sort(by_prefix_, {}, [&](std::uint32_t i) { return std::pair(rules_[i].prefix, i); });
  for (std::uint32_t at = 0; at < by_prefix_.size(); ++at) {
    const Prefix& p = rules_[by_prefix_[at]].prefix;
    if (nodes_.empty() || nodes_.back().prefix != p) nodes_.push_back({p, enclosing(p), at, 0});
    ++nodes_.back().count;
  }
}

// Of a prefix that follows all nodes in order: what encloses it encloses the last of them, or is it.
std::uint32_t PrefixList::enclosing(const Prefix& p) const {
  const auto self = static_cast<std::uint32_t>(nodes_.size());
  if (nodes_.empty()) return self;
  std::uint32_t at = self - 1;
  while (!nodes_[at].prefix.contains(p)) {
    if (nodes_[at].parent == at) return self;
    at = nodes_[at].parent;
  }
  return at;
}

PrefixList::Verdict PrefixList::apply(const Prefix& p) const {
  if (rules_.empty()) return {Action::Permit, nullptr};
  std::uint32_t best = static_cast<std::uint32_t>(rules_.size());
  const auto after = std::ranges::upper_bound(nodes_, p, {}, &Node::prefix);
  if (after != nodes_.begin()) {
    auto at = static_cast<std::uint32_t>(after - nodes_.begin()) - 1;
    while (true) {
      const Node& n = nodes_[at];
      if (n.prefix.contains(p)) {
        for (std::uint32_t i = n.first; i < n.first + n.count; ++i) {
          const PrefixRule& r = rules_[by_prefix_[i]];
          if (p.length >= r.least() && p.length <= r.most()) best = std::min(best, by_prefix_[i]);
        }
      }
      if (n.parent == at) break;
      at = n.parent;
    }
  }
  if (best == rules_.size()) return {Action::Deny, nullptr};
  return {rules_[best].action, &rules_[best]};
}

}  // namespace cgw::bgp::policy
