#pragma once
#include <map>
#include <string>
#include <vector>

#include "base/wire.hpp"
#include "bgp/update.hpp"

// The path attributes, one row each: flags, length rule, reader, and what a malformed one leads to.
namespace cgw::bgp {

// RFC 7606 2, weakest first; several errors: the strongest wins.
enum class OnError : std::uint8_t { Discard, Withdraw, Reset };

// What reading the attributes of one message has brought.
struct ReadAttributes {
  PathAttributes attributes;
  std::vector<Prefix> mp_announced, mp_withdrawn;  // IPv4 unicast in MP_REACH_NLRI and MP_UNREACH_NLRI
  bool mp_reach = false, mp_unreach = false;
  bool mp_empty_unreach = false;  // IPv4 unicast End-of-RIB in multiprotocol form
  bool origin = false, as_path = false, next_hop = false;
  std::vector<AsPathSegment> as4_path;  // RFC 6793
  bool has_as4_path = false;
  std::optional<std::pair<Asn, IpAddress>> as4_aggregator;
  bool withdraw = false;  // treat-as-withdraw
  std::size_t count = 0;
  std::vector<std::string> findings;
};

// The error is a session reset.
Result<ReadAttributes, Notification> read_attributes(Bytes attributes, const UpdateContext& context);

// Prefixes of an NLRI field; false when one is longer than 32 bits or runs over the end.
bool read_prefixes(Bytes field, std::vector<Prefix>& out);

}  // namespace cgw::bgp
