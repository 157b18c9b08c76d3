// Our own summaries of what the tables hold.
#include <algorithm>

#include "bgp/ribs.hpp"

namespace cgw::bgp {
namespace {

constexpr NeighborId kOurselves{0};

}  // namespace

void Ribs::set_aggregates(const std::vector<Aggregate>& wanted) {
  for (const Family f : kFamilies) {
    std::vector<Aggregate> of_family;
    std::ranges::copy_if(wanted, std::back_inserter(of_family),
                         [&](const Aggregate& a) { return a.prefix.address.family() == f; });
    families_[f].aggregates.configure(of_family);
  }
}

void Ribs::step_aggregates(Rib& rib) {
  const auto outcome = rib.aggregates.work();
  for (const auto& [prefix, attributes] : outcome.routes) {
    const Nlri route{prefix, Aggregates::kPathId};
    const auto c = attributes == AttributeId{} ? rib.table.withdraw(kOurselves, route)
                                               : rib.table.put(kOurselves, route, attributes, attributes, latest_);
    pool_.release(attributes);
    if (c) changed(rib, *c);
  }
  const Family f = rib.table.prefixes().family();
  for (const PrefixId id : outcome.again) {
    for (Neighbor& n : neighbors_)
      if (n.out[f]) n.out[f]->again(id);
  }
}

}  // namespace cgw::bgp
