#pragma once
#include <algorithm>
#include <utility>
#include <vector>

#include "ipsec/esp.hpp"

// Both ends of an SA as one thread has them: what the data plane's several threads share is here one's own.
namespace cgw::test {

struct SealingEnd {
  SealingEnd(const ipsec::EspSuite& suite, ipsec::Spi spi, const ipsec::EspKeys& keys,
             ipsec::EspCrypto crypto = ipsec::EspCrypto::Fastest, std::uint64_t last = 0)
      : sealer(suite, spi, keys, crypto),
        numbers(suite, last) {}

  // Empty when no number is left.
  std::vector<std::uint8_t> seal(Bytes inner) {
    const auto number = numbers.take(1);
    if (number.count == 0) return {};
    std::vector<std::uint8_t> out(sealer.sealed_size(inner.size()));
    std::ranges::copy(inner, out.begin() + static_cast<std::ptrdiff_t>(sealer.front()));
    if (!sealer.seal_in_place(out, inner.size(), number.first)) return {};
    return out;
  }

  ipsec::EspSealer sealer;
  ipsec::SequenceNumbers numbers;
};

struct OpeningEnd {
  OpeningEnd(const ipsec::EspSuite& suite, const ipsec::EspKeys& keys, std::uint32_t packets,
             ipsec::EspCrypto crypto = ipsec::EspCrypto::Fastest)
      : opener(suite, keys, crypto),
        window(packets) {}

  Result<std::span<std::uint8_t>, ipsec::EspDrop> open(std::span<std::uint8_t> packet) {
    auto opened = opener.open(packet, window);
    if (!opened) return fail(opened.error());
    window.mark(opened->sequence);
    return std::move(opened->inner);
  }

  ipsec::EspOpener opener;
  ipsec::ReplayWindow window;
};

}  // namespace cgw::test
