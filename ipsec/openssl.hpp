#pragma once
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <string>

#include "base/wire.hpp"
#include "ipsec/algorithms.hpp"

// Owning handles and HMAC over OpenSSL's EVP interfaces; private to the crypto files of this room.
namespace cgw::ipsec {

template <auto Free>
struct OpenSslFree {
  template <class T>
  void operator()(T* p) const {
    Free(p);
  }
};
using PkeyPtr = std::unique_ptr<EVP_PKEY, OpenSslFree<EVP_PKEY_free>>;
using PkeyCtxPtr = std::unique_ptr<EVP_PKEY_CTX, OpenSslFree<EVP_PKEY_CTX_free>>;
using CipherCtxPtr = std::unique_ptr<EVP_CIPHER_CTX, OpenSslFree<EVP_CIPHER_CTX_free>>;
using MacPtr = std::unique_ptr<EVP_MAC, OpenSslFree<EVP_MAC_free>>;
using MacCtxPtr = std::unique_ptr<EVP_MAC_CTX, OpenSslFree<EVP_MAC_CTX_free>>;

// For what only fails when OpenSSL itself is broken.
inline void require(bool ok, const char* what) {
  if (!ok) throw std::runtime_error(std::string(what) + " failed in OpenSSL");
}

inline const char* prf_digest(Prf p) {
  switch (p) {
    case Prf::HmacSha1: return "SHA1";
    case Prf::HmacSha256: return "SHA256";
    case Prf::HmacSha384: return "SHA384";
    case Prf::HmacSha512: return "SHA512";
  }
  return "SHA256";
}

inline const char* integ_digest(Integ i) {
  switch (i) {
    case Integ::HmacSha1_96: return "SHA1";
    case Integ::HmacSha256_128: return "SHA256";
    case Integ::HmacSha384_192: return "SHA384";
    case Integ::HmacSha512_256: return "SHA512";
    case Integ::None: break;
  }
  return "SHA256";
}

// One key, many messages: restart() between them.
class Hmac {
 public:
  Hmac(const char* digest, Bytes key) {
    static EVP_MAC* const kMac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
    ctx_.reset(EVP_MAC_CTX_new(kMac));
    const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, const_cast<char*>(digest), 0),
                                 OSSL_PARAM_construct_end()};
    static constexpr std::uint8_t kEmpty = 0;
    require(EVP_MAC_init(ctx_.get(), key.empty() ? &kEmpty : key.data(), key.size(), params) == 1, "HMAC");
  }
  void restart() { require(EVP_MAC_init(ctx_.get(), nullptr, 0, nullptr) == 1, "HMAC"); }
  void update(Bytes b) { require(b.empty() || EVP_MAC_update(ctx_.get(), b.data(), b.size()) == 1, "HMAC"); }
  // The first out.size() octets of the digest.
  void finish(std::span<std::uint8_t> out) {
    std::uint8_t full[EVP_MAX_MD_SIZE];
    std::size_t n = 0;
    require(EVP_MAC_final(ctx_.get(), full, &n, sizeof full) == 1 && out.size() <= n, "HMAC");
    std::copy_n(full, out.size(), out.begin());
    OPENSSL_cleanse(full, sizeof full);
  }

 private:
  MacCtxPtr ctx_;
};

inline const EVP_CIPHER* cipher_of(Encr e, std::uint16_t bits) {
  if (e == Encr::AesGcm16) return bits == 128 ? EVP_aes_128_gcm() : EVP_aes_256_gcm();
  return bits == 128 ? EVP_aes_128_cbc() : EVP_aes_256_cbc();
}

}  // namespace cgw::ipsec
