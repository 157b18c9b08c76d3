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

// Who does AES-GCM: libipsec-mb where it is built in and the processor has what it needs, or OpenSSL always. CBC with
// HMAC is OpenSSL's.
enum class EspCrypto : std::uint8_t { Fastest, OpenSsl };
bool ipsec_mb_usable();

class EspCipher;  // private to esp*.cpp

class EspSealer {
 public:
  // sequence: the last number already used.
  EspSealer(const EspSuite& suite, Spi spi, const EspKeys& keys, EspCrypto crypto = EspCrypto::Fastest,
            std::uint64_t sequence = 0);
  ~EspSealer();
  EspSealer(EspSealer&&) noexcept;
  EspSealer& operator=(EspSealer&&) noexcept;

  // Largest growth of a packet.
  static constexpr std::size_t kMaxOverhead = 8 + 16 + 16 + 2 + 32;
  // Octets of the ESP packet in front of the inner one, and in all.
  std::size_t front() const;
  std::size_t sealed_size(std::size_t inner) const;
  // packet: sealed_size(inner) octets, the inner IP packet at front(). False when the sequence number would wrap: the
  // SA is used up (RFC 4303 3.3.3).
  bool seal_in_place(std::span<std::uint8_t> packet, std::size_t inner);
  // The same from elsewhere into `out`: the size, or 0.
  std::size_t seal(Bytes inner, std::span<std::uint8_t> out);

  std::uint64_t sequence() const { return sequence_; }
  // A sixteenth of the numbers is left: time for another SA. Then none is.
  bool nearly_used_up() const;
  bool used_up() const { return sequence_ == limit_; }

 private:
  std::unique_ptr<EspCipher> cipher_;
  Spi spi_;
  std::uint64_t sequence_;
  std::uint64_t limit_;
};

enum class EspDrop : std::uint8_t { Truncated, Replayed, BadIcv, BadPadding, NotIp, Dummy, count_ };

class EspOpener {
 public:
  EspOpener(const EspSuite& suite, const EspKeys& keys, std::uint32_t replay_window,
            EspCrypto crypto = EspCrypto::Fastest);
  ~EspOpener();
  EspOpener(EspOpener&&) noexcept;
  EspOpener& operator=(EspOpener&&) noexcept;

  // packet: from the SPI on, changed in place. Yields the inner packet in it, whose size is the inner IP header's. On
  // a drop the reason is counted by the caller.
  Result<std::span<std::uint8_t>, EspDrop> open(std::span<std::uint8_t> packet);
  const ReplayWindow& window() const { return window_; }
  bool nearly_used_up() const;

 private:
  std::unique_ptr<EspCipher> cipher_;
  bool esn_;
  std::uint64_t limit_;
  ReplayWindow window_;
};

}  // namespace cgw::ipsec
