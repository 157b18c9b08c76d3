#pragma once
#include <map>

#include "bgp/ribs.hpp"
#include "tests/support/bgp_view.hpp"

// Ribs on a bench: the test is all neighbors.
namespace cgw::bgp::test {

using cgw::test::BgpView;

inline constexpr Asn kUs{65000};
inline const TimePoint kStart{};

inline IpAddress address(std::uint32_t n) {
  return IpAddress::v4(0x0a000000 + n);
}

inline PathAttributes path(std::initializer_list<std::uint32_t> asns, std::uint32_t next_hop = 77) {
  PathAttributes a;
  a.as_path = {{AsPathSegment::Type::Sequence, {}}};
  for (const auto n : asns)
    a.as_path.front().asns.push_back(Asn{n});
  if (asns.size() == 0) a.as_path.clear();
  a.next_hop = address(next_hop);
  return a;
}

// Ribs with neighbors 1, 2, ... and what each of them has come to know.
struct RibsBench {
  Ribs ribs{{kUs, RouterId{1}, 1}, {}, 99};
  std::map<NeighborId, BgpView> views;
  std::map<NeighborId, UpdateContext> contexts;
  std::map<NeighborId, NeighborRoutes> config;

  NeighborRoutes routes(Asn remote, std::uint32_t n) {
    NeighborRoutes r;
    r.address = address(n);
    r.import.remote_as = remote;
    r.import.kind = remote == kUs ? SourceKind::Ibgp : SourceKind::Ebgp;
    for (const Family f : kFamilies) {
      r.export_rules[f].kind = r.import.kind;
      r.export_rules[f].local_as = kUs;
      r.export_rules[f].next_hop = f == Family::V4 ? address(200) : IpAddress::parse("2001:db8::200").value();
    }
    return r;
  }
  NeighborId add(Asn remote, const NeighborRoutes* given = nullptr, bool add_path = false) {
    const auto n = static_cast<std::uint32_t>(config.size() + 1);
    const NeighborRoutes r = given != nullptr ? *given : routes(remote, n);
    const NeighborId id = ribs.add_neighbor(r);
    UpdateContext c;
    c.ebgp = remote != kUs;
    c.local_as = kUs;
    c.remote_as = remote;
    c.families = {true, true};
    c.add_path_send = {add_path, false};
    config[id] = r;
    contexts[id] = c;
    up(id);
    return id;
  }
  void up(NeighborId id) {
    ribs.up(id, contexts[id], RouterId{100U + id.value()});
    // The other side reads what we send.
    UpdateContext theirs = contexts[id];
    theirs.local_as = contexts[id].remote_as;
    theirs.remote_as = kUs;
    theirs.add_path_receive = contexts[id].add_path_send;
    views.erase(id);
    views.emplace(id, theirs);
  }
  void announce(NeighborId id, std::vector<const char*> prefixes, PathAttributes a, std::uint32_t path_id = 0) {
    Update u;
    for (const char* p : prefixes)
      u.announced.push_back({Prefix::parse(p).value(), path_id});
    u.family = u.announced.front().prefix.address.family();
    u.attributes = std::make_shared<const PathAttributes>(std::move(a));
    ribs.receive(id, u, kStart);
  }
  void withdraw(NeighborId id, std::vector<const char*> prefixes, std::uint32_t path_id = 0) {
    Update u;
    for (const char* p : prefixes)
      u.withdrawn.push_back({Prefix::parse(p).value(), path_id});
    ribs.receive(id, u, kStart);
  }
  void settle() {
    while (ribs.has_work())
      ribs.work();
    for (auto& [id, view] : views)
      while (ribs.has_output(id))
        view.read(ribs.output(id, 65536));
  }
  const PathAttributes* told(NeighborId id, const char* prefix, std::uint32_t path_id = 0) {
    settle();
    return views.at(id).find(prefix, path_id);
  }
};

}  // namespace cgw::bgp::test
