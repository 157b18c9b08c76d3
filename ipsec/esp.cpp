#include "ipsec/esp.hpp"

#include <openssl/crypto.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "ipsec/openssl.hpp"

namespace cgw::ipsec {
namespace {

constexpr std::size_t kHeader = 8;   // SPI, sequence number
constexpr std::size_t kTrailer = 2;  // pad length, next header
constexpr std::uint8_t kIpv4 = 4, kIpv6 = 41, kDummy = 59;

void put32(std::uint8_t* at, std::uint32_t v) {
  for (int i = 0; i < 4; ++i)
    at[i] = static_cast<std::uint8_t>(v >> (24 - 8 * i));
}
void put64(std::uint8_t* at, std::uint64_t v) {
  put32(at, static_cast<std::uint32_t>(v >> 32));
  put32(at + 4, static_cast<std::uint32_t>(v));
}
std::uint32_t get32(const std::uint8_t* at) {
  return static_cast<std::uint32_t>(at[0]) << 24 | static_cast<std::uint32_t>(at[1]) << 16 |
         static_cast<std::uint32_t>(at[2]) << 8 | at[3];
}

// Size of the IP packet at the front of `data` by its own header; 0 when it is none or does not fit.
std::size_t ip_size(Bytes data) {
  if (data.size() >= 20 && data[0] >> 4 == 4) {
    const std::size_t n = static_cast<std::size_t>(data[2]) << 8 | data[3];
    return n >= 20 && n <= data.size() ? n : 0;
  }
  if (data.size() >= 40 && data[0] >> 4 == 6) {
    const std::size_t n = 40 + (static_cast<std::size_t>(data[4]) << 8 | data[5]);
    return n <= data.size() ? n : 0;
  }
  return 0;
}

}  // namespace

// Seals and opens the part of a packet behind the ESP header, in place. `header` is SPI and sequence number; seq the
// full 64 bits.
class EspCipher {
 public:
  EspCipher(const EspSuite& suite, bool sealing) : esn_(suite.esn), iv_(iv_octets(suite.encr)), sealing_(sealing) {
    icv_ = icv_octets(suite.encr, suite.integ);
    block_ = suite.encr == Encr::AesGcm16 ? 4 : 16;
  }
  virtual ~EspCipher() = default;
  // text: [IV][padded plaintext][room for the ICV], plaintext of n octets behind the IV.
  virtual bool seal(const std::uint8_t* header, std::uint64_t seq, std::uint8_t* text, std::size_t n) = 0;
  // body: [IV][ciphertext][ICV]; the plaintext goes to out.
  virtual bool open(const std::uint8_t* header, std::uint64_t seq, Bytes body, std::uint8_t* out) = 0;

  std::size_t iv() const { return iv_; }
  std::size_t icv() const { return icv_; }
  std::size_t block() const { return block_; }

 protected:
  bool esn_;
  std::size_t iv_, icv_ = 0, block_ = 4;
  bool sealing_;
};

namespace {

// RFC 4106: nonce = salt | IV, the IV is the sequence number (never repeats under one key); AAD: SPI and sequence
// number, with ESN all 64 bits of it.
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

  bool open(const std::uint8_t* header, std::uint64_t seq, Bytes body, std::uint8_t* out) override {
    std::memcpy(nonce_.data() + 4, body.data(), 8);
    const Bytes text = body.subspan(8, body.size() - 24);
    std::array<std::uint8_t, 16> tag{};
    std::copy(body.end() - 16, body.end(), tag.begin());
    int len = 0;
    return EVP_DecryptInit_ex2(ctx_.get(), nullptr, nullptr, nonce_.data(), nullptr) == 1 && aad(header, seq) &&
           EVP_DecryptUpdate(ctx_.get(), out, &len, text.data(), static_cast<int>(text.size())) == 1 &&
           EVP_CIPHER_CTX_ctrl(ctx_.get(), EVP_CTRL_AEAD_SET_TAG, 16, tag.data()) == 1 &&
           EVP_DecryptFinal_ex(ctx_.get(), out + len, &len) == 1;
  }

