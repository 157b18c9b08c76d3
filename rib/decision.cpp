#include <algorithm>

#include "rib/rib.hpp"

namespace cgw::rib {
namespace {

template <class T>
int order(const T& a, const T& b) {
  return a < b ? -1 : (b < a ? 1 : 0);
}

}  // namespace

std::string_view to_string(Protocol p) {
  switch (p) {
    case Protocol::Connected: return "connected";
    case Protocol::Static: return "static";
    case Protocol::Bgp: return "bgp";
  }
  return "?";
}

std::string_view to_string(Rule r) {
  switch (r) {
    case Rule::Same: return "same path";
    case Rule::Distance: return "administrative distance";
    case Rule::Weight: return "weight";
    case Rule::LocalPref: return "local preference";
    case Rule::AsPathLength: return "AS path length";
    case Rule::Origin: return "origin";
    case Rule::Med: return "MED";
    case Rule::Kind: return "eBGP over iBGP";
    case Rule::Preference: return "tunnel preference";
    case Rule::FollowPeer: return "the peer sends there";
    case Rule::Oldest: return "oldest path";
    case Rule::RouterId: return "router id";
    case Rule::PeerAddress: return "neighbor address";
  }
  return "?";
}

Comparison compare(const Path& a, const Path& b, std::optional<ExitId> followed) {
  const bool bgp = a.protocol == Protocol::Bgp && b.protocol == Protocol::Bgp;
  // 1. lowest administrative distance
  if (const int c = order(a.distance, b.distance)) return {c, Rule::Distance};
  if (const int c = order(a.protocol, b.protocol)) return {c, Rule::Distance};
  if (bgp) {
    // 2. highest weight
    if (const int c = order(b.weight, a.weight)) return {c, Rule::Weight};
    // 3. highest LOCAL_PREF
    if (const int c = order(b.local_pref, a.local_pref)) return {c, Rule::LocalPref};
    // 4. shortest AS_PATH
    if (const int c = order(a.as_path_length, b.as_path_length)) return {c, Rule::AsPathLength};
    // 5. lowest origin
    if (const int c = order(a.origin, b.origin)) return {c, Rule::Origin};
    // 6. lowest MED, between paths of one neighboring AS
    if (a.neighbor_as == b.neighbor_as) {
      if (const int c = order(a.med, b.med)) return {c, Rule::Med};
    }
    // 7. eBGP over iBGP
    if (const int c = order(a.internal, b.internal)) return {c, Rule::Kind};
  }
  // 8. lowest preference of the tunnel
  if (const int c = order(a.preference, b.preference)) return {c, Rule::Preference};
  // 9. the exit on which the peer's own packets arrive
  if (!bgp && followed && a.exit != b.exit) {
    if (a.exit == *followed) return {-1, Rule::FollowPeer};
    if (b.exit == *followed) return {1, Rule::FollowPeer};
  }
  if (bgp) {
    // 10. the oldest path
    if (const int c = order(a.learned, b.learned)) return {c, Rule::Oldest};
    // 11. lowest router id
    if (const int c = order(a.router_id, b.router_id)) return {c, Rule::RouterId};
  }
  // 12. lowest neighbor address, and where even that is equal, the exit configured first
  if (const int c = order(a.next_hop, b.next_hop)) return {c, Rule::PeerAddress};
  if (const int c = order(a.exit, b.exit)) return {c, Rule::PeerAddress};
  return {};
}

void rank(std::vector<Path>& paths, std::optional<ExitId> followed) {
  const auto better = [&](const Path& a, const Path& b) { return compare(a, b, followed).order < 0; };
  std::ranges::sort(paths, [&](const Path& a, const Path& b) {
    return a.neighbor_as != b.neighbor_as ? a.neighbor_as < b.neighbor_as : better(a, b);
  });
  const bool one_neighbor = paths.empty() || paths.front().neighbor_as == paths.back().neighbor_as;
  if (one_neighbor) return;
  // Each neighboring AS's paths are in order now; take the best of their heads until none is left.
  std::vector<Path> out;
  out.reserve(paths.size());
  while (!paths.empty()) {
    auto best = paths.begin();
    for (auto it = paths.begin(); it != paths.end(); ++it) {
      const bool head = it == paths.begin() || std::prev(it)->neighbor_as != it->neighbor_as;
      if (head && better(*it, *best)) best = it;
    }
    out.push_back(std::move(*best));
    paths.erase(best);
  }
  paths = std::move(out);
}

}  // namespace cgw::rib
