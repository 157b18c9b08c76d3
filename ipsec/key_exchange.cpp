#include "ipsec/key_exchange.hpp"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "ipsec/openssl.hpp"

namespace cgw::ipsec {
namespace {

enum class Kind : std::uint8_t {
  SafePrime,  // RFC 6989 2.1: 1 < r < p-1 is all there is to check
  Subgroup,   // RFC 6989 2.2: and r^q = 1
  Ecp,        // RFC 6989 2.3: a point of the curve
  Curve,      // RFC 8031: any value, no all-zero secret
  Kem,        // the responder's value is a ciphertext
};

struct GroupRow {
  DhGroup group;
  Kind kind;
  const char* name;    // OpenSSL's; null: the prime is rfc2409_prime_1024
  std::size_t octets;  // MODP: of the prime; ECP: of one coordinate; else of the initiator's value
};
constexpr GroupRow kGroups[] = {
    {DhGroup::Modp1024, Kind::SafePrime, nullptr, 128},
    {DhGroup::Modp1536, Kind::SafePrime, "modp_1536", 192},
    {DhGroup::Modp2048, Kind::SafePrime, "modp_2048", 256},
    {DhGroup::Modp3072, Kind::SafePrime, "modp_3072", 384},
    {DhGroup::Modp4096, Kind::SafePrime, "modp_4096", 512},
    {DhGroup::Modp6144, Kind::SafePrime, "modp_6144", 768},
    {DhGroup::Modp8192, Kind::SafePrime, "modp_8192", 1024},
    {DhGroup::Ecp256, Kind::Ecp, "P-256", 32},
    {DhGroup::Ecp384, Kind::Ecp, "P-384", 48},
    {DhGroup::Ecp521, Kind::Ecp, "P-521", 66},
    {DhGroup::Modp1024s160, Kind::Subgroup, "dh_1024_160", 128},
    {DhGroup::Modp2048s224, Kind::Subgroup, "dh_2048_224", 256},
    {DhGroup::Modp2048s256, Kind::Subgroup, "dh_2048_256", 256},
    {DhGroup::Curve25519, Kind::Curve, "X25519", 32},
    {DhGroup::MlKem768, Kind::Kem, "ML-KEM-768", 1184},
};
constexpr std::size_t kKemSecret = 32, kMlKem768Ciphertext = 1088;  // FIPS 203, table 3

const GroupRow* row_of(DhGroup g) {
  const auto it = std::ranges::find(kGroups, g, &GroupRow::group);
  return it == std::end(kGroups) ? nullptr : it;
}

bool modp(const GroupRow& row) {
  return row.kind == Kind::SafePrime || row.kind == Kind::Subgroup;
}
bool raw(const GroupRow& row) {
  return row.kind == Kind::Curve || row.kind == Kind::Kem;
}
const char* key_type(const GroupRow& row) {
  return raw(row) ? row.name : (row.kind == Kind::Ecp ? "EC" : "DH");
}

constexpr std::uint8_t kUncompressed = 4;  // SEC 1 2.3.3

using BignumPtr = std::unique_ptr<BIGNUM, OpenSslFree<BN_clear_free>>;

PkeyPtr from_params(const GroupRow& row, int selection, const OSSL_PARAM* params) {
  const PkeyCtxPtr ctx(EVP_PKEY_CTX_new_from_name(nullptr, key_type(row), nullptr));
  EVP_PKEY* key = nullptr;
  require(ctx && EVP_PKEY_fromdata_init(ctx.get()) == 1 &&
              EVP_PKEY_fromdata(ctx.get(), &key, selection, const_cast<OSSL_PARAM*>(params)) == 1,
          "Diffie-Hellman group");
  return PkeyPtr(key);
}

// The group alone, or with what `more` adds: at most a public and a private value.
PkeyPtr group_key(const GroupRow& row, int selection = EVP_PKEY_KEY_PARAMETERS,
                  std::initializer_list<OSSL_PARAM> more = {}) {
  std::vector<OSSL_PARAM> params;
  std::vector<std::uint8_t> prime;
  std::uint8_t generator = 2;
  if (row.name != nullptr) {
    params.push_back(OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, const_cast<char*>(row.name), 0));
  } else {
    const BignumPtr p(BN_get_rfc2409_prime_1024(nullptr));
    prime.resize(row.octets);
    require(p && BN_bn2nativepad(p.get(), prime.data(), static_cast<int>(prime.size())) > 0, "MODP-1024");
    params.push_back(OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_FFC_P, prime.data(), prime.size()));
    params.push_back(OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_FFC_G, &generator, 1));
  }
  params.insert(params.end(), more);
  params.push_back(OSSL_PARAM_construct_end());
  return from_params(row, selection, params.data());
}

