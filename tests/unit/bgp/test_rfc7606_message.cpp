// RFC 7606's rules about whole messages, and the incidents and CVEs of other speakers, by name.
#include <algorithm>

#include <doctest/doctest.h>

#include "tests/unit/bgp/updates.hpp"

using namespace cgw;
using namespace cgw::bgp;
using namespace cgw::bgp::test;

namespace {

enum class Outcome { Kept, Withdrawn, Reset };

Outcome outcome(const Octets& body, const UpdateContext& context = kEbgp) {
  const auto p = parse_update(body, context);
  if (!p) return Outcome::Reset;
  REQUIRE(p->updates.size() == 1);
  const auto& u = p->updates[0];
  if (u.announced == std::vector{kRoute} && u.withdrawn.empty() && u.attributes) return Outcome::Kept;
  if (u.announced.empty() && u.withdrawn == std::vector{kRoute}) return Outcome::Withdrawn;
  FAIL("neither kept nor withdrawn: the NLRI was mislocated");
  return Outcome::Reset;
}

Notification error(const Octets& body, const UpdateContext& context = kEbgp) {
  const auto p = parse_update(body, context);
  REQUIRE_FALSE(p);
  return p.error();
}

}  // namespace

TEST_SUITE("bgp/rfc7606 message") {
  TEST_CASE("a missing mandatory attribute withdraws [RFC 7606 3(d)]") {
    for (const auto& context : {kEbgp, ibgp()}) {
      CHECK(outcome(update({kOrigin, kPath, kNextHop}), context) == Outcome::Kept);
      CHECK(outcome(update({kPath, kNextHop}), context) == Outcome::Withdrawn);
      CHECK(outcome(update({kOrigin, kNextHop}), context) == Outcome::Withdrawn);
      CHECK(outcome(update({kOrigin, kPath}), context) == Outcome::Withdrawn);
      CHECK(outcome(update({}), context) == Outcome::Withdrawn);
    }
    // The next hop of MP_REACH_NLRI is none for the NLRI field.
    const auto p = parse_update(update({reach6(kHop6, kNlri6), kOrigin, kPath}), both_families());
    REQUIRE(p);
    REQUIRE(p->updates.size() == 2);
    CHECK(p->updates[0].announced.size() == 1);
    CHECK(p->updates[1].withdrawn == std::vector{kRoute});
  }

  TEST_CASE("the last attribute overruns: NLRI is found by the total length, and withdrawn [RFC 7606 4]") {
    for (const auto& context : {kEbgp, ibgp()}) {
      for (const Octets& last :
           {Octets{0x80, 4, 200, 0, 0, 0, 1}, Octets{0x80, 4, 5, 0, 0, 0, 1}, Octets{0x80}, Octets{0x80, 4},
            Octets{0x90, 4, 0}, Octets{0x90, 4, 255, 255, 0}, Octets{0x40, 1}, Octets{0}})
        CHECK(outcome(update({kOrigin, kPath, kNextHop, last}), context) == Outcome::Withdrawn);
    }
  }

  TEST_CASE("of two attributes of a type the first counts; two MP attributes reset [RFC 7606 3(g)]") {
    const auto p =
        parse_update(update({{0x80, 4, 4, 0, 0, 0, 1}, kOrigin, kPath, kNextHop, {0x80, 4, 4, 0, 0, 0, 2}}), kEbgp);
    REQUIRE(p);
    REQUIRE(p->updates[0].attributes);
    CHECK(p->updates[0].attributes->med == 1U);
    REQUIRE(p->findings.size() == 1);
    CHECK(p->findings[0].action == OnError::Discard);
    // A malformed second one is passed over as well, a malformed first one is not saved by the second.
    CHECK(outcome(update({kOrigin, kOrigin, kPath, kNextHop, {0x40, 1, 1, 9}})) == Outcome::Kept);
    CHECK(outcome(update({{0x40, 1, 1, 9}, kOrigin, kPath, kNextHop})) == Outcome::Withdrawn);
    const Octets unreach{0x80, 15, 3, 0, 1, 1};
    CHECK(error(update({kOrigin, kPath, kNextHop, unreach, unreach})) == Notification{3, 1, unreach});
    CHECK(error(update({reach6(kHop6, kNlri6), kOrigin, reach6(kHop6, kNlri6), kPath}, {}), both_families()).subcode ==
          1);
  }

  TEST_CASE("lengths that run over the message reset, prefixes that do too [RFC 7606 3(b), 5.3]") {
    for (const auto& context : {kEbgp, ibgp()}) {
      CHECK(error({0, 9, 0, 0}, context) == Notification{3, 1, {}});
      CHECK(error({0, 0, 0, 9}, context) == Notification{3, 1, {}});
      CHECK(error({0, 0, 0}, context) == Notification{3, 1, {}});
      CHECK(error(update({kOrigin, kPath, kNextHop}, {33, 1, 2, 3, 4, 5}), context) == Notification{3, 10, {}});
      CHECK(error(update({kOrigin, kPath, kNextHop}, {24, 1, 2}), context) == Notification{3, 10, {}});
      CHECK(error(update({}, {}, {24, 1, 2}), context) == Notification{3, 10, {}});
      CHECK(error(update({}, {}, {255}), context) == Notification{3, 10, {}});
    }
  }

  TEST_CASE("an error and no route that could be withdrawn: the session [RFC 7606 5.2]") {
    const Octets bad{0x40, 1, 1, 9};
    CHECK(error(update({bad, kPath, kNextHop}, {})).code == 3);
    // Withdrawn routes are no reachable NLRI.
    CHECK(error(update({bad}, {}, {8, 10})).code == 3);
    CHECK(error(update({{0x80, 15, 5, 0, 1, 1, 8, 10}, bad}, {})).code == 3);
    // Of the discard class it may be, and missing attributes are none.
    const auto p = parse_update(update({{0x40, 6, 1, 0}}, {}, {8, 10}), kEbgp);
    REQUIRE(p);
    CHECK(p->updates[0].withdrawn.size() == 1);
  }

  TEST_CASE("a next hop in MP_REACH_NLRI that nobody can have withdraws its routes, no more [RFC 4271 6.3]") {
    for (const Octets& hop :
         {Octets{127, 0, 0, 1}, Octets{0, 0, 0, 0}, Octets{224, 0, 0, 5}, Octets{169, 254, 10, 2}}) {
      const Octets reach = join({{0x80, 14, 12, 0, 1, 1, 4}, hop, {0, 16, 10, 50}});
      for (const auto& attributes : {std::vector{reach, kOrigin, kPath}, std::vector{kOrigin, kPath, reach}})
        CHECK(outcome(update(attributes, {})) == Outcome::Withdrawn);
    }
    for (const Octets& hop : {Octets(16, 0), join({Octets(15, 0), {1}}), join({{0xff, 2}, Octets(14, 0)})}) {
      const auto p = parse_update(update({reach6(hop, kNlri6), kOrigin, kPath}, {}), both_families());
      REQUIRE(p);
      CHECK(p->updates[0].withdrawn.size() == 1);
    }
  }

  TEST_CASE("a finding says what, with the octets, and what was done") {
    const auto p = parse_update(update({{0x40, 1, 2, 0, 7}, kPath, kNextHop}), kEbgp);
    REQUIRE(p);
    REQUIRE(p->findings.size() == 1);
    CHECK(p->findings[0].attribute == 1);
    CHECK(p->findings[0].to_string() ==
          "malformed ORIGIN of 2 octets, of a wrong length (40 01 02 00 07): routes treated as withdrawn");
  }
}

