#include <doctest/doctest.h>

#include "bgp/framing.hpp"
#include "bgp/update.hpp"

using namespace cgw;
using namespace cgw::bgp;
using Octets = std::vector<std::uint8_t>;

namespace {

const UpdateContext kEbgp{.ebgp = true,
                          .four_octet_as = true,
                          .local_as = Asn{65000},
                          .remote_as = Asn{64512},
                          .local_address = IpAddress::v4(0xa9fe0a02)};
UpdateContext ibgp() {
  UpdateContext c = kEbgp;
  c.ebgp = false;
  c.remote_as = c.local_as;
  return c;
}
UpdateContext old_speaker() {
  UpdateContext c = kEbgp;
  c.four_octet_as = false;
  return c;
}

const Octets kOrigin{0x40, 1, 1, 0};
const Octets kPath{0x40, 2, 6, 2, 1, 0, 0, 0xfc, 0};
const Octets kOldPath{0x40, 2, 4, 2, 1, 0xfc, 0};
const Octets kNextHop{0x40, 3, 4, 169, 254, 10, 1};
const Octets kNlri{16, 10, 50};
const Prefix kPrefix = Prefix::of(IpAddress::v4(0x0a320000), 16);

Octets join(const std::vector<Octets>& parts) {
  Octets out;
  for (const auto& p : parts)
    out.insert(out.end(), p.begin(), p.end());
  return out;
}

Octets update(const std::vector<Octets>& attributes, const Octets& nlri = kNlri, const Octets& withdrawn = {}) {
  Octets out;
  Writer w(out);
  w.u16(static_cast<std::uint16_t>(withdrawn.size()));
  w.bytes(withdrawn);
  const Octets a = join(attributes);
  w.u16(static_cast<std::uint16_t>(a.size()));
  w.bytes(a);
  w.bytes(nlri);
  return out;
}

enum class Outcome { Kept, Withdrawn, Reset };

Outcome outcome(const Octets& body, const UpdateContext& context) {
  const auto u = parse_update(body, context);
  if (!u) return Outcome::Reset;
  if (u->announced == std::vector{kPrefix} && u->withdrawn.empty() && u->attributes) return Outcome::Kept;
  if (u->announced.empty() && u->withdrawn == std::vector{kPrefix}) return Outcome::Withdrawn;
  FAIL("neither kept nor withdrawn: the NLRI was mislocated");
  return Outcome::Reset;
}

}  // namespace

