#pragma once
#include <optional>
#include <string>

#include "bgp/attribute_pool.hpp"
#include "bgp/capabilities.hpp"
#include "bgp/decision.hpp"
#include "bgp/policy/apply.hpp"
#include "bgp/types.hpp"

// What the RFCs ask of a route on its way through a speaker, before and after any policy: the rules of eBGP, iBGP,
// route reflection, the well-known communities and roles.
namespace cgw::bgp {

// This router, as all its sessions know it.
struct Router {
  Asn asn;
  RouterId router_id;
  std::uint32_t cluster_id = 0;  // RFC 4456; mostly the router id
  bool operator==(const Router&) const = default;
};

// How routes are taken from a neighbor.
struct ImportRules {
  SourceKind kind = SourceKind::Ebgp;
  Asn remote_as;
  std::optional<Role> role;
  std::uint32_t weight = 0;
  std::uint32_t default_local_pref = 100;
  unsigned allow_own_as = 0;  // allowas-in
  bool operator==(const ImportRules&) const = default;
};

// Why a route with these attributes cannot be used, else empty; the attributes as policy is to see them.
std::string take_in(const Router& router, const ImportRules& rules, PathAttributes& a, LocalValues& local);
// When take_in() would leave the attributes as they are, refusal() alone says whether the route can be used.
bool taken_unchanged(const ImportRules& rules, const PathAttributes& a);
std::string refusal(const Router& router, const ImportRules& rules, const PathAttributes& a);

// Which routes a neighbor may be told at all. What came over a tunnel never goes into another one: a customer gateway
// is no transit between VPN connections.
enum class Scope : std::uint8_t { All, NotFromTunnels, Own };

// 'remove-private-AS', as FRR has it: without `all` only from a path that holds nothing else; `keep`, the neighbor's
// own AS, stays, since the neighbor must see a loop.
struct RemovePrivateAs {
  bool all = false;
  bool replace = false;  // by our own AS
  Asn keep;
  bool operator==(const RemovePrivateAs&) const = default;
};

// How routes are passed to a neighbor: what update groups have in common.
struct ExportRules {
  SourceKind kind = SourceKind::Ebgp;
  Asn local_as;
  Scope scope = Scope::All;
  std::optional<std::uint32_t> own_med;  // of our own routes, where they carry none
  std::optional<Asn> as_override;        // replace this AS, the neighbor's own, by ours
  std::optional<Role> role;
  bool reflector_client = false;
  bool next_hop_self = false;       // towards iBGP; eBGP is always told ourselves
  bool next_hop_unchanged = false;  // towards eBGP (a route server)
  std::optional<RemovePrivateAs> remove_private_as;
  bool send_communities = true, send_extended = true, send_large = true;
  bool long_lived_capable = false;  // RFC 9494
  IpAddress next_hop;               // ourselves, of the family
  std::optional<IpAddress> link_local_next_hop;
  bool operator==(const ExportRules&) const = default;
};

// Where the route that is to be passed on came from.
struct Origination {
  SourceKind kind = SourceKind::Local;
  bool reflector_client = false;
  bool tunnel = false;
  std::uint32_t router_id = 0;
  bool long_lived = false;  // stale by our own timer (RFC 9494)
  bool operator==(const Origination&) const = default;
};

// May a route with these keys go there at all? peer_id: the neighbor's router id.
bool may_pass(const AttributeKeys& keys, const Origination& from, const ExportRules& to, std::uint32_t peer_id);
// The attributes as export policy is to see and change them: still with the AS path and next hop they came with ...
void pass_on(const Router& router, const Origination& from, const ExportRules& to, PathAttributes& a);
// ... and as they are told, after it has spoken.
void finish_export(const Origination& from, const ExportRules& to, policy::NextHopRule next_hop, PathAttributes& a);

}  // namespace cgw::bgp