// The groups alone, made once: a curve's arithmetic takes longer to set up than P-256 to compute with. Never freed, so
// that OpenSSL's own end comes when it likes.
EVP_PKEY* template_of(const GroupRow& row) {
  static const auto* const kTemplates = [] {
    auto* all = new std::array<PkeyPtr, std::size(kGroups)>;
    for (std::size_t i = 0; i < all->size(); ++i) {
      if (!raw(kGroups[i])) (*all)[i] = group_key(kGroups[i]);
    }
    return all;
  }();
  return (*kTemplates)[static_cast<std::size_t>(&row - kGroups)].get();
}

PkeyPtr generate(const GroupRow& row) {
  const PkeyCtxPtr ctx(raw(row) ? EVP_PKEY_CTX_new_from_name(nullptr, row.name, nullptr)
                                : EVP_PKEY_CTX_new_from_pkey(nullptr, template_of(row), nullptr));
  EVP_PKEY* key = nullptr;
  require(ctx && EVP_PKEY_keygen_init(ctx.get()) == 1 && EVP_PKEY_generate(ctx.get(), &key) == 1,
          "Diffie-Hellman key generation");
  return PkeyPtr(key);
}

// The initiator's or, but for a KEM, the responder's value. Null when it is no point of the curve or no element of the
// group. OpenSSL checks 1 < r < p-1 and the curve's equation as it reads them; a second look would cost as much as the
// exchange itself.
PkeyPtr peer_key(const GroupRow& row, Bytes value) {
  if (raw(row)) {
    return PkeyPtr(EVP_PKEY_new_raw_public_key_ex(nullptr, row.name, nullptr, value.data(), value.size()));
  }
  Buffer encoded(value.begin(), value.end());
  if (row.kind == Kind::Ecp) encoded.insert(encoded.begin(), kUncompressed);
  PkeyPtr peer(EVP_PKEY_new());
  require(peer && EVP_PKEY_copy_parameters(peer.get(), template_of(row)) == 1, "Diffie-Hellman group");
  if (EVP_PKEY_set1_encoded_public_key(peer.get(), encoded.data(), encoded.size()) != 1) return nullptr;
  if (row.kind != Kind::Subgroup) return peer;
  const PkeyCtxPtr check(EVP_PKEY_CTX_new_from_pkey(nullptr, peer.get(), nullptr));
  if (!check || EVP_PKEY_public_check(check.get()) != 1) return nullptr;
  return peer;
}

Buffer public_octets(const GroupRow& row, EVP_PKEY* key) {
  std::size_t n = 0;
  Buffer out(row.octets * 2 + 1);
  require(EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, out.data(), out.size(), &n) == 1,
          "public key export");
  out.resize(n);
  if (row.kind == Kind::Ecp) out.erase(out.begin());  // RFC 5903 7: x||y alone
  if (modp(row))
    out.insert(out.begin(), row.octets - std::min(n, row.octets), 0);  // RFC 7296 3.4: as long as the prime
  return out;
}

