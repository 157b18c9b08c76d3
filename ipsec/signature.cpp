#include "ipsec/signature.hpp"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "ipsec/openssl.hpp"

namespace cgw::ipsec {
namespace {

using Kind = SignatureScheme::Kind;
using MdCtxPtr = std::unique_ptr<EVP_MD_CTX, OpenSslFree<EVP_MD_CTX_free>>;
using EcdsaSigPtr = std::unique_ptr<ECDSA_SIG, OpenSslFree<ECDSA_SIG_free>>;
using BioPtr = std::unique_ptr<BIO, OpenSslFree<BIO_free_all>>;

constexpr unsigned kMinRsaBits = 2048, kMaxRsaBits = 8192;

const EVP_MD* md(Hash h) {
  switch (h) {
    case Hash::Sha1: return EVP_sha1();
    case Hash::Sha256: return EVP_sha256();
    case Hash::Sha384: return EVP_sha384();
    case Hash::Sha512: return EVP_sha512();
  }
  return nullptr;
}

// ---- RFC 7427 appendix A

struct Row {
  SignatureScheme scheme;
  Buffer der;
};

// sha256WithRSAEncryption (11), sha384 (12), sha512 (13), with NULL parameters.
Buffer pkcs1_row(std::uint8_t last) {
  return {0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, last, 0x05, 0x00};
}
// ecdsa-with-SHA256 (2), 384 (3), 512 (4), without parameters.
Buffer ecdsa_row(std::uint8_t last) {
  return {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, last};
}
// id-RSASSA-PSS with the hash, MGF1 with the same hash, a salt as long as the hash, trailerField by default.
Buffer pss_row(std::uint8_t hash, std::uint8_t salt) {
  return {0x30, 0x41, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a, 0x30, 0x34, 0xa0, 0x0f,
          0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, hash, 0x05, 0x00, 0xa1, 0x1c,
          0x30, 0x1a, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08, 0x30, 0x0d, 0x06, 0x09,
          0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, hash, 0x05, 0x00, 0xa2, 0x03, 0x02, 0x01, salt};
}

const std::array<Row, 9>& table() {
  static const std::array<Row, 9> kTable{{
      {{Kind::Pkcs1, Hash::Sha256}, pkcs1_row(11)},
      {{Kind::Pkcs1, Hash::Sha384}, pkcs1_row(12)},
      {{Kind::Pkcs1, Hash::Sha512}, pkcs1_row(13)},
      {{Kind::Pss, Hash::Sha256}, pss_row(1, 32)},
      {{Kind::Pss, Hash::Sha384}, pss_row(2, 48)},
      {{Kind::Pss, Hash::Sha512}, pss_row(3, 64)},
      {{Kind::Ecdsa, Hash::Sha256}, ecdsa_row(2)},
      {{Kind::Ecdsa, Hash::Sha384}, ecdsa_row(3)},
      {{Kind::Ecdsa, Hash::Sha512}, ecdsa_row(4)},
  }};
  return kTable;
}

// ---- EVP

bool set_padding(EVP_PKEY_CTX* ctx, const SignatureScheme& s) {
  switch (s.kind) {
    case Kind::Ecdsa: return true;
    case Kind::Pkcs1: return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1;
    case Kind::Pss:
      return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
             EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, md(s.hash)) == 1 &&
             EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1;
  }
  return false;
}

std::optional<KeyType> curve_of(const EVP_PKEY* key) {
  char name[64];
  std::size_t n = 0;
  if (EVP_PKEY_get_group_name(key, name, sizeof name, &n) != 1) return std::nullopt;
  switch (OBJ_sn2nid(name)) {
    case NID_X9_62_prime256v1: return KeyType::EcdsaP256;
    case NID_secp384r1: return KeyType::EcdsaP384;
    case NID_secp521r1: return KeyType::EcdsaP521;
    default: return std::nullopt;
  }
}

class OpenSslKey final : public SigningKey {
 public:
  OpenSslKey(std::shared_ptr<EVP_PKEY> key, PublicKey half) : key_(std::move(key)), public_(std::move(half)) {}
  const PublicKey& public_key() const override { return public_; }
  Buffer sign(const SignatureScheme& s, Bytes octets) const override {
    const MdCtxPtr ctx(EVP_MD_CTX_new());
    EVP_PKEY_CTX* how = nullptr;
    std::size_t size = 0;
    require(EVP_DigestSignInit(ctx.get(), &how, md(s.hash), nullptr, key_.get()) == 1 && set_padding(how, s) &&
                EVP_DigestSign(ctx.get(), nullptr, &size, octets.data(), octets.size()) == 1,
            "signing");
    Buffer out(size);
    require(EVP_DigestSign(ctx.get(), out.data(), &size, octets.data(), octets.size()) == 1, "signing");
    out.resize(size);
    return out;
  }

