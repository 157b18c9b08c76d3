#pragma once
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "base/wire.hpp"
#include "ipsec/child_sa.hpp"

// The ESP transform in tunnel mode (RFC 4303, 4106, 3602, 4868) for the userspace data plane. An EspSealer and an
// EspOpener belong to one thread each; an SA that several threads work for has one of them for each, and its sequence
// numbers or its replay window in common.
namespace cgw::ipsec {

// Anti-replay (RFC 4303 3.4.3, 2^n-bit ring as in RFC 6479). Sequence numbers are 64 bits wide;
// without ESN only the lower 32 are on the wire and the counter must not wrap. One thread at a time marks; others may
// ask meanwhile, and are told how it is or was a moment ago.
class ReplayWindow {
 public:
  explicit ReplayWindow(std::uint32_t packets = 1024);  // 32..4096, rounded up to a multiple of 64
  bool would_accept(std::uint64_t seq) const;
  void mark(std::uint64_t seq);  // after the ICV was found good
  std::uint64_t highest() const { return highest_.load(std::memory_order_relaxed); }
  // The 64-bit number that the low half on the wire stands for (RFC 4303 A2).
  std::uint64_t infer(std::uint32_t low) const;

 private:
  std::atomic<std::uint64_t>& word(std::uint64_t seq) { return bits_[seq / kWord % bits_.size()]; }
  static constexpr std::uint64_t kWord = 64;
  std::uint64_t window_;
  std::atomic<std::uint64_t> highest_ = 0;
  std::vector<std::atomic<std::uint64_t>> bits_;
};

// The outbound sequence numbers of an SA; any thread may take some. They never wrap.
class SequenceNumbers {
 public:
  // last: the last number already used.
  explicit SequenceNumbers(const EspSuite& suite, std::uint64_t last = 0);

  struct Taken {
    std::uint64_t first = 0, count = 0;
    std::uint64_t last() const { return first + count - 1; }
  };
  // n numbers in a row; fewer at the end, then none: the SA is used up (RFC 4303 3.3.3).
  Taken take(std::uint64_t n);
  std::uint64_t last() const { return last_.load(std::memory_order_relaxed); }
  bool used_up() const { return last() == limit_; }

 private:
  std::uint64_t limit_;
  std::atomic<std::uint64_t> last_;
};

// A sixteenth of the numbers is left when this one is used: time for another SA.
bool nearly_used_up(const EspSuite& suite, std::uint64_t sequence);

// Who does AES-GCM: libipsec-mb where it is built in and the processor has what it needs, or OpenSSL always. CBC with
// HMAC is OpenSSL's.
enum class EspCrypto : std::uint8_t { Fastest, OpenSsl };
bool ipsec_mb_usable();

class EspCipher;  // private to esp*.cpp

class EspSealer {
 public:
  EspSealer(const EspSuite& suite, Spi spi, const EspKeys& keys, EspCrypto crypto = EspCrypto::Fastest);
  ~EspSealer();
  EspSealer(EspSealer&&) noexcept;
  EspSealer& operator=(EspSealer&&) noexcept;

  // Largest growth of a packet.
  static constexpr std::size_t kMaxOverhead = 8 + 16 + 16 + 2 + 32;
  // Octets of the ESP packet in front of the inner one, and in all.
  std::size_t front() const;
  std::size_t sealed_size(std::size_t inner) const;
  // packet: sealed_size(inner) octets, the inner IP packet at front(). sequence: a number that the SA never used
  // before, since it is the nonce of AES-GCM.
  bool seal_in_place(std::span<std::uint8_t> packet, std::size_t inner, std::uint64_t sequence);

 private:
  std::unique_ptr<EspCipher> cipher_;
  Spi spi_;
};

enum class EspDrop : std::uint8_t { Truncated, Replayed, BadIcv, BadPadding, NotIp, Dummy, count_ };

class EspOpener {
 public:
  EspOpener(const EspSuite& suite, const EspKeys& keys, EspCrypto crypto = EspCrypto::Fastest);
  ~EspOpener();
  EspOpener(EspOpener&&) noexcept;
  EspOpener& operator=(EspOpener&&) noexcept;

  // An authentic packet. It may be used when the window accepts its number, which is then marked whatever is inside.
  struct Opened {
    std::uint64_t sequence = 0;
    Result<std::span<std::uint8_t>, EspDrop> inner;  // the inner packet, whose size is its IP header's
  };
  // packet: from the SPI on, changed in place. What the window refuses already is not decrypted.
  Result<Opened, EspDrop> open(std::span<std::uint8_t> packet, const ReplayWindow& window);

 private:
  std::unique_ptr<EspCipher> cipher_;
  bool esn_;
};

}  // namespace cgw::ipsec
