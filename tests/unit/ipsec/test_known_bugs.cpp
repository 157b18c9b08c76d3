// Classes of faults that IKE daemons have had, each from behind the integrity check where there is one: what an
// authenticated peer, or anybody on the path, sends to break the parser or the state machine. The CVEs name the class.
#include <algorithm>
#include <string>

#include <doctest/doctest.h>

#include "octets.hpp"
#include "tests/support/ike_rival.hpp"

namespace cgw::ipsec {
namespace {

using test::IkeRival;
using test::octets;
using Role = IkeRival::Role;

constexpr Role kRoles[] = {Role::Responder, Role::Initiator};

// The peer still works: an honest request is answered.
bool answers(IkeRival& r) {
  r.actions.clear();
  r.request(Exchange::Informational, {});
  const auto h = r.last();
  return h && h->header.response && h->header.message_id == r.next_id() - 1;
}
bool established(IkeRival& r) {
  return r.peer().status().state == PeerState::Established;
}

template <class A>
std::size_t count(const Actions& actions) {
  return static_cast<std::size_t>(
      std::ranges::count_if(actions, [](const Action& a) { return std::holds_alternative<A>(a); }));
}

Buffer chain_of(const Payloads& payloads) {
  Buffer out;
  write_chain(payloads, out);
  return out;
}

// An honest message with the payload of one type replaced.
Payloads with(Payloads payloads, PayloadType type, Buffer body) {
  for (auto& p : payloads) {
    if (p.type == type) p.body = body;
  }
  return payloads;
}

}  // namespace

TEST_SUITE_BEGIN("ipsec/known bugs");

TEST_CASE("outer payloads in front of SK, up to and past any table's size, do no harm [CVE-2026-12413]") {
  for (const Role role : kRoles) {
    IkeRival r(role);
    r.establish();
    for (const std::size_t n : {1U, 62U, 63U, 64U, 65U, 1000U}) {
      const Buffer sealed = r.sealed(Exchange::Informational, false, r.next_id(), {});
      Buffer chain;
      for (std::size_t i = 0; i < n; ++i)
        chain.insert(chain.end(),
                     {static_cast<std::uint8_t>(i + 1 < n ? PayloadType::Vendor : PayloadType::Sk), 0, 0, 4});
      chain.insert(chain.end(), sealed.begin() + kHeaderOctets, sealed.end());
      r.deliver(r.plain(Exchange::Informational, false, r.next_id(), PayloadType::Vendor, chain));
    }
    CHECK(answers(r));
  }
}

TEST_CASE("fragments with impossible numbers complete nothing and block nothing [CVE-2016-10396, CVE-2016-1287]") {
  IkeRival r(Role::Initiator);
  r.establish();
  const std::uint32_t id = r.next_id();
  r.actions.clear();
  for (const auto& [number, total] :
       {std::pair{0, 0}, {0, 2}, {1, 0}, {3, 2}, {65535, 65535}, {1, 65535}, {2, 65}, {65, 65}})
    r.deliver(r.sealed(Exchange::Informational, false, id, PayloadType::Nonce, Buffer(1200, 0),
                       std::pair<std::uint16_t, std::uint16_t>(number, total)));
  CHECK(count<SendDatagram>(r.actions) == 0);
  CHECK(answers(r));
}

TEST_CASE("fragments that change their total, repeat, or are mixed with a whole message are one message at most") {
  IkeRival r(Role::Responder);
  r.establish();
  const auto piece = [&](std::uint16_t number, std::uint16_t total) {
    r.deliver(r.sealed(Exchange::Informational, false, r.next_id(), PayloadType::None, {}, std::pair(number, total)));
  };
  r.actions.clear();
  piece(1, 3);
  piece(1, 3);
  piece(2, 4);
  piece(1, 2);
  CHECK(count<SendDatagram>(r.actions) == 0);
  CHECK(answers(r));
  // The rest of a message that has been answered is a repetition.
  const auto before = count<SendDatagram>(r.actions);
  r.deliver(r.sealed(Exchange::Informational, false, r.next_id() - 1, PayloadType::None, {},
                     std::pair(std::uint16_t{2}, std::uint16_t{2})));
  CHECK(count<SendDatagram>(r.actions) == before);
}

TEST_CASE("a chain that is no chain is INVALID_SYNTAX, which ends the IKE SA [RFC 7296 2.21.3]") {
  Buffer thousands;
  for (int i = 0; i < 3000; ++i)
    thousands.insert(thousands.end(), {static_cast<std::uint8_t>(i < 2999 ? 43 : 0), 0, 0, 4});
  for (const auto& chain :
       {octets("00000000"), octets("00000001"), octets("00000003"), octets("0000ffff"), octets("00 00 0005"),
        octets("000000"), octets("00000004 00"), octets("2b000004"), thousands}) {
    IkeRival r(Role::Initiator);
    r.establish();
    r.actions.clear();
    r.deliver(r.sealed(Exchange::Informational, false, r.next_id(), PayloadType::Vendor, chain));
    CHECK(r.answered_with(NotifyType::InvalidSyntax));
    CHECK(count<RemoveChild>(r.actions) == 1);
    CHECK(!established(r));
  }
}

TEST_CASE("payload types of IKEv1 are unknown ones: skipped, or refused by number when critical [CVE-2015-3991]") {
  IkeRival r(Role::Initiator);
  r.establish();
  for (std::uint8_t type = 1; type < 33; ++type) {
    r.actions.clear();
    r.request(Exchange::Informational, {{PayloadType{type}, false, Buffer(type, 0xff)}});
    REQUIRE(r.last());
    CHECK(r.last()->payloads.empty());
    r.request(Exchange::Informational, {{PayloadType{type}, true, {}}});
    const auto n = find_notify(r.last()->payloads, NotifyType::UnsupportedCriticalPayload);
    REQUIRE(n);
    CHECK(n->data == Buffer{type});
  }
  CHECK(established(r));
}

TEST_CASE(
    "REKEY_SA with any protocol and SPI size is answered, and makes no SA that was not asked for [CVE-2023-38710]") {
  for (const std::uint8_t protocol : octets("00 01 02 03 04 ff")) {
    for (const std::size_t spi : {0U, 1U, 3U, 4U, 5U, 8U, 255U}) {
      CAPTURE(static_cast<int>(protocol));
      CAPTURE(spi);
      IkeRival r(Role::Initiator);
      r.establish();
      r.actions.clear();
      Payloads rekey = r.honest_child_rekey();
      rekey[0] = make_notify(NotifyType::RekeySa, {}, protocol, Buffer(spi, 0xab));
      r.request(Exchange::CreateChildSa, rekey);
      CHECK(count<InstallInbound>(r.actions) == 0);
      CHECK(r.answered_with(NotifyType::ChildSaNotFound));
      CHECK(answers(r));
    }
  }
}

TEST_CASE("a notify whose SPI runs over its end is none") {
  IkeRival r(Role::Initiator);
  r.establish();
  for (const char* body : {"", "00", "0304", "03ff4009", "0304 4009 aabb", "03044009 aabbcc"}) {
    r.request(Exchange::Informational, {{PayloadType::Notify, false, octets(body)}});
    CHECK(established(r));
  }
  CHECK(answers(r));
}

TEST_CASE("DELETE of one SPI a thousand times deletes it once and is answered once [CVE-2023-38712]") {
  IkeRival r(Role::Initiator);
  r.establish();
  const std::uint32_t spi = r.peer().status().child->spi_out.value();
  Buffer body;
  Writer w(body);
  constexpr std::uint16_t kTimes = 1000;
  w.u8(3);
  w.u8(4);
  w.u16(kTimes);
  for (int i = 0; i < kTimes; ++i)
    w.u32(spi);
  r.actions.clear();
  r.request(Exchange::Informational, {{PayloadType::Delete, false, body}, {PayloadType::Delete, false, body}});
  CHECK(count<RemoveChild>(r.actions) <= 1);
  const auto all = r.heard();
  const auto answer = std::ranges::find_if(all, [](const auto& h) { return h.header.response; });
  REQUIRE(answer != all.end());
  CHECK(answer->payloads.size() == 1);
}

TEST_CASE("DELETE with sizes and counts that do not fit is INVALID_SYNTAX [RFC 7296 2.21.3]") {
  for (const auto& body :
       {octets("03040001"), octets("0304ffff 00000001"), octets("03030001 000001"), octets("03080001 0000000000000001"),
        octets("02040001 c0de0001"), octets("ff040001 c0de0001"), octets("00000000"), octets("03"), octets("")}) {
    IkeRival r(Role::Responder);
    r.establish();
    r.actions.clear();
    r.request(Exchange::Informational, {{PayloadType::Delete, false, body}});
    CHECK(r.answered_with(NotifyType::InvalidSyntax));
    CHECK(!established(r));
  }
}

TEST_CASE("DELETE of foreign and unknown SPIs deletes nothing") {
  IkeRival r(Role::Responder);
  r.establish();
  const Spi own = r.peer().status().child->spi_in;
  r.actions.clear();
  // Its own inbound SPI, and one that nobody has.
  r.request(Exchange::Informational, {make_delete_esp(own.value()), make_delete_esp(0xdeadbeef)});
  CHECK(count<RemoveChild>(r.actions) == 0);
  CHECK(answers(r));
}

TEST_CASE("traffic selectors that lie about count, length, type or order establish nothing [CVE-2023-23009]") {
  const std::string any = "07 00 0010 0000 ffff 00000000 ffffffff";
  const std::vector<std::string> bodies{"",
                                        "01",
                                        "00000000",
                                        "01000000",
                                        "ff000000" + any,
                                        "02000000" + any,
                                        "01000000 07 00 000f 0000 ffff 00000000 ffffff",
                                        "01000000 07 00 0008 0000ffff",
                                        "01000000 07 00 ffff 0000 ffff 00000000 ffffffff",
                                        "01000000 08 00 0010 0000 ffff 00000000 ffffffff",
                                        "01000000 07 00 0010 0000 ffff 0a000002 0a000001",
                                        "01000000 09 00 0010 0000 ffff 00000000 ffffffff"};
  for (const std::string& body : bodies) {
    CAPTURE(body);
    for (const PayloadType type : {PayloadType::TsI, PayloadType::TsR}) {
      IkeRival r(Role::Initiator);
      r.begin();
      r.init();
      r.request(Exchange::IkeAuth, with(r.honest_auth(), type, octets(body)));
      CHECK(count<InstallInbound>(r.actions) == 0);
      CHECK(!established(r));

      IkeRival up(Role::Initiator);
      up.establish();
      up.actions.clear();
      up.request(Exchange::CreateChildSa, with(up.honest_child_rekey(), type, octets(body)));
      CHECK(count<InstallInbound>(up.actions) == 0);
      const bool refused = up.answered_with(NotifyType::InvalidSyntax);
      CHECK((refused || answers(up)));
    }
  }
}

TEST_CASE("identities of any length and content are compared, never copied into the log as they are [CVE-2025-9242]") {
  for (const std::size_t size : {0U, 1U, 3U, 4U, 5U, 520U, 4096U, 60000U}) {
    for (const std::uint8_t type : octets("00 01 02 05 09 0b ff")) {
      Buffer body{type, 0, 0, 0};
      body.resize(4 + size, '\x1b');
      IkeRival r(Role::Initiator);
      r.begin();
      r.init();
      r.request(Exchange::IkeAuth, with(r.honest_auth(), PayloadType::IdI, body));
      CHECK(!established(r));
      CHECK(count<InstallInbound>(r.actions) == 0);
      for (const auto& a : r.actions) {
        const auto* n = std::get_if<Note>(&a);
        if (n == nullptr) continue;
        CHECK(n->text.size() < 1200);
        CHECK(std::ranges::all_of(n->text, [](char c) { return c >= 0x20 && c < 0x7f; }));
      }
    }
  }
}

TEST_CASE("AUTH that is empty, of another method, short, another's or our own reflected authenticates nobody") {
  for (const Role role : kRoles) {
    IkeRival model(role);
    model.begin();
    model.init();
    const Payloads honest = model.honest_auth();
    const Buffer good = find(honest, PayloadType::Auth)->body;
    std::vector<Buffer> bad{{}, {2, 0, 0, 0}, Buffer(good.begin(), good.end() - 1), good, good, good};
    bad[3][0] = 1;
    bad[4].back() ^= 1;
    bad[5].push_back(0);
    if (role == Role::Responder) {
      // What the peer has just sent as its own.
      const auto own = model.last();
      bad.push_back(find(own->payloads, PayloadType::Auth)->body);
    }
    for (const auto& body : bad) {
      IkeRival r(role);
      r.begin();
      r.init();
      const Payloads auth = with(honest, PayloadType::Auth, body);
      r.deliver(r.sealed(Exchange::IkeAuth, role == Role::Responder, 1, auth));
      CHECK(!established(r));
      CHECK(count<InstallInbound>(r.actions) == 0);
    }
  }
}

TEST_CASE(
    "the messages of one state in another: nothing is installed, nothing breaks [CVE-2021-45079, CVE-2022-23094]") {
  for (const Role role : kRoles) {
    for (const int state : {0, 1, 2}) {
      for (const Exchange e : {Exchange::IkeSaInit, Exchange::IkeAuth, Exchange::CreateChildSa, Exchange::Informational,
                               Exchange{0}, Exchange{2}, Exchange{255}}) {
        for (const bool response : {false, true}) {
          CAPTURE(state);
          CAPTURE(static_cast<int>(e));
          IkeRival r(role);
          r.begin();
          if (state > 0) r.init();
          if (state > 1) r.auth();
          const auto installed = count<InstallInbound>(r.actions);
          for (const std::uint32_t id : {0U, 1U, 2U, 3U, 0x7fffffffU, 0xffffffffU}) {
            r.deliver(r.plain(e, response, id, PayloadType::Sa, chain_of(r.honest_ike_rekey())));
            if (r.has_keys() && !(state == 1 && e == Exchange::IkeAuth)) {
              r.deliver(r.sealed(e, response, id, r.honest_auth()));
              r.deliver(r.sealed(e, response, id, Payloads{}));
            }
          }
          CHECK(count<InstallInbound>(r.actions) == installed);
          CHECK(r.pass(Seconds{60}));
        }
      }
    }
  }
}

TEST_CASE("a response that nobody asked for, and one to a request that is answered, are dropped") {
  IkeRival r(Role::Initiator);
  r.establish();
  r.actions.clear();
  for (const std::uint32_t id : {0U, 1U, 2U, 0xffffffffU})
    r.deliver(r.sealed(Exchange::Informational, true, id, {make_delete_ike()}));
  CHECK(r.actions.empty());
  CHECK(established(r));
}

TEST_CASE("flipped initiator flag, foreign SPIs and SPI zero belong to no SA") {
  for (const Role role : kRoles) {
    IkeRival r(role);
    r.establish();
    const Buffer good = r.sealed(Exchange::Informational, false, r.next_id(), {make_delete_ike()});
    r.actions.clear();
    for (const std::size_t at : {0U, 7U, 8U, 15U, 19U}) {
      Buffer bad = good;
      bad[at] ^= at == 19 ? 0x08 : 0x01;
      r.deliver(bad);
    }
    for (const std::size_t from : {0U, 8U}) {
      Buffer bad = good;
      std::fill_n(bad.begin() + static_cast<std::ptrdiff_t>(from), 8, std::uint8_t{0});
      r.deliver(bad);
    }
    CHECK(r.actions.empty());
    CHECK(established(r));
  }
}

TEST_CASE("a request that comes again gets the same answer, octet for octet, and does nothing twice [RFC 7296 2.1]") {
  IkeRival r(Role::Initiator);
  r.establish();
  const Buffer rekey = r.sealed(Exchange::CreateChildSa, false, r.next_id(), r.honest_child_rekey());
  r.actions.clear();
  r.deliver(rekey);
  REQUIRE(count<InstallInbound>(r.actions) == 1);
  const auto sent = [&] {
    std::vector<Buffer> out;
    for (const auto& a : r.actions) {
      if (const auto* d = std::get_if<SendDatagram>(&a)) out.push_back(d->message);
    }
    return out;
  };
  const auto first = sent();
  r.actions.clear();
  r.deliver(rekey);
  CHECK(sent() == first);
  CHECK(count<InstallInbound>(r.actions) == 0);
}

TEST_CASE("a peer that rekeys again and again, and deletes nothing, does not fill our memory") {
  for (const bool ike : {false, true}) {
    IkeRival r(Role::Initiator);
    r.establish();
    r.actions.clear();
    for (int i = 0; i < 200; ++i)
      r.request(Exchange::CreateChildSa, ike ? r.honest_ike_rekey() : r.honest_child_rekey());
    CHECK(count<InstallInbound>(r.actions) <= 16 + count<RemoveChild>(r.actions));
  }
}

TEST_SUITE_END();

}  // namespace cgw::ipsec