 private:
  std::shared_ptr<EVP_PKEY> key_;  // EVP_PKEY_free wipes it
  PublicKey public_;
};

// ---- RFC 4754: r | s, each as long as the curve's order, instead of DER

struct Classic {
  AuthMethod method;
  SignatureScheme scheme;
  std::size_t octets;  // of r and of s
};
std::optional<Classic> classic_ecdsa(KeyType t) {
  switch (t) {
    case KeyType::EcdsaP256: return Classic{AuthMethod::EcdsaP256, {Kind::Ecdsa, Hash::Sha256}, 32};
    case KeyType::EcdsaP384: return Classic{AuthMethod::EcdsaP384, {Kind::Ecdsa, Hash::Sha384}, 48};
    case KeyType::EcdsaP521: return Classic{AuthMethod::EcdsaP521, {Kind::Ecdsa, Hash::Sha512}, 66};
    case KeyType::Rsa: break;
  }
  return std::nullopt;
}

Buffer to_raw(Bytes der, std::size_t half) {
  const unsigned char* at = der.data();
  const EcdsaSigPtr sig(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size())));
  Buffer out(2 * half);
  const int n = static_cast<int>(half);
  require(sig && BN_bn2binpad(ECDSA_SIG_get0_r(sig.get()), out.data(), n) == n &&
              BN_bn2binpad(ECDSA_SIG_get0_s(sig.get()), out.data() + half, n) == n,
          "an ECDSA signature");
  return out;
}

Buffer from_raw(Bytes raw) {
  const std::size_t half = raw.size() / 2;
  const EcdsaSigPtr sig(ECDSA_SIG_new());
  BIGNUM* r = BN_bin2bn(raw.data(), static_cast<int>(half), nullptr);
  BIGNUM* s = BN_bin2bn(raw.data() + half, static_cast<int>(half), nullptr);
  require(sig && r != nullptr && s != nullptr && ECDSA_SIG_set0(sig.get(), r, s) == 1, "an ECDSA signature");
  Buffer out(static_cast<std::size_t>(std::max(i2d_ECDSA_SIG(sig.get(), nullptr), 0)));
  unsigned char* at = out.data();
  i2d_ECDSA_SIG(sig.get(), &at);
  return out;
}

// What a key of this size deserves first.
Hashes preference(const PublicKey& key) {
  constexpr unsigned kSha256Fits = 3072;
  switch (key.type()) {
    case KeyType::EcdsaP256: return {Hash::Sha256, Hash::Sha384, Hash::Sha512};
    case KeyType::EcdsaP384: return {Hash::Sha384, Hash::Sha512, Hash::Sha256};
    case KeyType::EcdsaP521: return {Hash::Sha512, Hash::Sha384, Hash::Sha256};
    case KeyType::Rsa: break;
  }
  if (key.bits() <= kSha256Fits) return {Hash::Sha256, Hash::Sha384, Hash::Sha512};
  return {Hash::Sha384, Hash::Sha512, Hash::Sha256};
}

std::string_view hash_name(Hash h) {
  switch (h) {
    case Hash::Sha1: return "SHA-1";
    case Hash::Sha256: return "SHA2-256";
    case Hash::Sha384: return "SHA2-384";
    case Hash::Sha512: return "SHA2-512";
  }
  return "?";
}

// RFC 7427 3: length of the AlgorithmIdentifier, the AlgorithmIdentifier, the signature.
Result<SignatureScheme, std::string> verify_digital(const PublicKey& key, Bytes data, Bytes octets) {
  Reader r(data);
  const std::size_t length = r.u8();
  const Bytes identifier = r.bytes(length);
  const Bytes signature = r.rest();
  if (!r.ok() || signature.empty()) return fail(std::string("its AUTH is cut short"));
  const auto scheme = scheme_of(identifier);
  if (!scheme) {
    return fail(
        std::string("its AUTH names a signature algorithm that is none of RSASSA-PKCS1-v1_5, RSASSA-PSS and "
                    "ECDSA with SHA2-256, SHA2-384 or SHA2-512"));
  }
  if ((key.type() == KeyType::Rsa) == (scheme->kind == Kind::Ecdsa))
    return fail(fmt::format("its AUTH is {}, its certificate's key is {}", to_string(*scheme), key.to_string()));
  if (!key.verify(*scheme, octets, signature)) return fail(std::string("its signature is wrong"));
  return *scheme;
}

