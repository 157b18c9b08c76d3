// What is sent, and that it reads back clean under the rules for what is received.
#include <algorithm>

#include <doctest/doctest.h>

#include "tests/unit/bgp/updates.hpp"

using namespace cgw;
using namespace cgw::bgp;
using namespace cgw::bgp::test;

namespace {

Bytes body(const Octets& message) {
  return Bytes(message).subspan(kHeaderOctets);
}

// The other side of a session: what one sends the other reads.
UpdateContext mirrored(UpdateContext c) {
  std::swap(c.local_as, c.remote_as);
  std::swap(c.add_path_send, c.add_path_receive);
  c.local_address = IpAddress::v4(0xa9fe0a01);
  return c;
}

PathAttributes attributes() {
  PathAttributes a;
  a.as_path = {{AsPathSegment::Type::Sequence, {Asn{65000}, Asn{70000}}}};
  a.next_hop = IpAddress::v4(0xa9fe0a02);
  a.med = 7;
  a.atomic_aggregate = true;
  a.aggregator = {Asn{70000}, IpAddress::v4(0x01020304)};
  a.communities = {0xffff0000, 1};
  a.extended_communities = {0x0002fc0000000007};
  a.large_communities = {{1, 2, 3}, {4, 5, 6}};
  a.only_to_customer = Asn{65000};
  a.unknown = {{0xe0, 23, {1}}, {0xe0, 99, std::vector<std::uint8_t>(300, 7)}};
  return a;
}

std::vector<Nlri> many(Family f, std::uint32_t count, bool path_ids = false) {
  std::vector<Nlri> out;
  for (std::uint32_t i = 0; i < count; ++i) {
    const Prefix p = f == Family::V4
                         ? Prefix::of(IpAddress::v4(0x0a000000 + (i << 8)), 24)
                         : Prefix::of(IpAddress::v6({0x20, 1, 0xd, 0xb8, static_cast<std::uint8_t>(i >> 8),
                                                     static_cast<std::uint8_t>(i), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}),
                                      48);
    out.push_back({p, path_ids ? i + 1 : 0});
  }
  return out;
}

// Types of the attributes in their order.
std::vector<int> types(const Octets& message) {
  Reader r(body(message));
  r.sub(r.u16());
  Reader attributes = r.sub(r.u16());
  std::vector<int> out;
  while (attributes.more()) {
    const auto flags = attributes.u8();
    out.push_back(attributes.u8());
    attributes.sub((flags & 0x10) != 0 ? attributes.u16() : attributes.u8());
  }
  return out;
}

// Sends, reads what was sent without a finding, and sends that again: the octets are the same.
std::vector<Nlri> round(const std::vector<Nlri>& routes, Family f, const PathAttributes& a, const UpdateContext& c) {
  const auto messages = encode_announce(routes, f, a, c);
  REQUIRE(messages);
  std::vector<Nlri> seen;
  for (const auto& m : *messages) {
    CHECK(m.size() <= c.max_message);
    const auto p = parse_update(body(m), mirrored(c));
    REQUIRE(p);
    CHECK(p->findings.empty());
    REQUIRE(p->updates.size() == 1);
    const Update& u = p->updates[0];
    REQUIRE(u.attributes);
    CHECK(u.family == f);
    CHECK(u.withdrawn.empty());
    CHECK(encode_announce(u.announced, f, *u.attributes, c) == Messages{m});
    seen.insert(seen.end(), u.announced.begin(), u.announced.end());
  }
  return seen;
}

}  // namespace

