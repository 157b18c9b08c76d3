#include <intel-ipsec-mb.h>
#include <openssl/crypto.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>

#include "ipsec/esp_cipher.hpp"
#include "ipsec/openssl.hpp"

namespace cgw::ipsec {
namespace {

struct FreeManager {
  void operator()(IMB_MGR* m) const { free_mb_mgr(m); }
};
using Manager = std::unique_ptr<IMB_MGR, FreeManager>;

// The functions for this processor; used for their single-packet calls only, which keep no state in it.
const IMB_MGR* manager() {
  static const Manager kManager = [] {
    Manager m(alloc_mb_mgr(0));
    IMB_ARCH arch = IMB_ARCH_NONE;
    if (m) init_mb_mgr_auto(m.get(), &arch);
    // Below AVX it does AES without the processor's help: OpenSSL is no slower there.
    if (m && (arch < IMB_ARCH_AVX || imb_get_errno(m.get()) != 0)) m.reset();
    return m;
  }();
  return kManager.get();
}

constexpr std::size_t kIv = 8, kIcv = 16;

class IpsecMbGcm final : public EspCipher {
 public:
  IpsecMbGcm(const EspSuite& suite, const EspKeys& keys, bool sealing) : EspCipher(suite, sealing) {
    const auto key = keys.encr.view();
    const std::size_t k = suite.key_bits / 8U;
    require(key.size() == k + 4, "an AES-GCM key of the wrong size");
    std::copy_n(key.begin() + static_cast<std::ptrdiff_t>(k), 4, nonce_.begin());
    const IMB_MGR& m = *manager();
    (k == 16 ? m.gcm128_pre : m.gcm256_pre)(key.data(), &key_);
    crypt_ = sealing ? (k == 16 ? m.gcm128_enc : m.gcm256_enc) : (k == 16 ? m.gcm128_dec : m.gcm256_dec);
  }
  ~IpsecMbGcm() override {
    OPENSSL_cleanse(&key_, sizeof key_);
    OPENSSL_cleanse(nonce_.data(), nonce_.size());
  }

  bool seal(const std::uint8_t* header, std::uint64_t seq, std::uint8_t* text, std::size_t n) override {
    put64(text, seq);
    run(header, seq, text, n, text + kIv + n);
    return true;
  }

  bool open(const std::uint8_t* header, std::uint64_t seq, std::span<std::uint8_t> body) override {
    std::array<std::uint8_t, kIcv> icv;
    const std::size_t n = body.size() - kIv - kIcv;
    run(header, seq, body.data(), n, icv.data());
    return CRYPTO_memcmp(icv.data(), body.data() + kIv + n, kIcv) == 0;
  }

 private:
  // text: IV, then the n octets that are replaced.
  void run(const std::uint8_t* header, std::uint64_t seq, std::uint8_t* text, std::size_t n, std::uint8_t* icv) {
    std::memcpy(nonce_.data() + 4, text, kIv);
    const GcmAad aad = gcm_aad(header, seq, esn_);
    crypt_(&key_, &context_, text + kIv, text + kIv, n, nonce_.data(), aad.octets, aad.size, icv, kIcv);
  }

  alignas(64) gcm_key_data key_{};  // its loads fault unless aligned
  alignas(64) gcm_context_data context_{};
  aes_gcm_enc_dec_t crypt_ = nullptr;
  std::array<std::uint8_t, 12> nonce_{};
};

}  // namespace

std::unique_ptr<EspCipher> make_ipsec_mb_gcm(const EspSuite& suite, const EspKeys& keys, bool sealing) {
  if (manager() == nullptr) return nullptr;
  return std::make_unique<IpsecMbGcm>(suite, keys, sealing);
}

bool ipsec_mb_usable() {
  return manager() != nullptr;
}

}  // namespace cgw::ipsec
