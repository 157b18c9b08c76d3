#include "ipsec/esp_cipher.hpp"

#include <openssl/crypto.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "ipsec/openssl.hpp"

namespace cgw::ipsec {
namespace {

constexpr std::size_t kHeader = 8;  // SPI, sequence number

class GcmEsp final : public EspCipher {
 public:
  GcmEsp(const EspSuite& suite, const EspKeys& keys, bool sealing)
      : EspCipher(suite, sealing),
        ctx_(EVP_CIPHER_CTX_new()) {
    const auto key = keys.encr.view();
    const std::size_t k = suite.key_bits / 8U;
    require(key.size() == k + 4, "an AES-GCM key of the wrong size");
    std::copy_n(key.begin() + static_cast<std::ptrdiff_t>(k), 4, nonce_.begin());
    const auto* cipher = cipher_of(suite.encr, suite.key_bits);
    require((sealing ? EVP_EncryptInit_ex2(ctx_.get(), cipher, key.data(), nullptr, nullptr)
                     : EVP_DecryptInit_ex2(ctx_.get(), cipher, key.data(), nullptr, nullptr)) == 1,
            "AES-GCM");
  }
  ~GcmEsp() override { OPENSSL_cleanse(nonce_.data(), nonce_.size()); }

  bool seal(const std::uint8_t* header, std::uint64_t seq, std::uint8_t* text, std::size_t n) override {
    put64(text, seq);
    std::memcpy(nonce_.data() + 4, text, 8);
    int len = 0;
    std::uint8_t* data = text + 8;
    return EVP_EncryptInit_ex2(ctx_.get(), nullptr, nullptr, nonce_.data(), nullptr) == 1 && aad(header, seq) &&
           EVP_EncryptUpdate(ctx_.get(), data, &len, data, static_cast<int>(n)) == 1 &&
           EVP_EncryptFinal_ex(ctx_.get(), data + n, &len) == 1 &&
           EVP_CIPHER_CTX_ctrl(ctx_.get(), EVP_CTRL_AEAD_GET_TAG, 16, data + n) == 1;
  }

  bool open(const std::uint8_t* header, std::uint64_t seq, std::span<std::uint8_t> body) override {
    std::memcpy(nonce_.data() + 4, body.data(), 8);
    const auto text = body.subspan(8, body.size() - 24);
    std::uint8_t* const tag = body.data() + body.size() - 16;
    int len = 0;
    return EVP_DecryptInit_ex2(ctx_.get(), nullptr, nullptr, nonce_.data(), nullptr) == 1 && aad(header, seq) &&
           EVP_DecryptUpdate(ctx_.get(), text.data(), &len, text.data(), static_cast<int>(text.size())) == 1 &&
           EVP_CIPHER_CTX_ctrl(ctx_.get(), EVP_CTRL_AEAD_SET_TAG, 16, tag) == 1 &&
           EVP_DecryptFinal_ex(ctx_.get(), text.data() + len, &len) == 1;
  }

 private:
  bool aad(const std::uint8_t* header, std::uint64_t seq) {
    const GcmAad a = gcm_aad(header, seq, esn_);
    int len = 0;
    return (sealing_ ? EVP_EncryptUpdate(ctx_.get(), nullptr, &len, a.octets, static_cast<int>(a.size))
                     : EVP_DecryptUpdate(ctx_.get(), nullptr, &len, a.octets, static_cast<int>(a.size))) == 1;
  }

