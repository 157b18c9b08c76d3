#include <doctest/doctest.h>

#include "tests/unit/bgp/bench.hpp"

using namespace cgw;
using namespace cgw::bgp;
using namespace cgw::bgp::test;

namespace {

// All that there is.
Capabilities everything() {
  Capabilities c = default_capabilities();
  c.families = {true, true};
  c.enhanced_route_refresh = c.extended_messages = c.extended_next_hop = true;
  c.role = Role::Customer;
  c.add_path = {AddPath::Both, AddPath::Receive};
  c.graceful_restart = GracefulRestart{
      .restarted = true, .notification = true, .restart_time = Seconds{120}, .forwarding = {true, false}};
  c.long_lived.v4 = LongLived{.forwarding = true, .stale_time = Seconds{86400}};
  c.hostname = "cgw-1";
  c.domain = "example.net";
  return c;
}

Open open_with(Capabilities c) {
  return {.asn = Asn{64512}, .hold_time = Seconds{30}, .router_id = RouterId{1}, .capabilities = std::move(c)};
}

Open round(const Open& o) {
  const auto wire = encode_open(o);
  const auto back = parse_open(Bytes(wire).subspan(kHeaderOctets));
  REQUIRE(back);
  return *back;
}

// One capability as a neighbor sends it.
Capabilities read(std::uint8_t code, const Octets& value) {
  Capabilities c;
  Asn asn;
  CHECK(read_capability(code, value, c, asn));
  return c;
}

Octets written(const Capabilities& c) {
  return write_capabilities(c, Asn{64512});
}

}  // namespace

