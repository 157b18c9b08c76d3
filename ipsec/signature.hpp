#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/wire.hpp"
#include "ipsec/crypto.hpp"

struct evp_pkey_st;

// Signatures in AUTH payloads: the digital signature method of RFC 7427 and the older ones of RFC 7296 3.8 and RFC
// 4754. All cryptography is OpenSSL's EVP interface.
namespace cgw::ipsec {

enum class AuthMethod : std::uint8_t {
  Rsa = 1,
  SharedKey = 2,
  Dss = 3,
  EcdsaP256 = 9,
  EcdsaP384 = 10,
  EcdsaP521 = 11,
  Null = 13,
  DigitalSignature = 14,
};
std::string to_string(AuthMethod m);  // "RSA signature (1)"
bool is_signature(AuthMethod m);      // one that a certificate's key can have made

// IANA, IKEv2 Hash Algorithms (RFC 7427 7).
enum class Hash : std::uint16_t { Sha1 = 1, Sha256 = 2, Sha384 = 3, Sha512 = 4 };
using Hashes = std::vector<Hash>;  // those a side announced that we know

// SIGNATURE_HASH_ALGORITHMS (RFC 7427 4): 16-bit numbers; unknown ones are passed over.
Hashes parse_hashes(Bytes notify_data);
Buffer our_hashes();

struct SignatureScheme {
  enum class Kind : std::uint8_t { Pkcs1, Pss, Ecdsa };
  Kind kind = Kind::Pkcs1;
  Hash hash = Hash::Sha256;
  bool operator==(const SignatureScheme&) const = default;
};
std::string to_string(const SignatureScheme& s);  // "RSASSA-PSS with SHA2-256"

// AlgorithmIdentifier in DER <-> scheme: RFC 7427's appendix A with SHA-2, and nothing else.
std::optional<SignatureScheme> scheme_of(Bytes algorithm_identifier);
Bytes algorithm_identifier(const SignatureScheme& s);

enum class KeyType : std::uint8_t { Rsa, EcdsaP256, EcdsaP384, EcdsaP521 };

class PublicKey {
 public:
  // The error says what is not supported: another algorithm or curve, RSA below 2048 or above 8192 bits.
  static Result<PublicKey, std::string> of(std::shared_ptr<evp_pkey_st> key);
  KeyType type() const { return type_; }
  unsigned bits() const { return bits_; }
  std::string to_string() const;  // "RSA-2048", "ECDSA P-256"
  // ECDSA signatures as DER. Refuses what is too long, too short or not minimal.
  bool verify(const SignatureScheme& s, Bytes octets, Bytes signature) const;
  bool matches(const PublicKey& other) const;

 private:
  PublicKey(std::shared_ptr<evp_pkey_st> key, KeyType type, unsigned bits)
      : key_(std::move(key)),
        type_(type),
        bits_(bits) {}
  std::shared_ptr<evp_pkey_st> key_;
  KeyType type_;
  unsigned bits_;
};

// Where signatures come from. Signing consumes randomness, as Entropy does: it is handed in from outside.
class SigningKey {
 public:
  virtual ~SigningKey() = default;
  virtual const PublicKey& public_key() const = 0;
  virtual Buffer sign(const SignatureScheme& s, Bytes octets) const = 0;
};
// An unencrypted PEM private key. The error holds nothing of the text.
Result<std::shared_ptr<const SigningKey>, std::string> parse_private_key(Bytes pem);

// How to sign: with a hash the peer announced; without an announcement, the method of RFC 7296 for the key. pss: of the
// two forms that an RSA key has. Nothing when the peer announced no hash of ours.
struct SignatureChoice {
  AuthMethod method = AuthMethod::DigitalSignature;
  SignatureScheme scheme;
};
std::optional<SignatureChoice> choose_signature(const PublicKey& key, const std::optional<Hashes>& peer_hashes,
                                                bool pss);

// The Authentication Data field of the AUTH payload.
Buffer sign_auth(const SigningKey& key, const SignatureChoice& how, Bytes octets);
// The scheme that verified, or why it is refused. peer_hashes: what the peer announced, if it did.
Result<SignatureScheme, std::string> verify_auth(const PublicKey& key, AuthMethod method, Bytes data, Bytes octets,
                                                 const std::optional<Hashes>& peer_hashes);

}  // namespace cgw::ipsec