TEST_SUITE("bgp/update encode") {
  TEST_CASE("what is encoded reads back clean, to every kind of neighbor, packed into full messages") {
    for (const Family f : kFamilies) {
      for (const bool ebgp : {true, false}) {
        for (const bool four_octet_as : {true, false}) {
          for (const bool add_path : {true, false}) {
            for (const std::size_t max_message : {std::size_t{4096}, std::size_t{65535}}) {
              auto c = both_families();
              c.ebgp = ebgp;
              c.remote_as = ebgp ? c.remote_as : c.local_as;
              c.four_octet_as = four_octet_as;
              c.add_path_send[f] = add_path;
              c.max_message = max_message;
              PathAttributes a = attributes();
              if (f == Family::V6) a.next_hop = IpAddress::parse("fd00::2").value();
              if (f == Family::V6) a.link_local_next_hop = IpAddress::parse("fe80::2").value();
              const auto routes = many(f, 3000, add_path);
              CHECK(round(routes, f, a, c) == routes);
              std::vector<Nlri> gone;
              for (const auto& m : encode_withdraw(routes, f, c)) {
                CHECK(m.size() <= max_message);
                const auto p = parse_update(body(m), mirrored(c));
                REQUIRE(p);
                gone.insert(gone.end(), p->updates[0].withdrawn.begin(), p->updates[0].withdrawn.end());
              }
              CHECK(gone == routes);
            }
          }
        }
      }
    }
  }

  TEST_CASE("all fields come through, those for internal neighbors only to them") {
    auto c = ibgp();
    PathAttributes a = attributes();
    a.local_pref = 250;
    a.originator_id = RouterId{7};
    a.cluster_list = {8, 9};
    const auto m = encode_announce(std::vector{kRoute}, Family::V4, a, c);
    REQUIRE(m);
    CHECK(*parse_update(body((*m)[0]), mirrored(c))->updates[0].attributes == a);
    const auto external = encode_announce(std::vector{kRoute}, Family::V4, a, kEbgp);
    REQUIRE(external);
    CHECK(types((*external)[0]) == std::vector{1, 2, 3, 4, 6, 7, 8, 16, 23, 32, 35, 99});
  }

  TEST_CASE("LOCAL_PREF goes to every internal neighbor [RFC 4271 5.1.5]") {
    PathAttributes a;
    a.next_hop = IpAddress::v4(0xa9fe0a02);
    const auto m = encode_announce(std::vector{kRoute}, Family::V4, a, ibgp());
    REQUIRE(m);
    CHECK(types((*m)[0]) == std::vector{1, 2, 3, 5});
    CHECK(parse_update(body((*m)[0]), mirrored(ibgp()))->updates[0].attributes->local_pref == 100U);
  }

  TEST_CASE("MP_REACH_NLRI comes first, and there is no NEXT_HOP beside it [RFC 7606 5.1]") {
    PathAttributes a;
    a.as_path = {{AsPathSegment::Type::Sequence, {Asn{65000}}}};
    a.next_hop = IpAddress::parse("fd00::2").value();
    auto c = both_families();
    const auto v6 = encode_announce(many(Family::V6, 1), Family::V6, a, c);
    REQUIRE(v6);
    CHECK(types((*v6)[0]) == std::vector{14, 1, 2});
    CHECK_FALSE(encode_announce(std::vector{kRoute}, Family::V4, a, c));
    c.extended_next_hop = true;
    const auto v4 = encode_announce(std::vector{kRoute}, Family::V4, a, c);
    REQUIRE(v4);
    CHECK(types((*v4)[0]) == std::vector{14, 1, 2});
    CHECK(round({kRoute}, Family::V4, a, c) == std::vector{kRoute});
    a.next_hop = IpAddress::v4(0xa9fe0a02);
    CHECK_FALSE(encode_announce(many(Family::V6, 1), Family::V6, a, c));
  }

  TEST_CASE("a long path is cut into segments of 255, and its length has two octets [RFC 4271 4.3]") {
    PathAttributes a;
    a.next_hop = IpAddress::v4(0xa9fe0a02);
    a.as_path = {{AsPathSegment::Type::Sequence, std::vector<Asn>(600, Asn{65000})}};
    const auto m = encode_announce(std::vector{kRoute}, Family::V4, a, kEbgp);
    REQUIRE(m);
    const auto p = parse_update(body((*m)[0]), mirrored(kEbgp));
    REQUIRE(p);
    const auto& path = p->updates[0].attributes->as_path;
    REQUIRE(path.size() == 3);
    CHECK(path[0].asns.size() == 255);
    CHECK(path[2].asns.size() == 90);
  }

  TEST_CASE(
      "to an old speaker AS4_PATH and AS4_AGGREGATOR say what two octets cannot, and only then [RFC 6793 4.2.2]") {
    auto c = old_speaker();
    PathAttributes a;
    a.next_hop = IpAddress::v4(0xa9fe0a02);
    a.as_path = {{AsPathSegment::Type::Sequence, {Asn{65000}, Asn{70000}}}};
    a.aggregator = {Asn{70000}, IpAddress::v4(1)};
    CHECK(types(encode_announce(std::vector{kRoute}, Family::V4, a, c).value()[0]) == std::vector{1, 2, 3, 7, 17, 18});
    a.as_path[0].asns[1] = Asn{65001};
    a.aggregator->first = Asn{65001};
    CHECK(types(encode_announce(std::vector{kRoute}, Family::V4, a, c).value()[0]) == std::vector{1, 2, 3, 7});
  }

  TEST_CASE("confederation segments stay inside, AS_SETs are not sent [RFC 5065 5.1, 9774 3]") {
    using Type = AsPathSegment::Type;
    PathAttributes a;
    a.next_hop = IpAddress::v4(0xa9fe0a02);
    a.as_path = {{Type::ConfedSequence, {Asn{64600}}}, {Type::Sequence, {Asn{65000}}}};
    const auto out = encode_announce(std::vector{kRoute}, Family::V4, a, kEbgp);
    REQUIRE(out);
    CHECK(parse_update(body((*out)[0]), mirrored(kEbgp))->updates[0].attributes->as_path_text() == "65000");
    const auto in = encode_announce(std::vector{kRoute}, Family::V4, a, ibgp());
    REQUIRE(in);
    CHECK(parse_update(body((*in)[0]), mirrored(ibgp()))->updates[0].attributes->as_path == a.as_path);
    a.as_path = {{Type::Sequence, {Asn{65000}}}, {Type::Set, {Asn{65001}, Asn{65002}}}};
    const auto set = encode_announce(std::vector{kRoute}, Family::V4, a, kEbgp);
    REQUIRE_FALSE(set);
    CHECK(set.error().find("RFC 9774") != std::string::npos);
    auto c = kEbgp;
    c.accept_as_sets = true;
    CHECK(round({kRoute}, Family::V4, a, c) == std::vector{kRoute});
  }

  TEST_CASE("attributes that leave no room for a route are refused") {
    PathAttributes a;
    a.as_path = {{AsPathSegment::Type::Sequence, {Asn{65000}}}};
    a.next_hop = IpAddress::v4(0xa9fe0a02);
    // Header and length fields 23, ORIGIN 4, AS_PATH 9, NEXT_HOP 7, COMMUNITIES' header 4, a route of up to 5.
    a.communities.assign((4096 - 23 - 4 - 9 - 7 - 4 - 5) / 4, 1);
    const auto fits = encode_announce(std::vector{route("10.1.2.3/32")}, Family::V4, a, kEbgp);
    REQUIRE(fits);
    CHECK((*fits)[0].size() == 4096);
    a.communities.push_back(1);
    CHECK_FALSE(encode_announce(std::vector{route("10.1.2.3/32")}, Family::V4, a, kEbgp));
  }
}