TEST_SUITE("bgp/update") {
  TEST_CASE("a plain announcement is read [RFC 4271 4.3]") {
    const auto u = parse_update(update({kOrigin, kPath, kNextHop, {0x80, 4, 4, 0, 0, 0, 100}}), kEbgp);
    REQUIRE(u);
    REQUIRE(u->attributes);
    CHECK(u->announced == std::vector{kPrefix});
    CHECK(u->attributes->origin == Origin::Igp);
    CHECK(u->attributes->med == 100U);
    CHECK(u->attributes->as_path_text() == "64512");
    CHECK(u->attributes->next_hop == IpAddress::v4(0xa9fe0a01));
    CHECK_FALSE(u->end_of_rib);
  }

  TEST_CASE("the default route and withdrawals are read; host bits of an NLRI are cleared") {
    const auto u = parse_update(update({kOrigin, kPath, kNextHop}, {0, 9, 10, 0xff}, {8, 10, 32, 1, 2, 3, 4}), kEbgp);
    REQUIRE(u);
    CHECK(u->announced == std::vector{Prefix{}, Prefix::of(IpAddress::v4(0x0a800000), 9)});
    CHECK(u->withdrawn ==
          std::vector{Prefix::of(IpAddress::v4(0x0a000000), 8), Prefix::of(IpAddress::v4(0x01020304), 32)});
  }

  TEST_CASE("each malformed attribute has its own outcome, first, in the middle and last [RFC 7606 7]") {
    struct Row {
      const char* what;
      Octets attribute;  // takes the place of the good one of its type, if the base set has it
      Outcome ebgp, ibgp;
    };
    constexpr auto K = Outcome::Kept, W = Outcome::Withdrawn, R = Outcome::Reset;
    const Row rows[] = {
        {"ORIGIN of 2 octets", {0x40, 1, 2, 0, 0}, W, W},
        {"ORIGIN of 0 octets", {0x40, 1, 0}, W, W},
        {"ORIGIN 3", {0x40, 1, 1, 3}, W, W},
        {"ORIGIN optional", {0xc0, 1, 1, 0}, W, W},
        {"AS_PATH unknown segment", {0x40, 2, 6, 5, 1, 0, 0, 0xfc, 0}, W, W},
        {"AS_PATH segment overruns", {0x40, 2, 6, 2, 2, 0, 0, 0xfc, 0}, W, W},
        {"AS_PATH one octet left", {0x40, 2, 7, 2, 1, 0, 0, 0xfc, 0, 2}, W, W},
        {"AS_PATH empty segment", {0x40, 2, 2, 2, 0}, W, W},
        {"AS_PATH with AS 0", {0x40, 2, 10, 2, 2, 0, 0, 0xfc, 0, 0, 0, 0, 0}, W, W},
        {"AS_PATH with our AS", {0x40, 2, 10, 2, 2, 0, 0, 0xfc, 0, 0, 0, 0xfd, 0xe8}, W, W},
        {"AS_PATH from another AS", {0x40, 2, 6, 2, 1, 0, 0, 0xfc, 1}, W, K},
        {"AS_PATH empty", {0x40, 2, 0}, W, K},
        {"AS_PATH confederation", {0x40, 2, 6, 3, 1, 0, 0, 0xfc, 0}, W, K},
        {"NEXT_HOP of 3 octets", {0x40, 3, 3, 169, 254, 10}, W, W},
        {"NEXT_HOP of 5 octets", {0x40, 3, 5, 169, 254, 10, 1, 0}, W, W},
        {"NEXT_HOP 0.0.0.0", {0x40, 3, 4, 0, 0, 0, 0}, W, W},
        {"NEXT_HOP multicast", {0x40, 3, 4, 224, 0, 0, 1}, W, W},
        {"NEXT_HOP our own", {0x40, 3, 4, 169, 254, 10, 2}, W, W},
        {"MED of 3 octets", {0x80, 4, 3, 0, 0, 0}, W, W},
        {"MED transitive", {0xc0, 4, 4, 0, 0, 0, 1}, W, W},
        {"LOCAL_PREF of 3 octets", {0x40, 5, 3, 0, 0, 0}, K, W},
        {"ATOMIC_AGGREGATE of 1 octet", {0x40, 6, 1, 0}, K, K},
        {"AGGREGATOR of 6 octets", {0xc0, 7, 6, 0xfc, 0, 1, 2, 3, 4}, K, K},
        {"AGGREGATOR with AS 0", {0xc0, 7, 8, 0, 0, 0, 0, 1, 2, 3, 4}, K, K},
        {"COMMUNITIES of 5 octets", {0xc0, 8, 5, 1, 2, 3, 4, 5}, W, W},
        {"COMMUNITIES of 0 octets", {0xc0, 8, 0}, W, W},
        {"COMMUNITIES not transitive", {0x80, 8, 4, 1, 2, 3, 4}, W, W},
        {"ORIGINATOR_ID of 3 octets", {0x80, 9, 3, 1, 2, 3}, K, W},
        {"CLUSTER_LIST of 0 octets", {0x80, 10, 0}, K, W},
        {"MP_REACH of 4 octets", {0x80, 14, 4, 0, 1, 1, 4}, R, R},
        {"MP_REACH transitive", {0xc0, 14, 9, 0, 1, 1, 4, 169, 254, 10, 1, 0}, R, R},
        {"MP_REACH prefix of 33 bits", {0x80, 14, 11, 0, 1, 1, 4, 169, 254, 10, 1, 0, 33, 1}, R, R},
        {"MP_UNREACH of 2 octets", {0x80, 15, 2, 0, 1}, R, R},
        {"MP_UNREACH overrun", {0x80, 15, 5, 0, 1, 1, 16, 10}, R, R},
        {"AS4_PATH from a new speaker", {0xc0, 17, 1, 9}, K, K},
        {"AS4_AGGREGATOR from a new speaker", {0xc0, 18, 1, 9}, K, K},
        {"unknown well-known", {0x40, 99, 1, 9}, W, W},
        {"unknown optional non-transitive", {0x80, 99, 1, 9}, K, K},
        {"unknown optional transitive", {0xc0, 99, 1, 9}, K, K},
        {"MULTIPROTOCOL of a family not agreed on", {0x80, 15, 3, 0, 2, 1}, K, K},
    };
    for (const auto& row : rows) {
      std::vector<Octets> others;
      for (const auto& a : {kOrigin, kPath, kNextHop}) {
        if (a[1] != row.attribute[1]) others.push_back(a);
      }
      for (std::size_t at = 0; at <= others.size(); ++at) {
        INFO(row.what << " at place " << at);
        auto attributes = others;
        attributes.insert(attributes.begin() + static_cast<std::ptrdiff_t>(at), row.attribute);
        CHECK(outcome(update(attributes), kEbgp) == row.ebgp);
        CHECK(outcome(update(attributes), ibgp()) == row.ibgp);
      }
    }
  }

  TEST_CASE("a missing mandatory attribute withdraws [RFC 7606 3(d)]") {
    CHECK(outcome(update({kPath, kNextHop}), kEbgp) == Outcome::Withdrawn);
    CHECK(outcome(update({kOrigin, kNextHop}), kEbgp) == Outcome::Withdrawn);
    CHECK(outcome(update({kOrigin, kPath}), kEbgp) == Outcome::Withdrawn);
  }

  TEST_CASE("the last attribute overruns: NLRI is found by the total length, and withdrawn [RFC 7606 4]") {
    CHECK(outcome(update({kOrigin, kPath, kNextHop, {0x80, 4, 200, 0, 0, 0, 1}}), kEbgp) == Outcome::Withdrawn);
    CHECK(outcome(update({kOrigin, kPath, kNextHop, {0x80}}), kEbgp) == Outcome::Withdrawn);
    CHECK(outcome(update({kOrigin, kPath, kNextHop, {0x80, 4}}), kEbgp) == Outcome::Withdrawn);
    CHECK(outcome(update({kOrigin, kPath, kNextHop, {0x90, 4, 0}}), kEbgp) == Outcome::Withdrawn);
  }

  TEST_CASE("of two attributes of a type the first counts; two MP attributes reset [RFC 7606 3(g)]") {
    const auto u =
        parse_update(update({{0x80, 4, 4, 0, 0, 0, 1}, kOrigin, kPath, kNextHop, {0x80, 4, 4, 0, 0, 0, 2}}), kEbgp);
    REQUIRE(u);
    REQUIRE(u->attributes);
    CHECK(u->attributes->med == 1U);
    CHECK(u->findings.size() == 1);
    const Octets unreach{0x80, 15, 3, 0, 1, 1};
    CHECK(outcome(update({kOrigin, kPath, kNextHop, unreach, unreach}), kEbgp) == Outcome::Reset);
  }

  TEST_CASE("lengths that run over the message reset, prefixes that do too [RFC 7606 3(b), 5.3]") {
    const auto code = [](const Octets& b) { return parse_update(b, kEbgp).error(); };
    CHECK(code({0, 9, 0, 0}) == Notification{3, 1, {}});
    CHECK(code({0, 0, 0, 9}) == Notification{3, 1, {}});
    CHECK(code(update({kOrigin, kPath, kNextHop}, {33, 1, 2, 3, 4, 5})) == Notification{3, 10, {}});
    CHECK(code(update({kOrigin, kPath, kNextHop}, {24, 1, 2})) == Notification{3, 10, {}});
    CHECK(code(update({}, {}, {24, 1, 2})) == Notification{3, 10, {}});
  }

  TEST_CASE("no truncation or octet of an UPDATE crashes the reader") {
    const Octets good = update({kOrigin, kPath, kNextHop, {0xc0, 8, 4, 1, 2, 3, 4}}, kNlri, {8, 11});
    for (std::size_t n = 0; n < good.size(); ++n)
      (void)parse_update(Bytes(good).first(n), kEbgp);
    for (std::size_t at = 0; at < good.size(); ++at) {
      for (int v = 0; v < 256; ++v) {
        Octets bad = good;
        bad[at] = static_cast<std::uint8_t>(v);
        const auto u = parse_update(bad, kEbgp);
        if (u && !u->announced.empty()) CHECK(u->attributes);
      }
    }
  }

  TEST_CASE("unknown optional attributes: transitive are kept with Partial, others dropped [RFC 4271 5, 9]") {
    const auto u = parse_update(update({kOrigin, kPath, kNextHop, {0xc0, 99, 2, 7, 8}, {0x80, 98, 1, 1}}), kEbgp);
    REQUIRE(u);
    REQUIRE(u->attributes);
    REQUIRE(u->attributes->unknown.size() == 1);
    CHECK(u->attributes->unknown[0] == UnknownAttribute{0xe0, 99, {7, 8}});
  }

  TEST_CASE("both forms of End-of-RIB [RFC 4724 2]") {
    CHECK(parse_update(Octets{0, 0, 0, 0}, kEbgp)->end_of_rib);
    CHECK(parse_update(update({{0x80, 15, 3, 0, 1, 1}}, {}), kEbgp)->end_of_rib);
    CHECK_FALSE(parse_update(update({{0x80, 15, 3, 0, 2, 1}}, {}), kEbgp)->end_of_rib);
    CHECK_FALSE(parse_update(update({}, {}, {8, 10}), kEbgp)->end_of_rib);
  }

  TEST_CASE("IPv4 unicast in multiprotocol attributes counts as routes [RFC 4760 3, 4]") {
    const auto in =
        parse_update(update({{0x80, 14, 12, 0, 1, 1, 4, 169, 254, 10, 1, 0, 16, 10, 50}, kOrigin, kPath}, {}), kEbgp);
    REQUIRE(in);
    CHECK(in->announced == std::vector{kPrefix});
    CHECK(in->attributes->next_hop == IpAddress::v4(0xa9fe0a01));
    const auto out = parse_update(update({{0x80, 15, 6, 0, 1, 1, 16, 10, 50}}, {}), kEbgp);
    REQUIRE(out);
    CHECK(out->withdrawn == std::vector{kPrefix});
  }

  TEST_CASE("a next hop in MP_REACH_NLRI that nobody can have withdraws its routes, no more [RFC 4271 6.3]") {
    for (const Octets& hop :
         {Octets{127, 0, 0, 1}, Octets{0, 0, 0, 0}, Octets{224, 0, 0, 5}, Octets{169, 254, 10, 2}}) {
      const Octets reach = join({{0x80, 14, 12, 0, 1, 1, 4}, hop, {0, 16, 10, 50}});
      for (const auto& attributes : {std::vector{reach, kOrigin, kPath}, std::vector{kOrigin, kPath, reach}}) {
        const auto u = parse_update(update(attributes, {}), kEbgp);
        REQUIRE(u);
        CHECK(u->withdrawn == std::vector{kPrefix});
        CHECK(u->announced.empty());
        CHECK(u->findings.size() == 1);
      }
    }
    // The length of the next hop is another matter: the prefixes behind it cannot be found [RFC 7606 7.11].
    CHECK_FALSE(parse_update(update({{0x80, 14, 11, 0, 1, 1, 3, 10, 0, 1, 0, 16, 10, 50}, kOrigin, kPath}, {}), kEbgp));
  }

  TEST_CASE("an old speaker's AS4_PATH and AS4_AGGREGATOR replace AS_TRANS, in any order [RFC 6793 4.2.3]") {
    const Octets path{0x40, 2, 8, 2, 3, 0xfc, 0, 0x5b, 0xa0, 0xfd, 0xe9};  // 64512 AS_TRANS 65001
    const Octets as4{0xc0, 17, 10, 2, 2, 0, 1, 0, 0, 0, 0, 0xfd, 0xe9};    // 65536 65001
    const Octets aggregator{0xc0, 7, 6, 0x5b, 0xa0, 1, 2, 3, 4};
    const Octets as4_aggregator{0xc0, 18, 8, 0, 1, 0, 0, 1, 2, 3, 4};
    for (const auto& attributes : {std::vector{kOrigin, path, kNextHop, as4, aggregator, as4_aggregator},
                                   std::vector{as4_aggregator, as4, aggregator, kNextHop, path, kOrigin}}) {
      const auto u = parse_update(update(attributes), old_speaker());
      REQUIRE(u);
      REQUIRE(u->attributes);
      CHECK(u->attributes->as_path_text() == "64512 65536 65001");
      REQUIRE(u->attributes->aggregator);
      CHECK(u->attributes->aggregator->first == Asn{65536});
    }
    // A longer AS4_PATH than AS_PATH is ignored.
    const auto u = parse_update(update({kOrigin, kOldPath, kNextHop, as4}), old_speaker());
    REQUIRE(u);
    REQUIRE(u->attributes);
    CHECK(u->attributes->as_path_text() == "64512");
  }

  TEST_CASE("what is encoded reads back, packed into messages of at most 4096 octets") {
    std::vector<Prefix> prefixes;
    for (std::uint32_t i = 0; i < 3000; ++i)
      prefixes.push_back(Prefix::of(IpAddress::v4(0x0a000000 + (i << 8)), 24));
    PathAttributes a;
    a.as_path = {{AsPathSegment::Type::Sequence, {Asn{64512}, Asn{70000}}}};
    a.next_hop = IpAddress::v4(0xa9fe0a01);
    a.med = 7;
    a.communities = {0xffff0000, 1};
    for (const auto& context : {kEbgp, old_speaker()}) {
      std::vector<Prefix> seen;
      const auto messages = encode_announce(prefixes, a, context);
      CHECK(messages.size() < 5);
      for (const auto& m : messages) {
        CHECK(m.size() <= kMaxMessage);
        const auto u = parse_update(Bytes(m).subspan(kHeaderOctets), context);
        REQUIRE(u);
        REQUIRE(u->attributes);
        CHECK(u->attributes->as_path == a.as_path);
        CHECK(u->attributes->med == a.med);
        CHECK(u->attributes->communities == a.communities);
        seen.insert(seen.end(), u->announced.begin(), u->announced.end());
      }
      CHECK(seen == prefixes);
    }
    std::size_t withdrawn = 0;
    for (const auto& m : encode_withdraw(prefixes))
      withdrawn += parse_update(Bytes(m).subspan(kHeaderOctets), kEbgp)->withdrawn.size();
    CHECK(withdrawn == prefixes.size());
  }
}
