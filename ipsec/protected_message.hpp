#pragma once
#include <map>
#include <optional>
#include <vector>

#include "ipsec/payload.hpp"

// Encrypted and authenticated messages (RFC 7296 3.14) and their fragments (RFC 7383).
namespace cgw::ipsec {

inline constexpr std::size_t kFragmentThreshold = 1280;  // octets of an IKE message that go unfragmented

// The datagrams of one message: one, or its fragments when it is longer than the threshold and `fragment` allows.
// next_iv yields an IV of the cipher's size, never the same twice.
template <class NextIv>
std::vector<Buffer> protect(Header h, const Payloads& payloads, SkCipher& cipher, bool fragment, NextIv next_iv);

// One datagram, of which the ICV was right.
struct Opened {
  PayloadType first = PayloadType::None;
  Buffer plain;                           // without padding
  std::uint16_t fragment = 0, total = 0;  // 0: no fragment
  std::uint8_t reserved = 0;              // the second octet of the payload's header; of fragments the first's
};
// Nothing: no SK or SKF payload, or the ICV is wrong. Nothing was allocated but the plaintext.
std::optional<Opened> unprotect(Bytes message, const Header& h, SkCipher& cipher);

// The fragments of one message; at most 64 of them and 64 KiB.
class Reassembly {
 public:
  // The whole chain once the last one is here.
  std::optional<Opened> add(std::uint32_t message_id, Opened piece);
  void clear() { *this = Reassembly(); }

 private:
  std::uint32_t message_id_ = 0;
  std::uint16_t total_ = 0;
  std::size_t octets_ = 0;
  PayloadType first_ = PayloadType::None;
  std::uint8_t reserved_ = 0;
  std::map<std::uint16_t, Buffer> pieces_;
};

// What protect() is made of.
Buffer seal_message(Header h, PayloadType sk_type, PayloadType inner_first, Bytes fragment_fields, Bytes plain,
                    SkCipher& cipher, Bytes iv);
std::vector<Bytes> split(Bytes plain, std::size_t piece);

template <class NextIv>
std::vector<Buffer> protect(Header h, const Payloads& payloads, SkCipher& cipher, bool fragment, NextIv next_iv) {
  Buffer plain;
  const PayloadType first = write_chain(payloads, plain);
  std::vector<Buffer> out;
  constexpr std::size_t kOverhead = 120;  // header, IV, padding and ICV at most
  if (!fragment || plain.size() + kOverhead <= kFragmentThreshold) {
    out.push_back(seal_message(h, PayloadType::Sk, first, {}, plain, cipher, next_iv()));
    return out;
  }
  const auto pieces = split(plain, kFragmentThreshold - kOverhead);
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    Buffer fields;
    Writer w(fields);
    w.u16(static_cast<std::uint16_t>(i + 1));
    w.u16(static_cast<std::uint16_t>(pieces.size()));
    const PayloadType inner = i == 0 ? first : PayloadType::None;
    out.push_back(seal_message(h, PayloadType::Skf, inner, fields, pieces[i], cipher, next_iv()));
  }
  return out;
}

}  // namespace cgw::ipsec
