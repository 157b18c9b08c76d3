// Known answers of published documents.
#include <doctest/doctest.h>

#include "ipsec/crypto.hpp"
#include "ipsec/key_exchange.hpp"
#include "octets.hpp"

namespace cgw::ipsec {
using test::octets;
using test::text;

TEST_SUITE_BEGIN("ipsec/vectors");

TEST_CASE("PRFs are HMAC [RFC 2202 3 case 2, RFC 4231 4.3]") {
  const Buffer key = text("Jefe"), data = text("what do ya want for nothing?");
  CHECK(prf(Prf::HmacSha1, key, data) == octets("effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"));
  CHECK(prf(Prf::HmacSha256, key, data) == octets("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"));
  CHECK(prf(Prf::HmacSha384, key, data) ==
        octets("af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649"));
  CHECK(prf(Prf::HmacSha512, key, data) == octets("164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758"
                                                  "bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e07"
                                                  "0a38bce737"));
}

TEST_CASE("an HMAC key longer than the block is hashed first [RFC 4231 4.7]") {
  const Buffer key(131, 0xaa), data = text("Test Using Larger Than Block-Size Key - Hash Key First");
  CHECK(prf(Prf::HmacSha256, key, data) == octets("60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"));
}

TEST_CASE("prf+ chains blocks, each over the one before, the seed and its number [RFC 7296 2.13]") {
  const Buffer key = text("key"), seed = text("seed");
  Buffer expected, block;
  for (std::uint8_t n = 1; n <= 4; ++n) {
    Buffer data = block;
    data.insert(data.end(), seed.begin(), seed.end());
    data.push_back(n);
    block = prf(Prf::HmacSha256, key, data);
    expected.insert(expected.end(), block.begin(), block.end());
  }
  const SecretBytes got = prf_plus(Prf::HmacSha256, key, seed, 100);
  CHECK(got == SecretBytes(Bytes(expected).first(100)));
}

TEST_CASE("ECP-256 yields the published secret on both sides [RFC 5903 8.1]") {
  const Buffer i = octets("C88F01F510D9AC3F70A292DAA2316DE544E9AAB8AFE84049C62A9C57862D1433");
  const Buffer gi = octets(
      "DAD0B65394221CF9B051E1FECA5787D098DFE637FC90B9EF945D0C3772581180"
      "5271A0461CDB8252D61F1C456FA3E59AB1F45B33ACCF5F58389E0577B8990BB3");
  const Buffer r = octets("C6EF9C5D78AE012A011164ACB397CE2088685D8F06BF9BE0B283AB46476BEE53");
  const Buffer gr = octets(
      "D12DFB5289C8D4F81208B70270398C342296970A0BCCB74C736FC7554494BF63"
      "56FBF3CA366CC23E8157854C13C58D6AAC23F046ADA30F8353E74F33039872AB");
  const SecretBytes secret{Bytes(octets("D6840F6B42F6EDAFD13116E0E12565202FEF8E9ECE7DCE03812464D04B9442DE"))};
  const auto initiator = known_key_exchange(DhGroup::Ecp256, i, gi),
             responder = known_key_exchange(DhGroup::Ecp256, r, gr);
  CHECK(initiator->public_value() == gi);
  CHECK(*initiator->shared_secret(gr) == secret);
  CHECK(*responder->shared_secret(gi) == secret);
}

struct Gcm {
  std::string_view suite, key, cipher, tag;
};

TEST_CASE("AES-GCM protects as published [GCM specification, test cases 4 and 16; RFC 5282]") {
  const Buffer plain = octets(
      "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657"
      "ba637b39");
  const Buffer aad = octets("feedfacedeadbeeffeedfacedeadbeefabaddad2"), iv = octets("facedbaddecaf888");
  for (const Gcm& c :
       {Gcm{"aes128gcm16-prfsha256-ecp256", "feffe9928665731c6d6a8f9467308308",
            "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a"
            "0aac973d58e091",
            "5bc94fbc3221a5db94fae95ae7121a47"},
        Gcm{"aes256gcm16-prfsha384-ecp384", "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
            "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393"
            "ba7a0abcc9f662",
            "76fc6ece0f4e1768cddf8853bb2d551b"}}) {
    Buffer key = octets(c.key);
    const Buffer salt = octets("cafebabe");
    key.insert(key.end(), salt.begin(), salt.end());
    const auto cipher = make_sk_cipher(*parse_ike_suite(c.suite), key, {});
    Buffer sealed;
    cipher->seal(aad, plain, iv, sealed);
    Buffer expected = iv;
    for (const auto part : {c.cipher, c.tag}) {
      const Buffer o = octets(part);
      expected.insert(expected.end(), o.begin(), o.end());
    }
    CHECK(sealed == expected);
    CHECK(cipher->open(aad, sealed) == plain);
  }
}

TEST_CASE("AES-CBC encrypts as published [RFC 3602 4, case 1]") {
  const auto cipher = make_sk_cipher(*parse_ike_suite("aes128-sha256-modp2048"),
                                     octets("06a9214036b8a15b512e03d534120006"), Buffer(32, 7));
  const Buffer iv = octets("3dafba429d9eb430b422da802c9fac41");
  Buffer sealed;
  cipher->seal({}, text("Single block msg"), iv, sealed);
  CHECK(Buffer(sealed.begin() + 16, sealed.begin() + 32) == octets("e353779c1079aeb82708942dbe77181a"));
}

TEST_CASE("any flipped bit of a protected message or its header is noticed") {
  OpenSslEntropy entropy;
  for (const auto* name : {"aes256gcm16-prfsha384-ecp384", "aes128-sha1-modp2048", "aes256-sha512-ecp521"}) {
    const IkeSuite suite = *parse_ike_suite(name);
    Buffer key(encr_key_octets(suite.encr, suite.key_bits)), integ(integ_key_octets(suite.integ)), aad(32, 3);
    entropy.fill(key);
    entropy.fill(integ);
    const auto cipher = make_sk_cipher(suite, key, integ);
    Buffer plain(20, 1);
    plain.resize(plain.size() + cipher->padding_for(plain.size()));
    Buffer sealed;
    cipher->seal(aad, plain, Buffer(cipher->iv_size(), 9), sealed);
    REQUIRE(cipher->open(aad, sealed) == plain);
    for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
      Buffer bad = sealed;
      bad[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
      CHECK(!cipher->open(aad, bad));
    }
    for (std::size_t n = 0; n < sealed.size(); ++n)
      CHECK(!cipher->open(aad, Bytes(sealed).first(n)));
    aad[5] ^= 1;
    CHECK(!cipher->open(aad, sealed));
  }
}

TEST_CASE("IKE keys come in the order of the standard, and both rekey and first seeds differ [RFC 7296 2.14, 2.18]") {
  const IkeSuite suite = *parse_ike_suite("aes128-sha256-modp2048");
  const Buffer ni(32, 1), nr(32, 2), shared(256, 3);
  const SecretBytes seed = skeyseed_initial(suite.prf, ni, nr, shared);
  Buffer nonces = ni;
  nonces.insert(nonces.end(), nr.begin(), nr.end());
  CHECK(seed == SecretBytes(Bytes(prf(suite.prf, nonces, shared))));
  const IkeKeys k = derive_ike_keys(suite, seed.view(), ni, nr, 0x0102030405060708, 0x1112131415161718);
  Buffer salt = nonces;
  for (const Buffer& spi : {octets("0102030405060708"), octets("1112131415161718")})
    salt.insert(salt.end(), spi.begin(), spi.end());
  const SecretBytes all = prf_plus(suite.prf, seed.view(), salt, 32 + 32 + 32 + 16 + 16 + 32 + 32);
  std::size_t at = 0;
  for (const SecretBytes* part : {&k.d, &k.ai, &k.ar, &k.ei, &k.er, &k.pi, &k.pr}) {
    CHECK(*part == SecretBytes(all.view().subspan(at, part->size())));
    at += part->size();
  }
  CHECK(at == all.size());
  CHECK(skeyseed_rekey(suite.prf, k.d.view(), shared, ni, nr) != seed);
}

TEST_SUITE_END();
}  // namespace cgw::ipsec
