// Every rule of RFC 7606 7 and of the attributes' own RFCs: the malformed attribute at every place among the others,
// from an eBGP and an iBGP neighbor.
#include <algorithm>

#include <doctest/doctest.h>

#include "tests/unit/bgp/updates.hpp"

using namespace cgw;
using namespace cgw::bgp;
using namespace cgw::bgp::test;

namespace {

// Kept: as it is. Discarded: the route stays, with the attributes it has without this one. Disabled: of a session with
// both families one is lost; of a session with one, the session.
enum class Outcome { Kept, Discarded, Withdrawn, Disabled, Reset };

std::string_view name(Outcome o) {
  constexpr std::string_view kNames[] = {"kept", "discarded", "withdrawn", "disabled", "reset"};
  return kNames[static_cast<std::size_t>(o)];
}

struct Row {
  const char* what;
  Octets attribute;  // takes the place of the good one of its type, if the base set has it
  Outcome ebgp, ibgp;
};

std::vector<Octets> base_without(std::uint8_t type, const Octets& path) {
  std::vector<Octets> out;
  for (const auto& a : {kOrigin, path, kNextHop, Octets{0x80, 4, 4, 0, 0, 0, 9}, Octets{0xc0, 8, 4, 0, 1, 0, 2}}) {
    if (a[1] != type) out.push_back(a);
  }
  return out;
}

// What became of kRoute, which every message here announces.
Outcome outcome(const Octets& body, const Octets& without, const UpdateContext& context) {
  const auto p = parse_update(body, context);
  if (!p) return Outcome::Reset;
  if (p->disabled.v4 || p->disabled.v6) return Outcome::Disabled;
  REQUIRE(p->updates.size() == 1);
  const Update& u = p->updates[0];
  if (u.announced.empty()) {
    REQUIRE(u.withdrawn == std::vector{kRoute});
    REQUIRE_FALSE(p->findings.empty());
    return Outcome::Withdrawn;
  }
  REQUIRE(u.announced == std::vector{kRoute});
  REQUIRE(u.withdrawn.empty());
  REQUIRE(u.attributes);
  const auto base = parse_update(without, context);
  REQUIRE(base);
  REQUIRE(base->updates.size() == 1);
  const bool same = base->updates[0].attributes && *base->updates[0].attributes == *u.attributes;
  return same ? Outcome::Discarded : Outcome::Kept;
}

void everywhere(const Row& row, Outcome expected, const UpdateContext& context, const Octets& path) {
  const auto others = base_without(row.attribute[1], path);
  for (std::size_t at = 0; at <= others.size(); ++at) {
    auto attributes = others;
    attributes.insert(attributes.begin() + static_cast<std::ptrdiff_t>(at), row.attribute);
    const auto is = outcome(update(attributes), update(others), context);
    INFO(row.what << " at place " << at << (context.ebgp ? ", eBGP" : ", iBGP") << ": " << name(is) << " instead of "
                  << name(expected));
    CHECK(is == expected);
  }
}

constexpr auto K = Outcome::Kept, D = Outcome::Discarded, W = Outcome::Withdrawn, F = Outcome::Disabled,
               R = Outcome::Reset;

const Row kWellKnownRows[] = {
    {"ORIGIN of 0 octets", {0x40, 1, 0}, W, W},
    {"ORIGIN of 2 octets", {0x40, 1, 2, 0, 0}, W, W},
    {"ORIGIN 3", {0x40, 1, 1, 3}, W, W},
    {"ORIGIN 255", {0x40, 1, 1, 255}, W, W},
    {"ORIGIN optional", {0xc0, 1, 1, 0}, W, W},
    {"ORIGIN not transitive", {0x00, 1, 1, 0}, W, W},
    {"ORIGIN with an extended length", {0x50, 1, 0, 1, 2}, K, K},
    {"ORIGIN with unused flag bits", {0x4f, 1, 1, 2}, K, K},
    {"AS_PATH with segment type 0", {0x40, 2, 6, 0, 1, 0, 0, 0xfc, 0}, W, W},
    {"AS_PATH with segment type 5", {0x40, 2, 6, 5, 1, 0, 0, 0xfc, 0}, W, W},
    {"AS_PATH segment overruns", {0x40, 2, 6, 2, 2, 0, 0, 0xfc, 0}, W, W},
    {"AS_PATH segment of 255 overruns", {0x40, 2, 6, 2, 255, 0, 0, 0xfc, 0}, W, W},
    {"AS_PATH one octet left", {0x40, 2, 7, 2, 1, 0, 0, 0xfc, 0, 2}, W, W},
    {"AS_PATH second segment empty", {0x40, 2, 8, 2, 1, 0, 0, 0xfc, 0, 2, 0}, W, W},
    {"AS_PATH empty segment", {0x40, 2, 2, 2, 0}, W, W},
    {"AS_PATH of two-octet ASs", {0x40, 2, 4, 2, 1, 0xfc, 0}, W, W},
    {"AS_PATH with AS 0", {0x40, 2, 10, 2, 2, 0, 0, 0xfc, 0, 0, 0, 0, 0}, W, W},
    {"AS_PATH from another AS", {0x40, 2, 6, 2, 1, 0, 0, 0xfc, 1}, W, K},
    {"AS_PATH empty", {0x40, 2, 0}, W, K},
    {"AS_PATH confederation sequence", {0x40, 2, 12, 3, 1, 0, 0, 0xfc, 1, 2, 1, 0, 0, 0xfc, 0}, W, K},
    {"AS_PATH confederation set", {0x40, 2, 12, 4, 1, 0, 0, 0xfc, 1, 2, 1, 0, 0, 0xfc, 0}, W, W},
    {"AS_PATH with an AS_SET", {0x40, 2, 12, 2, 1, 0, 0, 0xfc, 0, 1, 1, 0, 0, 0xfd, 0xe9}, W, W},
    {"AS_PATH optional", {0xc0, 2, 6, 2, 1, 0, 0, 0xfc, 0}, W, W},
    {"NEXT_HOP of 0 octets", {0x40, 3, 0}, W, W},
    {"NEXT_HOP of 3 octets", {0x40, 3, 3, 169, 254, 10}, W, W},
    {"NEXT_HOP of 5 octets", {0x40, 3, 5, 169, 254, 10, 1, 0}, W, W},
    {"NEXT_HOP of 16 octets", {0x40, 3, 16, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, W, W},
    {"NEXT_HOP 0.0.0.0", {0x40, 3, 4, 0, 0, 0, 0}, W, W},
    {"NEXT_HOP loopback", {0x40, 3, 4, 127, 0, 0, 1}, W, W},
    {"NEXT_HOP multicast", {0x40, 3, 4, 224, 0, 0, 1}, W, W},
    {"NEXT_HOP 255.255.255.255", {0x40, 3, 4, 255, 255, 255, 255}, W, W},
    {"NEXT_HOP our own", {0x40, 3, 4, 169, 254, 10, 2}, W, W},
    {"NEXT_HOP optional", {0xc0, 3, 4, 169, 254, 10, 1}, W, W},
    {"LOCAL_PREF", {0x40, 5, 4, 0, 0, 0, 1}, D, K},
    {"LOCAL_PREF of 0 octets", {0x40, 5, 0}, D, W},
    {"LOCAL_PREF of 3 octets", {0x40, 5, 3, 0, 0, 0}, D, W},
    {"LOCAL_PREF optional", {0xc0, 5, 4, 0, 0, 0, 1}, D, W},
    {"ATOMIC_AGGREGATE of 1 octet", {0x40, 6, 1, 0}, D, D},
    {"ATOMIC_AGGREGATE optional", {0xc0, 6, 0}, W, W},
    {"ATOMIC_AGGREGATE with Partial", {0x60, 6, 0}, K, K},
    {"unknown well-known", {0x40, 99, 1, 9}, W, W},
    {"unknown well-known of 0 octets", {0x40, 99, 0}, W, W},
};

const Row kOptionalRows[] = {
    {"MED of 0 octets", {0x80, 4, 0}, W, W},
    {"MED of 3 octets", {0x80, 4, 3, 0, 0, 0}, W, W},
    {"MED of 5 octets", {0x80, 4, 5, 0, 0, 0, 0, 0}, W, W},
    {"MED transitive", {0xc0, 4, 4, 0, 0, 0, 1}, W, W},
    {"MED well-known", {0x40, 4, 4, 0, 0, 0, 1}, W, W},
    {"AGGREGATOR", {0xc0, 7, 8, 0, 0, 0xfd, 0xe9, 1, 2, 3, 4}, K, K},
    {"AGGREGATOR of 0 octets", {0xc0, 7, 0}, D, D},
    {"AGGREGATOR of 6 octets", {0xc0, 7, 6, 0xfc, 0, 1, 2, 3, 4}, D, D},
    {"AGGREGATOR of 9 octets", {0xc0, 7, 9, 0, 0, 0xfd, 0xe9, 1, 2, 3, 4, 5}, D, D},
    {"AGGREGATOR with AS 0", {0xc0, 7, 8, 0, 0, 0, 0, 1, 2, 3, 4}, D, D},
    {"AGGREGATOR not transitive", {0x80, 7, 8, 0, 0, 0xfd, 0xe9, 1, 2, 3, 4}, W, W},
    {"COMMUNITIES of 0 octets", {0xc0, 8, 0}, W, W},
    {"COMMUNITIES of 3 octets", {0xc0, 8, 3, 1, 2, 3}, W, W},
    {"COMMUNITIES of 5 octets", {0xc0, 8, 5, 1, 2, 3, 4, 5}, W, W},
    {"COMMUNITIES not transitive", {0x80, 8, 4, 1, 2, 3, 4}, W, W},
    {"COMMUNITIES with Partial", {0xe0, 8, 4, 1, 2, 3, 4}, K, K},
    {"ORIGINATOR_ID", {0x80, 9, 4, 1, 2, 3, 4}, D, K},
    {"ORIGINATOR_ID of 0 octets", {0x80, 9, 0}, D, W},
    {"ORIGINATOR_ID of 3 octets", {0x80, 9, 3, 1, 2, 3}, D, W},
    {"ORIGINATOR_ID of 5 octets", {0x80, 9, 5, 1, 2, 3, 4, 5}, D, W},
    {"ORIGINATOR_ID transitive", {0xc0, 9, 4, 1, 2, 3, 4}, D, W},
    {"CLUSTER_LIST", {0x80, 10, 4, 1, 2, 3, 4}, D, K},
    {"CLUSTER_LIST of 0 octets", {0x80, 10, 0}, D, W},
    {"CLUSTER_LIST of 7 octets", {0x80, 10, 7, 1, 2, 3, 4, 5, 6, 7}, D, W},
    {"CLUSTER_LIST transitive", {0xc0, 10, 4, 1, 2, 3, 4}, D, W},
    {"EXTENDED COMMUNITIES of an unknown type", {0xc0, 16, 8, 0x3f, 99, 1, 2, 3, 4, 5, 6}, K, K},
    {"EXTENDED COMMUNITIES of 0 octets", {0xc0, 16, 0}, W, W},
    {"EXTENDED COMMUNITIES of 7 octets", {0xc0, 16, 7, 1, 2, 3, 4, 5, 6, 7}, W, W},
    {"EXTENDED COMMUNITIES not transitive", {0x80, 16, 8, 0, 2, 1, 2, 3, 4, 5, 6}, W, W},
    {"AS4_PATH from a new speaker", {0xc0, 17, 6, 2, 1, 0, 1, 0, 0}, D, D},
    {"AS4_PATH from a new speaker, malformed", {0xc0, 17, 1, 9}, D, D},
    {"AS4_AGGREGATOR from a new speaker", {0xc0, 18, 1, 9}, D, D},
    {"TRAFFIC ENGINEERING of 3 octets", {0x80, 24, 3, 1, 2, 3}, W, W},
    {"IPv6 EXTENDED COMMUNITIES of 19 octets",
     Octets{0xc0, 25, 19, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, W, W},
    {"IPv6 EXTENDED COMMUNITIES of 0 octets", {0xc0, 25, 0}, W, W},
    {"AIGP", {0x80, 26, 11, 1, 0, 11, 0, 0, 0, 0, 0, 0, 0, 9}, D, D},
    {"AIGP malformed", {0x80, 26, 1, 1}, D, D},
    {"AIGP transitive", {0xc0, 26, 11, 1, 0, 11, 0, 0, 0, 0, 0, 0, 0, 9}, D, D},
    {"LARGE COMMUNITIES of 0 octets", {0xc0, 32, 0}, W, W},
    {"LARGE COMMUNITIES of 11 octets", {0xc0, 32, 11, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0}, W, W},
    {"LARGE COMMUNITIES not transitive", {0x80, 32, 12, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3}, W, W},
    {"ONLY_TO_CUSTOMER of 3 octets", {0xc0, 35, 3, 0, 0, 1}, W, W},
    {"ONLY_TO_CUSTOMER of 5 octets", {0xc0, 35, 5, 0, 0, 0, 0, 1}, W, W},
    {"ONLY_TO_CUSTOMER AS 0", {0xc0, 35, 4, 0, 0, 0, 0}, W, W},
    {"PREFIX_SID", {0xc0, 40, 10, 1, 0, 7, 0, 0, 0, 0, 0, 0, 1}, D, K},
    {"PREFIX_SID of zeroes that overruns", {0xc0, 40, 4, 0, 0, 9, 0}, D, D},
    {"PREFIX_SID of 0 octets", {0xc0, 40, 0}, D, D},
    {"PREFIX_SID with a cut TLV", {0xc0, 40, 2, 1, 0}, D, D},
    {"PREFIX_SID with a Label-Index of 6 octets", {0xc0, 40, 9, 1, 0, 6, 0, 0, 0, 0, 0, 0}, D, D},
    {"PREFIX_SID with an empty Originator SRGB", {0xc0, 40, 5, 3, 0, 2, 0, 0}, D, D},
    {"PREFIX_SID with an Originator SRGB of 9 octets", {0xc0, 40, 12, 3, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0}, D, D},
    {"ATTR_SET", {0xc0, 128, 8, 0, 0, 0xfd, 0xe9, 0x40, 1, 1, 0}, K, K},
    {"ATTR_SET of 3 octets", {0xc0, 128, 3, 0, 0, 1}, W, W},
    {"ATTR_SET whose attribute overruns", {0xc0, 128, 8, 0, 0, 0xfd, 0xe9, 0x40, 1, 9, 0}, W, W},
    {"unknown optional non-transitive", {0x80, 99, 1, 9}, D, D},
    {"unknown optional non-transitive of 0 octets", {0x80, 99, 0}, D, D},
    {"unknown optional transitive", {0xc0, 99, 1, 9}, K, K},
    {"unknown optional transitive of 0 octets", {0xc0, 99, 0}, K, K},
    {"deprecated: DPA", {0xc0, 11, 6, 0, 1, 2, 3, 4, 5}, K, K},
    {"deprecated: ADVERTISER", {0xc0, 12, 1, 1}, K, K},
    {"deprecated: RCID_PATH", {0xc0, 13, 1, 1}, K, K},
    {"deprecated: SAFI specific", {0xc0, 19, 1, 1}, K, K},
    {"deprecated: Connector", {0xc0, 20, 1, 1}, K, K},
    {"deprecated: AS_PATHLIMIT", {0xc0, 21, 1, 1}, K, K},
    {"deprecated: entropy label", {0xc0, 28, 4, 0, 0, 0, 0}, K, K},
};

const Row kMultiprotocolRows[] = {
    {"MP_REACH of 0 octets", {0x80, 14, 0}, R, R},
    {"MP_REACH of 2 octets", {0x80, 14, 2, 0, 2}, R, R},
    {"MP_REACH of 4 octets", {0x80, 14, 4, 0, 2, 1, 16}, F, F},
    {"MP_REACH transitive", reach6(kHop6, kNlri6, 0xc0), F, F},
    {"MP_REACH well-known", reach6(kHop6, kNlri6, 0x40), F, F},
    {"MP_REACH without a next hop", reach6({}, kNlri6), F, F},
    {"MP_REACH with a next hop of 4 octets", reach6({10, 0, 0, 1}, kNlri6), F, F},
    {"MP_REACH with a next hop of 24 octets", reach6(join({kHop6, Octets(8, 0)}), kNlri6), F, F},
    {"MP_REACH prefix of 129 bits", reach6(kHop6, join({{129}, Octets(17, 1)})), F, F},
    {"MP_REACH prefix overruns", reach6(kHop6, {64, 0x20, 1}), F, F},
    {"MP_UNREACH of 0 octets", {0x80, 15, 0}, R, R},
    {"MP_UNREACH of 2 octets", {0x80, 15, 2, 0, 2}, R, R},
    {"MP_UNREACH transitive", {0xc0, 15, 3, 0, 2, 1}, F, F},
    {"MP_UNREACH prefix of 129 bits", join({{0x80, 15, 21, 0, 2, 1, 129}, Octets(17, 1)}), F, F},
    {"MP_UNREACH prefix overruns", {0x80, 15, 6, 0, 2, 1, 64, 1, 2}, F, F},
    {"MP_UNREACH of a family nobody agreed on", {0x80, 15, 4, 0, 25, 65, 9}, D, D},
    {"MP_REACH of a family nobody agreed on", {0x80, 14, 5, 0, 25, 65, 0, 0}, D, D},
};

}  // namespace

TEST_SUITE("bgp/rfc7606") {
  TEST_CASE("each malformed well-known attribute has its outcome, at every place [RFC 7606 3, 7.1 to 7.6]") {
    for (const auto& row : kWellKnownRows) {
      everywhere(row, row.ebgp, kEbgp, kPath);
      everywhere(row, row.ibgp, ibgp(), kPath);
    }
  }

  TEST_CASE("each malformed optional attribute has its outcome, at every place [RFC 7606 3, 7.7 to 7.16]") {
    for (const auto& row : kOptionalRows) {
      everywhere(row, row.ebgp, kEbgp, kPath);
      everywhere(row, row.ibgp, ibgp(), kPath);
    }
  }

  TEST_CASE(
      "a malformed multiprotocol attribute costs its family if another stays, else the session [RFC 7606 2, 5.3]") {
    UpdateContext v6_only = kEbgp;
    v6_only.families = {false, true};
    for (const auto& row : kMultiprotocolRows) {
      everywhere(row, row.ebgp, both_families(), kPath);
      everywhere(row, row.ibgp, both_families(ibgp()), kPath);
      if (row.ebgp != F) continue;
      INFO(row.what);
      const auto alone = parse_update(update({row.attribute, kOrigin, kPath}, {}), v6_only);
      REQUIRE_FALSE(alone);
      CHECK(alone.error().code == 3);
      CHECK(alone.error().subcode == 9);
      // RFC 4271 6.3: the attribute itself is the data.
      CHECK(alone.error().data == row.attribute);
      // What was agreed on stays when the broken family was not agreed on.
      everywhere(row, D, kEbgp, kPath);
    }
  }

  TEST_CASE("what the family that stays announced in the same message is taken") {
    const auto p = parse_update(update({reach6(kHop6, {200}), kOrigin, kPath, kNextHop}), both_families());
    REQUIRE(p);
    CHECK(p->disabled == PerFamily<bool>{false, true});
    REQUIRE(p->updates.size() == 1);
    CHECK(p->updates[0].announced == std::vector{kRoute});
    REQUIRE(p->findings.size() == 1);
    CHECK(p->findings[0].attribute == 14);
    CHECK(p->findings[0].action == OnError::DisableFamily);
  }

  TEST_CASE("an old speaker's malformed AS4_PATH and AS4_AGGREGATOR are discarded [RFC 6793 6]") {
    const Row rows[] = {
        {"AS4_PATH", {0xc0, 17, 6, 2, 1, 0, 0, 0xfc, 0}, D, D},  // says what AS_PATH says
        {"AS4_PATH of 0 octets", {0xc0, 17, 0}, D, D},
        {"AS4_PATH of 5 octets", {0xc0, 17, 5, 2, 1, 0, 1, 0}, D, D},
        {"AS4_PATH segment overruns", {0xc0, 17, 6, 2, 2, 0, 1, 0, 0}, D, D},
        {"AS4_PATH empty segment", {0xc0, 17, 8, 2, 1, 0, 1, 0, 0, 2, 0}, D, D},
        {"AS4_PATH unknown segment type", {0xc0, 17, 6, 5, 1, 0, 1, 0, 0}, D, D},
        {"AS4_PATH with AS 0", {0xc0, 17, 6, 2, 1, 0, 0, 0, 0}, D, D},
        {"AS4_PATH not transitive", {0x80, 17, 6, 2, 1, 0, 1, 0, 0}, W, W},
        {"AS4_AGGREGATOR of 7 octets", {0xc0, 18, 7, 0, 1, 0, 0, 1, 2, 3}, D, D},
        {"AS4_AGGREGATOR with AS 0", {0xc0, 18, 8, 0, 0, 0, 0, 1, 2, 3, 4}, D, D},
        {"AGGREGATOR of 8 octets", {0xc0, 7, 8, 0, 0, 0xfd, 0xe9, 1, 2, 3, 4}, D, D},
        {"AGGREGATOR of 6 octets", {0xc0, 7, 6, 0xfd, 0xe9, 1, 2, 3, 4}, K, K},
    };
    for (const auto& row : rows)
      everywhere(row, row.ebgp, old_speaker(), kOldPath);
  }

  TEST_CASE("AS_SETs are taken where the operator says so [RFC 9774 3]") {
    auto c = kEbgp;
    c.accept_as_sets = true;
    const Row row{"AS_PATH with an AS_SET", {0x40, 2, 12, 2, 1, 0, 0, 0xfc, 0, 1, 1, 0, 0, 0xfd, 0xe9}, K, K};
    everywhere(row, K, c, kPath);
  }

  TEST_CASE("the first AS is not looked at where the operator says so: a route server [RFC 7947 2.2.2.1]") {
    auto c = kEbgp;
    c.enforce_first_as = false;
    everywhere({"AS_PATH from another AS", {0x40, 2, 6, 2, 1, 0, 0, 0xfc, 1}, K, K}, K, c, kPath);
  }

  TEST_CASE("of several errors the strongest decides [RFC 7606 3(h)]") {
    const Octets discard{0x40, 6, 1, 0}, withdraw{0x80, 4, 1, 0}, disable = reach6(kHop6, {200});
    const auto run = [&](const std::vector<Octets>& bad) {
      auto attributes = bad;
      attributes.insert(attributes.end(), {kOrigin, kPath, kNextHop});
      return parse_update(update(attributes), both_families());
    };
    for (const auto& bad : {std::vector{discard, withdraw}, std::vector{withdraw, discard}}) {
      REQUIRE(run(bad));
      CHECK(run(bad)->updates[0].withdrawn == std::vector{kRoute});
      CHECK(run(bad)->findings.size() == 2);
    }
    for (const auto& bad : {std::vector{disable, withdraw}, std::vector{withdraw, disable}}) {
      REQUIRE(run(bad));
      CHECK(run(bad)->disabled.v6);
      CHECK(run(bad)->updates[0].withdrawn == std::vector{kRoute});
    }
    CHECK_FALSE(run({withdraw, {0x80, 15, 2, 0, 1}}));
  }
}
