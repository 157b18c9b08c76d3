// AUTH payloads with signatures: RFC 7427, RFC 7296 3.8, RFC 4754.
#include <doctest/doctest.h>

#include <algorithm>

#include "ipsec/signature.hpp"
#include "tests/support/test_pki.hpp"
#include "tests/unit/ipsec/octets.hpp"

namespace cgw::ipsec {
namespace {

using Kind = SignatureScheme::Kind;
using test::octets;

const Hashes kAll{Hash::Sha256, Hash::Sha384, Hash::Sha512};

std::shared_ptr<const SigningKey> key(const std::string& kind, int number = 0) {
  const std::string pem = test::key_pem(test::test_key(kind, number));
  return *parse_private_key({reinterpret_cast<const std::uint8_t*>(pem.data()), pem.size()});
}

std::string refusal(std::string_view pem) {
  const auto k = parse_private_key({reinterpret_cast<const std::uint8_t*>(pem.data()), pem.size()});
  return k ? std::string() : k.error();
}

Buffer wrap(Bytes identifier, Bytes signature) {
  Buffer out{static_cast<std::uint8_t>(identifier.size())};
  out.insert(out.end(), identifier.begin(), identifier.end());
  out.insert(out.end(), signature.begin(), signature.end());
  return out;
}

const Buffer kOctets = test::text("RealMessage1 | NonceRData | MACedIDForI");

}  // namespace

TEST_CASE("AlgorithmIdentifiers are those of RFC 7427's appendix A") {
  CHECK(scheme_of(octets("300d 0609 2a86 4886 f70d 0101 0b05 00")) == SignatureScheme{Kind::Pkcs1, Hash::Sha256});
  CHECK(scheme_of(octets("300d 0609 2a86 4886 f70d 0101 0c05 00")) == SignatureScheme{Kind::Pkcs1, Hash::Sha384});
  CHECK(scheme_of(octets("300d 0609 2a86 4886 f70d 0101 0d05 00")) == SignatureScheme{Kind::Pkcs1, Hash::Sha512});
  CHECK(scheme_of(octets("300a 0608 2a86 48ce 3d04 0302")) == SignatureScheme{Kind::Ecdsa, Hash::Sha256});
  CHECK(scheme_of(octets("300a 0608 2a86 48ce 3d04 0303")) == SignatureScheme{Kind::Ecdsa, Hash::Sha384});
  CHECK(scheme_of(octets("300a 0608 2a86 48ce 3d04 0304")) == SignatureScheme{Kind::Ecdsa, Hash::Sha512});
  CHECK(scheme_of(octets("3041 0609 2a86 4886 f70d 0101 0a30 34a0 0f30 0d06 0960 8648 0165 0304 0201 0500"
                         "a11c 301a 0609 2a86 4886 f70d 0101 0830 0d06 0960 8648 0165 0304 0201 0500 a203 0201 20")) ==
        SignatureScheme{Kind::Pss, Hash::Sha256});
}

TEST_CASE("no other AlgorithmIdentifier is taken, however near") {
  CHECK_FALSE(scheme_of(octets("300d 0609 2a86 4886 f70d 0101 0505 00")));     // sha1WithRSAEncryption
  CHECK_FALSE(scheme_of(octets("300d 0609 2a86 4886 f70d 0101 0405 00")));     // md5WithRSAEncryption
  CHECK_FALSE(scheme_of(octets("3009 0607 2a86 48ce 3d04 01")));               // ecdsa-with-SHA1
  CHECK_FALSE(scheme_of(octets("300d 0609 2a86 4886 f70d 0101 0a30 00")));     // RSASSA-PSS, default parameters
  CHECK_FALSE(scheme_of(octets("300b 0609 2a86 4886 f70d 0101 0b")));          // NULL left out
  CHECK_FALSE(scheme_of(octets("300d 0609 2a86 4886 f70d 0101 0b05 00 00")));  // an octet behind it
  CHECK_FALSE(scheme_of(octets("3081 0d06 092a 8648 86f7 0d01 010b 0500")));   // a length in two octets: BER
  CHECK_FALSE(scheme_of({}));
  for (const auto kind : {Kind::Pkcs1, Kind::Pss, Kind::Ecdsa}) {
    const Bytes right = algorithm_identifier({kind, Hash::Sha384});
    for (std::size_t i = 0; i < right.size(); ++i) {
      Buffer wrong(right.begin(), right.end());
      wrong[i] ^= 0x80;
      CAPTURE(i);
      CHECK_FALSE(scheme_of(wrong));
    }
  }
}

TEST_CASE("every scheme verifies what it signed, and nothing else") {
  for (const auto* kind : {"RSA-2048", "P-256", "P-384", "P-521"}) {
    CAPTURE(kind);
    const auto k = key(kind);
    const bool rsa = k->public_key().type() == KeyType::Rsa;
    for (const auto form : {Kind::Pkcs1, Kind::Pss, Kind::Ecdsa}) {
      if (rsa == (form == Kind::Ecdsa)) continue;
      for (const Hash h : kAll) {
        const SignatureScheme s{form, h};
        CAPTURE(to_string(s));
        const Buffer signature = k->sign(s, kOctets);
        const auto verify = [&](const Buffer& sig, const Buffer& octets = kOctets) {
          return verify_auth(k->public_key(), AuthMethod::DigitalSignature, wrap(algorithm_identifier(s), sig), octets,
                             kAll);
        };
        CHECK(verify(signature) == s);
        CHECK_FALSE(verify(signature, test::text("another message")));
        Buffer flipped = signature, longer = signature, shorter = signature, led = signature;
        flipped[flipped.size() / 2] ^= 1;
        longer.push_back(0);
        shorter.pop_back();
        led.insert(led.begin(), 0);
        CHECK_FALSE(verify(flipped));
        CHECK_FALSE(verify(longer));
        CHECK_FALSE(verify(shorter));
        CHECK_FALSE(verify(led));
        CHECK_FALSE(verify({}));
      }
    }
  }
}

TEST_CASE("a signature under another hash's or another padding's name is refused") {
  const auto k = key("RSA-2048");
  const Buffer signature = k->sign({Kind::Pkcs1, Hash::Sha256}, kOctets);
  for (const SignatureScheme s : {SignatureScheme{Kind::Pkcs1, Hash::Sha384}, SignatureScheme{Kind::Pss, Hash::Sha256}})
    CHECK_FALSE(verify_auth(k->public_key(), AuthMethod::DigitalSignature, wrap(algorithm_identifier(s), signature),
                            kOctets, kAll));
  const auto ec = key("P-256");
  const auto wrong = verify_auth(ec->public_key(), AuthMethod::DigitalSignature,
                                 wrap(algorithm_identifier({Kind::Pkcs1, Hash::Sha256}), signature), kOctets, kAll);
  CHECK(wrong.error() == "its AUTH is RSASSA-PKCS1-v1_5 with SHA2-256, its certificate's key is ECDSA P-256");
}

TEST_CASE("AUTH data that is empty, cut short or of an unknown algorithm is refused with a reason") {
  const auto k = key("RSA-2048");
  const auto refused = [&](const Buffer& data) {
    return verify_auth(k->public_key(), AuthMethod::DigitalSignature, data, kOctets, kAll).error();
  };
  CHECK(refused({}) == "its AUTH is empty");
  CHECK(refused({15}) == "its AUTH is cut short");
  const Bytes identifier = algorithm_identifier({Kind::Pkcs1, Hash::Sha256});
  CHECK(refused(wrap(identifier, {})) == "its AUTH is cut short");
  CHECK(refused(wrap(octets("300d 0609 2a86 4886 f70d 0101 0505 00"), Buffer(256, 1))).find("none of") !=
        std::string::npos);
}

TEST_CASE("ECDSA by the older methods is r and s, each as long as the order [RFC 4754 7]") {
  const std::vector<std::tuple<std::string, AuthMethod, std::size_t>> curves{{"P-256", AuthMethod::EcdsaP256, 64},
                                                                             {"P-384", AuthMethod::EcdsaP384, 96},
                                                                             {"P-521", AuthMethod::EcdsaP521, 132}};
  for (const auto& [kind, method, size] : curves) {
    CAPTURE(kind);
    const auto k = key(kind);
    const auto how = choose_signature(k->public_key(), std::nullopt, true);
    REQUIRE(how);
    CHECK(how->method == method);
    // Leading zeroes of r and s come up within a few hundred signatures.
    for (int i = 0; i < (kind == "P-256" ? 300 : 4); ++i) {
      const Buffer data = sign_auth(*k, *how, kOctets);
      REQUIRE(data.size() == size);
      REQUIRE(verify_auth(k->public_key(), method, data, kOctets, std::nullopt));
    }
    Buffer data = sign_auth(*k, *how, kOctets);
    CHECK_FALSE(verify_auth(k->public_key(), method, Bytes(data).first(size - 1), kOctets, std::nullopt));
    Buffer longer = data;
    longer.push_back(0);
    CHECK_FALSE(verify_auth(k->public_key(), method, longer, kOctets, std::nullopt));
    CHECK_FALSE(verify_auth(k->public_key(), method, Buffer(size, 0), kOctets, std::nullopt));
    CHECK_FALSE(verify_auth(k->public_key(), AuthMethod::Rsa, data, kOctets, std::nullopt));
    const auto other = method == AuthMethod::EcdsaP256 ? AuthMethod::EcdsaP384 : AuthMethod::EcdsaP256;
    CHECK_FALSE(verify_auth(k->public_key(), other, data, kOctets, std::nullopt));
  }
}

TEST_CASE("method 1 is RSASSA-PKCS1-v1_5, SHA-1 by default; from a peer that announced SHA-2, SHA-1 is refused") {
  const auto k = key("RSA-2048");
  const auto how = choose_signature(k->public_key(), std::nullopt, true);
  REQUIRE(how);
  CHECK(how->method == AuthMethod::Rsa);
  CHECK(how->scheme == SignatureScheme{Kind::Pkcs1, Hash::Sha1});
  const Buffer data = sign_auth(*k, *how, kOctets);
  CHECK(verify_auth(k->public_key(), AuthMethod::Rsa, data, kOctets, std::nullopt) == how->scheme);
  CHECK(verify_auth(k->public_key(), AuthMethod::Rsa, data, kOctets, kAll).error() ==
        "it announced SHA-2 (RFC 7427) but signs with SHA-1");
  const SignatureScheme better{Kind::Pkcs1, Hash::Sha256};
  CHECK(verify_auth(k->public_key(), AuthMethod::Rsa, k->sign(better, kOctets), kOctets, kAll) == better);
  const Buffer pss = k->sign({Kind::Pss, Hash::Sha256}, kOctets);
  CHECK_FALSE(verify_auth(k->public_key(), AuthMethod::Rsa, pss, kOctets, std::nullopt));
}

TEST_CASE("the hash is the key's best that the peer announced") {
  const auto rsa = key("RSA-2048"), p384 = key("P-384");
  CHECK(choose_signature(rsa->public_key(), kAll, true)->scheme == SignatureScheme{Kind::Pss, Hash::Sha256});
  CHECK(choose_signature(rsa->public_key(), kAll, false)->scheme == SignatureScheme{Kind::Pkcs1, Hash::Sha256});
  CHECK(choose_signature(rsa->public_key(), Hashes{Hash::Sha512}, true)->scheme ==
        SignatureScheme{Kind::Pss, Hash::Sha512});
  CHECK(choose_signature(p384->public_key(), kAll, true)->scheme == SignatureScheme{Kind::Ecdsa, Hash::Sha384});
  CHECK(choose_signature(p384->public_key(), Hashes{Hash::Sha256}, true)->scheme ==
        SignatureScheme{Kind::Ecdsa, Hash::Sha256});
  CHECK_FALSE(choose_signature(rsa->public_key(), Hashes{}, true));
}

TEST_CASE("SIGNATURE_HASH_ALGORITHMS: numbers we know, each once; an odd octet at the end is passed over") {
  CHECK(parse_hashes(octets("0002 0003 0004")) == kAll);
  CHECK(parse_hashes(octets("0001 0005 0003 0003 ffff")) == Hashes{Hash::Sha384});
  CHECK(parse_hashes(octets("0002 00")) == Hashes{Hash::Sha256});
  CHECK(parse_hashes({}).empty());
  CHECK(our_hashes() == octets("0002 0003 0004"));
}

TEST_CASE("private keys that cannot serve are refused with the remedy, and nothing of them is told") {
  CHECK(refusal(test::key_pem(test::test_key("P-256"), "word")).find("openssl pkey") != std::string::npos);
  CHECK(refusal("-----BEGIN PRIVATE KEY-----\nMIGHAgEA\n-----END PRIVATE KEY-----\n").find("holds no PEM") == 0);
  CHECK(refusal("").find("holds no PEM") == 0);
  CHECK(refusal(test::key_pem(test::test_key("RSA-1024"))) == "its RSA key has 1024 bits; 2048 to 8192 are accepted");
  CHECK(refusal(test::key_pem(test::test_key("Ed25519"))).find("neither RSA nor ECDSA") != std::string::npos);
  CHECK(refusal(test::key_pem(test::test_key("secp256k1"))).find("neither RSA nor ECDSA") != std::string::npos);
}

}  // namespace cgw::ipsec
