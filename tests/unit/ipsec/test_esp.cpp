#include <doctest/doctest.h>

#include "ipsec/crypto.hpp"
#include "ipsec/esp.hpp"
#include "ipsec/mtu.hpp"
#include "octets.hpp"
#include "tests/support/esp_end.hpp"

namespace cgw::ipsec {
namespace {

using test::OpeningEnd;
using test::SealingEnd;

constexpr const char* kSuites[] = {"aes128gcm16",   "aes256gcm16",   "aes128-sha1",     "aes256-sha256",
                                   "aes128-sha384", "aes256-sha512", "aes256gcm16-esn", "aes128-sha256-esn"};

EspKeys keys_of(const EspSuite& s) {
  OpenSslEntropy entropy;
  EspKeys k{SecretBytes(encr_key_octets(s.encr, s.key_bits)), SecretBytes(integ_key_octets(s.integ))};
  entropy.fill(k.encr.mutable_view());
  entropy.fill(k.integ.mutable_view());
  return k;
}

Buffer ipv4(std::size_t size) {
  Buffer p(size, 0x5a);
  p[0] = 0x45;
  p[2] = static_cast<std::uint8_t>(size >> 8);
  p[3] = static_cast<std::uint8_t>(size);
  return p;
}

Buffer sealed(SealingEnd& sealer, Bytes inner) {
  return sealer.seal(inner);
}

Result<Buffer, EspDrop> opened(OpeningEnd& opener, Bytes packet) {
  Buffer in_place(packet.begin(), packet.end());
  const auto inner = opener.open(in_place);
  if (!inner) return fail(inner.error());
  return Buffer(inner->begin(), inner->end());
}

}  // namespace

TEST_SUITE_BEGIN("ipsec/esp");

TEST_CASE("packets of every size pass every suite unchanged, once [RFC 4303 3.4.3]") {
  for (const char* name : kSuites) {
    CAPTURE(name);
    const EspSuite s = *parse_esp_suite(name);
    const EspKeys k = keys_of(s);
    SealingEnd sealer(s, Spi{0xc1234567}, k);
    OpeningEnd opener(s, k, 1024);
    for (std::size_t size = 20; size < 90; ++size) {
      const Buffer inner = ipv4(size), packet = sealed(sealer, inner);
      REQUIRE(packet.size() > inner.size());
      CHECK(Buffer(packet.begin(), packet.begin() + 4) == test::octets("c1234567"));
      CHECK(opened(opener, packet) == inner);
      CHECK(opened(opener, packet).error() == EspDrop::Replayed);
    }
  }
}

TEST_CASE("what the sealer writes is what the MTU formula allows for [RFC 4303 2.4]") {
  for (const char* name :
       {"aes128gcm16", "aes256gcm16", "aes128-sha1", "aes256-sha256", "aes128-sha384", "aes256-sha512"}) {
    CAPTURE(name);
    const EspSuite s = *parse_esp_suite(name);
    SealingEnd sealer(s, Spi{0xc0000001}, keys_of(s));
    for (const bool udp : {false, true}) {
      const std::size_t outer = 20 + (udp ? 8 : 0), mtu = tunnel_mtu(1500, false, udp, s);
      CHECK(outer + sealed(sealer, ipv4(mtu)).size() <= 1500);
      CHECK(outer + sealed(sealer, ipv4(mtu + 1)).size() > 1500);
    }
  }
}

TEST_CASE("every truncation and every flipped bit of a packet is refused, and nothing is marked as seen") {
  for (const char* name : {"aes256gcm16", "aes128-sha256", "aes256gcm16-esn"}) {
    CAPTURE(name);
    const EspSuite s = *parse_esp_suite(name);
    const EspKeys k = keys_of(s);
    SealingEnd sealer(s, Spi{0xc0000001}, k);
    OpeningEnd opener(s, k, 64);
    const Buffer packet = sealed(sealer, ipv4(40));
    for (std::size_t n = 0; n < packet.size(); ++n)
      CHECK(!opened(opener, Bytes(packet).first(n)));
    for (std::size_t bit = 0; bit < packet.size() * 8; ++bit) {
      Buffer bad = packet;
      bad[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
      CHECK(!opened(opener, bad));
    }
    CHECK(opener.window.highest() == 0);
    CHECK(opened(opener, packet));
  }
}

TEST_CASE("an inner packet whose length is not its own is refused") {
  const EspSuite s = *parse_esp_suite("aes128gcm16");
  const EspKeys k = keys_of(s);
  SealingEnd sealer(s, Spi{0xc0000001}, k);
  OpeningEnd opener(s, k, 64);
  Buffer inner = ipv4(60);
  inner[3] = 61;
  CHECK(opened(opener, sealed(sealer, inner)).error() == EspDrop::NotIp);
  inner[3] = 19;
  CHECK(opened(opener, sealed(sealer, inner)).error() == EspDrop::NotIp);
  for (const int words : {0, 4, 15}) {  // the header's own length: too short, or more than there is
    Buffer lying = ipv4(48);
    lying[0] = static_cast<std::uint8_t>(0x40 | words);
    CHECK(opened(opener, sealed(sealer, lying)).error() == EspDrop::NotIp);
  }
  inner[3] = 40;  // traffic flow padding behind a shorter packet is legal [RFC 4303 2.7]
  CHECK(opened(opener, sealed(sealer, inner))->size() == 40);
  inner[0] = 0x75;
  CHECK(opened(opener, sealed(sealer, inner)).error() == EspDrop::NotIp);
}

struct Step {
  std::uint64_t seq;
  bool accepted;
};

TEST_CASE("the replay window takes each number once and nothing behind its edge [RFC 4303 3.4.3]") {
  const Step steps[] = {
      {0, false},                                                                // 1: never a first number
      {1, true},          {1, false},                                            // 2-3
      {9, true},          {8, true},           {7, true},           {7, false},  // 4-7: late but inside
      {64, true},         {2, true},           {1, false},                       // 8-10
      {128, true},        {65, true},          {64, false},                      // 11-13: the edge is 65
      {127, true},        {66, true},          {66, false},                      // 14-16
      {1000, true},       {936, false},        {937, true},                      // 17-19: a jump empties the window
      {1063, true},       {1000, false},       {1001, true},                     // 20-22
      {0xffffffff, true}, {0x100000000, true}, {0xffffffff, false}, {0xfffffffe, true},  // 23-26
  };
  ReplayWindow w(64);
  int number = 0;
  for (const Step& s : steps) {
    CAPTURE(++number);
    CHECK(w.would_accept(s.seq) == s.accepted);
    if (s.accepted) w.mark(s.seq);
  }
}

TEST_CASE("the high half of an extended number is inferred from the window [RFC 4303 A2.2]") {
  ReplayWindow w(1024);
  CHECK(w.infer(1) == 1);
  w.mark(0xfffffff0);
  CHECK(w.infer(0xfffffff1) == 0xfffffff1);
  CHECK(w.infer(5) == 0x100000005);
  w.mark(0x100000005);
  CHECK(w.infer(0xfffffff2) == 0xfffffff2);
  CHECK(w.infer(6) == 0x100000006);
}

TEST_CASE("windows of 64 to 2048 packets take what is just inside and refuse what is just outside") {
  for (const std::uint32_t size : {64U, 128U, 1000U, 1024U, 2048U}) {
    CAPTURE(size);
    const std::uint64_t window = (size + 63) / 64 * 64, top = 100'000;
    ReplayWindow w(size);
    w.mark(top);
    CHECK(w.would_accept(top - window + 1));
    CHECK(!w.would_accept(top - window));
    // Every number once, from the oldest to the newest and the other way round.
    for (std::uint64_t seq = top - window + 1; seq < top; seq += 3)
      w.mark(seq);
    for (std::uint64_t seq = top - window + 1; seq < top; ++seq)
      CHECK(w.would_accept(seq) == ((seq - (top - window + 1)) % 3 != 0));
  }
}

TEST_CASE("the sequence number ends rather than wraps, and says so before [RFC 4303 3.3.3]") {
  struct Row {
    const char* suite;
    std::uint64_t last;
  };
  for (const Row& r :
       {Row{"aes128gcm16", 0xffffffff}, Row{"aes128-sha256", 0xffffffff}, Row{"aes128gcm16-esn", 0xffffffffffffffff}}) {
    CAPTURE(r.suite);
    const EspSuite s = *parse_esp_suite(r.suite);
    const EspKeys k = keys_of(s);
    SealingEnd sealer(s, Spi{0xc0000001}, k, EspCrypto::Fastest, r.last - 2);
    for (int i = 0; i < 2; ++i) {
      CHECK(!sealer.numbers.used_up());
      CHECK(sealed(sealer, ipv4(40)).size() > 0);
    }
    CHECK(sealer.numbers.used_up());
    CHECK(sealer.numbers.last() == r.last);
    for (int i = 0; i < 2; ++i)
      CHECK(sealed(sealer, ipv4(40)).empty());
    CHECK(sealer.numbers.last() == r.last);
  }
  CHECK(ReplayWindow(1024).would_accept(0xffffffff));
}

TEST_CASE(
    "numbers that are taken in a row are nobody else's, and at the end there are fewer, then none [RFC 4303 3.3.3]") {
  SequenceNumbers numbers(*parse_esp_suite("aes128gcm16"), 0xfffffff0);
  const auto first = numbers.take(10), second = numbers.take(10), third = numbers.take(1);
  CHECK(first.first == 0xfffffff1);
  CHECK(first.count == 10);
  CHECK(second.first == first.last() + 1);
  CHECK(second.count == 5);
  CHECK(second.last() == 0xffffffff);
  CHECK(third.count == 0);
  CHECK(numbers.used_up());
  CHECK(SequenceNumbers(*parse_esp_suite("aes128gcm16-esn"), 0xfffffff0).take(100).count == 100);
}

TEST_CASE("a new SA is due when a sixteenth of the sequence numbers is left, at either end") {
  const EspSuite s = *parse_esp_suite("aes128gcm16");
  const EspKeys k = keys_of(s);
  SealingEnd sealer(s, Spi{0xc0000001}, k, EspCrypto::Fastest, 0xefffffff);
  OpeningEnd opener(s, k, 64);
  const Buffer before = sealed(sealer, ipv4(40));
  CHECK(!nearly_used_up(s, sealer.numbers.last()));
  CHECK(opened(opener, before));
  CHECK(!nearly_used_up(s, opener.window.highest()));
  const Buffer after = sealed(sealer, ipv4(40));
  CHECK(nearly_used_up(s, sealer.numbers.last()));
  CHECK(opened(opener, after));
  CHECK(nearly_used_up(s, opener.window.highest()));
}

TEST_CASE("with ESN packets pass the 32-bit limit, and one held back over it is still taken [RFC 4303 2.2.1]") {
  for (const char* name : {"aes256gcm16-esn", "aes128-sha256-esn"}) {
    CAPTURE(name);
    const EspSuite s = *parse_esp_suite(name);
    const EspKeys k = keys_of(s);
    SealingEnd sealer(s, Spi{0xc0000001}, k, EspCrypto::Fastest, 0xfffffffd);
    OpeningEnd opener(s, k, 1024);
    const Buffer held = sealed(sealer, ipv4(40));
    for (int i = 0; i < 5; ++i)
      CHECK(opened(opener, sealed(sealer, ipv4(40))));
    CHECK(opener.window.highest() == 0x100000003);
    CHECK(opened(opener, held));
    CHECK(opened(opener, held).error() == EspDrop::Replayed);
  }
}

TEST_CASE("libipsec-mb and OpenSSL write the same packets and open each other's") {
  if (!ipsec_mb_usable()) {
    MESSAGE("libipsec-mb is not built in or not usable here: not compared");
    return;
  }
  for (const char* name : {"aes128gcm16", "aes256gcm16", "aes128gcm16-esn", "aes256gcm16-esn"}) {
    CAPTURE(name);
    const EspSuite s = *parse_esp_suite(name);
    const EspKeys k = keys_of(s);
    SealingEnd one(s, Spi{0xc1234567}, k, EspCrypto::Fastest), other(s, Spi{0xc1234567}, k, EspCrypto::OpenSsl);
    OpeningEnd opens_one(s, k, 64, EspCrypto::OpenSsl), opens_other(s, k, 64, EspCrypto::Fastest);
    for (std::size_t size = 20; size < 1500; size += size < 300 ? 1 : 97) {
      const Buffer inner = ipv4(size), a = sealed(one, inner), b = sealed(other, inner);
      REQUIRE(a == b);
      CHECK(opened(opens_one, a) == inner);
      CHECK(opened(opens_other, b) == inner);
      Buffer forged = sealed(one, inner);
      sealed(other, inner);
      forged.back() ^= 1;
      CHECK(opened(opens_other, forged).error() == EspDrop::BadIcv);
    }
  }
}

struct MtuRow {
  const char* suite;
  bool udp;
  std::uint32_t v4, v6;  // outer IPv4 (as AWS publishes) and IPv6
};

TEST_CASE("MTU and MSS are those that AWS publishes") {
  for (const MtuRow& r : {MtuRow{"aes128gcm16", false, 1446, 1426},
                          {"aes256gcm16", true, 1438, 1418},
                          {"aes128-sha1", false, 1438, 1422},
                          {"aes128-sha1", true, 1422, 1406},
                          {"aes256-sha256", false, 1438, 1406},
                          {"aes256-sha256", true, 1422, 1406},
                          {"aes256-sha384", false, 1422, 1406},
                          {"aes256-sha384", true, 1422, 1390},
                          {"aes256-sha512", false, 1422, 1390},
                          {"aes256-sha512", true, 1406, 1390}}) {
    CAPTURE(r.suite);
    CAPTURE(r.udp);
    const EspSuite s = *parse_esp_suite(r.suite);
    CHECK(tunnel_mtu(1500, false, r.udp, s) == r.v4);
    CHECK(tunnel_mtu(1500, true, r.udp, s) == r.v6);
    CHECK(tunnel_mss(r.v4, false) == r.v4 - 40);
    CHECK(tunnel_mss(r.v4, true) == r.v4 - 60);
  }
}

TEST_CASE("no path makes a tunnel's MTU smaller than what every link carries [RFC 791 3.2, RFC 8200 5]") {
  for (const std::uint32_t path : {0U, 60U, 68U, 100U, 123U})
    CHECK(tunnel_mtu(path, false, true, EspSuite{}) == 68);
  CHECK(tunnel_mtu(132, false, true, EspSuite{}) == 70);
  CHECK(tunnel_mtu(1280, true, true, EspSuite{}) == 1198);
  CHECK(at_least_every_links(1198, true) == 1280);
  CHECK(at_least_every_links(1446, true) == 1446);
  CHECK(at_least_every_links(1198, false) == 1198);
}

TEST_SUITE_END();
}  // namespace cgw::ipsec