 private:
  bool aad(const std::uint8_t* header, std::uint64_t seq) {
    std::array<std::uint8_t, 12> a{};
    std::memcpy(a.data(), header, 4);
    std::size_t n = 8;
    if (esn_) {
      put64(a.data() + 4, seq);
      n = 12;
    } else {
      std::memcpy(a.data() + 4, header + 4, 4);
    }
    int len = 0;
    return (sealing_ ? EVP_EncryptUpdate(ctx_.get(), nullptr, &len, a.data(), static_cast<int>(n))
                     : EVP_DecryptUpdate(ctx_.get(), nullptr, &len, a.data(), static_cast<int>(n))) == 1;
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

  bool open(const std::uint8_t* header, std::uint64_t seq, Bytes body, std::uint8_t* out) override {
    const Bytes covered = body.first(body.size() - icv_);
    if ((covered.size() - 16) % 16 != 0) return false;
    std::array<std::uint8_t, 32> expected{};
    tag(header, seq, covered, std::span(expected).first(icv_));
    if (CRYPTO_memcmp(expected.data(), body.data() + covered.size(), icv_) != 0) return false;
    int len = 0;
    return EVP_DecryptInit_ex2(ctx_.get(), nullptr, nullptr, body.data(), nullptr) == 1 &&
           EVP_DecryptUpdate(ctx_.get(), out, &len, covered.data() + 16, static_cast<int>(covered.size() - 16)) == 1;
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

std::unique_ptr<EspCipher> make_cipher(const EspSuite& suite, const EspKeys& keys, bool sealing) {
  if (suite.encr == Encr::AesGcm16) return std::make_unique<GcmEsp>(suite, keys, sealing);
  return std::make_unique<CbcEsp>(suite, keys, sealing);
}

}  // namespace

EspSealer::EspSealer(const EspSuite& suite, Spi spi, const EspKeys& keys)
    : cipher_(make_cipher(suite, keys, true)),
      spi_(spi),
      limit_(suite.esn ? ~std::uint64_t{0} : 0xffffffffU) {}
EspSealer::~EspSealer() = default;
EspSealer::EspSealer(EspSealer&&) noexcept = default;
EspSealer& EspSealer::operator=(EspSealer&&) noexcept = default;

std::size_t EspSealer::seal(Bytes inner, std::span<std::uint8_t> out) {
  if (sequence_ == limit_ || inner.empty() || out.size() < inner.size() + kMaxOverhead) return 0;
  ++sequence_;
  std::uint8_t* const at = out.data();
  put32(at, spi_.value());
  put32(at + 4, static_cast<std::uint32_t>(sequence_));
  std::uint8_t* const text = at + kHeader;
  std::uint8_t* const plain = text + cipher_->iv();
  std::memcpy(plain, inner.data(), inner.size());
  const std::size_t block = cipher_->block();
  const std::size_t pad = (block - (inner.size() + kTrailer) % block) % block;
  for (std::size_t i = 0; i < pad; ++i)
    plain[inner.size() + i] = static_cast<std::uint8_t>(i + 1);
  plain[inner.size() + pad] = static_cast<std::uint8_t>(pad);
  plain[inner.size() + pad + 1] = inner[0] >> 4 == 6 ? kIpv6 : kIpv4;
  const std::size_t n = inner.size() + pad + kTrailer;
  if (!cipher_->seal(at, sequence_, text, n)) return 0;
  return kHeader + cipher_->iv() + n + cipher_->icv();
}

EspOpener::EspOpener(const EspSuite& suite, const EspKeys& keys, std::uint32_t replay_window)
    : cipher_(make_cipher(suite, keys, false)),
      esn_(suite.esn),
      window_(replay_window) {}
EspOpener::~EspOpener() = default;
EspOpener::EspOpener(EspOpener&&) noexcept = default;
EspOpener& EspOpener::operator=(EspOpener&&) noexcept = default;

Result<std::size_t, EspDrop> EspOpener::open(Bytes packet, std::span<std::uint8_t> out) {
  const std::size_t least = kHeader + cipher_->iv() + cipher_->block() + cipher_->icv();
  if (packet.size() < least || out.size() < packet.size()) return fail(EspDrop::Truncated);
  const std::uint32_t low = get32(packet.data() + 4);
  const std::uint64_t seq = esn_ ? window_.infer(low) : low;
  if (!window_.would_accept(seq)) return fail(EspDrop::Replayed);
  const Bytes body = packet.subspan(kHeader);
  const std::size_t n = body.size() - cipher_->iv() - cipher_->icv();
  if (n % cipher_->block() != 0) return fail(EspDrop::Truncated);
  if (!cipher_->open(packet.data(), seq, body, out.data())) return fail(EspDrop::BadIcv);
  window_.mark(seq);

  const std::uint8_t next = out[n - 1];
  const std::size_t pad = out[n - 2];
  if (next == kDummy) return fail(EspDrop::Dummy);
  if (pad + kTrailer > n) return fail(EspDrop::BadPadding);
  for (std::size_t i = 0; i < pad; ++i) {
    if (out[n - kTrailer - pad + i] != i + 1) return fail(EspDrop::BadPadding);
  }
  if (next != kIpv4 && next != kIpv6) return fail(EspDrop::NotIp);
  const std::size_t size = ip_size(Bytes(out.data(), n - kTrailer - pad));
  if (size == 0 || (out[0] >> 4 == 6) != (next == kIpv6)) return fail(EspDrop::NotIp);
  return size;
}

}  // namespace cgw::ipsec