// RFC 7296 3.8, method 1: the hash is whichever the DigestInfo names; RFC 7296 has SHA-1 as the default.
Result<SignatureScheme, std::string> verify_rsa(const PublicKey& key, Bytes data, Bytes octets, bool announced) {
  for (const Hash h : {Hash::Sha256, Hash::Sha384, Hash::Sha512}) {
    if (key.verify({Kind::Pkcs1, h}, octets, data)) return SignatureScheme{Kind::Pkcs1, h};
  }
  if (!key.verify({Kind::Pkcs1, Hash::Sha1}, octets, data)) return fail(std::string("its signature is wrong"));
  // A peer that can do better and does not has been talked into it.
  if (announced) return fail(std::string("it announced SHA-2 (RFC 7427) but signs with SHA-1"));
  return SignatureScheme{Kind::Pkcs1, Hash::Sha1};
}

}  // namespace

std::string to_string(AuthMethod m) {
  switch (m) {
    case AuthMethod::Rsa: return "RSA signature (1)";
    case AuthMethod::SharedKey: return "pre-shared key (2)";
    case AuthMethod::Dss: return "DSS signature (3)";
    case AuthMethod::EcdsaP256: return "ECDSA P-256 (9)";
    case AuthMethod::EcdsaP384: return "ECDSA P-384 (10)";
    case AuthMethod::EcdsaP521: return "ECDSA P-521 (11)";
    case AuthMethod::Null: return "NULL authentication (13)";
    case AuthMethod::DigitalSignature: return "digital signature (14)";
  }
  return fmt::format("method {}", static_cast<unsigned>(m));
}

bool is_signature(AuthMethod m) {
  return m == AuthMethod::Rsa || m == AuthMethod::EcdsaP256 || m == AuthMethod::EcdsaP384 ||
         m == AuthMethod::EcdsaP521 || m == AuthMethod::DigitalSignature;
}

Hashes parse_hashes(Bytes notify_data) {
  Hashes out;
  for (Reader r(notify_data); r.more();) {
    const auto h = Hash{r.u16()};
    const bool ours = h == Hash::Sha256 || h == Hash::Sha384 || h == Hash::Sha512;
    if (r.ok() && ours && std::ranges::find(out, h) == out.end()) out.push_back(h);
  }
  return out;
}

Buffer our_hashes() {
  Buffer b;
  Writer w(b);
  for (const Hash h : {Hash::Sha256, Hash::Sha384, Hash::Sha512})
    w.u16(static_cast<std::uint16_t>(h));
  return b;
}

std::string to_string(const SignatureScheme& s) {
  const std::string_view kind =
      s.kind == Kind::Ecdsa ? "ECDSA" : (s.kind == Kind::Pss ? "RSASSA-PSS" : "RSASSA-PKCS1-v1_5");
  return fmt::format("{} with {}", kind, hash_name(s.hash));
}

std::optional<SignatureScheme> scheme_of(Bytes identifier) {
  const auto it = std::ranges::find_if(table(), [&](const Row& r) { return std::ranges::equal(r.der, identifier); });
  return it == table().end() ? std::nullopt : std::optional(it->scheme);
}

Bytes algorithm_identifier(const SignatureScheme& s) {
  const auto it = std::ranges::find(table(), s, &Row::scheme);
  return it == table().end() ? Bytes() : Bytes(it->der);
}

Result<PublicKey, std::string> PublicKey::of(std::shared_ptr<EVP_PKEY> key) {
  if (!key) return fail(std::string("its public key cannot be read"));
  const auto bits = static_cast<unsigned>(std::max(EVP_PKEY_get_bits(key.get()), 0));
  if (EVP_PKEY_is_a(key.get(), "RSA") == 1) {
    if (bits < kMinRsaBits || bits > kMaxRsaBits)
      return fail(fmt::format("its RSA key has {} bits; {} to {} are accepted", bits, kMinRsaBits, kMaxRsaBits));
    return PublicKey(std::move(key), KeyType::Rsa, bits);
  }
  const auto curve = EVP_PKEY_is_a(key.get(), "EC") == 1 ? curve_of(key.get()) : std::nullopt;
  if (!curve) return fail(std::string("its key is neither RSA nor ECDSA on P-256, P-384 or P-521"));
  return PublicKey(std::move(key), *curve, bits);
}

std::string PublicKey::to_string() const {
  if (type_ == KeyType::Rsa) return fmt::format("RSA-{}", bits_);
  return fmt::format("ECDSA P-{}", bits_);
}

