// ESP packets that the sealer never writes, made by hand with the same keys: what is behind a right ICV is checked too.
#include <doctest/doctest.h>
#include <openssl/evp.h>

#include "ipsec/crypto.hpp"
#include "ipsec/esp.hpp"
#include "octets.hpp"
#include "tests/support/esp_end.hpp"

namespace cgw::ipsec {
namespace {

using test::octets;

const EspKeys& keys() {
  static const EspKeys k{SecretBytes(Bytes(octets("000102030405060708090a0b0c0d0e0f cafebabe"))), SecretBytes()};
  return k;
}

// SPI, sequence number, IV, AES-128-GCM of `plain`, ICV [RFC 4106 3]
Buffer packet_of(std::uint32_t seq, Bytes plain) {
  Buffer out;
  Writer w(out);
  w.u32(0xc0000001);
  w.u32(seq);
  w.u32(0);
  w.u32(seq);
  const Bytes key = keys().encr.view();
  Buffer nonce(key.begin() + 16, key.end());
  nonce.insert(nonce.end(), out.begin() + 8, out.end());
  out.resize(16 + plain.size() + 16);
  EVP_CIPHER_CTX* ctx = EVP_CIPHER_CTX_new();
  int n = 0;
  REQUIRE(EVP_EncryptInit_ex2(ctx, EVP_aes_128_gcm(), key.data(), nonce.data(), nullptr) == 1);
  REQUIRE(EVP_EncryptUpdate(ctx, nullptr, &n, out.data(), 8) == 1);
  REQUIRE(EVP_EncryptUpdate(ctx, out.data() + 16, &n, plain.data(), static_cast<int>(plain.size())) == 1);
  REQUIRE(EVP_EncryptFinal_ex(ctx, out.data() + 16 + n, &n) == 1);
  REQUIRE(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, out.data() + 16 + plain.size()) == 1);
  EVP_CIPHER_CTX_free(ctx);
  return out;
}

constexpr const char* kIp4 = "4500001400000000400100000a0000010a000002";
constexpr const char* kIp6 = "60000000 0000 3b40 20010db8000000000000000000000001 20010db8000000000000000000000002";

struct Row {
  const char* name;
  const char* inner;
  const char* trailer;  // padding, pad length, next header
  std::optional<EspDrop> drop;
};

}  // namespace

TEST_SUITE_BEGIN("ipsec/esp");

TEST_CASE("the trailer of a packet made by hand is checked field by field [RFC 4303 2.4-2.6]") {
  const Row rows[] = {
      {"IPv4", kIp4, "0102 02 04", std::nullopt},
      {"IPv4, more padding than needed", kIp4, "010203040506 06 04", std::nullopt},
      {"IPv6", kIp6, "0102 02 29", std::nullopt},
      {"dummy", kIp4, "0102 02 3b", EspDrop::Dummy},
      {"dummy of garbage", "00000000", "ff3b ff 3b", EspDrop::Dummy},
      {"padding of zeroes", kIp4, "0000 02 04", EspDrop::BadPadding},
      {"padding that starts at 2", kIp4, "0203 02 04", EspDrop::BadPadding},
      {"pad length past the front", kIp4, "0102 ff 04", EspDrop::BadPadding},
      {"pad length just past the front", kIp4, "0102 17 04", EspDrop::BadPadding},
      {"padding that eats the packet", kIp4, "0102 03 04", EspDrop::BadPadding},
      {"TCP rather than IP", kIp4, "0102 02 06", EspDrop::NotIp},
      {"IPv4 called IPv6", kIp4, "0102 02 29", EspDrop::NotIp},
      {"IPv6 called IPv4", kIp6, "0102 02 04", EspDrop::NotIp},
      {"nothing inside", "", "0102 02 04", EspDrop::NotIp},
  };
  const EspSuite suite = *parse_esp_suite("aes128gcm16");
  test::OpeningEnd opener(suite, keys(), 64);
  std::uint32_t seq = 0;
  for (const Row& r : rows) {
    CAPTURE(r.name);
    const Buffer inner = octets(r.inner), trailer = octets(r.trailer);
    Buffer plain = inner;
    plain.insert(plain.end(), trailer.begin(), trailer.end());
    Buffer packet = packet_of(++seq, plain);
    const auto opened = opener.open(packet);
    if (r.drop) {
      REQUIRE(!opened);
      CHECK(opened.error() == *r.drop);
    } else {
      REQUIRE(opened);
      CHECK(Buffer(opened->begin(), opened->end()) == inner);
    }
    // The ICV was right: the number is used up either way.
    CHECK(opener.window.highest() == seq);
  }
}

TEST_CASE("Child SA keys are prf+ of SK_d, encryption before integrity, the initiator's first [RFC 7296 2.17]") {
  const Buffer d(32, 9), ni(32, 1), nr(32, 2), shared(48, 3);
  for (const char* name : {"aes256gcm16", "aes256-sha384"}) {
    const EspSuite s = *parse_esp_suite(name);
    for (const bool pfs : {false, true}) {
      Buffer seed = pfs ? shared : Buffer{};
      seed.insert(seed.end(), ni.begin(), ni.end());
      seed.insert(seed.end(), nr.begin(), nr.end());
      const std::size_t e = encr_key_octets(s.encr, s.key_bits), a = integ_key_octets(s.integ);
      Buffer all, block;  // T1 | T2 | ...
      for (std::uint8_t n = 1; all.size() < 2 * (e + a); ++n) {
        block.insert(block.end(), seed.begin(), seed.end());
        block.push_back(n);
        block = prf(Prf::HmacSha256, d, block);
        all.insert(all.end(), block.begin(), block.end());
      }
      const ChildKeys k = derive_child_keys(Prf::HmacSha256, s, d, pfs ? Bytes(shared) : Bytes{}, ni, nr);
      CHECK(k.encr_i == SecretBytes(Bytes(all).first(e)));
      CHECK(k.integ_i == SecretBytes(Bytes(all).subspan(e, a)));
      CHECK(k.encr_r == SecretBytes(Bytes(all).subspan(e + a, e)));
      CHECK(k.integ_r == SecretBytes(Bytes(all).subspan(2 * e + a, a)));
    }
  }
}

TEST_SUITE_END();
}  // namespace cgw::ipsec