TEST_SUITE("bgp/capabilities") {
  TEST_CASE("what is written reads back") {
    CHECK(round(open_with(everything())) == open_with(everything()));
    CHECK(round(open_with({})) == open_with({}));
  }

  TEST_CASE("each capability is these octets") {
    const auto one = [](auto set) {
      Capabilities c;
      set(c);
      return written(c);
    };
    CHECK(one([](Capabilities& c) { c.families.v6 = true; }) == Octets{1, 4, 0, 2, 0, 1});  // RFC 4760 8
    CHECK(one([](Capabilities& c) { c.route_refresh = true; }) == Octets{2, 0});            // RFC 2918 2
    CHECK(one([](Capabilities& c) { c.extended_next_hop = true; }) ==                       // RFC 8950 4
          Octets{5, 6, 0, 1, 0, 1, 0, 2});
    CHECK(one([](Capabilities& c) { c.extended_messages = true; }) == Octets{6, 0});  // RFC 8654 3
    CHECK(one([](Capabilities& c) { c.role = Role::Peer; }) == Octets{9, 1, 4});      // RFC 9234 4.1
    CHECK(one([](Capabilities& c) {                                                   // RFC 4724 3, 8538 2
            c.graceful_restart = GracefulRestart{
                .restarted = true, .notification = true, .restart_time = Seconds{120}, .forwarding = {true, {}}};
          }) == Octets{64, 6, 0xc0, 120, 0, 1, 1, 0x80});
    CHECK(one([](Capabilities& c) { c.four_octet_as = true; }) == Octets{65, 4, 0, 0, 0xfc, 0});      // RFC 6793 3
    CHECK(one([](Capabilities& c) { c.add_path.v4 = AddPath::Send; }) == Octets{69, 4, 0, 1, 1, 2});  // RFC 7911 4
    CHECK(one([](Capabilities& c) { c.enhanced_route_refresh = true; }) == Octets{70, 0});            // RFC 7313 3.1
    CHECK(one([](Capabilities& c) {                                                                   // RFC 9494 3.1
            c.graceful_restart = GracefulRestart{};
            c.long_lived.v6 = LongLived{.forwarding = false, .stale_time = Seconds{0x010203}};
          }) == Octets{64, 2, 0, 0, 71, 7, 0, 2, 1, 0, 1, 2, 3});
    CHECK(one([](Capabilities& c) { c.hostname = "a"; }) == Octets{73, 3, 1, 'a', 0});
  }

  TEST_CASE("long-lived graceful restart goes with graceful restart or not at all [RFC 9494 3.1, 4.5]") {
    Capabilities c;
    c.long_lived.v4 = LongLived{};
    CHECK(written(c).empty());
    Capabilities us = everything(), them = everything();
    them.graceful_restart.reset();
    CHECK_FALSE(negotiate(open_with(us), open_with(them)).long_lived.v4);
    CHECK(negotiate(open_with(us), open_with(everything())).long_lived.v4);
  }

  TEST_CASE("a malformed one that the session can do without is passed over") {
    const std::pair<std::uint8_t, Octets> rows[] = {
        {5, {0, 1, 0, 1}},  {6, {1}},           {9, {}},
        {9, {5}},           {9, {0, 0}},        {64, {1}},
        {64, {0, 1, 0, 1}}, {69, {0, 1, 1, 0}}, {69, {0, 1, 1, 4}},
        {69, {0, 1, 1}},    {70, {1}},          {71, {0, 1, 1, 0}},
        {73, {5, 'a'}},     {73, {}},           {200, {1, 2}},
    };
    for (const auto& [code, value] : rows) {
      INFO("capability " << int{code} << " of " << value.size() << " octets");
      Capabilities nothing;
      nothing.unknown = {code};
      CHECK(read(code, value) == nothing);
    }
  }

  TEST_CASE("a malformed one that the session depends on is an error") {
    Capabilities c;
    Asn asn;
    for (const auto& [code, value] : {std::pair<std::uint8_t, Octets>{1, {0, 1, 0}},
                                      {1, {0, 1, 0, 1, 0}},
                                      {2, {0}},
                                      {65, {0, 0, 1}},
                                      {65, {0, 0, 0, 1, 0}}})
      CHECK_FALSE(read_capability(code, value, c, asn));
  }

  TEST_CASE("families nobody knows are passed over within a capability") {
    CHECK(read(1, {0, 25, 0, 65}).any_multiprotocol);
    CHECK(read(1, {0, 25, 0, 65}).families == PerFamily<bool>{});
    CHECK(read(64, {0, 90, 0, 25, 65, 0x80, 0, 1, 1, 0}).graceful_restart->forwarding ==
          PerFamily<std::optional<bool>>{false, {}});
    CHECK(read(69, {0, 25, 65, 3, 0, 2, 1, 1}).add_path == PerFamily<AddPath>{AddPath::None, AddPath::Receive});
    CHECK(read(5, {0, 1, 0, 128, 0, 2}).extended_next_hop == false);
    CHECK(read(5, {0, 1, 0, 128, 0, 2, 0, 1, 0, 1, 0, 2}).extended_next_hop);
  }

  TEST_CASE("of several graceful restart capabilities the last counts [RFC 4724 3]") {
    Capabilities c;
    Asn asn;
    read_capability(64, Octets{0, 10}, c, asn);
    read_capability(64, Octets{0, 20}, c, asn);
    CHECK(c.graceful_restart->restart_time == Seconds{20});
  }

  TEST_CASE("more than 255 octets of capabilities take the extended form, fewer the plain one [RFC 9072 2]") {
    CHECK(encode_open(open_with(everything()))[kHeaderOctets + 9] < 255);
    Capabilities c = everything();
    c.hostname = c.domain = std::string(64, 'x');
    auto wire = encode_open(open_with(c));
    CHECK(wire[kHeaderOctets + 9] != 255);
    // A neighbor may send more: 130 capabilities that nobody knows, in one parameter.
    Octets params{2};
    Writer w(params);
    w.u16(260);
    for (int i = 0; i < 130; ++i)
      w.u16(0xc800);
    for (const std::uint8_t plain : {std::uint8_t{255}, std::uint8_t{1}, std::uint8_t{0x14}}) {
      Octets body{4, 0xfc, 0, 0, 30, 169, 254, 10, 1, plain, 255};
      Writer(body).u16(static_cast<std::uint16_t>(params.size()));
      body.insert(body.end(), params.begin(), params.end());
      const auto open = parse_open(body);
      REQUIRE(open);
      CHECK(open->capabilities.unknown.size() == 130);
    }
  }

  TEST_CASE("type 255 is the extended form only in the first place [RFC 9072 3]") {
    const auto r = parse_open(Octets{4, 0xfc, 0, 0, 30, 169, 254, 10, 1, 6, 2, 2, 70, 0, 255, 0});
    REQUIRE_FALSE(r);
    CHECK(r.error().notification.subcode == 4);
  }
}

