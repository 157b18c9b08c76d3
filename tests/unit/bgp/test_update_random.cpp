// Every UPDATE that we send reads back clean under the rules that we read others by, and says what was meant: random
// attributes, routes and sessions.
#include <doctest/doctest.h>

#include "bgp/framing.hpp"
#include "tests/support/random_routes.hpp"

using namespace cgw;
using namespace cgw::bgp;
using cgw::test::RandomRoutes;

namespace {

using Type = AsPathSegment::Type;

// The other end: what one sends the other reads.
UpdateContext mirrored(UpdateContext c) {
  std::swap(c.local_as, c.remote_as);
  std::swap(c.add_path_send, c.add_path_receive);
  c.local_address = IpAddress::v4(0x0a000002);
  return c;
}

bool is_confederation(const AsPathSegment& s) {
  return s.type == Type::ConfedSequence || s.type == Type::ConfedSet;
}
bool is_set(const AsPathSegment& s) {
  return s.type == Type::Set || s.type == Type::ConfedSet;
}

// On the wire a segment has at most 255 ASs; where it is cut means nothing.
std::vector<AsPathSegment> joined(const std::vector<AsPathSegment>& path) {
  std::vector<AsPathSegment> out;
  for (const AsPathSegment& s : path) {
    if (out.empty() || out.back().type != s.type) {
      out.push_back(s);
    } else {
      out.back().asns.insert(out.back().asns.end(), s.asns.begin(), s.asns.end());
    }
  }
  return out;
}

// What the neighbor is to know.
PathAttributes meant(PathAttributes a, const UpdateContext& c) {
  if (c.ebgp) {
    std::erase_if(a.as_path, is_confederation);
    a.local_pref.reset();
    a.originator_id.reset();
    a.cluster_list.clear();
  }
  a.as_path = joined(a.as_path);
  return a;
}

void check_announcement(RandomRoutes& random) {
  const UpdateContext c = random.context();
  const Family f = random.one_in(2) ? Family::V4 : Family::V6;
  const PathAttributes a = random.attributes(f, c);
  const auto routes = random.routes(f, c.add_path_send[f], random.one_in(10) ? 3000 : 20);
  const auto messages = encode_announce(routes, f, a, c);
  if (!messages) {
    const bool set = std::ranges::any_of(a.as_path, is_set) && !c.accept_as_sets;
    const bool too_much = messages.error().find("octets, which leaves no room") != std::string::npos;
    CHECK((set || too_much));
    return;
  }
  // RFC 6793 4.2.2: AS4_PATH has no room for confederations, and where their segments stand in it is lost.
  const bool path_kept = c.four_octet_as || std::ranges::none_of(a.as_path, is_confederation);
  std::vector<Nlri> told;
  for (const auto& m : *messages) {
    REQUIRE(m.size() <= c.max_message);
    const auto read = parse_update(Bytes(m).subspan(kHeaderOctets), mirrored(c));
    REQUIRE(read);
    REQUIRE(read->findings.empty());
    REQUIRE(read->updates.size() == 1);
    const Update& u = read->updates[0];
    REQUIRE((u.family == f && u.withdrawn.empty() && u.attributes != nullptr));
    told.insert(told.end(), u.announced.begin(), u.announced.end());
    PathAttributes wanted = meant(a, c), is = *u.attributes;
    is.as_path = joined(is.as_path);
    if (!path_kept) is.as_path = wanted.as_path;
    CHECK(is == wanted);
    // Told on as it was heard it is told the same.
    const auto again = encode_announce(u.announced, f, *u.attributes, c);
    REQUIRE(again);
    CHECK((!path_kept || again->front() == m));
  }
  CHECK(told == routes);
}

void check_withdrawal(RandomRoutes& random) {
  const UpdateContext c = random.context();
  const Family f = random.one_in(2) ? Family::V4 : Family::V6;
  const auto routes = random.routes(f, c.add_path_send[f], random.one_in(4) ? 5000 : 20);
  std::vector<Nlri> told;
  for (const auto& m : encode_withdraw(routes, f, c)) {
    REQUIRE(m.size() <= c.max_message);
    const auto read = parse_update(Bytes(m).subspan(kHeaderOctets), mirrored(c));
    REQUIRE(read);
    CHECK(read->findings.empty());
    REQUIRE(read->updates.size() == 1);
    CHECK(read->updates[0].announced.empty());
    told.insert(told.end(), read->updates[0].withdrawn.begin(), read->updates[0].withdrawn.end());
  }
  CHECK(told == routes);
}

}  // namespace

TEST_SUITE("bgp/update random") {
  TEST_CASE("what is sent reads back clean and as it was meant, whatever it is") {
    RandomRoutes random(2024);
    for (int i = 0; i < 3000; ++i) {
      CAPTURE(i);
      check_announcement(random);
      check_withdrawal(random);
    }
  }

  TEST_CASE("a PREFIX_SID stays within the AS [RFC 8669 8], a set in AS4_PATH is one [RFC 9774 3]") {
    UpdateContext c;
    c.local_as = Asn{65000};
    c.remote_as = Asn{64512};
    PathAttributes a;
    a.as_path = {{Type::Sequence, {Asn{65000}}}};
    a.next_hop = IpAddress::v4(0x0b000001);
    a.unknown = {{0xe0, 40, {1, 0, 7, 0, 0, 0, 0, 0, 0, 1}}, {0xe0, 99, {1}}};
    const std::vector<Nlri> routes{{Prefix::of(IpAddress::v4(0x0c000000), 8), 0}};
    const auto told = [&] {
      const auto m = encode_announce(routes, Family::V4, a, c);
      return parse_update(Bytes(m.value().front()).subspan(kHeaderOctets), mirrored(c)).value();
    };
    CHECK(told().updates[0].attributes->unknown.size() == 1);
    c.ebgp = false;
    c.remote_as = c.local_as;
    CHECK(told().updates[0].attributes->unknown == a.unknown);

    c.four_octet_as = false;
    c.accept_as_sets = true;
    a.as_path.push_back({Type::Set, {Asn{70000}}});
    const auto m = encode_announce(routes, Family::V4, a, c).value();
    UpdateContext strict = mirrored(c);
    strict.accept_as_sets = false;
    const auto read = parse_update(Bytes(m.front()).subspan(kHeaderOctets), strict);
    REQUIRE(read);
    CHECK(read->updates[0].withdrawn == routes);
    const bool named = std::ranges::any_of(read->findings, [](const Finding& f) { return f.attribute == 17; });
    CHECK(named);
  }
}
