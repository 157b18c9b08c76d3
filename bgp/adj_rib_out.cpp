#include "bgp/adj_rib_out.hpp"

#include <algorithm>
#include <iterator>

namespace cgw::bgp {

void AdjRibOut::want(const std::vector<Advertisement>& routes, std::uint32_t limit) {
  wanted_.clear();
  held_back_.clear();
  for (const auto& r : routes) {
    if (wanted_.size() < limit || wanted_.contains(r.prefix)) {
      wanted_[r.prefix] = r;
    } else {
      held_back_.push_back(r.prefix);
    }
  }
}

Messages AdjRibOut::difference(const SessionConfig& config, const UpdateContext& context) {
  std::vector<Nlri> gone;
  for (const auto& [prefix, r] : told_) {
    if (!wanted_.contains(prefix)) gone.push_back({prefix, 0});
  }
  // Prefixes with the same attributes share messages.
  std::map<std::pair<std::optional<std::uint32_t>, std::vector<std::uint32_t>>, std::vector<Nlri>> groups;
  for (const auto& [prefix, r] : wanted_) {
    const auto it = told_.find(prefix);
    if (it == told_.end() || it->second != r) groups[{r.med, r.communities}].push_back({prefix, 0});
  }
  Messages out = encode_withdraw(gone, Family::V4, context);
  for (const auto& [key, prefixes] : groups) {
    PathAttributes a;
    if (context.ebgp) a.as_path = {{AsPathSegment::Type::Sequence, {config.local_as}}};
    a.next_hop = config.local_address;
    a.med = key.first;
    a.communities = key.second;
    if (!context.ebgp) a.local_pref = 100;
    // What does not fit a message is not told; a configured route's attributes always do.
    auto messages = encode_announce(prefixes, Family::V4, a, context);
    if (messages) std::ranges::move(*messages, std::back_inserter(out));
  }
  told_ = wanted_;
  return out;
}

}  // namespace cgw::bgp
