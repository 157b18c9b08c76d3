#include <algorithm>

#include "bgp/policy/steps.hpp"

namespace cgw::bgp::policy {
namespace {

using Segment = AsPathSegment;

// In front of the path: into its first segment when that is a sequence (RFC 4271 5.1.2), of 255 at most.
void prepend(std::vector<Segment>& path, const std::vector<Asn>& asns) {
  constexpr std::size_t kMost = 255;
  if (asns.empty()) return;
  const bool joins =
      !path.empty() && path.front().type == Segment::Type::Sequence && path.front().asns.size() + asns.size() <= kMost;
  if (!joins) path.insert(path.begin(), Segment{});
  auto& front = path.front().asns;
  front.insert(front.begin(), asns.begin(), asns.end());
}

void exclude(std::vector<Segment>& path, const std::vector<Asn>& asns) {
  for (Segment& s : path)
    std::erase_if(s.asns, [&](Asn a) { return std::ranges::find(asns, a) != asns.end(); });
  std::erase_if(path, [](const Segment& s) { return s.asns.empty(); });
}

template <class T>
void unite(std::vector<T>& have, const std::vector<T>& more) {
  have.insert(have.end(), more.begin(), more.end());
  std::ranges::sort(have);
  const auto rest = std::ranges::unique(have);
  have.erase(rest.begin(), rest.end());
}

template <class T>
void put(std::vector<T>& have, const std::vector<T>& given, bool additive) {
  if (!additive) have.clear();
  unite(have, given);
}

// A list that does not exist takes nothing away.
template <class T>
void take_away(std::vector<T>& have, const Named<CommunityList<T>>& lists, const std::string& name) {
  if (const auto* list = find(lists, name)) std::erase_if(have, [&](const T& c) { return list->permits(c); });
}

struct Setter {
  Passage& p;
  PathAttributes& a = p.route.attributes;

  void operator()(const SetLocalPreference& s) const { a.local_pref = s.number.of(a.local_pref.value_or(0)); }
  void operator()(const SetMetric& s) const { a.med = s.number.of(a.med.value_or(0)); }
  void operator()(const SetWeight& s) const { p.route.weight = s.value; }
  void operator()(const SetTag& s) const { p.route.tag = s.value; }
  void operator()(const SetOrigin& s) const { a.origin = s.origin; }

  void operator()(const PrependAsPath& s) const {
    prepend(a.as_path, s.asns);
    p.as_path_text.reset();
  }
  void operator()(const PrependLastAs& s) const {
    const auto first = a.first_as();
    if (first) prepend(a.as_path, std::vector<Asn>(s.times, *first));
    p.as_path_text.reset();
  }
  void operator()(const ExcludeAsPath& s) const {
    exclude(a.as_path, s.asns);
    p.as_path_text.reset();
  }

  void operator()(const SetCommunity& s) const { put(a.communities, s.communities, s.additive); }
  void operator()(const SetLargeCommunity& s) const { put(a.large_communities, s.communities, s.additive); }
  void operator()(const SetExtendedCommunity& s) const { put(a.extended_communities, s.communities, !s.none); }
  void operator()(const DeleteCommunities& s) const { take_away(a.communities, p.set.community_lists, s.list); }
  void operator()(const DeleteLargeCommunities& s) const {
    take_away(a.large_communities, p.set.large_community_lists, s.list);
  }

  void operator()(const SetNextHop& s) const {
    if (s.address.family() != p.route.prefix.address.family()) return;
    a.next_hop = s.address;
    a.link_local_next_hop.reset();
    p.route.next_hop = NextHopRule::Given;
  }
  void operator()(const SetNextHopToPeer& s) const {
    if (s.family != p.route.prefix.address.family()) return;
    if (p.context.direction == Context::Direction::Import) {
      a.next_hop = p.context.peer;
      a.link_local_next_hop.reset();
    }
    p.route.next_hop = NextHopRule::PeerAddress;
  }
  void operator()(const KeepNextHop&) const { p.route.next_hop = NextHopRule::Unchanged; }
};

}  // namespace

void perform(Passage& p, const Set& s) {
  std::visit(Setter{p}, s);
}

}  // namespace cgw::bgp::policy
