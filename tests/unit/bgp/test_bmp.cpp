// BMP messages where tshark (tests/decoders) does not look closely.
#include <doctest/doctest.h>

#include "bgp/bmp.hpp"
#include "tests/unit/bgp/updates.hpp"

using namespace cgw;
using namespace cgw::bgp;
using namespace cgw::bgp::test;

namespace {

const bmp::WallTime kAt{std::chrono::seconds{7} + std::chrono::microseconds{9}};
const bmp::Peer kPeer{IpAddress::v4(0xa9fe0a01), Asn{64512}, RouterId{1}};
constexpr std::size_t kHeader = 6, kPeerHeader = 42;

// The length fields of the messages in the octets, which they must fill.
std::vector<std::size_t> lengths(const Octets& octets) {
  std::vector<std::size_t> out;
  for (Reader r(octets); r.more();) {
    CHECK(r.u8() == 3);
    out.push_back(r.u32());
    r.sub(out.back() - 5);
    CHECK(r.ok());
  }
  return out;
}

// The UPDATE of a Route Monitoring message, read as the station reads it.
ParsedUpdate monitored(const Octets& message, bool path_ids) {
  UpdateContext c;
  c.families = {true, true};
  c.ebgp = false;
  c.accept_as_sets = true;
  c.add_path_receive = {path_ids, path_ids};
  const auto parsed = parse_update(Bytes(message).subspan(kHeader + kPeerHeader + kHeaderOctets), c);
  REQUIRE(parsed);
  CHECK(parsed->findings.empty());
  return *parsed;
}

}  // namespace

TEST_SUITE("bgp/bmp") {
  TEST_CASE("the reason of a Peer Down is followed by what belongs to it alone [RFC 7854 4.9]") {
    const auto tail = [](const bmp::DownReason& r) {
      const Octets m = bmp::peer_down(kAt, kPeer, r);
      return Octets(m.begin() + kHeader + kPeerHeader, m.end());
    };
    const Notification n{6, 2, {1, 'x'}};
    const auto with = [&](std::uint8_t reason) { return join({{reason}, encode(n)}); };
    CHECK(tail(bmp::NotificationSent{n}) == with(1));
    CHECK(tail(bmp::FsmEvent{18}) == Octets{2, 0, 18});
    CHECK(tail(bmp::NotificationReceived{n}) == with(3));
    CHECK(tail(bmp::ClosedByPeer{}) == Octets{4});
    CHECK(tail(bmp::Deconfigured{}) == Octets{5});
  }

  TEST_CASE("a peer has its address in the last octets, its time to the microsecond, and its views their flags") {
    Octets m = bmp::end_of_rib(kAt, kPeer, Family::V4);
    const Octets expected{0, 0,   0,   0,  0, 0, 0, 0,    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                          0, 169, 254, 10, 1, 0, 0, 0xfc, 0, 0, 0, 0, 1, 0, 0, 0, 7, 0, 0, 0, 9};
    CHECK(Octets(m.begin() + kHeader, m.begin() + kHeader + kPeerHeader) == expected);
    const auto flags = [](bmp::View v, IpAddress a) {
      return bmp::end_of_rib(kAt, {a, Asn{1}, RouterId{1}, v}, Family::V4);
    };
    const IpAddress v6 = IpAddress::v6({0xfd});
    CHECK(flags(bmp::View::AdjRibIn, v6)[kHeader + 1] == 0x80);
    CHECK(flags(bmp::View::AdjRibInPostPolicy, v6)[kHeader + 1] == 0xc0);
    CHECK(flags(bmp::View::AdjRibOutPostPolicy, IpAddress{})[kHeader + 1] == 0x50);
    const Octets loc_rib = flags(bmp::View::LocRib, v6);
    CHECK(loc_rib[kHeader] == 3);
    CHECK(loc_rib[kHeader + 1] == 0);
    CHECK(loc_rib[kHeader + 10] == 0);
  }

  TEST_CASE("many routes take several messages, each whole") {
    std::vector<Nlri> routes;
    for (std::uint32_t i = 0; i < 40000; ++i)
      routes.push_back({Prefix::of(IpAddress::v4(0x0a000000 + (i << 8)), 24), 0});
    PathAttributes a;
    CHECK(lengths(bmp::announced(kAt, kPeer, Family::V4, routes, a, false)).size() == 3);
    CHECK(lengths(bmp::withdrawn(kAt, kPeer, Family::V4, routes, false)).size() > 3);
  }

  TEST_CASE("a route is told with all its attributes as they are, and its path id where there are some") {
    PathAttributes a;
    a.as_path = {{AsPathSegment::Type::ConfedSequence, {Asn{65001}}}, {AsPathSegment::Type::Set, {Asn{1}, Asn{2}}}};
    a.next_hop = IpAddress::v4(0x0a000001);
    a.local_pref = 7;
    a.originator_id = RouterId{9};
    a.cluster_list = {8};
    const std::vector<Nlri> routes{route("10.50.0.0/16", 5)};
    const auto with = monitored(bmp::announced(kAt, kPeer, Family::V4, routes, a, true), true);
    CHECK(with.updates[0].announced == routes);
    CHECK(*with.updates[0].attributes == a);
    a.local_pref.reset();
    const auto without = monitored(bmp::announced(kAt, kPeer, Family::V4, routes, a, false), false);
    CHECK(without.updates[0].announced[0].path_id == 0);
    CHECK_FALSE(without.updates[0].attributes->local_pref.has_value());
  }

  TEST_CASE("a route whose attributes no UPDATE can hold is withdrawn, not told by halves") {
    PathAttributes a;
    a.unknown = {{0xe0, 99, Octets(65500)}, {0xe0, 100, Octets(100)}};
    const std::vector<Nlri> routes{route("10.50.0.0/16")};
    const auto told = monitored(bmp::announced(kAt, kPeer, Family::V4, routes, a, false), false);
    CHECK(told.updates[0].withdrawn == routes);
  }

  TEST_CASE("texts of any length fit their fields") {
    CHECK(lengths(bmp::initiation(std::string(70000, 'x'), "")).front() == kHeader + 4 + 4 + 255);
  }
}
