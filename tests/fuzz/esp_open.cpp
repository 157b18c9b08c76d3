// ESP packets with the right keys: raw ones, and such whose content only a peer with the keys can choose.
#include <memory>
#include <vector>

#include "ipsec/crypto.hpp"
#include "ipsec/esp.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "tests/support/esp_end.hpp"

using namespace cgw;
using namespace cgw::ipsec;
using cgw::fuzz::require;

namespace {

struct Sa {
  EspSuite esp;
  IkeSuite like;  // SK's protection of the same algorithms has the same form: SPI and sequence number are its AAD
};
Sa suite(std::uint8_t n) {
  constexpr Integ kIntegs[] = {Integ::HmacSha1_96, Integ::HmacSha256_128, Integ::HmacSha384_192, Integ::HmacSha512_256};
  const std::uint16_t bits = (n & 1) != 0 ? 256 : 128;
  const bool cbc = (n & 2) != 0;
  const Integ integ = cbc ? kIntegs[n >> 2 & 3] : Integ::None;
  const Encr encr = cbc ? Encr::AesCbc : Encr::AesGcm16;
  return {{.encr = encr, .key_bits = bits, .integ = integ, .dh = DhGroup::None, .esn = false},
          {.encr = encr, .key_bits = bits, .integ = integ}};
}

Buffer packet(SkCipher& cipher, const Sa& sa, std::uint32_t seq, Bytes plain) {
  Buffer out;
  Writer w(out);
  w.u32(0xc0000001);
  w.u32(seq);
  if (sa.esp.encr == Encr::AesCbc) plain = plain.first(plain.size() / 16 * 16);
  const Buffer aad = out;
  cipher.seal(aad, plain, Buffer(cipher.iv_size(), 0x42), out);
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input in(data, size);
  const Sa sa = suite(in.octet());
  const EspKeys keys{SecretBytes(Bytes(Buffer(encr_key_octets(sa.esp.encr, sa.esp.key_bits), 0x11))),
                     SecretBytes(Bytes(Buffer(integ_key_octets(sa.esp.integ), 0x22)))};
  test::OpeningEnd opener(sa.esp, keys, 64);
  const auto cipher = make_sk_cipher(sa.like, keys.encr.view(), keys.integ.view());
  for (int i = 0; i < 8 && in.more(); ++i) {
    const bool raw = (in.octet() & 1) != 0;
    const std::uint32_t seq = in.pair();
    const auto piece = in.piece();
    const Buffer p = raw ? Buffer(piece.begin(), piece.end()) : packet(*cipher, sa, seq, piece);
    // On the heap and exactly as large: a step past its end is seen.
    Buffer first = p, again = p;
    const std::uint64_t before = opener.window.highest();
    const auto got = opener.open(first);
    require(opener.window.highest() >= before, "the window does not go back");
    if (!got) continue;
    require(!got->empty() && got->size() <= p.size(), "an inner packet is no larger than its ESP packet");
    require(got->front() >> 4 == 4 || got->front() >> 4 == 6, "an inner packet is IP");
    require(!opener.open(again), "a packet is accepted once");
  }
  return 0;
}