bool PublicKey::verify(const SignatureScheme& s, Bytes octets, Bytes signature) const {
  if ((type_ == KeyType::Rsa) == (s.kind == Kind::Ecdsa)) return false;
  const auto size = static_cast<std::size_t>(EVP_PKEY_get_size(key_.get()));
  // RFC 8017 8.1.2, 8.2.2: as long as the modulus. ECDSA's DER is at most this long, and OpenSSL takes only its one
  // form.
  if (type_ == KeyType::Rsa ? signature.size() != size : signature.size() > size) return false;
  const MdCtxPtr ctx(EVP_MD_CTX_new());
  EVP_PKEY_CTX* how = nullptr;
  require(EVP_DigestVerifyInit(ctx.get(), &how, md(s.hash), nullptr, key_.get()) == 1 && set_padding(how, s),
          "signature verification");
  const bool good = EVP_DigestVerify(ctx.get(), signature.data(), signature.size(), octets.data(), octets.size()) == 1;
  ERR_clear_error();
  return good;
}

bool PublicKey::matches(const PublicKey& other) const {
  return EVP_PKEY_eq(key_.get(), other.key_.get()) == 1;
}

Result<std::shared_ptr<const SigningKey>, std::string> parse_private_key(Bytes pem) {
  const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  bool asked = false;
  const auto passphrase = [](char*, int, int, void* asked_for) {
    *static_cast<bool*>(asked_for) = true;
    return -1;
  };
  std::shared_ptr<EVP_PKEY> key(PEM_read_bio_PrivateKey(bio.get(), nullptr, passphrase, &asked), EVP_PKEY_free);
  ERR_clear_error();
  if (asked) {
    return fail(
        std::string("is encrypted, and nobody is there to type the passphrase when the daemon starts: "
                    "decrypt it with 'openssl pkey -in FILE -out NEW' and keep mode 0600"));
  }
  if (!key) return fail(std::string("holds no PEM private key (-----BEGIN PRIVATE KEY-----)"));
  auto half = PublicKey::of(key);
  if (!half) return fail(std::move(half).error());
  return std::make_shared<const OpenSslKey>(std::move(key), std::move(*half));
}

std::optional<SignatureChoice> choose_signature(const PublicKey& key, const std::optional<Hashes>& peer_hashes,
                                                bool pss) {
  if (!peer_hashes) {
    if (const auto c = classic_ecdsa(key.type())) return SignatureChoice{c->method, c->scheme};
    // RFC 7296 3.8: SHA-1 "SHOULD" be the default; nothing else can be expected of a peer without RFC 7427.
    return SignatureChoice{AuthMethod::Rsa, {Kind::Pkcs1, Hash::Sha1}};
  }
  const Kind kind = key.type() != KeyType::Rsa ? Kind::Ecdsa : (pss ? Kind::Pss : Kind::Pkcs1);
  for (const Hash h : preference(key)) {
    if (std::ranges::find(*peer_hashes, h) != peer_hashes->end())
      return SignatureChoice{AuthMethod::DigitalSignature, {kind, h}};
  }
  return std::nullopt;
}

Buffer sign_auth(const SigningKey& key, const SignatureChoice& how, Bytes octets) {
  const Buffer signature = key.sign(how.scheme, octets);
  if (how.method == AuthMethod::DigitalSignature) {
    const Bytes identifier = algorithm_identifier(how.scheme);
    Buffer out{static_cast<std::uint8_t>(identifier.size())};
    out.insert(out.end(), identifier.begin(), identifier.end());
    out.insert(out.end(), signature.begin(), signature.end());
    return out;
  }
  const auto classic = classic_ecdsa(key.public_key().type());
  return classic ? to_raw(signature, classic->octets) : signature;
}

Result<SignatureScheme, std::string> verify_auth(const PublicKey& key, AuthMethod method, Bytes data, Bytes octets,
                                                 const std::optional<Hashes>& peer_hashes) {
  if (data.empty()) return fail(std::string("its AUTH is empty"));
  if (method == AuthMethod::DigitalSignature) return verify_digital(key, data, octets);
  const auto mismatch =
      fail(fmt::format("its AUTH is {}, its certificate's key is {}", to_string(method), key.to_string()));
  if (method == AuthMethod::Rsa) {
    if (key.type() != KeyType::Rsa) return mismatch;
    return verify_rsa(key, data, octets, peer_hashes.has_value());
  }
  const auto classic = classic_ecdsa(key.type());
  if (!classic || classic->method != method) return mismatch;
  if (data.size() != 2 * classic->octets) return fail(std::string("its signature has a wrong length"));
  if (!key.verify(classic->scheme, octets, from_raw(data))) return fail(std::string("its signature is wrong"));
  return classic->scheme;
}

}  // namespace cgw::ipsec
