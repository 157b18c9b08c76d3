#include <algorithm>

#include "ipsec/crypto.hpp"
#include "ipsec/openssl.hpp"

namespace cgw::ipsec {
namespace {

// RFC 5282: nonce = salt (last 4 octets of the key) | IV; the AAD is the header, nothing is appended.
class GcmSk final : public SkCipher {
 public:
  GcmSk(const IkeSuite& suite, Bytes sk_e)
      : cipher_(cipher_of(suite.encr, suite.key_bits)),
        key_(sk_e.first(sk_e.size() - kSalt)),
        salt_(sk_e.last(kSalt)) {}

  std::size_t iv_size() const override { return kIv; }
  std::size_t icv_size() const override { return kIcv; }
  std::size_t padding_for(std::size_t) const override { return 1; }

  void seal(Bytes aad, Bytes plain, Bytes iv, Buffer& out) override {
    const CipherCtxPtr ctx(EVP_CIPHER_CTX_new());
    const Buffer nonce = nonce_of(iv);
    int n = 0;
    const std::size_t at = out.size() + kIv;
    out.insert(out.end(), iv.begin(), iv.end());
    out.resize(at + plain.size() + kIcv);
    require(EVP_EncryptInit_ex2(ctx.get(), cipher_, key_.view().data(), nonce.data(), nullptr) == 1 &&
                EVP_EncryptUpdate(ctx.get(), nullptr, &n, aad.data(), static_cast<int>(aad.size())) == 1 &&
                EVP_EncryptUpdate(ctx.get(), out.data() + at, &n, plain.data(), static_cast<int>(plain.size())) == 1 &&
                EVP_EncryptFinal_ex(ctx.get(), out.data() + at + n, &n) == 1 &&
                EVP_CIPHER_CTX_ctrl(ctx.get(), EVP_CTRL_AEAD_GET_TAG, kIcv, out.data() + at + plain.size()) == 1,
            "AES-GCM");
  }

  std::optional<Buffer> open(Bytes aad, Bytes body) override {
    if (body.size() < kIv + kIcv) return std::nullopt;
    const CipherCtxPtr ctx(EVP_CIPHER_CTX_new());
    const Buffer nonce = nonce_of(body.first(kIv));
    const Bytes text = body.subspan(kIv, body.size() - kIv - kIcv);
    Buffer tag(body.end() - kIcv, body.end());
    Buffer out(text.size() + 1);
    int n = 0, rest = 0;
    const bool ok = EVP_DecryptInit_ex2(ctx.get(), cipher_, key_.view().data(), nonce.data(), nullptr) == 1 &&
                    EVP_DecryptUpdate(ctx.get(), nullptr, &n, aad.data(), static_cast<int>(aad.size())) == 1 &&
                    EVP_DecryptUpdate(ctx.get(), out.data(), &n, text.data(), static_cast<int>(text.size())) == 1 &&
                    EVP_CIPHER_CTX_ctrl(ctx.get(), EVP_CTRL_AEAD_SET_TAG, kIcv, tag.data()) == 1 &&
                    EVP_DecryptFinal_ex(ctx.get(), out.data() + n, &rest) == 1;
    if (!ok) return std::nullopt;
    out.resize(text.size());
    return out;
  }

 private:
  static constexpr int kIcv = 16;
  static constexpr std::size_t kIv = 8, kSalt = 4;

  Buffer nonce_of(Bytes iv) const {
    Buffer nonce(salt_.view().begin(), salt_.view().end());
    nonce.insert(nonce.end(), iv.begin(), iv.end());
    return nonce;
  }

  const EVP_CIPHER* cipher_;
  SecretBytes key_, salt_;
};

// RFC 7296 3.14: encrypt, then HMAC over everything before the ICV.
class CbcSk final : public SkCipher {
 public:
  CbcSk(const IkeSuite& suite, Bytes sk_e, Bytes sk_a)
      : cipher_(cipher_of(suite.encr, suite.key_bits)),
        digest_(integ_digest(suite.integ)),
        icv_(icv_octets(suite.encr, suite.integ)),
        key_(sk_e),
        integ_key_(sk_a) {}

  std::size_t iv_size() const override { return kBlock; }
  std::size_t icv_size() const override { return icv_; }
  std::size_t padding_for(std::size_t plain_size) const override { return kBlock - plain_size % kBlock; }

  void seal(Bytes aad, Bytes plain, Bytes iv, Buffer& out) override {
    const std::size_t start = out.size(), at = start + kBlock;
    out.insert(out.end(), iv.begin(), iv.end());
    out.resize(at + plain.size());
    const CipherCtxPtr ctx(EVP_CIPHER_CTX_new());
    int n = 0;
    require(EVP_EncryptInit_ex2(ctx.get(), cipher_, key_.view().data(), iv.data(), nullptr) == 1 &&
                EVP_CIPHER_CTX_set_padding(ctx.get(), 0) == 1 &&
                EVP_EncryptUpdate(ctx.get(), out.data() + at, &n, plain.data(), static_cast<int>(plain.size())) == 1,
            "AES-CBC");
    const Buffer icv = tag(aad, Bytes(out).subspan(start));
    out.insert(out.end(), icv.begin(), icv.end());
  }

  std::optional<Buffer> open(Bytes aad, Bytes body) override {
    if (body.size() < kBlock + kBlock + icv_ || (body.size() - icv_) % kBlock != 0) return std::nullopt;
    const Bytes covered = body.first(body.size() - icv_);
    if (!equal_ct(tag(aad, covered), body.last(icv_))) return std::nullopt;
    const Bytes text = covered.subspan(kBlock);
    Buffer out(text.size());
    const CipherCtxPtr ctx(EVP_CIPHER_CTX_new());
    int n = 0;
    const bool ok = EVP_DecryptInit_ex2(ctx.get(), cipher_, key_.view().data(), body.data(), nullptr) == 1 &&
                    EVP_CIPHER_CTX_set_padding(ctx.get(), 0) == 1 &&
                    EVP_DecryptUpdate(ctx.get(), out.data(), &n, text.data(), static_cast<int>(text.size())) == 1;
    if (!ok) return std::nullopt;
    return out;
  }

 private:
  static constexpr std::size_t kBlock = 16;

  Buffer tag(Bytes aad, Bytes covered) const {
    Hmac mac(digest_, integ_key_.view());
    mac.update(aad);
    mac.update(covered);
    Buffer out(icv_);
    mac.finish(out);
    return out;
  }

  const EVP_CIPHER* cipher_;
  const char* digest_;
  std::size_t icv_;
  SecretBytes key_, integ_key_;
};

}  // namespace

std::unique_ptr<SkCipher> make_sk_cipher(const IkeSuite& suite, Bytes sk_e, Bytes sk_a) {
  if (suite.encr == Encr::AesGcm16) return std::make_unique<GcmSk>(suite, sk_e);
  return std::make_unique<CbcSk>(suite, sk_e, sk_a);
}

}  // namespace cgw::ipsec
