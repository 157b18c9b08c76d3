#include <doctest/doctest.h>

#include "tests/unit/bgp/bench.hpp"

using namespace cgw;
using namespace cgw::bgp;
using namespace cgw::bgp::test;

namespace {

// Version 4, AS 64512, hold 30, ID 169.254.10.1, then the optional parameters.
Octets open_body(const Octets& params) {
  Octets out{4, 0xfc, 0x00, 0, 30, 169, 254, 10, 1, static_cast<std::uint8_t>(params.size())};
  out.insert(out.end(), params.begin(), params.end());
  return out;
}

Octets with(Octets body, std::size_t at, Octets value) {
  for (std::size_t i = 0; i < value.size(); ++i)
    body[at + i] = value[i];
  return body;
}

}  // namespace

TEST_SUITE("bgp/open") {
  TEST_CASE("our OPEN is these octets [RFC 4271 4.2, 5492 4, 4760 8, 2918 2, 6793 3]") {
    const Octets golden{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                        0xff, 0,    45,   1,    4,    0xfd, 0xe8, 0,    30,   10,   0,    0,    1,    16,   2,
                        14,   1,    4,    0,    1,    0,    1,    2,    0,    65,   4,    0,    0,    0xfd, 0xe8};
    CHECK(plain_open(65000, Seconds{30}, 0x0a000001) == golden);
  }

  TEST_CASE("an AS that needs four octets shows as AS_TRANS to old speakers [RFC 6793 4.1]") {
    const auto wire = plain_open(4200000001, Seconds{90}, 1);
    CHECK(wire[20] == 0x5b);
    CHECK(wire[21] == 0xa0);  // 23456
    const auto open = parse_open(Bytes(wire).subspan(kHeaderOctets));
    REQUIRE(open);
    CHECK(open->asn == Asn{4200000001});
    CHECK(open->hold_time == Seconds{90});
    CHECK(open->router_id == RouterId{1});
    CHECK(open->capabilities.families.v4);
    CHECK(open->capabilities.route_refresh);
    CHECK(open->capabilities.four_octet_as);
  }

  TEST_CASE("an OPEN without optional parameters is an old speaker's") {
    const auto open = parse_open(open_body({}));
    REQUIRE(open);
    CHECK(open->asn == Asn{64512});
    CHECK(open->hold_time == Seconds{30});
    CHECK_FALSE(open->capabilities.four_octet_as);
    CHECK_FALSE(open->capabilities.any_multiprotocol);
  }

  TEST_CASE("several capabilities parameters and unknown capabilities are taken [RFC 5492 3]") {
    const auto open = parse_open(open_body({2, 6,  1,   4, 0, 1, 0,  1,  //
                                            2, 5,  64,  3, 1, 2, 3,      // graceful restart, cut
                                            2, 10, 200, 2, 9, 9, 65, 4, 0, 1, 0, 0}));
    REQUIRE(open);
    CHECK(open->capabilities.families.v4);
    CHECK(open->capabilities.four_octet_as);
    CHECK(open->asn == Asn{65536});
    CHECK(open->capabilities.unknown == Octets{64, 200});
    CHECK_FALSE(open->capabilities.graceful_restart);
  }

  TEST_CASE("the extended optional parameters length is read, long or short [RFC 9072 2]") {
    const Octets inner{2, 0, 6, 65, 4, 0, 1, 0, 0};  // type, two octets of length
    Octets body{4, 0xfc, 0x00, 0, 30, 169, 254, 10, 1, 255, 255, 0, static_cast<std::uint8_t>(inner.size())};
    body.insert(body.end(), inner.begin(), inner.end());
    const auto open = parse_open(body);
    REQUIRE(open);
    CHECK(open->asn == Asn{65536});
    for (std::size_t n = 0; n < body.size(); ++n)
      CHECK_FALSE(parse_open(Bytes(body).first(n)));
  }

  TEST_CASE("one broken field each: the answer names it [RFC 4271 6.2]") {
    const Octets good = open_body({2, 6, 65, 4, 0, 0, 0xfc, 0});
    REQUIRE(parse_open(good));
    struct Row {
      const char* what;
      Octets body;
      std::uint8_t subcode;
      Octets data;
    };
    const Row rows[] = {
        {"version 3", with(good, 0, {3}), 1, {0, 4}},
        {"version 5", with(good, 0, {5}), 1, {0, 4}},
        {"hold time 1", with(good, 3, {0, 1}), 6, {}},
        {"hold time 2", with(good, 3, {0, 2}), 6, {}},
        {"identifier 0", with(good, 5, {0, 0, 0, 0}), 3, {}},
        {"AS 0 in the capability", with(good, 14, {0, 0, 0, 0}), 2, {}},
        {"unknown parameter", with(good, 10, {3}), 4, {}},
        {"parameter overruns", with(good, 11, {7}), 0, {}},
        {"capability overruns", with(good, 13, {5}), 0, {}},
        {"length too short", with(good, 9, {7}), 0, {}},
        {"length too long", with(good, 9, {9}), 0, {}},
    };
    for (const auto& row : rows) {
      INFO(row.what);
      const auto r = parse_open(row.body);
      REQUIRE_FALSE(r);
      CHECK(r.error().notification == Notification{2, row.subcode, row.data});
      CHECK_FALSE(r.error().why.empty());
    }
  }

  TEST_CASE("AS 0 from an old speaker is refused [RFC 7607 2]") {
    const auto r = parse_open(with(open_body({}), 1, {0, 0}));
    REQUIRE_FALSE(r);
    CHECK(r.error().notification.subcode == 2);
  }

  TEST_CASE("hold time 0 and 3 are legal") {
    CHECK(parse_open(with(open_body({}), 3, {0, 0}))->hold_time == Seconds{0});
    CHECK(parse_open(with(open_body({}), 3, {0, 3}))->hold_time == Seconds{3});
  }

  TEST_CASE("every truncation of an OPEN is refused") {
    const Octets good = open_body({2, 6, 65, 4, 0, 0, 0xfc, 0});
    for (std::size_t n = 0; n < good.size(); ++n)
      CHECK_FALSE(parse_open(Bytes(good).first(n)));
  }
}
