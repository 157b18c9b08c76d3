#include <doctest/doctest.h>

#include "kernel/fib_message.hpp"
#include "kernel/fib_table.hpp"
#include "kernel/icmp_packet.hpp"
#include "kernel/mss_table.hpp"

using namespace cgw;
using namespace cgw::kernel;
using namespace cgw::kernel::fib;
using rib::ExitId, rib::GroupId;

namespace {

struct Collector final : Sink {
  void emit(Op op) override { ops.push_back(std::move(op)); }
  void settle() override {}
  void problem(KernelError error) override { problems.push_back(std::move(error)); }
  std::vector<Op> take() { return std::exchange(ops, {}); }
  std::vector<Op> ops;
  std::vector<KernelError> problems;
};

ExitState exit_state(int index) {
  return {IfIndex{index}, IpAddress::v4(0xA9FE0000u + static_cast<unsigned>(index))};
}
rib::GroupSet group(std::vector<ExitId> active) {
  return {GroupId{1}, {ExitId{1}, ExitId{2}}, std::move(active)};
}
const Prefix kPrefix = *Prefix::parse("10.9.0.0/16");

}  // namespace

TEST_CASE("a verdict is one request whatever the number of prefixes, and saying it again is none") {
  Table table(Family::V6);
  Collector sink;
  table.set_exit(ExitId{1}, exit_state(1), sink);
  table.set_exit(ExitId{2}, exit_state(2), sink);
  rib::PlanChanges all{group({ExitId{1}})};
  for (std::uint32_t i = 0; i < 100; ++i)
    all.push_back(rib::RouteSet{Prefix::of(IpAddress::v4(0x0A000000u + (i << 8)), 24), GroupId{1}, rib::Protocol::Bgp});
  table.apply(all, sink);
  CHECK(sink.take().size() == 2 + 1 + 2 * 100);
  CHECK(table.held_routes() == 100);
  table.apply({group({ExitId{2}})}, sink);
  const auto ops = sink.take();
  REQUIRE(ops.size() == 1);
  CHECK(std::get<NexthopOp>(ops[0]).put == Put::Replace);
  table.apply({group({ExitId{2}})}, sink);
  CHECK(sink.take().empty());
}

TEST_CASE("a group that the kernel lost is made anew, and its routes with it") {
  Table table(Family::V6);
  Collector sink;
  table.set_exit(ExitId{1}, exit_state(1), sink);
  table.apply({group({ExitId{1}}), rib::RouteSet{kPrefix, GroupId{1}, rib::Protocol::Bgp}}, sink);
  sink.take();
  table.nexthops_seen({});
  CHECK(table.held_routes() == 0);
  table.repair(sink);
  const auto ops = sink.take();
  REQUIRE(ops.size() == 3);
  CHECK(std::get<NexthopOp>(ops[1]).put == Put::New);
  CHECK(std::get<RouteOp>(ops[2]).put == Put::New);
}

TEST_CASE("messages read back as what they were built from") {
  const Nexthop way{.exit = exit_state(3)}, hole{.blackhole = true}, both{.members = {kNexthopIdFirst, kBlackholeId}};
  for (const auto& n : {way, hole, both}) {
    const auto m = put_nexthop(kGroupIdFirst, n, Put::New);
    const auto read = read_nexthop(nlmsg_hdr(m.get()));
    REQUIRE(read);
    CHECK(read->nexthop == n);
  }
  const auto m = put_route(kPrefix, kGroupIdFirst, Put::Set);
  const auto read = read_route(nlmsg_hdr(m.get()));
  REQUIRE(read);
  CHECK(read->prefix == kPrefix);
  CHECK(read->nexthop_id == kGroupIdFirst);
  const auto foreign = put_route(kPrefix, 7, Put::Set);
  CHECK_FALSE(read_route(nlmsg_hdr(foreign.get())));
}

TEST_CASE("[RFC 792] an echo reply is known by checksum, type and cookie") {
  const icmp::Cookie cookie{1, 2, 3};
  auto p = icmp::request(Family::V4, 9, cookie, {.tunnel = 3, .sequence = 65535});
  CHECK(icmp::checksum(p) == 0);
  CHECK_FALSE(icmp::read_reply(Family::V4, cookie, p));  // a request
  p[0] = 0;
  CHECK_FALSE(icmp::read_reply(Family::V4, cookie, p));  // checksum
  p[2] = static_cast<std::uint8_t>(p[2] + 8);
  const auto echo = icmp::read_reply(Family::V4, cookie, p);
  REQUIRE(echo);
  CHECK(echo->tunnel == 3);
  CHECK(echo->sequence == 65535);
  CHECK_FALSE(icmp::read_reply(Family::V4, icmp::Cookie{}, p));
}

