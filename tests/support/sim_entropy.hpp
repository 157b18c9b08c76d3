#pragma once
#include <random>

#include "ipsec/crypto.hpp"

namespace cgw::test {

// Both ends of a real exchange agree on the same secret; so do these, for the price of a hash.
class SimKeyExchange final : public ipsec::KeyExchange {
 public:
  SimKeyExchange(ipsec::DhGroup group, std::uint64_t seed)
      : group_(group),
        value_(ipsec::public_value_octets(group), 1) {
    for (std::size_t i = 0; i < 8; ++i)
      value_[i] = static_cast<std::uint8_t>(seed >> (8 * i));
  }
  ipsec::DhGroup group() const override { return group_; }
  ipsec::Buffer public_value() const override { return value_; }
  Result<SecretBytes, std::string> shared_secret(Bytes peer) const override {
    if (peer.size() != value_.size()) return fail(std::string("a value of the wrong size"));
    ipsec::Buffer sum = value_;
    for (std::size_t i = 0; i < sum.size(); ++i)
      sum[i] = static_cast<std::uint8_t>(sum[i] ^ peer[i]);
    return SecretBytes(Bytes(ipsec::sha256(sum)));
  }

 private:
  ipsec::DhGroup group_;
  ipsec::Buffer value_;
};

// Seeded: a failing seed replays exactly.
class SimEntropy final : public ipsec::Entropy {
 public:
  explicit SimEntropy(std::uint64_t seed) : dice_(seed) {}
  void fill(std::span<std::uint8_t> out) override {
    for (auto& b : out)
      b = static_cast<std::uint8_t>(dice_());
  }
  std::unique_ptr<ipsec::KeyExchange> new_key_exchange(ipsec::DhGroup group) override {
    return std::make_unique<SimKeyExchange>(group, dice_());
  }

 private:
  std::mt19937_64 dice_;
};

}  // namespace cgw::test
