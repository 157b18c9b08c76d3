#pragma once
#include <cstdint>
#include <memory>
#include <span>

#include "base/wire.hpp"
#include "ipsec/esp.hpp"

namespace cgw::ipsec {

// Seals and opens in place the part of a packet behind the ESP header. `header` is SPI and sequence number as sent;
// seq all 64 bits of the number.
class EspCipher {
 public:
  EspCipher(const EspSuite& suite, bool sealing)
      : esn_(suite.esn),
        sealing_(sealing),
        iv_(iv_octets(suite.encr)),
        icv_(icv_octets(suite.encr, suite.integ)),
        block_(suite.encr == Encr::AesGcm16 ? 4 : 16) {}
  virtual ~EspCipher() = default;
  // text: [IV][padded plaintext][room for the ICV], plaintext of n octets behind the IV.
  virtual bool seal(const std::uint8_t* header, std::uint64_t seq, std::uint8_t* text, std::size_t n) = 0;
  // body: [IV][ciphertext][ICV]; the plaintext takes the ciphertext's place.
  virtual bool open(const std::uint8_t* header, std::uint64_t seq, std::span<std::uint8_t> body) = 0;

  std::size_t iv() const { return iv_; }
  std::size_t icv() const { return icv_; }
  std::size_t block() const { return block_; }

 protected:
  bool esn_, sealing_;
  std::size_t iv_, icv_, block_;
};

std::unique_ptr<EspCipher> make_esp_cipher(const EspSuite& suite, const EspKeys& keys, bool sealing, EspCrypto crypto);
// AES-GCM by libipsec-mb; null when built without it or when the processor lacks what it needs.
std::unique_ptr<EspCipher> make_ipsec_mb_gcm(const EspSuite& suite, const EspKeys& keys, bool sealing);

// RFC 4106: nonce = salt | IV, where the IV is the sequence number, which never repeats under one key.
// Additional data: SPI and sequence number, with ESN all 64 bits of it.
struct GcmAad {
  std::uint8_t octets[12] = {};
  std::size_t size = 8;
};
GcmAad gcm_aad(const std::uint8_t* header, std::uint64_t seq, bool esn);

inline void put32(std::uint8_t* at, std::uint32_t v) {
  for (int i = 0; i < 4; ++i)
    at[i] = static_cast<std::uint8_t>(v >> (24 - 8 * i));
}
inline void put64(std::uint8_t* at, std::uint64_t v) {
  put32(at, static_cast<std::uint32_t>(v >> 32));
  put32(at + 4, static_cast<std::uint32_t>(v));
}

}  // namespace cgw::ipsec
