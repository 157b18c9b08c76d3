#pragma once
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/wire.hpp"
#include "bgp/families.hpp"
#include "bgp/finding.hpp"
#include "bgp/types.hpp"

namespace cgw::bgp {

// What a session has agreed on and is configured to, as far as reading and writing UPDATEs depends on it.
struct UpdateContext {
  bool ebgp = true;
  bool four_octet_as = true;
  Asn local_as, remote_as;
  IpAddress local_address;
  PerFamily<bool> families{true, false};
  PerFamily<bool> add_path_receive, add_path_send;  // RFC 7911 4: a path identifier before each prefix
  bool extended_next_hop = false;                   // RFC 8950: IPv4 routes behind an IPv6 next hop
  std::size_t max_message = 4096;                   // 65535 with RFC 8654
  bool enforce_first_as = true;                     // RFC 4271 6.3, eBGP: off towards a route server
  bool accept_as_sets = false;                      // RFC 9774 3: AS_SET and AS_CONFED_SET are withdrawn and never sent
  bool operator==(const UpdateContext&) const = default;
};

// Routes of one family: the withdrawals come first, and a route in both lists is announced (RFC 4271 4.3). RFC 7606 is
// already applied: what must be treated as withdrawn is among `withdrawn`.
struct Update {
  Family family = Family::V4;
  std::vector<Nlri> withdrawn, announced;
  AttributesPtr attributes;  // set when announced is not empty
  bool end_of_rib = false;   // RFC 4724 2
};

// One message: mostly one Update; more when it mixes families or next hops (RFC 7606 5.1 says to expect any).
struct ParsedUpdate {
  std::vector<Update> updates;
  std::vector<Finding> findings;
  // RFC 4760 7: all routes of these go, and none is taken until the session ends. Never all that were agreed on: that
  // is a session reset.
  PerFamily<bool> disabled;
};

// The error resets the session (RFC 4271 6.3 as far as RFC 7606 leaves it).
Result<ParsedUpdate, Notification> parse_update(Bytes body, const UpdateContext& context);

using Messages = std::vector<std::vector<std::uint8_t>>;

// Whom attributes are written for: a neighbor, who is to see some of them only, or a record of all there are.
enum class Audience : std::uint8_t { External, Internal, Record };

// Attributes as octets, as they go to the neighbors of one context, ready for routes of one family: the part of an
// announcement that update groups share.
class Announcement {
 public:
  // The error says why neighbors of this context cannot be told (an AS_SET, a next hop of the wrong family, more
  // attributes than fit a message): a route with it must be withdrawn instead.
  static Result<Announcement, std::string> of(const PathAttributes& a, Family family, const UpdateContext& context);
  // All attributes as they are, for whoever records or monitors what we hold (RFC 7854 4.6), in messages of any length.
  static Result<Announcement, std::string> record(const PathAttributes& a, Family family, bool path_ids);
  // A message with as many of the first routes as fit, which are taken off. Not to be asked when there are none.
  std::vector<std::uint8_t> next(std::span<const Nlri>& routes) const;

 private:
  Announcement() = default;
  static Result<Announcement, std::string> make(const PathAttributes& a, Family family, const UpdateContext& context,
                                                Audience audience);
  Family family_ = Family::V4;
  bool multiprotocol_ = false;
  bool path_ids_ = false;
  std::size_t max_message_ = 4096;
  std::vector<std::uint8_t> next_hop_;    // of MP_REACH_NLRI, with its length
  std::vector<std::uint8_t> attributes_;  // all others
};

// Whole messages; every UPDATE holds one kind of routes, and MP_(UN)REACH_NLRI comes first (RFC 7606 5.1).
Messages encode_withdraw(std::span<const Nlri> routes, Family family, const UpdateContext& context);
Result<Messages, std::string> encode_announce(std::span<const Nlri> routes, Family family, const PathAttributes& a,
                                              const UpdateContext& context);
std::vector<std::uint8_t> encode_end_of_rib(Family family);

}  // namespace cgw::bgp
