#include <doctest/doctest.h>

#include <random>

#include "bgp/attribute_octets.hpp"
#include "bgp/attribute_pool.hpp"

using namespace cgw;
using namespace cgw::bgp;

namespace {

PathAttributes everything() {
  PathAttributes a;
  a.origin = Origin::Egp;
  a.as_path = {{AsPathSegment::Type::Sequence, {Asn{64512}, Asn{4200000000}}},
               {AsPathSegment::Type::Set, {Asn{1}, Asn{2}}},
               {AsPathSegment::Type::ConfedSequence, {Asn{65001}}}};
  a.next_hop = IpAddress::parse("2001:db8::1").value();
  a.link_local_next_hop = IpAddress::parse("fe80::1").value();
  a.med = 0;
  a.local_pref = 200;
  a.atomic_aggregate = true;
  a.aggregator = {Asn{64512}, IpAddress::v4(0x0a000001)};
  a.communities = {0xfc000001, well_known::kNoExport};
  a.extended_communities = {0x0002fc0000000064U, 0xffffffffffffffffU};
  a.large_communities = {{1, 2, 3}, {4, 5, 0xffffffff}};
  a.originator_id = RouterId{7};
  a.cluster_list = {8, 9};
  a.only_to_customer = Asn{64512};
  a.unknown = {{0xe0, 99, {1, 2, 3}}, {0xe0, 200, std::vector<std::uint8_t>(1000, 7)}};
  return a;
}

PathAttributes path(std::uint32_t asn, std::uint32_t next_hop = 0x0a000001) {
  PathAttributes a;
  a.as_path = {{AsPathSegment::Type::Sequence, {Asn{asn}, Asn{asn + 1}}}};
  a.next_hop = IpAddress::v4(next_hop);
  return a;
}

}  // namespace

TEST_CASE("the canonical octets give back every attribute, and absence is not zero") {
  for (PathAttributes a : {everything(), PathAttributes{}, path(1)}) {
    std::vector<std::uint8_t> octets;
    write_canonical(a, octets);
    CHECK(read_canonical(octets) == a);
  }
  PathAttributes zero = path(1), absent = path(1);
  zero.med = 0;
  std::vector<std::uint8_t> a, b;
  write_canonical(zero, a);
  write_canonical(absent, b);
  CHECK(a != b);
}

TEST_CASE("a segment longer than the wire's 255 survives, and a path longer than 127 octets") {
  PathAttributes a = path(1);
  a.as_path.front().asns.assign(1000, Asn{5});
  std::vector<std::uint8_t> octets;
  write_canonical(a, octets);
  CHECK(read_canonical(octets) == a);
}

TEST_CASE("equal sets have one id; other local values are another set") {
  AttributePool pool(1);
  const AttributeId a = pool.intern(everything()), b = pool.intern(everything());
  CHECK(a == b);
  CHECK(pool.size() == 1);
  CHECK(pool.intern(everything(), {.weight = 5}) != a);
  CHECK(pool.attributes(a) == everything());
}

TEST_CASE("a set lives until its last holder lets go, and its id is used again") {
  AttributePool pool(1);
  const AttributeId a = pool.intern(path(1));
  pool.hold(a, 2);
  pool.release(a);
  pool.release(a);
  CHECK(pool.size() == 1);
  pool.release(a);
  CHECK(pool.size() == 0);
  CHECK(pool.intern(path(2)) == a);
}

TEST_CASE("the keys hold what the decision asks") {
  AttributePool pool(1);
  const AttributeKeys& k = pool.keys(pool.intern(everything(), {.weight = 3, .tag = 4}));
  CHECK(k.local == LocalValues{3, 4});
  CHECK(k.local_pref == 200);
  CHECK(k.has_med);
  CHECK(k.neighbor_as == 64512);
  CHECK(k.as_path_length == 3);  // a set counts as one, a confederation segment not at all
  CHECK(k.originator == 7);
  CHECK(k.cluster_length == 2);
  CHECK(k.no_export);
  CHECK_FALSE(k.no_advertise);
  CHECK(k.only_to_customer);
  CHECK(pool.keys(pool.intern(path(1))).local_pref == 100);
}

TEST_CASE("a next hop is known as long as a set uses it; only a change of one in use is told") {
  AttributePool pool(1);
  const IpAddress a = IpAddress::v4(0x0a000001);
  CHECK_FALSE(pool.set_next_hop(a, false, 0));
  const AttributeId one = pool.intern(path(1)), two = pool.intern(path(2));
  CHECK(pool.set_next_hop(a, false, 0));
  CHECK_FALSE(pool.set_next_hop(a, false, 0));
  CHECK_FALSE(pool.next_hop(one).reachable);
  CHECK(pool.set_next_hop(a, true, 30));
  CHECK(pool.next_hop(two).metric == 30);
  pool.release(one);
  pool.release(two);
  CHECK(pool.next_hop(pool.intern(path(1))).metric == 0);
}

TEST_CASE("ten thousand sets come and go in any order, and each is found again") {
  AttributePool pool(99);
  std::mt19937_64 random(1);
  std::vector<std::pair<std::uint32_t, AttributeId>> held;
  for (int i = 0; i < 40000; ++i) {
    if (held.size() > 10000 || (!held.empty() && random() % 3 == 0)) {
      auto& victim = held[random() % held.size()];
      CHECK(pool.attributes(victim.second) == path(victim.first, victim.first % 7));
      pool.release(victim.second);
      victim = held.back();
      held.pop_back();
    } else {
      const auto n = static_cast<std::uint32_t>(random() % 20000);
      held.emplace_back(n, pool.intern(path(n, n % 7)));
    }
  }
  for (const auto& [n, id] : held) {
    const AttributeId again = pool.intern(path(n, n % 7));
    CHECK(again == id);
    pool.release(again);
  }
  for (const auto& [n, id] : held)
    pool.release(id);
  CHECK(pool.size() == 0);
}