TEST_SUITE("bgp/incidents") {
  TEST_CASE("CVE-2023-38802, CVE-2023-38283, CVE-2023-4481: attributes 23 and 28 cost nothing, whatever they hold") {
    for (const std::uint8_t type : {std::uint8_t{23}, std::uint8_t{28}}) {
      for (const Octets& value : {Octets{}, Octets{0}, Octets(40, 0xff)}) {
        const Octets a = join({{0xc0, type, static_cast<std::uint8_t>(value.size())}, value});
        CHECK(outcome(update({kOrigin, kPath, kNextHop, a})) == Outcome::Kept);
        CHECK(outcome(update({a, kOrigin, kPath, kNextHop})) == Outcome::Kept);
      }
    }
  }

  TEST_CASE("2025-05: a Prefix-SID of zeroes neither resets nor goes on") {
    for (const auto& context : {kEbgp, ibgp()}) {
      const auto p = parse_update(update({kOrigin, kPath, kNextHop, join({{0xc0, 40, 7}, Octets(7, 0)})}), context);
      REQUIRE(p);
      REQUIRE(p->updates[0].attributes);
      CHECK(p->updates[0].attributes->unknown.empty());
    }
  }

  TEST_CASE("2025-10: an OTC of 1024 octets is withdrawn, and ours has 4") {
    const Octets otc = join({{0xd0, 35, 4, 0}, Octets(1024, 1)});
    CHECK(outcome(update({kOrigin, kPath, kNextHop, otc})) == Outcome::Withdrawn);
    PathAttributes a;
    a.next_hop = IpAddress::v4(0x0a000001);
    a.only_to_customer = Asn{65000};
    const auto m = encode_announce(std::vector{kRoute}, Family::V4, a, kEbgp);
    REQUIRE(m);
    const Octets expected{0xc0, 35, 4, 0, 0, 0xfd, 0xe8};
    CHECK(std::search((*m)[0].begin(), (*m)[0].end(), expected.begin(), expected.end()) != (*m)[0].end());
  }

  TEST_CASE("CVE-2026-41643: AS4_PATH before AS_PATH, or without it") {
    const Octets as4{0xc0, 17, 6, 2, 1, 0, 1, 0, 0};
    CHECK(outcome(update({as4, kOrigin, kNextHop}), old_speaker()) == Outcome::Withdrawn);
    CHECK(outcome(update({as4, kOrigin, kNextHop, kOldPath}), old_speaker()) == Outcome::Withdrawn);  // first AS 65536
  }

  TEST_CASE("CVE-2026-30405, CVE-2026-37462: a short NEXT_HOP, lengths that would underflow") {
    for (std::uint8_t n = 0; n < 4; ++n)
      CHECK(outcome(update({kOrigin, kPath, join({{0x40, 3, n}, Octets(n, 1)})})) == Outcome::Withdrawn);
    CHECK_FALSE(parse_update(Octets{0xff, 0xff, 0, 0}, kEbgp));
    CHECK_FALSE(parse_update(Octets{0, 0, 0xff, 0xff}, kEbgp));
    CHECK_FALSE(parse_update(Octets{}, kEbgp));
  }

  TEST_CASE("CVE-2023-46752, CVE-2023-46753: a broken MP_REACH_NLRI, unknown attributes and no mandatory one") {
    CHECK_FALSE(parse_update(update({{0x80, 14, 3, 0, 1, 1}}, {}), kEbgp));
    CHECK(outcome(update({{0xc0, 99, 1, 1}})) == Outcome::Withdrawn);
    CHECK(parse_update(update({{0xc0, 99, 1, 1}}, {}), kEbgp)->updates.empty());
  }

  TEST_CASE("CVE-2023-47234, CVE-2023-47235: an End-of-RIB beside malformed attributes is none") {
    CHECK_FALSE(parse_update(update({{0x80, 15, 3, 0, 1, 1}, {0x40, 1, 1, 9}}, {}), kEbgp));
    const auto p = parse_update(update({{0x80, 15, 3, 0, 1, 1}, kOrigin}, {}), kEbgp);
    REQUIRE(p);
    CHECK(p->updates.empty());
  }

  TEST_CASE("CVE-2023-41358: NLRI with no attributes at all") {
    CHECK(outcome(Octets{0, 0, 0, 0, 16, 10, 50}) == Outcome::Withdrawn);
  }

  TEST_CASE("CVE-2026-49943: an AS_PATH of 16,000 ASs in an extended message is read and written again") {
    Octets path{0x50, 2, 0, 0};
    for (int i = 0; i < 63; ++i) {
      path.insert(path.end(), {2, 255});
      for (int j = 0; j < 255; ++j)
        path.insert(path.end(), {0, 0, 0xfc, 0});
    }
    const auto length = path.size() - 4;
    path[2] = static_cast<std::uint8_t>(length >> 8), path[3] = static_cast<std::uint8_t>(length);
    auto c = kEbgp;
    c.max_message = 65535;
    const auto p = parse_update(update({kOrigin, path, kNextHop}), c);
    REQUIRE(p);
    REQUIRE(p->updates[0].attributes);
    CHECK(p->updates[0].attributes->as_path_length() == 63 * 255);
    CHECK(encode_announce(std::vector{kRoute}, Family::V4, *p->updates[0].attributes, c));
    // Towards a neighbor with messages of 4096 octets it is refused, not cut.
    CHECK_FALSE(encode_announce(std::vector{kRoute}, Family::V4, *p->updates[0].attributes, kEbgp));
  }
}