TEST_CASE("[RFC 792] ICMP that quotes our IKE or ESP says whose host has nobody for it") {
  const IpAddress peer = *IpAddress::parse("203.0.113.10");
  const auto quote = [&](std::uint8_t type, std::uint8_t code, std::uint8_t protocol, std::uint16_t port) {
    std::vector<std::uint8_t> m{type, code, 0, 0, 0,  0,        0, 0, 0x45, 0,  0,   60,
                                0,    0,    0, 0, 64, protocol, 0, 0, 198,  51, 100, 2};
    m.insert(m.end(), peer.bytes().begin(), peer.bytes().end());
    m.insert(m.end(),
             {static_cast<std::uint8_t>(port >> 8), static_cast<std::uint8_t>(port & 0xff), 1, 244, 0, 40, 0, 0});
    return m;
  };
  CHECK(icmp::refused_by(Family::V4, quote(3, 3, 17, 500)) == peer);
  CHECK(icmp::refused_by(Family::V4, quote(3, 3, 17, 4500)) == peer);
  CHECK(icmp::refused_by(Family::V4, quote(3, 2, 50, 0)) == peer);
  CHECK_FALSE(icmp::refused_by(Family::V4, quote(3, 3, 17, 53)));   // another program's
  CHECK_FALSE(icmp::refused_by(Family::V4, quote(3, 4, 17, 500)));  // fragmentation needed
  CHECK_FALSE(icmp::refused_by(Family::V4, quote(3, 1, 17, 500)));  // a router's: the way is down
  CHECK_FALSE(icmp::refused_by(Family::V4, quote(11, 0, 17, 500)));
  CHECK_FALSE(icmp::refused_by(Family::V6, quote(3, 3, 17, 500)));
  const auto whole = quote(3, 3, 17, 500);
  for (std::size_t n = 0; n < 8 + 20 + 2; ++n)
    CHECK_FALSE(icmp::refused_by(Family::V4, std::span(whole).first(n)));

  const IpAddress peer6 = *IpAddress::parse("2001:db8::10");
  std::vector<std::uint8_t> v6{1, 4, 0, 0, 0, 0, 0, 0, 0x60, 0, 0, 0, 0, 20, 17, 64};
  v6.resize(8 + 24);
  v6.insert(v6.end(), peer6.bytes().begin(), peer6.bytes().end());
  v6.insert(v6.end(), {0x01, 0xf4, 0x01, 0xf4});
  CHECK(icmp::refused_by(Family::V6, v6) == peer6);
  v6[1] = 3;  // address unreachable
  CHECK_FALSE(icmp::refused_by(Family::V6, v6));
  CHECK_FALSE(icmp::refused_by(Family::V6, std::span(v6).first(8 + 39)));
}

TEST_CASE("an interface name that would break out of its quotes is refused") {
  CHECK(mss_ruleset({{"cgw1", {1300, 0}}}));
  CHECK_FALSE(mss_ruleset({{"a\" drop", {1300, 0}}}));
  CHECK_FALSE(mss_ruleset({{"cgw*", {1300, 0}}}));
}

TEST_CASE("an interface with another MSS moves between sets; where sets come or go the table is written anew") {
  const ClampedLink small{.mss_v4 = 1300, .mss_v6 = 1280}, large{.mss_v4 = 1359, .mss_v6 = 1339};
  const ClampedLinks before{{"a", small}, {"b", small}, {"c", large}};
  CHECK(mss_moves(before, {{"a", small}, {"b", large}, {"c", large}}) ==
        "delete element inet cgwd links_1300_1280 { \"b\" }\nadd element inet cgwd links_1359_1339 { \"b\" }\n");
  CHECK(mss_moves(before, {{"a", small}, {"c", large}, {"d", large}}) ==
        "delete element inet cgwd links_1300_1280 { \"b\" }\nadd element inet cgwd links_1359_1339 { \"d\" }\n");
  CHECK(mss_moves(before, {{"a", small}, {"b", small}, {"c", small}}).empty());
  CHECK(mss_moves({}, before).empty());
  CHECK(mss_moves(before, before).empty());
}

TEST_CASE("interfaces with one MSS share a set, and the rules do not grow with their number") {
  const auto count = [](const std::string& text, std::string_view word) {
    std::size_t n = 0;
    for (auto at = text.find(word); at != std::string::npos; at = text.find(word, at + 1))
      ++n;
    return n;
  };
  std::map<std::string, ClampedLink> links;
  for (int i = 0; i < 100; ++i)
    links["t" + std::to_string(i)] = {.mss_v4 = 1359, .mss_v6 = 1339};
  links["other"] = {.mss_v4 = 1300, .mss_v6 = 0};
  const auto text = mss_ruleset(links).value();
  CHECK(text.find("set links_1300_0 {\n    type ifname\n    elements = { \"other\" }") != std::string::npos);
  CHECK(count(text, "\"t99\"") == 1);
  CHECK(count(text, "maxseg size set 1359") == 4);  // in and out, forwarded and our own
  CHECK(count(text, "maxseg size set 1339") == 4);
  CHECK(count(text, "@links_1300_0 tcp option maxseg size set 1300") == 4);
}
