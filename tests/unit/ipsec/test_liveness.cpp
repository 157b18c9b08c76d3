#include <doctest/doctest.h>

#include <algorithm>

#include "ipsec/payload.hpp"
#include "tests/support/peer_pair.hpp"

namespace cgw {
namespace {

using namespace ipsec;
using test::PeerPair;

constexpr int kA = 0;
constexpr int kB = 1;

// The other end asks nothing by itself.
PeerPair established() {
  PeerConfig b = test::right_peer();
  b.dpd_interval = Seconds{1000};
  PeerPair p(test::left_peer(), b);
  p.start();
  REQUIRE(p.up(0));
  REQUIRE(p.up(kB));
  p.sent.clear();
  return p;
}

Header header_of(const PeerPair::Sent& s) {
  return *parse_header(s.as_received.message);
}

std::vector<Millis> times_of(const PeerPair& p, TimePoint start, int from, bool init) {
  std::vector<Millis> out;
  for (const auto& s : p.sent) {
    if (s.from == from && (header_of(s).exchange == Exchange::IkeSaInit) == init)
      out.push_back(std::chrono::duration_cast<Millis>(s.at - start));
  }
  return out;
}
// Of all exchanges but IKE_SA_INIT.
std::vector<Millis> times_after(const PeerPair& p, TimePoint start, int from) {
  return times_of(p, start, from, false);
}

// A notify that nobody protected, in answer to `request`.
Received unprotected(const PeerPair::Sent& request, NotifyType type) {
  Header h = header_of(request);
  h.response = true;
  h.initiator = !h.initiator;
  Buffer chain;
  h.first = write_chain({make_notify(type)}, chain);
  h.length = static_cast<std::uint32_t>(kHeaderOctets + chain.size());
  Received r{.local = request.as_received.remote, .remote = request.as_received.local, .message = {}};
  write_header(h, r.message);
  r.message.insert(r.message.end(), chain.begin(), chain.end());
  return r;
}

}  // namespace

TEST_SUITE_BEGIN("ipsec/liveness");

TEST_CASE("a doubt asks at once and in quick succession; without an answer everything is made anew after 3.1 s") {
  PeerPair p = established();
  p.run_for(Seconds{5});
  p.sent.clear();
  p.cut[kA] = true;
  const TimePoint start = p.now();
  p.step(kA, Suspect{.why = "the probe is unanswered"});
  p.run_for(Millis{3099});
  CHECK(times_after(p, start, kA) == std::vector{Millis{0}, Millis{100}, Millis{300}, Millis{700}, Millis{1500}});
  CHECK(p.up(kA));
  p.run_for(Millis{1});
  CHECK_FALSE(p.up(kA));
  p.cut[kA] = false;
  p.run_for(Millis{100});  // IKE_SA_INIT beside the dead one goes on
  CHECK(p.up(kA));
  CHECK(times_of(p, start, kA, true) == std::vector{Millis{700}, Millis{1200}, Millis{2200}, Millis{3200}});
}

TEST_CASE("a doubt that is answered changes nothing, and is put again only after a pause that grows") {
  PeerPair p = established();
  const auto spi = p.status(kA).spi_i;
  std::vector<Millis> asked;
  const TimePoint start = p.now();
  for (int i = 0; i < 200; ++i) {
    p.step(kA, Suspect{.why = "the probe is unanswered"});
    p.run_for(Millis{100});
  }
  for (const auto& t : times_after(p, start, kA)) {
    if (asked.empty() || t - asked.back() > Millis{500}) asked.push_back(t);
  }
  CHECK(asked == std::vector{Millis{0}, Millis{4000}, Millis{12000}});
  CHECK(p.up(kA));
  CHECK(p.status(kA).spi_i == spi);
}

TEST_CASE("a request under way asks as well as an empty one: it goes over to the quick retransmission") {
  PeerConfig a = test::left_peer();
  a.dpd_interval = Seconds{100};
  PeerPair p(a);
  p.start();
  p.run_for(Seconds{50});
  p.cut[kA] = true;
  p.run_for(std::chrono::hours(1));
  REQUIRE_FALSE(p.up(kA));
  p.cut[kA] = false;
  p.run_for(Seconds{10});
  REQUIRE(p.up(kA));
  const auto rekey_at = *p.status(kA).child_rekey_at;
  p.run_for(rekey_at - p.now() - Millis{1});
  p.cut[kA] = true;
  p.sent.clear();
  p.run_for(Millis{101});
  REQUIRE(p.sent.size() == 1);
  CHECK(header_of(p.sent[0]).exchange == Exchange::CreateChildSa);
  p.step(kA, Suspect{.why = "the probe is unanswered"});
  p.run_for(Millis{3099});
  CHECK(p.up(kA));
  p.run_for(Millis{1});
  CHECK_FALSE(p.up(kA));
  const auto rekey = [](const auto& m) { return m.from == kA && header_of(m).exchange == Exchange::CreateChildSa; };
  CHECK(std::ranges::count_if(p.sent, rekey) == 6);
}

TEST_CASE("ESP that comes in while the question is open gives the peer's IKE the longer time") {
  PeerPair p = established();
  p.cut[kA] = true;
  p.step(kA, Suspect{.why = "the probe is unanswered"});
  p.run_for(Millis{500});
  p.step(kA, EspSeen{});
  p.run_for(Millis{2700});
  CHECK(p.up(kA));
  p.run_for(Seconds{8});
  CHECK_FALSE(p.up(kA));
}

TEST_CASE("ESP counts as life: no DPD while it comes, one after the interval of silence") {
  PeerPair p = established();
  for (int i = 0; i < 60; ++i) {
    p.run_for(Seconds{1});
    p.step(kA, EspSeen{});
    p.step(kB, EspSeen{});
  }
  CHECK(p.sent.empty());
  p.run_for(Millis{9999});
  CHECK(p.sent.empty());
  p.run_for(Millis{1});
  CHECK_FALSE(p.sent.empty());
}

TEST_CASE("a peer that answers but passes nothing is asked for a new Child SA once") {
  PeerPair p = established();
  const auto before = p.status(kA).child->spi_in;
  for (int i = 0; i < 60; ++i) {
    p.step(kA, Suspect{.why = "the probe is unanswered"});
    p.run_for(Seconds{1});
  }
  CHECK(p.status(kA).child->spi_in != before);
  CHECK(p.status(kA).child_rekeys == 1);
}

TEST_CASE("INVALID_IKE_SPI that nobody authenticated tears nothing down; it hastens the question [RFC 7296 2.21.4]") {
  PeerPair p = established();
  p.cut[kA] = true;
  p.run_for(Seconds{10});
  REQUIRE(p.sent.size() == 1);
  p.cut[kA] = false;
  p.step(kA, unprotected(p.sent[0], NotifyType::InvalidIkeSpi));
  CHECK(p.up(kA));
  p.run_for(Seconds{4});
  CHECK(p.up(kA));
  CHECK(p.status(kA).ike_rekeys == 0);
  CHECK(p.of<Moved>(kA).size() == 2);
}

TEST_CASE("hints from the network make at most one question in 10 s [RFC 7296 2.21.4]") {
  PeerPair p = established();
  p.sent.clear();
  for (int i = 0; i < 99; ++i) {
    p.step(kA, Suspect{.why = "INVALID_SPI", .hint = true});
    p.step(kA, EspSeen{});
    p.run_for(Millis{100});
  }
  CHECK(times_after(p, p.now(), kA).size() == 1);
  p.run_for(Millis{100});
  p.step(kA, Suspect{.why = "INVALID_SPI", .hint = true});
  CHECK(times_after(p, p.now(), kA).size() == 2);
}

TEST_CASE(
    "a peer that starts anew says INITIAL_CONTACT: what was before is dropped, and the tunnel is up in a round trip") {
  PeerConfig b = test::right_peer();
  b.initiate = true;
  PeerConfig a = test::left_peer();
  a.initiate = false;
  PeerPair p(a, b);
  p.start();
  REQUIRE(p.up(kA));
  const auto old = p.status(kA).child->spi_in;
  p.replace(kB);
  p.actions[0].clear();
  p.step(kB, Start{});
  CHECK(p.up(kA));
  CHECK(p.up(kB));
  REQUIRE(p.of<RemoveChild>(kA).size() == 1);
  CHECK(p.of<RemoveChild>(kA)[0].spi_in == old);
  CHECK(p.of<Moved>(kA).empty());  // at no time without a Child SA
  CHECK(p.of<UseOutbound>(kA).back().sa.spi_out == p.status(kB).child->spi_in);
}

TEST_CASE("a silent peer is asked once a second for five minutes, later more rarely, down to every 4 s") {
  PeerPair p;
  p.cut[kA] = true;
  const TimePoint start = p.now();
  p.start();
  p.run_for(std::chrono::hours(1));
  auto times = times_of(p, start, kA, true);
  REQUIRE(times.size() > 1000);
  CHECK(std::vector(times.begin(), times.begin() + 4) ==
        std::vector{Millis{0}, Millis{500}, Millis{1500}, Millis{2500}});
  Millis longest{}, longest_early{};
  for (std::size_t i = 1; i < times.size(); ++i) {
    longest = std::max(longest, times[i] - times[i - 1]);
    if (times[i] <= Seconds{300}) longest_early = longest;
  }
  CHECK(longest_early == Millis{1050});  // from one attempt to the next
  CHECK(longest == Millis{4050});
  CHECK(times.back() - times[times.size() - 2] == Millis{4000});
  CHECK(p.status(kA).attempts > 100);
  CHECK(p.status(kA).attempts < 125);  // a Diffie-Hellman in 30 s
  p.cut[kA] = false;
  p.run_for(Millis{4050});
  CHECK(p.up(kA));
}

TEST_CASE("while the peer's host says port unreachable IKE_SA_INIT goes there five times a second") {
  PeerPair p;
  p.cut[kA] = true;
  p.start();
  p.run_for(Millis{2600});
  p.sent.clear();
  const TimePoint start = p.now();
  for (int i = 0; i < 4; ++i) {
    p.step(kA, Refused{});
    p.run_for(Seconds{1});
  }
  CHECK(times_of(p, start, kA, true).size() == 20);
  p.sent.clear();
  p.run_for(Seconds{10});
  CHECK(times_of(p, start, kA, true).size() == 18);  // 10 in the 2 s that the last one counts for, then 8
}

TEST_CASE("port unreachable for a peer that is up makes one question in 10 s and no more") {
  PeerPair p = established();
  for (int i = 0; i < 99; ++i) {
    p.step(kA, Refused{});
    p.step(kA, EspSeen{});
    p.run_for(Millis{100});
  }
  CHECK(p.sent.size() == 2);  // and its answer
  CHECK(p.up(kA));
}

TEST_CASE("a sign of life while IKE_SA_INIT waits for an answer sends it again, five times a second at most") {
  PeerPair p;
  p.cut[kA] = true;
  p.start();
  p.run_for(Millis{2600});
  p.sent.clear();
  const TimePoint start = p.now();
  for (int i = 0; i < 50; ++i) {
    p.step(kA, Stray{});
    p.run_for(Millis{10});
  }
  CHECK(times_of(p, start, kA, true) == std::vector{Millis{0}, Millis{200}, Millis{400}});
}

TEST_CASE("a peer that came back without its SAs is taken while its death is not certain, with no moment of none") {
  PeerPair p = established();
  p.replace(kB);
  p.step(kB, Start{});
  p.actions[kA].clear();
  p.step(kA, Suspect{.why = "the probe is unanswered"});
  p.run_for(Millis{699});
  CHECK(p.status(kB).state != PeerState::Established);
  p.run_for(Millis{1});
  REQUIRE(p.up(kB));
  CHECK(p.of<UseOutbound>(kA).back().sa.spi_out == p.status(kB).child->spi_in);
  p.run_for(Seconds{40});
  CHECK(p.of<Moved>(kA).empty());
  CHECK(p.peer(kA).ike_sas() == 1);
  CHECK(p.of<RemoveChild>(kA).size() == 1);
}

TEST_CASE("INVALID_IKE_SPI in answer to a question: another IKE SA is begun beside the old one, which stays") {
  PeerPair p = established();
  const auto old = p.status(kA).spi_i;
  p.replace(kB);
  p.step(kB, Start{});
  p.step(kA, Suspect{.why = "the probe is unanswered"});
  REQUIRE(p.sent.size() == 1);
  for (int i = 0; i < 3; ++i)
    p.step(kA, unprotected(p.sent[0], NotifyType::InvalidIkeSpi));
  CHECK(p.up(kB));
  CHECK(p.status(kA).spi_i != old);
  CHECK(p.peer(kA).ike_sas() == 2);
  CHECK(p.status(kA).attempts == 2);
}

TEST_CASE("an answer within the old IKE SA ends what was begun beside it") {
  PeerPair p = established();
  const auto old = p.status(kA).spi_i;
  p.cut[kA] = true;
  p.step(kA, Suspect{.why = "the probe is unanswered"});
  p.run_for(Millis{1499});
  CHECK(p.peer(kA).ike_sas() == 2);
  p.on_the_way = [&](int from, Received& r) {
    if (from == kA && parse_header(r.message)->exchange == Exchange::IkeSaInit) r.message.clear();
  };
  p.cut[kA] = false;
  p.run_for(Millis{1});
  CHECK(p.peer(kA).ike_sas() == 1);
  p.run_for(Seconds{8});
  CHECK(p.status(kA).spi_i == old);
  CHECK(p.of<Moved>(kA).size() == 2);
}

TEST_CASE("a way that is back is a reason to ask within the old IKE SA first; another is begun only after that") {
  PeerPair p = established();
  const auto old = p.status(kA).spi_i;
  p.cut[kA] = true;
  p.step(kA, Suspect{.why = "the probe is unanswered"});
  p.run_for(Millis{1000});
  REQUIRE(p.peer(kA).ike_sas() == 2);
  const PathChanged back{.local = test::left_peer().local, .local_id = test::left_peer().local_id};
  p.step(kA, back);
  CHECK(p.peer(kA).ike_sas() == 1);
  p.run_for(Millis{701});
  CHECK(p.peer(kA).ike_sas() == 2);
  p.cut[kA] = false;
  p.step(kA, back);
  p.run_for(Seconds{8});
  CHECK(p.status(kA).spi_i == old);
  CHECK(p.peer(kA).ike_sas() == 1);
}

TEST_CASE("a peer that only answers is not called while it is in doubt") {
  PeerPair p = established();
  p.cut[kB] = true;
  p.step(kB, Suspect{.why = "the probe is unanswered"});
  p.run_for(Seconds{3});
  CHECK(times_of(p, p.now(), kB, true).empty());
}

TEST_CASE("a peer's new IKE SA is sent with as soon as the old one leaves a question open, INITIAL_CONTACT or not") {
  PeerPair p = established();
  const auto old = p.status(kA).spi_i;
  // It authenticates anew and says nothing about the old one, neither DELETE nor answers.
  p.on_the_way = [&](int from, Received& r) {
    if (from == kA && parse_header(r.message)->spi_i == old) r.message.clear();
  };
  p.actions[kB].clear();
  p.step(kA, Renew{Renew::What::Authentication});
  REQUIRE(p.status(kA).spi_i != old);
  CHECK(p.of<UseOutbound>(kB).empty());
  p.run_for(Millis{100});
  REQUIRE(p.of<UseOutbound>(kB).size() == 1);
  CHECK(p.of<UseOutbound>(kB)[0].sa.spi_out == p.status(kA).child->spi_in);
}

TEST_CASE("an attempt that the peer has not answered is given up when the peer's own comes through") {
  PeerConfig b = test::right_peer();
  b.initiate = true;
  PeerPair p(test::left_peer(), b);
  p.cut[kA] = true;
  p.step(kA, Start{});
  p.cut[kA] = false;
  p.step(kB, Start{});
  REQUIRE(p.up(kA));
  p.sent.clear();
  p.run_for(Seconds{9});
  CHECK(p.sent.empty());
}

TEST_CASE("the data plane expects the peer on a new SPI before the request leaves that tells it [RFC 7296 2.8]") {
  PeerPair p = established();
  std::size_t told_before = 0;
  p.on_the_way = [&](int from, const Received& r) {
    const Exchange e = parse_header(r.message)->exchange;
    if (from == kA && (e == Exchange::CreateChildSa || e == Exchange::IkeAuth))
      told_before = p.of<ExpectInbound>(kA).size();
  };
  for (const auto what : {Renew::What::ChildSa, Renew::What::Authentication}) {
    p.actions[kA].clear();
    told_before = 0;
    p.step(kA, Renew{what});
    REQUIRE(p.up(kA));
    const auto expected = p.of<ExpectInbound>(kA);
    REQUIRE(expected.size() == 1);
    CHECK(expected[0].sa.spi == p.status(kA).child->spi_in);
    CHECK(expected[0].sa.local == p.status(kA).child->local);
    CHECK(told_before == 1);
  }
}

TEST_CASE("another port of a peer behind a NAT is followed, and the data plane told [RFC 7296 2.23]") {
  PeerConfig b = test::right_peer();
  std::uint16_t port = 31000;
  PeerPair p(test::left_peer(), b);
  p.on_the_way = [&](int from, Received& r) {
    if (from == kA) r.remote.port = port;
    if (from == kB && r.remote.port != 500) r.local.port = 4500;
  };
  p.start();
  REQUIRE(p.up(kB));
  CHECK(p.status(kB).child->remote.port == 31000);
  port = 31001;
  p.actions[1].clear();
  p.run_for(Seconds{11});
  CHECK(p.status(kB).child->remote.port == 31001);
  REQUIRE(p.of<UseOutbound>(kB).size() == 1);
  CHECK(p.of<UseOutbound>(kB)[0].sa.remote.port == 31001);
  CHECK(p.of<UseOutbound>(kB)[0].sa.spi_out == p.status(kA).child->spi_in);
}

TEST_CASE("ESP from another port of a peer behind a NAT is followed at once; without a NAT it is not [RFC 7296 2.23]") {
  for (const bool nat : {true, false}) {
    CAPTURE(nat);
    PeerPair p;
    p.on_the_way = [&](int from, Received& r) {
      if (nat && from == kA) r.remote.port = 31000;
      if (nat && from == kB && r.remote.port != 500) r.local.port = 4500;
    };
    p.start();
    REQUIRE(p.up(kB));
    const auto child = *p.status(kB).child;
    p.actions[1].clear();
    p.step(kB, PeerMapped{child.spi_in, {child.remote.address, 31002}});
    p.step(kB, PeerMapped{Spi{1}, {child.remote.address, 31003}});  // of no SA of ours
    CHECK(p.of<UseOutbound>(kB).size() == (nat ? 1 : 0));
    CHECK(p.status(kB).child->remote.port == (nat ? 31002 : child.remote.port));
    CHECK(p.status(kB).child_rekeys == 0);
  }
}

TEST_CASE("another address of a peer behind a NAT is followed by a rekey of the Child SA to there") {
  const IpAddress moved = *IpAddress::parse("198.51.100.77");
  bool away = false;
  PeerPair p;
  p.on_the_way = [&](int from, Received& r) {
    if (from == kA) r.remote = {away ? moved : r.remote.address, 31000};
    if (from == kB && r.remote.port != 500) r.local = {*IpAddress::parse("198.51.100.2"), 4500};
  };
  p.start();
  REQUIRE(p.up(kB));
  away = true;
  p.run_for(Seconds{11});
  CHECK(p.status(kB).child->remote.address == moved);
  CHECK(p.status(kB).child_rekeys == 1);
}

TEST_CASE("who answers goes on where IKE_AUTH came from: ports 4500 once there is a NAT [RFC 7296 2.23]") {
  for (const bool encap : {false, true}) {
    PeerConfig a = test::left_peer();
    a.force_encap = encap;
    PeerPair p(a);
    p.start();
    REQUIRE(p.up(kB));
    const std::uint16_t port = encap ? 4500 : 500;
    CHECK(p.status(kB).child->udp_encap == encap);
    CHECK(p.status(kB).child->local.port == port);
    CHECK(p.status(kB).child->remote.port == port);
    p.sent.clear();
    p.run_for(Seconds{25});
    for (const auto& s : p.sent)
      CHECK(s.as_received.local.port == port);
  }
}

TEST_CASE("IPv6 outside: NAT detection over 16 octets, and no NAT where there is none") {
  PeerConfig a = test::left_peer(), b = test::right_peer();
  a.local = b.remote = *IpAddress::parse("2001:db8::2");
  a.remote = b.local = *IpAddress::parse("2001:db8:ffff::10");
  a.local_id = b.remote_id = Identity::of(a.local);
  a.remote_id = b.local_id = Identity::of(a.remote);
  PeerPair p(a, b);
  p.start();
  REQUIRE(p.up(kA));
  for (int i : {kA, kB}) {
    CHECK_FALSE(p.status(i).nat_local);
    CHECK_FALSE(p.status(i).nat_remote);
    CHECK_FALSE(p.status(i).child->udp_encap);
  }
  CHECK(p.status(kB).child->remote.address == a.local);
}

TEST_CASE("a repeated or forged message moves nothing") {
  PeerPair p;
  p.on_the_way = [&](int from, Received& r) {
    if (from == kA) r.remote.port = 31000;
    if (from == kB && r.remote.port != 500) r.local.port = 4500;
  };
  p.start();
  REQUIRE(p.up(kB));
  p.run_for(Seconds{11});
  Received again;
  for (const auto& s : p.sent) {
    if (s.from == kA) again = s.as_received;
  }
  again.remote = {*IpAddress::parse("192.0.2.66"), 666};
  p.step(kB, again);
  again.message.back() ^= 1;
  p.step(kB, again);
  CHECK(p.status(kB).child->remote == Endpoint{*IpAddress::parse("198.51.100.2"), 31000});
}

TEST_CASE("a new source address makes everything anew from there at once, and tells the peer by INITIAL_CONTACT") {
  PeerPair p = established();
  p.run_for(Seconds{3});
  const IpAddress fresh = *IpAddress::parse("198.51.100.200");
  p.actions[1].clear();
  p.sent.clear();
  p.step(kA, PathChanged{.local = fresh, .local_id = test::left_peer().local_id});
  CHECK(p.up(kA));
  REQUIRE_FALSE(p.sent.empty());
  CHECK(header_of(p.sent[0]).exchange == Exchange::IkeSaInit);
  CHECK(p.sent[0].as_received.remote.address == fresh);
  CHECK(p.status(kA).child->local.address == fresh);
  CHECK(p.of<RemoveChild>(kB).size() == 1);
}

TEST_CASE("the way is back with the address of before: what is under way is sent again at once") {
  PeerPair p;
  p.cut = {true, true};
  p.start();
  p.run_for(Millis{4000});
  p.cut = {};
  p.sent.clear();
  p.step(kA, PathChanged{.local = test::left_peer().local, .local_id = test::left_peer().local_id});
  CHECK(p.up(kA));
}

TEST_SUITE_END();
}  // namespace cgw
