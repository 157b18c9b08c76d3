// MRT records octet by octet where others' decoders do not look; tests/decoders has bgpdump read whole files.
#include <doctest/doctest.h>

#include "bgp/mrt.hpp"
#include "tests/unit/bgp/updates.hpp"

using namespace cgw;
using namespace cgw::bgp;
using namespace cgw::bgp::test;

namespace {

const mrt::WallTime kAt{std::chrono::seconds{0x01020304} + std::chrono::microseconds{5}};
const mrt::Link kLink{Asn{65000}, Asn{64512}, IpAddress::v4(0xa9fe0a02), IpAddress::v4(0xa9fe0a01), 7};

unsigned subtype(const mrt::Octets& record) {
  return static_cast<unsigned>(record[6] << 8 | record[7]);
}
Octets message_of(const Octets& body) {
  return frame(MessageType::Update, body);
}
unsigned subtype_of(const UpdateContext& c, const Octets& body, mrt::Direction d = mrt::Direction::Received) {
  return subtype(mrt::message(kAt, kLink, d, c, message_of(body)));
}

}  // namespace

TEST_SUITE("bgp/mrt") {
  TEST_CASE("a change of state has the time to the microsecond, both ends and both states [RFC 6396 3, 4.4.1]") {
    const Octets expected{1,   2,   3,    4, 0,   17,  0,    5,    0, 0, 0, 28, 0, 0, 0, 5,  // header
                          0,   0,   0xfc, 0, 0,   0,   0xfd, 0xe8, 0, 7, 0, 1,               // ASs, interface, AFI
                          169, 254, 10,   1, 169, 254, 10,   2,    0, 6, 0, 1};
    CHECK(mrt::state_change(kAt, kLink, State::Established, State::Idle) == expected);
  }

  TEST_CASE("a message is kept as it was, its size counted with the microseconds") {
    const Octets whole = message_of(update({kOrigin, kPath, kNextHop}));
    const auto record = mrt::message(kAt, kLink, mrt::Direction::Received, kEbgp, whole);
    CHECK(record.size() == 12 + 4 + 20 + whole.size());
    CHECK(record[11] == 4 + 20 + whole.size());
    CHECK(Octets(record.end() - static_cast<std::ptrdiff_t>(whole.size()), record.end()) == whole);
  }

  TEST_CASE("addresses of a session have the neighbor's family, also while ours is not known") {
    const mrt::Link link{Asn{1}, Asn{2}, IpAddress{}, IpAddress::parse("fd00::1").value(), 0};
    CHECK(mrt::state_change(kAt, link, State::Idle, State::Connect).size() == 12 + 4 + 8 + 4 + 32 + 4);
  }

  TEST_CASE("the subtype tells the size of AS numbers, who sent it and whether there are path ids [RFC 8050 3]") {
    const Octets v4 = update({kOrigin, kPath, kNextHop});
    CHECK(subtype_of(kEbgp, v4) == 4);
    CHECK(subtype_of(kEbgp, v4, mrt::Direction::Sent) == 7);
    CHECK(subtype_of(old_speaker(), v4) == 1);
    CHECK(subtype_of(old_speaker(), v4, mrt::Direction::Sent) == 6);
    UpdateContext c = both_families();
    c.add_path_receive = {true, false};
    CHECK(subtype_of(c, v4) == 9);
    CHECK(subtype_of(c, v4, mrt::Direction::Sent) == 7);
    // The other family of the same session has none.
    CHECK(subtype_of(c, update({reach6(kHop6, kNlri6), kOrigin, kPath}, {})) == 4);
    CHECK(subtype_of(c, update({{0x80, 15, 3, 0, 2, 1}}, {})) == 4);
    CHECK(subtype(mrt::message(kAt, kLink, mrt::Direction::Received, c, frame(MessageType::Keepalive, {}))) == 4);
    c.add_path_receive = {};
    c.add_path_send = {true, true};
    CHECK(subtype_of(c, v4, mrt::Direction::Sent) == 11);
    c.four_octet_as = false;
    CHECK(subtype_of(c, v4, mrt::Direction::Sent) == 10);
    std::swap(c.add_path_receive, c.add_path_send);
    CHECK(subtype_of(c, v4) == 8);
  }

  TEST_CASE("an UPDATE that ends early has no path ids to speak of") {
    UpdateContext c = both_families();
    c.add_path_receive = {true, true};
    for (const Octets& body : {Octets{}, Octets{0}, Octets{0xff, 0xff}, Octets{0, 0, 0, 9, 0x90, 14}})
      CHECK(mrt::message(kAt, kLink, mrt::Direction::Received, c, message_of(body)).size() > 32);
    CHECK(mrt::message(kAt, kLink, mrt::Direction::Received, c, Octets{1}).size() == 12 + 4 + 20 + 1);
  }

  TEST_CASE("a route that no record can hold is left out, the others are not") {
    PathAttributes small, large;
    large.unknown = {{0xe0, 99, Octets(65500)}, {0xe0, 100, Octets(100)}};
    const std::vector<mrt::Route> routes{{0, 0, 0, large}, {1, 0, 0, small}};
    const auto record = mrt::rib_entry(kAt, 1, kRoute.prefix, routes);
    // Header, sequence, prefix, count, then one entry: index, time, length, ORIGIN, AS_PATH, NEXT_HOP.
    CHECK(record.size() == 12 + 4 + 3 + 2 + 8 + 4 + 3 + 7);
    CHECK(record[20] == 1);
    CHECK(record[22] == 1);
  }
}
