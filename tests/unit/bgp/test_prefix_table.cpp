#include <doctest/doctest.h>

#include <map>
#include <random>

#include "bgp/prefix_table.hpp"

using namespace cgw;
using namespace cgw::bgp;

namespace {

Prefix random_prefix(Family f, std::mt19937& random) {
  if (f == Family::V4) {
    return Prefix::of(IpAddress::v4(static_cast<std::uint32_t>(random()) & 0x00ffff0f),
                      static_cast<std::uint8_t>(random() % 33));
  }
  std::array<std::uint8_t, 16> octets{0x20, 0x01};
  octets[7] = static_cast<std::uint8_t>(random());
  octets[8] = static_cast<std::uint8_t>(random());
  octets[15] = static_cast<std::uint8_t>(random() % 4);
  return Prefix::of(IpAddress::v6(octets), static_cast<std::uint8_t>(random() % 129));
}

}  // namespace

TEST_CASE("the same address with another length is another prefix") {
  PrefixTable t(Family::V4, 1);
  const auto a = t.insert(Prefix::parse("10.0.0.0/8").value()), b = t.insert(Prefix::parse("10.0.0.0/9").value());
  CHECK(a != b);
  CHECK(t.insert(Prefix::parse("10.0.0.0/8").value()) == a);
  CHECK(t.find(Prefix::parse("10.0.0.0/10").value()) == std::nullopt);
  CHECK(t.find(Prefix::parse("2001:db8::/32").value()) == std::nullopt);
  CHECK(t.size() == 2);
}

TEST_CASE("prefixes come and go in any order, and each keeps its number while it is there") {
  for (const Family f : {Family::V4, Family::V6}) {
    PrefixTable t(f, 42);
    std::mt19937 random(7);
    std::map<Prefix, PrefixId> reference;
    for (int i = 0; i < 60000; ++i) {
      const Prefix p = random_prefix(f, random);
      const auto it = reference.find(p);
      if (it == reference.end()) {
        REQUIRE(t.find(p) == std::nullopt);
        reference[p] = t.insert(p).value();
      } else {
        REQUIRE(t.find(p) == it->second);
        REQUIRE(t.prefix(it->second) == p);
        if (random() % 2 == 0) {
          t.erase(it->second);
          reference.erase(it);
        }
      }
    }
    CHECK(t.size() == reference.size());
    for (const auto& [p, id] : reference)
      CHECK(t.find(p) == id);
    for (const auto& [p, id] : reference)
      t.erase(id);
    CHECK(t.size() == 0);
    CHECK(t.limit() <= 60000);
  }
}

TEST_CASE("a number that was given back is used again, so the numbers stay dense") {
  PrefixTable t(Family::V4, 1);
  for (std::uint32_t round = 0; round < 100; ++round) {
    const auto id = t.insert(Prefix::of(IpAddress::v4(round << 16), 24));
    CHECK(id == PrefixId{0});
    CHECK(t.in_use(*id));
    t.erase(*id);
    CHECK_FALSE(t.in_use(*id));
  }
  CHECK(t.limit() == 1);
}