// Nothing: the exchange has no usable secret (1, p-1, all zero).
std::optional<SecretBytes> derive(const GroupRow& row, EVP_PKEY* ours, EVP_PKEY* theirs) {
  const PkeyCtxPtr ctx(EVP_PKEY_CTX_new_from_pkey(nullptr, ours, nullptr));
  std::size_t n = row.octets;
  SecretBytes secret(row.octets);
  if (!ctx || EVP_PKEY_derive_init(ctx.get()) != 1) return std::nullopt;
  // RFC 7296 2.14 wants g^ir at the prime's full length.
  if (modp(row)) {
    unsigned pad = 1;
    const OSSL_PARAM params[] = {OSSL_PARAM_construct_uint(OSSL_EXCHANGE_PARAM_PAD, &pad), OSSL_PARAM_construct_end()};
    EVP_PKEY_CTX_set_params(ctx.get(), params);
  }
  constexpr int kNoSecondCheck = 0;  // peer_key() did it
  if (EVP_PKEY_derive_set_peer_ex(ctx.get(), theirs, kNoSecondCheck) != 1 ||
      EVP_PKEY_derive(ctx.get(), secret.mutable_view().data(), &n) != 1 || n != row.octets) {
    return std::nullopt;
  }
  return secret;
}

std::unexpected<std::string> wrong_size(const GroupRow& row, std::size_t size, std::size_t expected) {
  return fail(fmt::format("a {} key exchange value of {} octets ({} expected)", to_string(row.group), size, expected));
}
std::unexpected<std::string> no_member(const GroupRow& row) {
  ERR_clear_error();
  return fail(fmt::format("a key exchange value that is not of group {}", to_string(row.group)));
}

class OpenSslKeyExchange final : public KeyExchange {
 public:
  OpenSslKeyExchange(const GroupRow& row, PkeyPtr key) : row_(row), key_(std::move(key)) {}

  DhGroup group() const override { return row_.group; }
  Buffer public_value() const override { return public_octets(row_, key_.get()); }
  Result<SecretBytes, std::string> shared_secret(Bytes peer_public) const override;

 private:
  Result<SecretBytes, std::string> decapsulate(Bytes ciphertext) const;

  const GroupRow& row_;
  PkeyPtr key_;
};

Result<SecretBytes, std::string> OpenSslKeyExchange::shared_secret(Bytes peer_public) const {
  if (row_.kind == Kind::Kem) return decapsulate(peer_public);
  const std::size_t expected = public_value_octets(row_.group);
  if (peer_public.size() != expected) return wrong_size(row_, peer_public.size(), expected);
  const PkeyPtr peer = peer_key(row_, peer_public);
  auto secret = peer ? derive(row_, key_.get(), peer.get()) : std::nullopt;
  if (!secret) return no_member(row_);
  return std::move(*secret);
}

// FIPS 203: a ciphertext that is not for this key yields another secret, no error.
Result<SecretBytes, std::string> OpenSslKeyExchange::decapsulate(Bytes ciphertext) const {
  if (ciphertext.size() != kMlKem768Ciphertext) return wrong_size(row_, ciphertext.size(), kMlKem768Ciphertext);
  const PkeyCtxPtr ctx(EVP_PKEY_CTX_new_from_pkey(nullptr, key_.get(), nullptr));
  SecretBytes secret(kKemSecret);
  std::size_t n = secret.size();
  if (!ctx || EVP_PKEY_decapsulate_init(ctx.get(), nullptr) != 1 ||
      EVP_PKEY_decapsulate(ctx.get(), secret.mutable_view().data(), &n, ciphertext.data(), ciphertext.size()) != 1 ||
      n != secret.size()) {
    return no_member(row_);
  }
  return secret;
}