  CipherCtxPtr ctx_;
  std::array<std::uint8_t, 12> nonce_{};
};

// RFC 3602 with RFC 2404 or 4868. The IV is the sequence number encrypted under a key of its own, drawn from the SA's
// key: nobody else can foretell it, and it never repeats (NIST SP 800-38A, appendix C, first method).
class CbcEsp final : public EspCipher {
 public:
  CbcEsp(const EspSuite& suite, const EspKeys& keys, bool sealing)
      : EspCipher(suite, sealing),
        ctx_(EVP_CIPHER_CTX_new()),
        iv_ctx_(EVP_CIPHER_CTX_new()),
        mac_(integ_digest(suite.integ), keys.integ.view()) {
    require(keys.encr.size() == suite.key_bits / 8U, "an AES-CBC key of the wrong size");
    const auto* cipher = cipher_of(suite.encr, suite.key_bits);
    const auto key = keys.encr.view();
    if (!sealing) {
      require(EVP_DecryptInit_ex2(ctx_.get(), cipher, key.data(), nullptr, nullptr) == 1, "AES-CBC");
    } else {
      std::array<std::uint8_t, 32> iv_key{};
      Hmac derive("SHA256", key);
      static constexpr std::uint8_t kLabel[] = {'E', 'S', 'P', ' ', 'I', 'V'};
      derive.update(kLabel);
      derive.finish(iv_key);
      require(EVP_EncryptInit_ex2(ctx_.get(), cipher, key.data(), nullptr, nullptr) == 1 &&
                  EVP_EncryptInit_ex2(iv_ctx_.get(), EVP_aes_256_ecb(), iv_key.data(), nullptr, nullptr) == 1 &&
                  EVP_CIPHER_CTX_set_padding(iv_ctx_.get(), 0) == 1,
              "AES-CBC");
      OPENSSL_cleanse(iv_key.data(), iv_key.size());
    }
    EVP_CIPHER_CTX_set_padding(ctx_.get(), 0);
  }

  bool seal(const std::uint8_t* header, std::uint64_t seq, std::uint8_t* text, std::size_t n) override {
    std::array<std::uint8_t, 16> counter{};
    put64(counter.data() + 8, seq);
    int len = 0;
    std::uint8_t* data = text + 16;
    const bool ok = EVP_EncryptUpdate(iv_ctx_.get(), text, &len, counter.data(), 16) == 1 &&
                    EVP_EncryptInit_ex2(ctx_.get(), nullptr, nullptr, text, nullptr) == 1 &&
                    EVP_EncryptUpdate(ctx_.get(), data, &len, data, static_cast<int>(n)) == 1;
    if (ok) tag(header, seq, Bytes(text, 16 + n), {data + n, icv_});
    return ok;
  }

  bool open(const std::uint8_t* header, std::uint64_t seq, std::span<std::uint8_t> body) override {
    const auto covered = body.first(body.size() - icv_);
    if ((covered.size() - 16) % 16 != 0) return false;
    std::array<std::uint8_t, 32> expected{};
    tag(header, seq, covered, std::span(expected).first(icv_));
    if (CRYPTO_memcmp(expected.data(), body.data() + covered.size(), icv_) != 0) return false;
    int len = 0;
    return EVP_DecryptInit_ex2(ctx_.get(), nullptr, nullptr, body.data(), nullptr) == 1 &&
           EVP_DecryptUpdate(ctx_.get(), covered.data() + 16, &len, covered.data() + 16,
                             static_cast<int>(covered.size() - 16)) == 1;
  }

 private:
  void tag(const std::uint8_t* header, std::uint64_t seq, Bytes covered, std::span<std::uint8_t> out) {
    mac_.restart();
    mac_.update(Bytes(header, kHeader));
    mac_.update(covered);
    // RFC 4303 2.2.1: the high half is not sent but covered.
    std::array<std::uint8_t, 4> high{};
    put32(high.data(), static_cast<std::uint32_t>(seq >> 32));
    if (esn_) mac_.update(high);
    mac_.finish(out);
  }

  CipherCtxPtr ctx_, iv_ctx_;
  Hmac mac_;
};

}  // namespace

GcmAad gcm_aad(const std::uint8_t* header, std::uint64_t seq, bool esn) {
  GcmAad a;
  std::memcpy(a.octets, header, kHeader);
  if (esn) {
    put64(a.octets + 4, seq);
    a.size = 12;
  }
  return a;
}

std::unique_ptr<EspCipher> make_esp_cipher(const EspSuite& suite, const EspKeys& keys, bool sealing, EspCrypto crypto) {
  if (suite.encr != Encr::AesGcm16) return std::make_unique<CbcEsp>(suite, keys, sealing);
  if (crypto == EspCrypto::Fastest) {
    if (auto cipher = make_ipsec_mb_gcm(suite, keys, sealing)) return cipher;
  }
  return std::make_unique<GcmEsp>(suite, keys, sealing);
}

}  // namespace cgw::ipsec
