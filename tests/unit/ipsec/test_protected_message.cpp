#include <doctest/doctest.h>

#include "ipsec/protected_message.hpp"
#include "octets.hpp"

namespace cgw::ipsec {
namespace {

using test::octets;

constexpr const char* kSuites[] = {"aes128gcm16-prfsha256-ecp256", "aes256gcm16-prfsha384-ecp384",
                                   "aes128-sha1-modp2048",         "aes256-sha256-ecp256",
                                   "aes256-sha384-ecp384",         "aes256-sha512-ecp521"};

std::unique_ptr<SkCipher> cipher_of(const char* name) {
  const IkeSuite s = *parse_ike_suite(name);
  return make_sk_cipher(s, Buffer(encr_key_octets(s.encr, s.key_bits), 0x11), Buffer(integ_key_octets(s.integ), 0x22));
}

const Header kHeader{.spi_i = 1, .spi_r = 2, .exchange = Exchange::Informational, .initiator = true, .message_id = 7};

std::vector<Buffer> protected_by(SkCipher& cipher, const Payloads& payloads, bool fragment) {
  std::uint8_t n = 0;
  return protect(kHeader, payloads, cipher, fragment, [&] { return Buffer(cipher.iv_size(), ++n); });
}

std::optional<Opened> opened(Bytes message, SkCipher& cipher) {
  const auto h = parse_header(message);
  return h ? unprotect(message, *h, cipher) : std::nullopt;
}

Opened piece(std::uint16_t number, std::uint16_t total, Buffer plain) {
  return {number == 1 ? PayloadType::Nonce : PayloadType::None, std::move(plain), number, total};
}

// One SKF message with these fragment fields, correctly sealed.
std::optional<Opened> fragment_of(SkCipher& cipher, std::uint16_t number, std::uint16_t total) {
  Buffer fields;
  Writer w(fields);
  w.u16(number);
  w.u16(total);
  return opened(seal_message(kHeader, PayloadType::Skf, PayloadType::None, fields, octets("0102"), cipher,
                             Buffer(cipher.iv_size(), 1)),
                cipher);
}

}  // namespace

TEST_SUITE_BEGIN("ipsec/protected_message");

TEST_CASE("messages of every padding pass every suite unchanged [RFC 7296 3.14]") {
  for (const char* name : kSuites) {
    CAPTURE(name);
    const auto cipher = cipher_of(name);
    for (std::size_t size = 0; size < 40; ++size) {
      const Payloads in{{PayloadType::Nonce, false, Buffer(size, 5)}};
      const auto out = protected_by(*cipher, in, true);
      REQUIRE(out.size() == 1);
      CHECK(parse_header(out[0])->length == out[0].size());
      const auto back = opened(out[0], *cipher);
      REQUIRE(back);
      CHECK(back->fragment == 0);
      const auto chain = parse_chain(back->first, back->plain);
      REQUIRE(chain);
      CHECK(chain->payloads.front().body == in.front().body);
    }
    const auto empty = opened(protected_by(*cipher, {}, true)[0], *cipher);
    REQUIRE(empty);
    CHECK(empty->first == PayloadType::None);
    CHECK(empty->plain.empty());
  }
}

TEST_CASE("every truncation and every flipped bit of a protected message or fragment is refused") {
  for (const char* name : kSuites) {
    CAPTURE(name);
    const auto cipher = cipher_of(name);
    const Buffer sk = protected_by(*cipher, {{PayloadType::Nonce, false, Buffer(20, 5)}}, false)[0];
    const Buffer skf = seal_message(kHeader, PayloadType::Skf, PayloadType::Nonce, octets("00010002"), Buffer(20, 5),
                                    *cipher, Buffer(cipher->iv_size(), 1));
    for (const Buffer& message : {sk, skf}) {
      REQUIRE(opened(message, *cipher));
      for (std::size_t n = 0; n < message.size(); ++n)
        CHECK(!opened(Bytes(message).first(n), *cipher));
      for (std::size_t bit = 0; bit < message.size() * 8; ++bit) {
        Buffer bad = message;
        bad[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
        CHECK(!opened(bad, *cipher));
      }
    }
  }
}

TEST_CASE("a pad length that is longer than the message is refused") {
  for (const char* name : {"aes256gcm16-prfsha384-ecp384", "aes128-sha1-modp2048"}) {
    const auto cipher = cipher_of(name);
    for (const auto& [pad, ok] : {std::pair<std::uint8_t, bool>{15, true}, {16, false}, {255, false}}) {
      Buffer plain(16, 0), message;
      plain.back() = pad;
      Header h = kHeader;
      h.first = PayloadType::Sk;
      const std::size_t sk = kPayloadHeader + cipher->iv_size() + plain.size() + cipher->icv_size();
      h.length = static_cast<std::uint32_t>(kHeaderOctets + sk);
      write_header(h, message);
      Writer w(message);
      w.u16(0);
      w.u16(static_cast<std::uint16_t>(sk));
      const Buffer aad = message;
      cipher->seal(aad, plain, Buffer(cipher->iv_size(), 1), message);
      CHECK(opened(message, *cipher).has_value() == ok);
    }
  }
}

TEST_CASE("long messages go out in fragments that fit and come together in any order [RFC 7383 2.5]") {
  for (const char* name : kSuites) {
    CAPTURE(name);
    const auto cipher = cipher_of(name);
    const Payloads in{{PayloadType::Nonce, false, Buffer(4000, 5)}, {PayloadType::Vendor, false, octets("aa")}};
    CHECK(protected_by(*cipher, in, false).size() == 1);
    const auto out = protected_by(*cipher, in, true);
    REQUIRE(out.size() == 4);
    Reassembly r;
    std::optional<Opened> whole;
    for (const std::size_t i : {2U, 0U, 0U, 3U, 1U}) {
      CHECK(!whole);
      CHECK(out[i].size() <= kFragmentThreshold);
      auto part = opened(out[i], *cipher);
      REQUIRE(part);
      CHECK(part->fragment == i + 1);
      CHECK(part->total == 4);
      whole = r.add(7, std::move(*part));
    }
    REQUIRE(whole);
    const auto chain = parse_chain(whole->first, whole->plain);
    REQUIRE(chain);
    CHECK(chain->payloads[0].body == in[0].body);
    CHECK(chain->payloads[1].body == in[1].body);
  }
}

TEST_CASE("fragment numbers outside 1..total and more than 64 are refused though the ICV is right [RFC 7383 2.6]") {
  const auto cipher = cipher_of(kSuites[1]);
  CHECK(fragment_of(*cipher, 1, 1));
  CHECK(fragment_of(*cipher, 64, 64));
  CHECK(!fragment_of(*cipher, 0, 2));
  CHECK(!fragment_of(*cipher, 0, 0));
  CHECK(!fragment_of(*cipher, 3, 2));
  CHECK(!fragment_of(*cipher, 1, 65));
  CHECK(!fragment_of(*cipher, 65, 65));
  CHECK(!fragment_of(*cipher, 1, 0xffff));
}

TEST_CASE("a larger total starts again, a smaller one is dropped, as is another message [RFC 7383 2.6]") {
  Reassembly r;
  CHECK(!r.add(1, piece(1, 2, octets("01"))));
  CHECK(!r.add(1, piece(2, 3, octets("02"))));  // starts again with three
  CHECK(!r.add(1, piece(2, 2, octets("ee"))));  // two are of the past
  CHECK(!r.add(1, piece(1, 3, octets("01"))));
  CHECK(!r.add(1, piece(1, 3, octets("ee"))));  // the first copy counts
  const auto whole = r.add(1, piece(3, 3, octets("03")));
  REQUIRE(whole);
  CHECK(whole->plain == octets("010203"));
  CHECK(whole->first == PayloadType::Nonce);
  CHECK(!r.add(2, piece(1, 2, octets("01"))));
  CHECK(!r.add(3, piece(2, 2, octets("02"))));
  CHECK(r.add(3, piece(1, 2, octets("01")))->plain == octets("0102"));
}

TEST_CASE("fragments of more than 64 KiB together are not kept") {
  Reassembly r;
  CHECK(!r.add(1, piece(1, 3, Buffer(40000, 1))));
  CHECK(!r.add(1, piece(2, 3, Buffer(40000, 1))));
  CHECK(!r.add(1, piece(3, 3, Buffer(20000, 1))));
  CHECK(r.add(1, piece(2, 3, Buffer(100, 1)))->plain.size() == 60100);
}

TEST_SUITE_END();
}  // namespace cgw::ipsec
