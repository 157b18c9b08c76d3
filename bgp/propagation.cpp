#include "bgp/propagation.hpp"

#include <algorithm>

#include "bgp/eligibility.hpp"

namespace cgw::bgp {
namespace {

using Segment = AsPathSegment;

bool has(const PathAttributes& a, Community c) {
  return std::ranges::find(a.communities, c) != a.communities.end();
}

void add(PathAttributes& a, Community c) {
  if (!has(a, c)) a.communities.push_back(c);
}

bool external(SourceKind k) {
  return k == SourceKind::Ebgp || k == SourceKind::ConfedEbgp;
}

// RFC 9234 5, ingress; empty when the route is no leak.
std::string_view check_otc(const ImportRules& rules, PathAttributes& a) {
  if (!rules.role) return {};
  const bool from_below = *rules.role == Role::Provider || *rules.role == Role::RouteServer;
  const bool from_peer = *rules.role == Role::Peer;
  if (from_below) return a.only_to_customer ? "a customer passes on what only customers may have (OTC)" : "";
  if (!a.only_to_customer) {
    a.only_to_customer = rules.remote_as;
  } else if (from_peer && *a.only_to_customer != rules.remote_as) {
    return "a peer passes on what only customers may have (OTC)";
  }
  return {};
}

void prepend(PathAttributes& a, Asn asn) {
  if (a.as_path.empty() || a.as_path.front().type != Segment::Type::Sequence || a.as_path.front().asns.size() >= 255) {
    a.as_path.insert(a.as_path.begin(), Segment{Segment::Type::Sequence, {}});
  }
  auto& first = a.as_path.front().asns;
  first.insert(first.begin(), asn);
}

// RFC 6996.
bool is_private(Asn asn) {
  return (asn.value() >= 64512 && asn.value() <= 65534) || (asn.value() >= 4200000000 && asn.value() <= 4294967294);
}

void remove_private(const RemovePrivateAs& how, Asn own, PathAttributes& a) {
  const bool only_private =
      std::ranges::all_of(a.as_path, [](const Segment& s) { return std::ranges::all_of(s.asns, is_private); });
  if (!how.all && !only_private) return;
  if (!how.replace && only_private) return a.as_path.clear();
  const auto goes = [&](Asn asn) { return is_private(asn) && asn != how.keep; };
  for (Segment& s : a.as_path) {
    if (how.replace) {
      std::ranges::replace_if(s.asns, goes, own);
    } else {
      std::erase_if(s.asns, goes);
    }
  }
  std::erase_if(a.as_path, [](const Segment& s) { return s.asns.empty(); });
}

void replace_as(PathAttributes& a, Asn from, Asn to) {
  for (Segment& s : a.as_path)
    std::ranges::replace(s.asns, from, to);
}

void drop_confederation(PathAttributes& a) {
  std::erase_if(a.as_path, [](const Segment& s) {
    return s.type == Segment::Type::ConfedSequence || s.type == Segment::Type::ConfedSet;
  });
}

void to_external(const Origination& from, const ExportRules& to, PathAttributes& a) {
  drop_confederation(a);
  if (to.remove_private_as) remove_private(*to.remove_private_as, to.local_as, a);
  if (to.as_override) replace_as(a, *to.as_override, to.local_as);
  a.originator_id.reset();
  a.cluster_list.clear();
  // RFC 4271 5.1.4: what one neighboring AS said of its links is not for another.
  if (from.kind != SourceKind::Local) a.med.reset();
}

// RFC 4456 8.
void reflect(const Router& router, const Origination& from, PathAttributes& a) {
  if (!a.originator_id) a.originator_id = RouterId{from.router_id};
  a.cluster_list.insert(a.cluster_list.begin(), router.cluster_id);
}

// Whether the neighbor is told ourselves as the next hop, when policy says nothing of it.
bool next_hop_is_self(const Origination& from, const ExportRules& to, const PathAttributes& a) {
  if (from.kind == SourceKind::Local) return a.next_hop.is_unspecified();
  if (to.kind != SourceKind::Ibgp) return !to.next_hop_unchanged;
  return to.next_hop_self && from.kind != SourceKind::Ibgp;  // a reflected route's is left alone (RFC 4456 10)
}

}  // namespace

bool taken_unchanged(const ImportRules& rules, const PathAttributes& a) {
  if (rules.role || rules.weight != 0) return false;
  if (rules.default_local_pref != 100 && !a.local_pref) return false;
  return std::ranges::none_of(
      a.communities, [](Community c) { return c == well_known::kGracefulShutdown || c == well_known::kBlackhole; });
}

std::string refusal(const Router& router, const ImportRules& rules, const PathAttributes& a) {
  return loop(a, {router.asn, router.router_id, router.cluster_id, rules.allow_own_as});
}

std::string take_in(const Router& router, const ImportRules& rules, PathAttributes& a, LocalValues& local) {
  local.weight = rules.weight;
  if (std::string why = refusal(router, rules, a); !why.empty()) return why;
  if (!a.local_pref && rules.default_local_pref != 100) a.local_pref = rules.default_local_pref;
  if (!external(rules.kind)) return {};
  if (const auto leak = check_otc(rules, a); !leak.empty()) return std::string(leak);
  // RFC 8326 4: about to go; RFC 7999 3.2: for us alone.
  if (has(a, well_known::kGracefulShutdown)) a.local_pref = 0;
  if (has(a, well_known::kBlackhole)) add(a, well_known::kNoExport);
  return {};
}

bool may_pass(const AttributeKeys& keys, const Origination& from, const ExportRules& to, std::uint32_t peer_id) {
  if (keys.no_advertise) return false;
  if (to.scope == Scope::Own && from.kind != SourceKind::Local) return false;
  if (to.scope == Scope::NotFromTunnels && from.tunnel) return false;
  if (to.kind == SourceKind::Ebgp && (keys.no_export || keys.no_export_subconfed)) return false;
  if (to.kind == SourceKind::ConfedEbgp && keys.no_export_subconfed) return false;
  if ((from.long_lived || keys.llgr_stale) && !to.long_lived_capable) return false;  // RFC 9494 4.3
  if (from.kind == SourceKind::Ibgp && to.kind == SourceKind::Ibgp) {
    if (!from.reflector_client && !to.reflector_client) return false;  // RFC 4271 9.2.1.1
    if ((keys.originator != 0 ? keys.originator : from.router_id) == peer_id) return false;
  }
  // RFC 9234 5, egress: what only customers may have goes to nobody else.
  const bool not_down = to.role && *to.role != Role::Provider && *to.role != Role::RouteServer;
  return !(not_down && keys.only_to_customer);
}

void pass_on(const Router& router, const Origination& from, const ExportRules& to, PathAttributes& a) {
  if (from.long_lived) add(a, well_known::kLlgrStale);
  if (from.kind == SourceKind::Local && !a.med) a.med = to.own_med;
  if (to.kind != SourceKind::Ibgp) {
    to_external(from, to, a);
  } else {
    if (!a.local_pref) a.local_pref = 100;
    if (from.kind == SourceKind::Ibgp) reflect(router, from, a);
  }
  const bool down = to.role && *to.role != Role::Customer && *to.role != Role::RouteServerClient;
  if (down && !a.only_to_customer) a.only_to_customer = to.local_as;
}

void finish_export(const Origination& from, const ExportRules& to, policy::NextHopRule next_hop, PathAttributes& a) {
  using policy::NextHopRule;
  const bool usual = next_hop == NextHopRule::Usual && next_hop_is_self(from, to, a);
  if (usual || next_hop == NextHopRule::PeerAddress) {
    a.next_hop = to.next_hop;
    a.link_local_next_hop = to.link_local_next_hop;
  }
  if (to.kind != SourceKind::Ibgp) prepend(a, to.local_as);
  if (to.kind == SourceKind::Ebgp) a.local_pref.reset();
  if (!to.send_communities) a.communities.clear();
  if (!to.send_extended) a.extended_communities.clear();
  if (!to.send_large) a.large_communities.clear();
}

}  // namespace cgw::bgp
