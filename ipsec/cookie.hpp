#pragma once
#include "base/ip.hpp"
#include "base/time.hpp"
#include "ipsec/crypto.hpp"

namespace cgw::ipsec {

// Stateless cookies (RFC 7296 2.6): <number of the secret> | HMAC(secret, Ni | IPi | SPIi). A secret serves for a
// minute, and is accepted for another one.
class CookieJar {
 public:
  // entropy outlives the jar.
  explicit CookieJar(Entropy& entropy) : entropy_(entropy) {}
  Buffer make(TimePoint now, Bytes nonce, const IpAddress& initiator, std::uint64_t spi_i);
  bool good(TimePoint now, Bytes cookie, Bytes nonce, const IpAddress& initiator, std::uint64_t spi_i);

 private:
  struct Secret {
    std::uint8_t number = 0;
    SecretBytes key;
  };
  void rotate(TimePoint now);
  static Buffer compute(const Secret& s, Bytes nonce, const IpAddress& initiator, std::uint64_t spi_i);

  Entropy& entropy_;
  Secret present_, before_;  // no key: none
  TimePoint made_{};
};

}  // namespace cgw::ipsec
