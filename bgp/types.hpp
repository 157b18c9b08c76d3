#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.hpp"
#include "base/strong.hpp"
#include "base/time.hpp"

namespace cgw::bgp {

using Asn = Strong<struct AsnTag, std::uint32_t>;
using RouterId = Strong<struct RouterIdTag, std::uint32_t>;  // host order, printed as dotted quad

enum class Origin : std::uint8_t { Igp = 0, Egp = 1, Incomplete = 2 };

struct AsPathSegment {
  enum class Type : std::uint8_t { Set = 1, Sequence = 2, ConfedSequence = 3, ConfedSet = 4 };
  Type type = Type::Sequence;
  std::vector<Asn> asns;
  auto operator<=>(const AsPathSegment&) const = default;
};

// An attribute this speaker does not know: kept and passed on with Partial when transitive.
struct UnknownAttribute {
  std::uint8_t flags = 0;
  std::uint8_t type = 0;
  std::vector<std::uint8_t> value;
  auto operator<=>(const UnknownAttribute&) const = default;
};

// RFC 1997, host order: the AS in the high half. RFC 4360: the eight octets as one number. RFC 8092.
using Community = std::uint32_t;
using ExtendedCommunity = std::uint64_t;
using LargeCommunity = std::array<std::uint32_t, 3>;

// A route within an UPDATE: with add-path (RFC 7911) a prefix may have several, told apart by path_id, else 0.
struct Nlri {
  Prefix prefix;
  std::uint32_t path_id = 0;
  auto operator<=>(const Nlri&) const = default;
};

// The path attributes of one UPDATE, shared by all its routes. The working form, which parsing yields and policy
// changes; tables keep them interned.
struct PathAttributes {
  Origin origin = Origin::Igp;
  std::vector<AsPathSegment> as_path;
  IpAddress next_hop;
  std::optional<IpAddress> link_local_next_hop;  // RFC 2545 3, beside a global one
  std::optional<std::uint32_t> med;
  std::optional<std::uint32_t> local_pref;
  bool atomic_aggregate = false;
  std::optional<std::pair<Asn, IpAddress>> aggregator;
  std::vector<Community> communities;
  std::vector<ExtendedCommunity> extended_communities;
  std::vector<LargeCommunity> large_communities;
  std::optional<RouterId> originator_id;    // RFC 4456, iBGP only
  std::vector<std::uint32_t> cluster_list;  // RFC 4456, nearest first
  std::optional<Asn> only_to_customer;      // RFC 9234 5
  std::vector<UnknownAttribute> unknown;    // by type

  // RFC 4271 9.1.2.2: a set counts as one; confederation segments as none (RFC 5065 5.3).
  std::uint32_t as_path_length() const;
  std::optional<Asn> first_as() const;  // the neighbouring AS
  std::string as_path_text() const;     // "64512 65001 {65002,65003}"
  bool operator==(const PathAttributes&) const = default;
};
using AttributesPtr = std::shared_ptr<const PathAttributes>;

// RFC 4271 4.5; data as sent.
struct Notification {
  std::uint8_t code = 0;
  std::uint8_t subcode = 0;
  std::vector<std::uint8_t> data;
  bool operator==(const Notification&) const = default;
  // "Cease/Maximum Number of Prefixes Reached", "OPEN Message Error/Bad Peer AS"
  std::string to_string() const;
  // Of one that the neighbor sent: what it means for us, and what to do.
  std::string_view meaning() const;
};

}  // namespace cgw::bgp
