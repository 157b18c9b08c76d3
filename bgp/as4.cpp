#include "bgp/as4.hpp"

#include <algorithm>

namespace cgw::bgp {
namespace {

using Path = std::vector<AsPathSegment>;
using Type = AsPathSegment::Type;

bool is_confederation(const AsPathSegment& s) {
  return s.type == Type::ConfedSequence || s.type == Type::ConfedSet;
}

// As the length of a path counts: a set is one, confederation segments are none.
std::size_t count(const Path& path) {
  std::size_t n = 0;
  for (const auto& s : path) {
    if (!is_confederation(s)) n += s.type == Type::Set ? 1 : s.asns.size();
  }
  return n;
}

// A true number in AGGREGATOR says that an old speaker has aggregated since, and neither AS4_AGGREGATOR nor AS4_PATH
// holds any more.
bool merge_aggregator(ReadAttributes& r) {
  auto& aggregator = r.attributes.aggregator;
  if (!aggregator || !r.as4_aggregator) return true;
  if (aggregator->first != kAsTrans) return false;
  aggregator = r.as4_aggregator;
  return true;
}

// The leading ASs of AS_PATH that AS4_PATH does not hold, with the confederation segments among them, then AS4_PATH.
void merge_path(ReadAttributes& r) {
  Path& path = r.attributes.as_path;
  const std::size_t have = count(path), have4 = count(r.as4_path);
  if (r.as4_path.empty() || have < have4) return;
  Path merged;
  std::size_t keep = have - have4;
  for (auto& s : path) {
    if (is_confederation(s)) {
      merged.push_back(std::move(s));
      continue;
    }
    if (keep == 0) break;
    if (s.type == Type::Set) {
      --keep;
    } else {
      s.asns.resize(std::min(keep, s.asns.size()));
      keep -= s.asns.size();
    }
    merged.push_back(std::move(s));
  }
  merged.insert(merged.end(), r.as4_path.begin(), r.as4_path.end());
  path = std::move(merged);
}

}  // namespace

void merge_as4(ReadAttributes& r) {
  if (merge_aggregator(r)) merge_path(r);
}

}  // namespace cgw::bgp
