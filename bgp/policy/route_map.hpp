#pragma once
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "bgp/policy/prefix_list.hpp"
#include "bgp/types.hpp"

// Route maps as data; apply.hpp says what they do.
namespace cgw::bgp::policy {

// Where a route comes from, as `match source-protocol` names it.
enum class Protocol : std::uint8_t { Bgp, Connected, Static, Kernel };
std::string_view to_string(Protocol p);
std::string_view to_string(Origin o);  // "igp", as configured

// Lists are named; one that does not exist matches nothing.
struct MatchPrefixList {
  Family family = Family::V4;
  std::string name;
};
struct MatchNextHopList {
  Family family = Family::V4;
  std::string name;
};
struct MatchNextHop {
  IpAddress address;
};
struct MatchAsPath {
  std::string name;
};
struct MatchCommunity {
  std::string name;
  bool exact = false;
};
struct MatchLargeCommunity {
  std::string name;
  bool exact = false;
};
struct MatchExtendedCommunity {
  std::string name;
};
struct MatchMetric {
  std::uint32_t value = 0;
};
struct MatchLocalPreference {
  std::uint32_t value = 0;
};
struct MatchTag {
  std::uint32_t value = 0;
};
struct MatchOrigin {
  Origin origin = Origin::Igp;
};
struct MatchInterface {
  std::string name;
};
struct MatchTunnel {
  std::string connection;
  unsigned number = 0;
};
struct MatchProtocol {
  Protocol protocol = Protocol::Bgp;
};
struct MatchPeer {
  std::optional<IpAddress> address;  // none: "local", a route of this router's own
};
using Match = std::variant<MatchPrefixList, MatchNextHopList, MatchNextHop, MatchAsPath, MatchCommunity,
                           MatchLargeCommunity, MatchExtendedCommunity, MatchMetric, MatchLocalPreference, MatchTag,
                           MatchOrigin, MatchInterface, MatchTunnel, MatchProtocol, MatchPeer>;

// A value, or how much more or less than the present one (0 when there is none); held within 32 bits.
struct Number {
  enum class How : std::uint8_t { Set, Add, Subtract };
  How how = How::Set;
  std::uint32_t value = 0;

  std::uint32_t of(std::uint32_t present) const;
};

struct SetLocalPreference {
  Number number;
};
struct SetMetric {
  Number number;
};
struct SetWeight {
  std::uint32_t value = 0;
};
struct SetTag {
  std::uint32_t value = 0;
};
struct SetOrigin {
  Origin origin = Origin::Igp;
};
struct PrependAsPath {
  std::vector<Asn> asns;
};
// The leftmost AS this many times more; an empty path stays empty.
struct PrependLastAs {
  unsigned times = 0;
};
struct ExcludeAsPath {
  std::vector<Asn> asns;
};
// Without `additive`, these and no other: none of them is "none".
struct SetCommunity {
  std::vector<Community> communities;
  bool additive = false;
};
struct SetLargeCommunity {
  std::vector<LargeCommunity> communities;
  bool additive = false;
};
// FRR's always adds, except "none".
struct SetExtendedCommunity {
  std::vector<ExtendedCommunity> communities;
  bool none = false;
};
struct DeleteCommunities {
  std::string list;
};
struct DeleteLargeCommunities {
  std::string list;
};
// Concerns routes of the address's family only.
struct SetNextHop {
  IpAddress address;
};
// Inbound the neighbor's address, outbound our own of the session.
struct SetNextHopToPeer {
  Family family = Family::V4;
};
struct KeepNextHop {};
using Set = std::variant<SetLocalPreference, SetMetric, SetWeight, SetTag, SetOrigin, PrependAsPath, PrependLastAs,
                         ExcludeAsPath, SetCommunity, SetLargeCommunity, SetExtendedCommunity, DeleteCommunities,
                         DeleteLargeCommunities, SetNextHop, SetNextHopToPeer, KeepNextHop>;

// As configured: "ip address prefix-list A", "local-preference +10".
std::string to_string(const Match& m);
std::string to_string(const Set& s);

struct RouteMapEntry {
  std::uint32_t sequence = 0;
  Action action = Action::Permit;
  std::vector<Match> matches;  // all of them
  std::vector<Set> sets;       // in this order
  std::string call;            // the map that has a say too; empty: none
  // After a match: the end, the next entry (0), or the first one from this number.
  std::optional<std::uint32_t> go_on;
};

struct RouteMap {
  std::vector<RouteMapEntry> entries;  // by sequence
};

}  // namespace cgw::bgp::policy
