#include "ipsec/esp.hpp"

#include <algorithm>

#include "ipsec/esp_cipher.hpp"

namespace cgw::ipsec {
namespace {

constexpr std::size_t kHeader = 8;   // SPI, sequence number
constexpr std::size_t kTrailer = 2;  // pad length, next header
constexpr std::uint8_t kIpv4 = 4, kIpv6 = 41, kDummy = 59;
// The share of the sequence numbers left when it is time for a new SA: without ESN 2^28, ten minutes at 400,000
// packets a second.
constexpr std::uint64_t kReserve = 16;

std::uint32_t get32(const std::uint8_t* at) {
  return static_cast<std::uint32_t>(at[0]) << 24 | static_cast<std::uint32_t>(at[1]) << 16 |
         static_cast<std::uint32_t>(at[2]) << 8 | at[3];
}

std::uint64_t last_sequence(const EspSuite& suite) {
  return suite.esn ? ~std::uint64_t{0} : 0xffffffffU;
}

// Size of the IP packet at the front of `data` by its own header; 0 when it is none or does not fit.
std::size_t ip_size(Bytes data) {
  if (data.size() >= 20 && data[0] >> 4 == 4) {
    const std::size_t header = (data[0] & 0xfU) * 4;
    const std::size_t n = static_cast<std::size_t>(data[2]) << 8 | data[3];
    return header >= 20 && n >= header && n <= data.size() ? n : 0;
  }
  if (data.size() >= 40 && data[0] >> 4 == 6) {
    const std::size_t n = 40 + (static_cast<std::size_t>(data[4]) << 8 | data[5]);
    return n <= data.size() ? n : 0;
  }
  return 0;
}

// plain: decrypted, with padding and trailer (RFC 4303 2.4 to 2.7).
Result<std::span<std::uint8_t>, EspDrop> inner_packet(std::span<std::uint8_t> plain) {
  const std::size_t n = plain.size(), pad = plain[n - 2];
  const std::uint8_t next = plain[n - 1];
  if (next == kDummy) return fail(EspDrop::Dummy);
  if (pad + kTrailer > n) return fail(EspDrop::BadPadding);
  for (std::size_t i = 0; i < pad; ++i) {
    if (plain[n - kTrailer - pad + i] != i + 1) return fail(EspDrop::BadPadding);
  }
  if (next != kIpv4 && next != kIpv6) return fail(EspDrop::NotIp);
  const std::size_t size = ip_size(plain.first(n - kTrailer - pad));
  if (size == 0 || (plain[0] >> 4 == 6) != (next == kIpv6)) return fail(EspDrop::NotIp);
  return plain.first(size);
}

}  // namespace

SequenceNumbers::SequenceNumbers(const EspSuite& suite, std::uint64_t last)
    : limit_(last_sequence(suite)),
      last_(last) {}

// Acquire and release: see kernel/userspace_order.hpp.
SequenceNumbers::Taken SequenceNumbers::take(std::uint64_t n) {
  std::uint64_t last = last_.load(std::memory_order_relaxed), count = 0;
  do {
    count = std::min(n, limit_ - last);
  } while (!last_.compare_exchange_weak(last, last + count, std::memory_order_acq_rel, std::memory_order_relaxed));
  return {.first = last + 1, .count = count};
}

bool nearly_used_up(const EspSuite& suite, std::uint64_t sequence) {
  const std::uint64_t limit = last_sequence(suite);
  return limit - sequence < limit / kReserve;
}

EspSealer::EspSealer(const EspSuite& suite, Spi spi, const EspKeys& keys, EspCrypto crypto)
    : cipher_(make_esp_cipher(suite, keys, true, crypto)),
      spi_(spi) {}
EspSealer::~EspSealer() = default;
EspSealer::EspSealer(EspSealer&&) noexcept = default;
EspSealer& EspSealer::operator=(EspSealer&&) noexcept = default;

std::size_t EspSealer::front() const {
  return kHeader + cipher_->iv();
}

std::size_t EspSealer::sealed_size(std::size_t inner) const {
  const std::size_t block = cipher_->block();
  return front() + (inner + kTrailer + block - 1) / block * block + cipher_->icv();
}

bool EspSealer::seal_in_place(std::span<std::uint8_t> packet, std::size_t inner, std::uint64_t sequence) {
  if (inner == 0 || packet.size() != sealed_size(inner)) return false;
  std::uint8_t* const at = packet.data();
  put32(at, spi_.value());
  put32(at + 4, static_cast<std::uint32_t>(sequence));
  std::uint8_t* const plain = at + front();
  const std::size_t n = packet.size() - front() - cipher_->icv(), pad = n - inner - kTrailer;
  for (std::size_t i = 0; i < pad; ++i)
    plain[inner + i] = static_cast<std::uint8_t>(i + 1);
  plain[n - 2] = static_cast<std::uint8_t>(pad);
  plain[n - 1] = plain[0] >> 4 == 6 ? kIpv6 : kIpv4;
  return cipher_->seal(at, sequence, at + kHeader, n);
}

EspOpener::EspOpener(const EspSuite& suite, const EspKeys& keys, EspCrypto crypto)
    : cipher_(make_esp_cipher(suite, keys, false, crypto)),
      esn_(suite.esn) {}
EspOpener::~EspOpener() = default;
EspOpener::EspOpener(EspOpener&&) noexcept = default;
EspOpener& EspOpener::operator=(EspOpener&&) noexcept = default;

Result<EspOpener::Opened, EspDrop> EspOpener::open(std::span<std::uint8_t> packet, const ReplayWindow& window) {
  const std::size_t least = kHeader + cipher_->iv() + cipher_->block() + cipher_->icv();
  if (packet.size() < least) return fail(EspDrop::Truncated);
  const std::uint32_t low = get32(packet.data() + 4);
  const std::uint64_t seq = esn_ ? window.infer(low) : low;
  if (!window.would_accept(seq)) return fail(EspDrop::Replayed);
  const auto body = packet.subspan(kHeader);
  const std::size_t n = body.size() - cipher_->iv() - cipher_->icv();
  if (n % cipher_->block() != 0) return fail(EspDrop::Truncated);
  if (!cipher_->open(packet.data(), seq, body)) return fail(EspDrop::BadIcv);
  return Opened{.sequence = seq, .inner = inner_packet(body.subspan(cipher_->iv(), n))};
}

}  // namespace cgw::ipsec
