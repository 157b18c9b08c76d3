#pragma once
#include <deque>
#include <map>
#include <memory>
#include <utility>

#include "kernel/error.hpp"
#include "kernel/userspace_table.hpp"

namespace cgw::kernel::userspace {

// Tells keys apart without keeping them.
KeyDigest digest_of(const ipsec::EspKeys& keys);

// The outbound SAs of all tunnels. Every set of keys has one Sealing in its life, so that no sequence number, which is
// the nonce of AES-GCM, is used twice under it: not when an SA is used again, not when a peer gives a living SPI to
// another SA, not after the SA was removed.
class OutboundSas {
 public:
  // Removed SAs whose keys are remembered: more than one tunnel rekeyed every second needs in an hour.
  static constexpr std::size_t kRemembered = 4096;

  OutboundSas(ipsec::EspCrypto crypto, std::size_t lanes) : crypto_(crypto), lanes_(lanes) {}
  // The sealing of this SA, made at its first use.
  KernelResult<std::shared_ptr<Sealing>> take(const ipsec::ChildSa& sa);
  void retire(ipsec::Spi in, ipsec::Spi out);

 private:
  struct Living {
    KeyDigest keys;
    std::shared_ptr<Sealing> sealing;
  };
  ipsec::EspCrypto crypto_;
  std::size_t lanes_;
  std::map<std::pair<ipsec::Spi, ipsec::Spi>, Living> living_;  // by SPI in and out
  std::map<KeyDigest, bool> used_;                              // true: retired
  std::deque<KeyDigest> retired_;                               // oldest first
};

}  // namespace cgw::kernel::userspace
