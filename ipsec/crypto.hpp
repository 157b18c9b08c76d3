#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"
#include "base/wire.hpp"
#include "ipsec/algorithms.hpp"

// The only door to OpenSSL for IKE (EVP interfaces only); esp.hpp has the ESP transform.
namespace cgw::ipsec {

using Buffer = std::vector<std::uint8_t>;

// RFC 7296 2.13: prf(key, data), prf+(key, seed) of `octets` length (<= 255 blocks).
Buffer prf(Prf alg, Bytes key, Bytes data);
SecretBytes secret_prf(Prf alg, Bytes key, Bytes data);  // where the result is a key
SecretBytes prf_plus(Prf alg, Bytes key, Bytes seed, std::size_t octets);

// SHA-1 of NAT_DETECTION (RFC 7296 2.23) and nothing else.
Buffer sha1(Bytes data);
// SHA-256, for stateless cookies and secret fingerprints.
Buffer sha256(Bytes data);

// Constant time; false on different sizes.
bool equal_ct(Bytes a, Bytes b);

// The initiator's part of one key exchange. RFC 7296 KE payload form: MODP big endian padded to the group's
// size; ECP x||y without the 0x04 (RFC 5903); the shared secret of ECP is x alone. ML-KEM: the value is the
// encapsulation key, the answer a ciphertext.
class KeyExchange {
 public:
  virtual ~KeyExchange() = default;
  virtual DhGroup group() const = 0;
  virtual Buffer public_value() const = 0;
  // Refuses a value of the wrong length, 0, 1, p-1, outside the subgroup, off the curve or at infinity (RFC 6989), and
  // an all-zero secret (RFC 8031).
  virtual Result<SecretBytes, std::string> shared_secret(Bytes peer_public) const = 0;
};

// The responder's part: what it sends, and the secret.
struct KeyExchangeAnswer {
  DhGroup group{};
  Buffer public_value;
  SecretBytes secret;
};

// Everything unpredictable the IKE core consumes. Tests seed it.
class Entropy : public Random {
 public:
  virtual std::unique_ptr<KeyExchange> new_key_exchange(DhGroup group) = 0;
  // Refuses what shared_secret() refuses. Default: new_key_exchange() and its shared_secret().
  virtual Result<KeyExchangeAnswer, std::string> answer_key_exchange(DhGroup group, Bytes initiator_value);
};

// OpenSSL's DRBG and EVP key exchange. Throws std::runtime_error only where OpenSSL itself is broken
// (no memory, no provider).
class OpenSslEntropy : public Entropy {
 public:
  void fill(std::span<std::uint8_t> out) override;
  std::unique_ptr<KeyExchange> new_key_exchange(DhGroup group) override;
  Result<KeyExchangeAnswer, std::string> answer_key_exchange(DhGroup group, Bytes initiator_value) override;
};

// Number of octets of the initiator's KE payload's data for the group; 0 for None and unknown ones.
std::size_t public_value_octets(DhGroup group);
// Whether the OpenSSL at hand has the group: ML-KEM needs 3.5.
bool available(DhGroup group);
std::string openssl_version();  // "3.0.17", as loaded

// Protection of one direction of the SK payload (RFC 7296 3.14, RFC 5282).
class SkCipher {
 public:
  virtual ~SkCipher() = default;
  virtual std::size_t iv_size() const = 0;
  virtual std::size_t icv_size() const = 0;
  // Octets of padding incl. the Pad Length octet that `plain_size` octets need (>= 1).
  virtual std::size_t padding_for(std::size_t plain_size) const = 0;
  // aad: IKE header up to and including the SK payload's generic header (AEAD); for CBC+HMAC the
  // same octets followed by IV and ciphertext are what is authenticated.
  // plain: payloads + padding + Pad Length. Appends IV, ciphertext and ICV to out.
  virtual void seal(Bytes aad, Bytes plain, Bytes iv, Buffer& out) = 0;
  // body: IV, ciphertext, ICV. Yields the plaintext incl. padding, or nothing when the ICV is wrong.
  virtual std::optional<Buffer> open(Bytes aad, Bytes body) = 0;
};
std::unique_ptr<SkCipher> make_sk_cipher(const IkeSuite& suite, Bytes sk_e, Bytes sk_a);

// RFC 7296 2.14. Rekey (2.18): skeyseed = prf(old SK_d, shared | Ni | Nr | more); more: the secrets of additional key
// exchanges, one after the other (RFC 9370 2.2.4). An additional one of the first keys (2.2.2) is a rekey with its own
// secret.
struct IkeKeys {
  SecretBytes d, ai, ar, ei, er, pi, pr;
};
SecretBytes skeyseed_initial(Prf prf, Bytes ni, Bytes nr, Bytes shared);
SecretBytes skeyseed_rekey(Prf old_prf, Bytes old_sk_d, Bytes shared, Bytes ni, Bytes nr, Bytes more = {});
IkeKeys derive_ike_keys(const IkeSuite& suite, Bytes skeyseed, Bytes ni, Bytes nr, std::uint64_t spi_i,
                        std::uint64_t spi_r);

// RFC 7296 2.17: KEYMAT for a Child SA; shared is empty without PFS. Keys of the direction
// initiator -> responder come first.
struct ChildKeys {
  SecretBytes encr_i, integ_i, encr_r, integ_r;  // _i protects what the exchange's initiator sends
};
ChildKeys derive_child_keys(Prf prf, const EspSuite& suite, Bytes sk_d, Bytes shared, Bytes ni, Bytes nr,
                            Bytes more = {});

// RFC 7296 2.15, shared key: prf(prf(psk, "Key Pad for IKEv2"), <SignedOctets>).
Buffer psk_auth(Prf prf, Bytes psk, Bytes signed_octets);

}  // namespace cgw::ipsec