TEST_SUITE("bgp/negotiated") {
  TEST_CASE("what both can do is what is done") {
    const Open us = open_with(everything());
    Negotiated n = negotiate(us, us);
    CHECK(n.families == PerFamily<bool>{true, true});
    CHECK(n.four_octet_as);
    CHECK(n.route_refresh);
    CHECK(n.enhanced_route_refresh);
    CHECK(n.extended_messages);
    CHECK(n.extended_next_hop);
    CHECK(n.graceful_notification);
    CHECK(n.retains(Family::V4));
    CHECK(n.hostname == "cgw-1");
    n = negotiate(us, open_with({}));
    // A speaker without any capability is one of RFC 4271's: IPv4 unicast.
    CHECK(n.families == PerFamily<bool>{true, false});
    CHECK_FALSE(n.four_octet_as);
    CHECK_FALSE(n.extended_messages);
    CHECK_FALSE(n.graceful_restart);
    n = negotiate(open_with(default_capabilities()), us);
    CHECK(n.families == PerFamily<bool>{true, false});
    CHECK_FALSE(n.enhanced_route_refresh);
    CHECK_FALSE(n.graceful_restart);
  }

  TEST_CASE("one sends paths where the other receives them [RFC 7911 4]") {
    const auto with = [](AddPath a) {
      Capabilities c = default_capabilities();
      c.add_path.v4 = a;
      return open_with(c);
    };
    CHECK(negotiate(with(AddPath::Receive), with(AddPath::Send)).add_path_receive.v4);
    CHECK_FALSE(negotiate(with(AddPath::Receive), with(AddPath::Send)).add_path_send.v4);
    CHECK(negotiate(with(AddPath::Both), with(AddPath::Receive)).add_path_send.v4);
    CHECK_FALSE(negotiate(with(AddPath::Both), with(AddPath::Receive)).add_path_receive.v4);
    CHECK_FALSE(negotiate(with(AddPath::Receive), with(AddPath::Receive)).add_path_receive.v4);
    // Not of a family that is not spoken.
    Open v6 = with(AddPath::Both);
    v6.capabilities.families = {false, true};
    CHECK_FALSE(negotiate(v6, with(AddPath::Both)).add_path_send.v4);
  }

  TEST_CASE("the roles that correspond [RFC 9234 4.2, Table 2]") {
    constexpr Role kAll[] = {Role::Provider, Role::RouteServer, Role::RouteServerClient, Role::Customer, Role::Peer};
    int pairs = 0;
    for (const Role a : kAll) {
      for (const Role b : kAll) {
        CHECK(correspond(a, b) == correspond(b, a));
        pairs += correspond(a, b) ? 1 : 0;
      }
    }
    CHECK(pairs == 5);
    CHECK(correspond(Role::Provider, Role::Customer));
    CHECK(correspond(Role::RouteServer, Role::RouteServerClient));
    CHECK(correspond(Role::Peer, Role::Peer));
  }

  TEST_CASE("a name from a neighbor is made printable") {
    Capabilities c = default_capabilities();
    c.hostname = "a\nb";
    CHECK(negotiate(open_with(default_capabilities()), open_with(c)).hostname == "a\\x0ab");
  }
}