Result<KeyExchangeAnswer, std::string> encapsulate(const GroupRow& row, EVP_PKEY* theirs) {
  const PkeyCtxPtr ctx(EVP_PKEY_CTX_new_from_pkey(nullptr, theirs, nullptr));
  KeyExchangeAnswer out{row.group, Buffer(kMlKem768Ciphertext), SecretBytes(kKemSecret)};
  std::size_t n = out.public_value.size(), m = out.secret.size();
  if (!ctx || EVP_PKEY_encapsulate_init(ctx.get(), nullptr) != 1 ||
      EVP_PKEY_encapsulate(ctx.get(), out.public_value.data(), &n, out.secret.mutable_view().data(), &m) != 1 ||
      n != out.public_value.size() || m != out.secret.size()) {
    return no_member(row);
  }
  return out;
}

}  // namespace

std::size_t public_value_octets(DhGroup group) {
  const auto* row = row_of(group);
  return row == nullptr ? 0 : row->octets * (row->kind == Kind::Ecp ? 2 : 1);
}

bool available(DhGroup group) {
  const auto* row = row_of(group);
  if (row == nullptr || row->kind != Kind::Kem) return row != nullptr;
  const PkeyCtxPtr ctx(EVP_PKEY_CTX_new_from_name(nullptr, row->name, nullptr));
  ERR_clear_error();
  return ctx != nullptr;
}

std::string openssl_version() {
  return OpenSSL_version(OPENSSL_VERSION_STRING);
}

std::unique_ptr<KeyExchange> known_key_exchange(DhGroup group, Bytes private_value, Bytes public_value) {
  const auto* row = row_of(group);
  require(row != nullptr, "an unknown Diffie-Hellman group");
  if (raw(*row)) {
    return std::make_unique<OpenSslKeyExchange>(
        *row, PkeyPtr(EVP_PKEY_new_raw_private_key_ex(nullptr, row->name, nullptr, private_value.data(),
                                                      private_value.size())));
  }
  SecretBytes scalar(private_value), value(public_value);  // OpenSSL wants numbers in native order
  std::ranges::reverse(scalar.mutable_view());
  Buffer point(public_value.begin(), public_value.end());
  point.insert(point.begin(), kUncompressed);
  std::ranges::reverse(value.mutable_view());
  const auto theirs = row->kind == Kind::Ecp
                          ? OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size())
                          : OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PUB_KEY, value.mutable_view().data(), value.size());
  const auto ours = OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PRIV_KEY, scalar.mutable_view().data(), scalar.size());
  return std::make_unique<OpenSslKeyExchange>(*row, group_key(*row, EVP_PKEY_KEYPAIR, {theirs, ours}));
}

Result<KeyExchangeAnswer, std::string> Entropy::answer_key_exchange(DhGroup group, Bytes initiator_value) {
  const auto ours = new_key_exchange(group);
  CGW_TRY(SecretBytes secret, ours->shared_secret(initiator_value));
  return KeyExchangeAnswer{group, ours->public_value(), std::move(secret)};
}

std::unique_ptr<KeyExchange> OpenSslEntropy::new_key_exchange(DhGroup group) {
  const auto* row = row_of(group);
  require(row != nullptr, "an unknown Diffie-Hellman group");
  return std::make_unique<OpenSslKeyExchange>(*row, generate(*row));
}

// The initiator's value is checked before a key pair is made for it.
Result<KeyExchangeAnswer, std::string> OpenSslEntropy::answer_key_exchange(DhGroup group, Bytes initiator_value) {
  const auto* row = row_of(group);
  require(row != nullptr, "an unknown Diffie-Hellman group");
  const std::size_t expected = public_value_octets(group);
  if (initiator_value.size() != expected) return wrong_size(*row, initiator_value.size(), expected);
  const PkeyPtr theirs = peer_key(*row, initiator_value);
  if (!theirs) return no_member(*row);
  if (row->kind == Kind::Kem) return encapsulate(*row, theirs.get());
  const PkeyPtr ours = generate(*row);
  auto secret = derive(*row, ours.get(), theirs.get());
  if (!secret) return no_member(*row);
  return KeyExchangeAnswer{group, public_octets(*row, ours.get()), std::move(*secret)};
}

}  // namespace cgw::ipsec
