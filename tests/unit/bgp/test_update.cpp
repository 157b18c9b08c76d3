#include <doctest/doctest.h>

#include "tests/unit/bgp/updates.hpp"

using namespace cgw;
using namespace cgw::bgp;
using namespace cgw::bgp::test;

namespace {

// The only Update of a message.
Update only(const Octets& body, const UpdateContext& context = kEbgp) {
  const auto p = parse_update(body, context);
  REQUIRE(p);
  REQUIRE(p->updates.size() == 1);
  return p->updates[0];
}

}  // namespace

TEST_SUITE("bgp/update") {
  TEST_CASE("a plain announcement is read [RFC 4271 4.3]") {
    const auto u = only(update({kOrigin, kPath, kNextHop, {0x80, 4, 4, 0, 0, 0, 100}}));
    REQUIRE(u.attributes);
    CHECK(u.family == Family::V4);
    CHECK(u.announced == std::vector{kRoute});
    CHECK(u.attributes->origin == Origin::Igp);
    CHECK(u.attributes->med == 100U);
    CHECK(u.attributes->as_path_text() == "64512");
    CHECK(u.attributes->next_hop == IpAddress::v4(0xa9fe0a01));
    CHECK_FALSE(u.end_of_rib);
  }

  TEST_CASE("the default route and withdrawals are read; host bits of an NLRI are cleared") {
    const auto u = only(update({kOrigin, kPath, kNextHop}, {0, 9, 10, 0xff}, {8, 10, 32, 1, 2, 3, 4}));
    CHECK(u.announced == std::vector{route("0.0.0.0/0"), route("10.128.0.0/9")});
    CHECK(u.withdrawn == std::vector{route("10.0.0.0/8"), route("1.2.3.4/32")});
  }

  TEST_CASE("every attribute has its place [RFC 4271 5, 1997, 4360, 4456, 8092, 9234]") {
    const auto u = only(update({kOrigin,
                                kPath,
                                kNextHop,
                                {0x40, 5, 4, 0, 0, 0, 200},
                                {0x40, 6, 0},
                                {0xc0, 7, 8, 0, 1, 0, 0, 1, 2, 3, 4},
                                {0xc0, 8, 8, 0xff, 0xff, 0xff, 1, 0, 1, 0, 2},
                                {0x80, 9, 4, 9, 9, 9, 9},
                                {0x80, 10, 8, 1, 1, 1, 1, 2, 2, 2, 2},
                                {0xc0, 16, 8, 0, 2, 0xfc, 0, 0, 0, 0, 7},
                                {0xc0, 32, 12, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3},
                                {0xc0, 35, 4, 0, 0, 0xfc, 0}}),
                        ibgp());
    REQUIRE(u.attributes);
    const PathAttributes& a = *u.attributes;
    CHECK(a.local_pref == 200U);
    CHECK(a.atomic_aggregate);
    CHECK(a.aggregator == std::pair{Asn{65536}, IpAddress::v4(0x01020304)});
    CHECK(a.communities == std::vector<Community>{0xffffff01, 0x00010002});
    CHECK(a.originator_id == RouterId{0x09090909});
    CHECK(a.cluster_list == std::vector<std::uint32_t>{0x01010101, 0x02020202});
    CHECK(a.extended_communities == std::vector<ExtendedCommunity>{0x0002fc0000000007});
    CHECK(a.large_communities == std::vector<LargeCommunity>{{1, 2, 3}});
    CHECK(a.only_to_customer == Asn{64512});
    CHECK(a.unknown.empty());
  }

  TEST_CASE("IPv6 routes come in MP_REACH_NLRI, with a global and perhaps a link-local next hop [RFC 2545 3]") {
    Octets link_local{0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9};
    const auto c = both_families();
    const auto one = only(update({reach6(kHop6, kNlri6), kOrigin, kPath}, {}), c);
    CHECK(one.family == Family::V6);
    CHECK(one.announced == std::vector{route("2001:db8::/32")});
    REQUIRE(one.attributes);
    CHECK(one.attributes->next_hop.to_string() == "fd00::1");
    CHECK_FALSE(one.attributes->link_local_next_hop);

    const auto two = only(update({kOrigin, kPath, reach6(join({kHop6, link_local}), kNlri6)}, {}), c);
    REQUIRE(two.attributes);
    CHECK(two.attributes->next_hop.to_string() == "fd00::1");
    CHECK(two.attributes->link_local_next_hop->to_string() == "fe80::9");

    const auto bare = only(update({reach6(join({Octets(16, 0), link_local}), kNlri6), kOrigin, kPath}, {}), c);
    REQUIRE(bare.attributes);
    CHECK(bare.attributes->next_hop.to_string() == "fe80::9");

    const auto gone = only(update({{0x80, 15, 8, 0, 2, 1, 32, 0x20, 1, 0xd, 0xb8}}, {}), c);
    CHECK(gone.family == Family::V6);
    CHECK(gone.withdrawn == std::vector{route("2001:db8::/32")});
  }

  TEST_CASE("IPv4 routes behind an IPv6 next hop are taken where that was agreed on [RFC 8950 3, 4]") {
    const Octets reach = join({{0x80, 14, 24, 0, 1, 1, 16}, kHop6, {0, 16, 10, 50}});
    auto c = kEbgp;
    CHECK_FALSE(parse_update(update({reach, kOrigin, kPath}, {}), c));
    c.extended_next_hop = true;
    const auto u = only(update({reach, kOrigin, kPath}, {}), c);
    CHECK(u.family == Family::V4);
    CHECK(u.announced == std::vector{kRoute});
    REQUIRE(u.attributes);
    CHECK(u.attributes->next_hop.to_string() == "fd00::1");
  }

  TEST_CASE("one message may hold both families and both ways to write IPv4 [RFC 7606 5.1]") {
    const Octets reach4{0x80, 14, 12, 0, 1, 1, 4, 169, 254, 10, 9, 0, 16, 10, 51};
    const Octets unreach6{0x80, 15, 8, 0, 2, 1, 32, 0x20, 1, 0xd, 0xb8};
    const auto p = parse_update(update({kOrigin, kPath, kNextHop, reach4, unreach6}, kNlri, {8, 11}), both_families());
    REQUIRE(p);
    REQUIRE(p->updates.size() == 3);
    CHECK(p->updates[0].withdrawn == std::vector{route("2001:db8::/32")});
    CHECK(p->updates[1].announced == std::vector{route("10.51.0.0/16")});
    CHECK(p->updates[1].attributes->next_hop == IpAddress::v4(0xa9fe0a09));
    CHECK(p->updates[2].announced == std::vector{kRoute});
    CHECK(p->updates[2].withdrawn == std::vector{route("11.0.0.0/8")});
    CHECK(p->updates[2].attributes->next_hop == IpAddress::v4(0xa9fe0a01));
    CHECK(p->findings.empty());
  }

  TEST_CASE("a family that was not agreed on is passed over, whatever it holds") {
    CHECK(parse_update(update({reach6({1}, {200}), kOrigin, kPath}, {}), kEbgp)->updates.empty());
    UpdateContext v6_only = kEbgp;
    v6_only.families = {false, true};
    CHECK(parse_update(update({kOrigin, kPath, kNextHop}), v6_only)->updates.empty());
    // Even beside an error of another attribute: it does announce something, so nothing has to be reset.
    CHECK(parse_update(update({reach6({1}, {200}), kOrigin, {0x80, 4, 1, 0}}, {}), kEbgp)->updates.empty());
  }

  TEST_CASE("with add-path every route has its identifier, of the families it was agreed for [RFC 7911 3]") {
    auto c = both_families();
    c.add_path_receive.v4 = true;
    const auto u = only(
        update({kOrigin, kPath, kNextHop}, {0, 0, 0, 7, 16, 10, 50, 0, 0, 0, 8, 16, 10, 50}, {0, 0, 0, 9, 8, 11}), c);
    CHECK(u.announced == std::vector{route("10.50.0.0/16", 7), route("10.50.0.0/16", 8)});
    CHECK(u.withdrawn == std::vector{route("11.0.0.0/8", 9)});
    CHECK(only(update({reach6(kHop6, kNlri6), kOrigin, kPath}, {}), c).announced[0].path_id == 0);
    CHECK_FALSE(parse_update(update({kOrigin, kPath, kNextHop}, {0, 0, 0, 7, 16, 10}), c));
  }

  TEST_CASE("both forms of End-of-RIB, for each family [RFC 4724 2]") {
    const auto end = [](const Octets& body) {
      const auto p = parse_update(body, both_families());
      return p && p->updates.size() == 1 && p->updates[0].end_of_rib;
    };
    CHECK(end({0, 0, 0, 0}));
    CHECK(end(update({{0x80, 15, 3, 0, 1, 1}}, {})));
    CHECK(only(update({{0x80, 15, 3, 0, 2, 1}}, {}), both_families()).family == Family::V6);
    CHECK_FALSE(end(update({{0x80, 15, 3, 0, 2, 1}, kOrigin}, {})));
    CHECK_FALSE(end(update({}, {}, {8, 10})));
    CHECK(parse_update(update({{0x80, 15, 3, 0, 2, 1}}, {}), kEbgp)->updates.empty());
    for (const Family f : kFamilies) {
      const auto ours = encode_end_of_rib(f);
      const auto u = only(Octets(ours.begin() + kHeaderOctets, ours.end()), both_families());
      CHECK(u.family == f);
      CHECK(u.end_of_rib);
    }
  }

  TEST_CASE("unknown optional attributes: transitive are kept with Partial, others dropped [RFC 4271 5, 9]") {
    const auto u =
        only(update({{0xd0, 200, 0, 1, 5}, kOrigin, kPath, kNextHop, {0xc0, 99, 2, 7, 8}, {0x80, 98, 1, 1}}));
    REQUIRE(u.attributes);
    CHECK(u.attributes->unknown == std::vector<UnknownAttribute>{{0xe0, 99, {7, 8}}, {0xe0, 200, {5}}});  // by type
  }

  TEST_CASE("a prefix that is nobody's is left out, alone [RFC 4271 6.3]") {
    const auto p = parse_update(update({kOrigin, kPath, kNextHop}, {16, 10, 50, 4, 224, 8, 127, 0, 3, 0xe0}), kEbgp);
    REQUIRE(p);
    CHECK(p->updates[0].announced == std::vector{kRoute, route("0.0.0.0/0")});
    CHECK(p->updates[0].withdrawn == std::vector{route("224.0.0.0/4"), route("127.0.0.0/8"), route("224.0.0.0/3")});
    REQUIRE(p->findings.size() == 1);
    CHECK(p->findings[0].to_string() ==
          "3 prefixes that are nobody's, the first 224.0.0.0/4: routes treated as withdrawn");
    const auto v6 =
        only(update({reach6(kHop6, {8, 0xff, 10, 0xfe, 0x80, 7, 0xfc}), kOrigin, kPath}, {}), both_families());
    CHECK(v6.announced == std::vector{route("fc00::/7")});
  }

  TEST_CASE("an old speaker's AS4_PATH and AS4_AGGREGATOR replace AS_TRANS, in any order [RFC 6793 4.2.3]") {
    const Octets path{0x40, 2, 8, 2, 3, 0xfc, 0, 0x5b, 0xa0, 0xfd, 0xe9};  // 64512 AS_TRANS 65001
    const Octets as4{0xc0, 17, 10, 2, 2, 0, 1, 0, 0, 0, 0, 0xfd, 0xe9};    // 65536 65001
    const Octets aggregator{0xc0, 7, 6, 0x5b, 0xa0, 1, 2, 3, 4};
    const Octets as4_aggregator{0xc0, 18, 8, 0, 1, 0, 0, 1, 2, 3, 4};
    for (const auto& attributes : {std::vector{kOrigin, path, kNextHop, as4, aggregator, as4_aggregator},
                                   std::vector{as4_aggregator, as4, aggregator, kNextHop, path, kOrigin}}) {
      const auto u = only(update(attributes), old_speaker());
      REQUIRE(u.attributes);
      CHECK(u.attributes->as_path_text() == "64512 65536 65001");
      CHECK(u.attributes->aggregator->first == Asn{65536});
    }
    const auto path_of = [](const std::vector<Octets>& attributes) {
      return only(update(attributes), old_speaker()).attributes->as_path_text();
    };
    // A longer AS4_PATH than AS_PATH is ignored, and so are both when an old speaker has aggregated since.
    CHECK(path_of({kOrigin, kOldPath, kNextHop, as4}) == "64512");
    CHECK(path_of({kOrigin, path, kNextHop, as4, {0xc0, 7, 6, 0xfd, 0xe9, 1, 2, 3, 4}, as4_aggregator}) ==
          "64512 23456 65001");
    // Confederation segments in AS4_PATH are left out, the rest counts [RFC 6793 6].
    CHECK(path_of({kOrigin, path, kNextHop, {0xc0, 17, 16, 3, 1, 0, 0, 0, 5, 2, 2, 0, 1, 0, 0, 0, 0, 0xfd, 0xe9}}) ==
          "64512 65536 65001");
  }

  TEST_CASE("no truncation or octet of an UPDATE crashes the reader") {
    const Octets good =
        update({reach6(kHop6, kNlri6), kOrigin, kPath, kNextHop, {0xc0, 8, 4, 1, 2, 3, 4}}, kNlri, {8, 11});
    for (std::size_t n = 0; n < good.size(); ++n)
      (void)parse_update(Bytes(good).first(n), both_families());
    for (std::size_t at = 0; at < good.size(); ++at) {
      for (int v = 0; v < 256; ++v) {
        Octets bad = good;
        bad[at] = static_cast<std::uint8_t>(v);
        const auto p = parse_update(bad, both_families());
        if (!p) continue;
        for (const auto& u : p->updates)
          CHECK((u.announced.empty() || u.attributes));
      }
    }
  }
}
