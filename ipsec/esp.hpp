#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "base/wire.hpp"
#include "ipsec/child_sa.hpp"

// The ESP transform in tunnel mode (RFC 4303, 4106, 3602, 4868) for the userspace data plane. Not
// thread-safe: one EspSealer and one EspOpener belong to one thread each.
namespace cgw::ipsec {

// Anti-replay (RFC 4303 3.4.3, 2^n-bit ring as in RFC 6479). Sequence numbers are 64 bits wide;
// without ESN only the lower 32 are on the wire and the counter must not wrap.
class ReplayWindow {
 public:
  explicit ReplayWindow(std::uint32_t packets = 1024);  // 32..4096, rounded up to a multiple of 64
  bool would_accept(std::uint64_t seq) const;
  void mark(std::uint64_t seq);  // after the ICV was found good
  std::uint64_t highest() const { return highest_; }
  // The 64-bit number that the low half on the wire stands for (RFC 4303 A2).
  std::uint64_t infer(std::uint32_t low) const;

 private:
  std::uint64_t window_;
  std::uint64_t highest_ = 0;
  std::vector<std::uint64_t> bits_;
};

class EspCipher;  // AES-GCM or CBC+HMAC on EVP; private to esp.cpp

class EspSealer {
 public:
  EspSealer(const EspSuite& suite, Spi spi, const EspKeys& keys);
  ~EspSealer();
  EspSealer(EspSealer&&) noexcept;
  EspSealer& operator=(EspSealer&&) noexcept;

  // Largest growth of a packet.
  static constexpr std::size_t kMaxOverhead = 8 + 16 + 16 + 2 + 32;
  // Writes the ESP packet for one inner IP packet to out (room: inner.size() + kMaxOverhead) and
  // returns its size; 0 when the sequence number would wrap: the SA is used up.
  std::size_t seal(Bytes inner, std::span<std::uint8_t> out);
  std::uint64_t sequence() const { return sequence_; }

 private:
  std::unique_ptr<EspCipher> cipher_;
  Spi spi_;
  std::uint64_t sequence_ = 0;
  std::uint64_t limit_;
};

enum class EspDrop : std::uint8_t { Truncated, Replayed, BadIcv, BadPadding, NotIp, Dummy, count_ };

class EspOpener {
 public:
  EspOpener(const EspSuite& suite, const EspKeys& keys, std::uint32_t replay_window);
  ~EspOpener();
  EspOpener(EspOpener&&) noexcept;
  EspOpener& operator=(EspOpener&&) noexcept;

  // packet: from the SPI on. Writes the inner packet to out (room: packet.size()); its size is
  // checked against the inner IP header. On a drop the reason is counted by the caller.
  Result<std::size_t, EspDrop> open(Bytes packet, std::span<std::uint8_t> out);
  const ReplayWindow& window() const { return window_; }

 private:
  std::unique_ptr<EspCipher> cipher_;
  bool esn_;
  ReplayWindow window_;
};

}  // namespace cgw::ipsec
