#include "ipsec/key_exchange.hpp"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>

#include <algorithm>

#include <fmt/format.h>

#include "ipsec/openssl.hpp"

namespace cgw::ipsec {
namespace {

struct GroupRow {
  DhGroup group;
  const char* name;  // OpenSSL's
  bool ecp;
  std::size_t octets;  // MODP: of the prime; ECP: of one coordinate
};
constexpr GroupRow kGroups[] = {
    {DhGroup::Modp2048, "modp_2048", false, 256}, {DhGroup::Modp3072, "modp_3072", false, 384},
    {DhGroup::Modp4096, "modp_4096", false, 512}, {DhGroup::Ecp256, "P-256", true, 32},
    {DhGroup::Ecp384, "P-384", true, 48},         {DhGroup::Ecp521, "P-521", true, 66},
};

const GroupRow* row_of(DhGroup g) {
  const auto it = std::ranges::find(kGroups, g, &GroupRow::group);
  return it == std::end(kGroups) ? nullptr : it;
}

constexpr std::uint8_t kUncompressed = 4;  // SEC 1 2.3.3

PkeyPtr generate(const GroupRow& row) {
  const PkeyCtxPtr ctx(EVP_PKEY_CTX_new_from_name(nullptr, row.ecp ? "EC" : "DH", nullptr));
  const OSSL_PARAM params[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, const_cast<char*>(row.name), 0),
      OSSL_PARAM_construct_end()};
  EVP_PKEY* key = nullptr;
  require(ctx && EVP_PKEY_keygen_init(ctx.get()) == 1 && EVP_PKEY_CTX_set_params(ctx.get(), params) == 1 &&
              EVP_PKEY_generate(ctx.get(), &key) == 1,
          "Diffie-Hellman key generation");
  return PkeyPtr(key);
}

class OpenSslKeyExchange final : public KeyExchange {
 public:
  explicit OpenSslKeyExchange(const GroupRow& row) : OpenSslKeyExchange(row, generate(row)) {}
  OpenSslKeyExchange(const GroupRow& row, PkeyPtr key) : row_(row), key_(std::move(key)) {}

  DhGroup group() const override { return row_.group; }
  Buffer public_value() const override;
  Result<SecretBytes, std::string> shared_secret(Bytes peer_public) const override;

 private:
  PkeyPtr peer_key(Bytes peer_public) const;

  const GroupRow& row_;
  PkeyPtr key_;
};

Buffer OpenSslKeyExchange::public_value() const {
  std::size_t n = 0;
  Buffer raw(row_.octets * 2 + 1);
  require(
      EVP_PKEY_get_octet_string_param(key_.get(), OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, raw.data(), raw.size(), &n) == 1,
      "public key export");
  raw.resize(n);
  if (row_.ecp) {
    raw.erase(raw.begin());  // RFC 5903 7: x||y alone
  } else {
    raw.insert(raw.begin(), row_.octets - raw.size(), 0);  // RFC 7296 3.4: padded to the prime's length
  }
  return raw;
}

// Null when the value is no point of the curve or no element of the group (RFC 6989).
PkeyPtr OpenSslKeyExchange::peer_key(Bytes peer_public) const {
  Buffer encoded(peer_public.begin(), peer_public.end());
  if (row_.ecp) encoded.insert(encoded.begin(), kUncompressed);
  PkeyPtr peer(EVP_PKEY_new());
  if (!peer || EVP_PKEY_copy_parameters(peer.get(), key_.get()) != 1 ||
      EVP_PKEY_set1_encoded_public_key(peer.get(), encoded.data(), encoded.size()) != 1) {
    return nullptr;
  }
  const PkeyCtxPtr check(EVP_PKEY_CTX_new_from_pkey(nullptr, peer.get(), nullptr));
  if (!check || EVP_PKEY_public_check(check.get()) != 1) return nullptr;
  return peer;
}

Result<SecretBytes, std::string> OpenSslKeyExchange::shared_secret(Bytes peer_public) const {
  const std::size_t expected = public_value_octets(row_.group);
  if (peer_public.size() != expected) {
    return fail(fmt::format("a {} key exchange value of {} octets ({} expected)", to_string(row_.group),
                            peer_public.size(), expected));
  }
  const auto bad = [&] {
    return fail(fmt::format("a key exchange value that is not of group {}", to_string(row_.group)));
  };
  const PkeyPtr peer = peer_key(peer_public);
  if (!peer) return bad();
  const PkeyCtxPtr ctx(EVP_PKEY_CTX_new_from_pkey(nullptr, key_.get(), nullptr));
  std::size_t n = row_.octets;
  SecretBytes secret(row_.octets);
  if (!ctx || EVP_PKEY_derive_init(ctx.get()) != 1) return bad();
  // RFC 7296 2.14 wants g^ir at the prime's full length.
  if (!row_.ecp) {
    unsigned pad = 1;
    const OSSL_PARAM params[] = {OSSL_PARAM_construct_uint(OSSL_EXCHANGE_PARAM_PAD, &pad), OSSL_PARAM_construct_end()};
    EVP_PKEY_CTX_set_params(ctx.get(), params);
  }
  if (EVP_PKEY_derive_set_peer(ctx.get(), peer.get()) != 1 ||
      EVP_PKEY_derive(ctx.get(), secret.mutable_view().data(), &n) != 1 || n != row_.octets) {
    return bad();
  }
  return secret;
}

}  // namespace

std::size_t public_value_octets(DhGroup group) {
  const auto* row = row_of(group);
  return row == nullptr ? 0 : row->octets * (row->ecp ? 2 : 1);
}

std::unique_ptr<KeyExchange> ecp_key_exchange(DhGroup group, Bytes private_value, Bytes public_value) {
  const auto* row = row_of(group);
  require(row != nullptr && row->ecp, "a group that is not ECP");
  Buffer point(public_value.begin(), public_value.end());
  point.insert(point.begin(), kUncompressed);
  SecretBytes scalar(private_value);  // OpenSSL wants it in native order
  std::ranges::reverse(scalar.mutable_view());
  const OSSL_PARAM params[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, const_cast<char*>(row->name), 0),
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()),
      OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PRIV_KEY, scalar.mutable_view().data(), scalar.size()),
      OSSL_PARAM_construct_end()};
  const PkeyCtxPtr ctx(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr));
  EVP_PKEY* key = nullptr;
  require(ctx && EVP_PKEY_fromdata_init(ctx.get()) == 1 &&
              EVP_PKEY_fromdata(ctx.get(), &key, EVP_PKEY_KEYPAIR, const_cast<OSSL_PARAM*>(params)) == 1,
          "key import");
  return std::make_unique<OpenSslKeyExchange>(*row, PkeyPtr(key));
}

std::unique_ptr<KeyExchange> OpenSslEntropy::new_key_exchange(DhGroup group) {
  const auto* row = row_of(group);
  require(row != nullptr, "an unknown Diffie-Hellman group");
  return std::make_unique<OpenSslKeyExchange>(*row);
}

}  // namespace cgw::ipsec
