// What an IkePeer answers in IKE_AUTH and CREATE_CHILD_SA, and what it makes of answers; the other end is a script.
#include <doctest/doctest.h>

#include <algorithm>

#include "ipsec/create_child_sa.hpp"
#include "tests/support/ike_rival.hpp"
#include "tests/support/peer_pair.hpp"

namespace cgw::ipsec {
namespace {

using Role = test::IkeRival::Role;

struct Scene : test::IkeRival {
  explicit Scene(Role role = Role::Responder) : IkeRival(role) {}
  static Scene* after(Scene* s) { return s->establish(), s->actions.clear(), s; }

  bool up() { return peer().status().state == PeerState::Established; }
  static Heard nothing() { return {.header = {.response = true}, .payloads = {}}; }
  Heard said() const { return last().value_or(nothing()); }
  // To what the peer asked last; what it does then is in `actions`.
  void answer(const Payloads& payloads) {
    const Header asked = said().header;
    actions.clear();
    deliver(sealed(asked.exchange, true, asked.message_id, payloads));
  }
  NotifyType answer_to(Exchange e, const Payloads& payloads) {
    actions.clear();
    request(e, payloads);
    const auto all = notifies(said().payloads);
    return all.empty() ? NotifyType{} : all.front().type;
  }
  // IKE_AUTH with what stands for the Child SA in place of an honest one.
  void auth_with(const Payloads& child) {
    Payloads all = honest_auth();
    all.resize(2);
    all.insert(all.end(), child.begin(), child.end());
    actions.clear();
    if (config().initiate)
      deliver(sealed(Exchange::IkeAuth, true, 1, all));
    else
      request(Exchange::IkeAuth, all);
  }
  // What the peer asks next, but whether we are there, which we are.
  Heard asked_within(Duration span) {
    const TimePoint end = now + span;
    while (true) {
      const Heard h = said();
      const bool asks = last() && !h.header.response;
      if (asks && (h.header.exchange != Exchange::Informational || !h.payloads.empty())) return h;
      if (asks) {
        answer({});
        continue;
      }
      const auto next = peer().next_deadline();
      if (!next || *next > end) return nothing();
      now = std::max(now, *next);
      step(Tick{});
    }
  }
  void rekey_child() {
    actions.clear();
    step(ChildExpiring{peer().status().child->spi_in, false});
  }
  std::size_t count(Exchange e) const {
    const auto all = heard();
    return static_cast<std::size_t>(
        std::ranges::count_if(all, [&](const Heard& h) { return h.header.exchange == e && !h.header.response; }));
  }
};

bool creates(const test::IkeRival::Heard& h) {
  return !h.header.response && h.header.exchange == Exchange::CreateChildSa;
}
bool deletes(const test::IkeRival::Heard& h) {
  return find(h.payloads, PayloadType::Delete) != nullptr;
}

}  // namespace

TEST_SUITE_BEGIN("ipsec/exchanges");

TEST_CASE("the lower nonce is found octet by octet; the shorter of two that begin alike is lower [RFC 7296 2.8.1]") {
  CHECK(is_lower(Buffer{1, 255}, Buffer{2, 0}));
  CHECK_FALSE(is_lower(Buffer{2}, Buffer{1, 255}));
  CHECK(is_lower(Buffer{1, 2}, Buffer{1, 2, 0}));
  CHECK_FALSE(is_lower(Buffer{1, 2}, Buffer{1, 2}));
  CHECK(lowest_nonce(Buffer{9, 9, 9}, Buffer{9, 9}) == Buffer{9, 9});
}

TEST_CASE("a second Child SA is refused: one pair a tunnel") {
  Scene s;
  Scene::after(&s);
  Payloads without_rekey = s.honest_child_rekey();
  without_rekey.erase(without_rekey.begin());
  CHECK(s.answer_to(Exchange::CreateChildSa, without_rekey) == NotifyType::NoAdditionalSas);
  CHECK(s.up());
}

TEST_CASE("a rekey of a Child SA that is not there is CHILD_SA_NOT_FOUND with its SPI [RFC 7296 2.25]") {
  Scene s;
  Scene::after(&s);
  Payloads rekey = s.honest_child_rekey();
  rekey.front() = make_notify(NotifyType::RekeySa, {}, 3, Buffer{0xde, 0xad, 0xbe, 0xef});
  CHECK(s.answer_to(Exchange::CreateChildSa, rekey) == NotifyType::ChildSaNotFound);
  CHECK(find_notify(s.said().payloads, NotifyType::ChildSaNotFound)->spi == Buffer{0xde, 0xad, 0xbe, 0xef});
}

TEST_CASE("a second rekey of one that is rekeyed already waits for the first to end [RFC 7296 2.25.1]") {
  Scene s;
  Scene::after(&s);
  const Payloads rekey = s.honest_child_rekey();
  s.request(Exchange::CreateChildSa, rekey);
  CHECK(find(s.said().payloads, PayloadType::Sa) != nullptr);
  CHECK(s.answer_to(Exchange::CreateChildSa, rekey) == NotifyType::TemporaryFailure);
}

TEST_CASE("TEMPORARY_FAILURE is waited out, with a pause that grows, and not for ever [RFC 7296 2.25]") {
  Scene s;
  Scene::after(&s);
  s.rekey_child();
  const TimePoint began = s.now;
  Duration longest{};
  auto asked = s.said();
  while (creates(asked) && s.now - began < Seconds{400}) {
    const TimePoint then = s.now;
    s.answer({make_notify(NotifyType::TemporaryFailure)});
    asked = s.asked_within(Seconds{60});
    if (!creates(asked)) break;
    CHECK(s.now - then >= Seconds{2});
    longest = std::max(longest, s.now - then);
  }
  CHECK(longest > Seconds{10});
  CHECK(deletes(asked));
  CHECK(s.now - began >= Seconds{180});
  CHECK(s.now - began < Seconds{240});
}

TEST_CASE("a Child SA that the peer has lost is forgotten and made anew on the same IKE SA [RFC 7296 2.25]") {
  Scene s;
  Scene::after(&s);
  s.rekey_child();
  s.answer({make_notify(NotifyType::ChildSaNotFound)});
  REQUIRE(creates(s.said()));
  CHECK_FALSE(find_notify(s.said().payloads, NotifyType::RekeySa));
}

TEST_CASE("INVALID_KE_PAYLOAD: asked again at once with the peer's group, if it is one of ours [RFC 7296 1.3]") {
  Scene s;
  Scene::after(&s);
  const auto other = s.config().esp.back().dh;
  REQUIRE(other != s.config().esp.front().dh);
  s.rekey_child();
  s.answer({invalid_ke(other)});
  REQUIRE(creates(s.said()));
  CHECK(find_ke(s.said().payloads)->group == other);
  // Twice the same answer is no reason to ask a third time at once.
  s.answer({invalid_ke(other)});
  CHECK(s.heard().empty());
  CHECK(s.up());
}

TEST_CASE("a rekey that is answered with NO_ADDITIONAL_SAS is a reauthentication, make before break [RFC 7296 1.3]") {
  for (const bool ike : {false, true}) {
    CAPTURE(ike);
    Scene s;
    Scene::after(&s);
    if (ike)
      s.step(Renew{Renew::What::IkeSa});
    else
      s.rekey_child();
    REQUIRE(creates(s.said()));
    s.answer({make_notify(NotifyType::NoAdditionalSas)});
    CHECK(s.count(Exchange::IkeSaInit) == 1);
    CHECK(s.up());
    CHECK(s.peer().ike_sas() == 2);
  }
}

TEST_CASE("an IKE SA whose Child SA is refused stays; one is asked for again, five times in all [RFC 7296 1.2]") {
  Scene s;
  s.begin(), s.init();
  s.auth_with({make_notify(NotifyType::TsUnacceptable)});
  CHECK_FALSE(s.up());
  CHECK(s.peer().ike_sas() == 1);
  int refusals = 1;
  auto asked = s.asked_within(Seconds{10});
  REQUIRE(creates(asked));
  for (; creates(asked) && refusals < 20; ++refusals) {
    s.answer({make_notify(NotifyType::TsUnacceptable)});
    asked = s.asked_within(Seconds{60});
  }
  CHECK(refusals == 5);
  CHECK(deletes(asked));
}

TEST_CASE("an answer to IKE_AUTH without any Child SA is followed by a request for one [RFC 6023]") {
  Scene s;
  s.begin(), s.init();
  s.auth_with({});
  CHECK_FALSE(s.up());
  REQUIRE(creates(s.said()));
  CHECK_FALSE(find_notify(s.said().payloads, NotifyType::RekeySa));
}

TEST_CASE("who answers and refuses the Child SA authenticates all the same, and says why [RFC 7296 1.2, 2.21.2]") {
  Scene s(Role::Initiator);
  s.begin(), s.init();
  SUBCASE("no proposal in common") {
    s.auth_with({make_sa({proposal_of(*parse_esp_suite("aes128-sha1"), 1, Spi{0xabcd}, WithDh::No)}),
                 make_ts(PayloadType::TsI, any_address(Family::V4)),
                 make_ts(PayloadType::TsR, any_address(Family::V4))});
    CHECK(s.answered_with(NotifyType::NoProposalChosen));
    CHECK(s.peer().status().last_error.find("NO_PROPOSAL_CHOSEN sent") != std::string::npos);
  }
  SUBCASE("no selectors in common") {
    const AddressRange v6{*IpAddress::parse("2001:db8::"), *IpAddress::parse("2001:db8::ff")};
    s.auth_with({make_sa({proposal_of(s.config().esp.front(), 1, Spi{0xabcd}, WithDh::No)}),
                 make_ts(PayloadType::TsI, v6), make_ts(PayloadType::TsR, v6)});
    CHECK(s.answered_with(NotifyType::TsUnacceptable));
    CHECK(s.peer().status().last_error.find("TS_UNACCEPTABLE sent") != std::string::npos);
  }
  SUBCASE("none is asked for [RFC 6023]") {
    s.auth_with({});
    CHECK(s.peer().status().last_error.find("asks for no Child SA") != std::string::npos);
  }
  CHECK(find(s.said().payloads, PayloadType::Auth) != nullptr);
  CHECK_FALSE(s.up());
  REQUIRE(s.peer().ike_sas() == 1);
}

TEST_CASE("an answered IKE SA without a Child SA gets one, or goes after 30 s [RFC 6023]") {
  Scene s(Role::Initiator);
  s.begin(), s.init();
  s.auth_with({});
  SUBCASE("a Child SA that comes later makes it whole") {
    Payloads create = s.honest_child_rekey();
    create.erase(create.begin());
    s.actions.clear();
    s.request(Exchange::CreateChildSa, create);
    CHECK(s.up());
  }
  SUBCASE("none comes: it is deleted") {
    s.actions.clear();
    const TimePoint then = s.now;
    CHECK(deletes(s.asked_within(Seconds{60})));
    CHECK(s.now - then == Seconds{30});
  }
}

TEST_CASE("who may be asked for no Child SA says so [RFC 6023 3]") {
  Scene s(Role::Initiator);
  s.begin(), s.init();
  CHECK(find_notify(s.heard().front().payloads, NotifyType::ChildlessSupported));
}

TEST_CASE("a peer that refuses each first Child SA for good is tried after pauses that grow") {
  Scene s;
  std::vector<Duration> pauses;
  for (int i = 0; i < 6; ++i) {
    s.begin(), s.init();
    s.auth_with({make_notify(NotifyType::NoAdditionalSas)});
    REQUIRE(deletes(s.said()));
    const TimePoint then = s.now;
    s.answer({});
    REQUIRE(s.asked_within(Seconds{60}).header.exchange == Exchange::IkeSaInit);
    pauses.push_back(s.now - then);
  }
  CHECK(pauses.front() <= Millis{250});
  CHECK(pauses.back() > Seconds{6});
  CHECK_FALSE(s.up());
}

TEST_CASE("EAP is refused in words, by either role [RFC 7296 2.16]") {
  SUBCASE("the peer leaves out AUTH") {
    Scene s(Role::Initiator);
    s.begin(), s.init();
    Payloads all = s.honest_auth();
    all.erase(all.begin() + 1);
    s.request(Exchange::IkeAuth, all);
    CHECK(s.answered_with(NotifyType::AuthenticationFailed));
    CHECK(s.peer().status().last_error.find("leaves out AUTH: it wants EAP") != std::string::npos);
  }
  SUBCASE("the peer answers with EAP") {
    Scene s;
    s.begin(), s.init();
    s.auth_with({{PayloadType::Eap, false, {1, 1, 0, 5, 1}}});
    CHECK(s.peer().status().last_error.find("answers with EAP") != std::string::npos);
    CHECK(s.peer().ike_sas() == 0);
  }
}

TEST_CASE("a Child SA is rekeyed with every group that ESP has, by either side") {
  for (const char* group :
       {"modp1024", "modp1536", "modp2048", "modp3072", "modp4096", "modp6144", "modp8192", "ecp256", "ecp384",
        "ecp521", "modp1024s160", "modp2048s224", "modp2048s256", "curve25519"}) {
    for (const int who : {0, 1}) {
      CAPTURE(group);
      PeerConfig c[] = {test::left_peer(), test::right_peer()};
      for (auto& one : c)
        one.esp = {*parse_esp_suite(std::string("aes256gcm16-") + group)};
      c[who].child_lifetime = Seconds{600};
      test::PeerPair pair(c[0], c[1]);
      pair.start();
      pair.run_for(Seconds{560});
      CHECK(pair.status(who).child_rekeys == 1);
      CHECK(pair.status(0).child->suite == c[0].esp.front());
      const auto out = pair.of<UseOutbound>(0).back().sa;
      CHECK(pair.of<InstallInbound>(1).back().sa.in.encr == out.out.encr);
    }
  }
}

TEST_SUITE_END();
}  // namespace cgw::ipsec
