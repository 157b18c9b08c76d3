#include "ipsec/protected_message.hpp"

#include <algorithm>

namespace cgw::ipsec {
namespace {

constexpr std::size_t kMaxFragments = 64, kMaxOctets = 65536;

// Finds the SK or SKF payload, which must be the last. `at`: where its generic header begins.
struct Located {
  PayloadType type, inner_first;
  std::size_t at, body;
};
std::optional<Located> locate(Bytes message, PayloadType first) {
  std::size_t at = kHeaderOctets;
  PayloadType type = first;
  for (std::size_t n = 0; n < kMaxPayloads; ++n) {
    if (at + kPayloadHeader > message.size()) return std::nullopt;
    const std::size_t length = static_cast<std::size_t>(message[at + 2]) << 8 | message[at + 3];
    if (length < kPayloadHeader || at + length > message.size()) return std::nullopt;
    if (type == PayloadType::Sk || type == PayloadType::Skf) {
      if (at + length != message.size()) return std::nullopt;
      return Located{type, PayloadType{message[at]}, at, at + kPayloadHeader};
    }
    type = PayloadType{message[at]};
    at += length;
  }
  return std::nullopt;
}

}  // namespace

Buffer seal_message(Header h, PayloadType sk_type, PayloadType inner_first, Bytes fragment_fields, Bytes plain,
                    SkCipher& cipher, Bytes iv) {
  Buffer padded(plain.begin(), plain.end());
  const std::size_t padding = cipher.padding_for(plain.size());
  padded.resize(plain.size() + padding);
  padded.back() = static_cast<std::uint8_t>(padding - 1);

  const std::size_t body = fragment_fields.size() + cipher.iv_size() + padded.size() + cipher.icv_size();
  h.first = sk_type;
  h.length = static_cast<std::uint32_t>(kHeaderOctets + kPayloadHeader + body);
  Buffer out;
  write_header(h, out);
  Writer w(out);
  w.u8(static_cast<std::uint8_t>(inner_first));
  w.u8(0);
  w.u16(static_cast<std::uint16_t>(kPayloadHeader + body));
  w.bytes(fragment_fields);
  const Buffer aad = out;
  cipher.seal(aad, padded, iv, out);
  return out;
}

std::vector<Bytes> split(Bytes plain, std::size_t piece) {
  std::vector<Bytes> out;
  for (std::size_t at = 0; at < plain.size(); at += piece)
    out.push_back(plain.subspan(at, std::min(piece, plain.size() - at)));
  return out;
}

std::optional<Opened> unprotect(Bytes message, const Header& h, SkCipher& cipher) {
  const auto sk = locate(message, h.first);
  if (!sk) return std::nullopt;
  Opened out{.first = sk->inner_first, .plain = {}, .reserved = message[sk->at + 1]};
  std::size_t body = sk->body;
  if (sk->type == PayloadType::Skf) {
    Reader r(message.subspan(body));
    out.fragment = r.u16();
    out.total = r.u16();
    body += 4;
    const bool sound = r.ok() && out.fragment != 0 && out.fragment <= out.total && out.total <= kMaxFragments;
    if (!sound) return std::nullopt;
  }
  auto plain = cipher.open(message.first(body), message.subspan(body));
  if (!plain || plain->empty() || plain->back() + std::size_t{1} > plain->size()) return std::nullopt;
  plain->resize(plain->size() - plain->back() - 1);
  out.plain = std::move(*plain);
  return out;
}

// RFC 7383 2.6: a larger total replaces what is there, a smaller one is dropped.
std::optional<Opened> Reassembly::add(std::uint32_t message_id, Opened piece) {
  if (message_id != message_id_ || piece.total > total_) {
    clear();
    message_id_ = message_id;
    total_ = piece.total;
  }
  if (piece.total < total_ || pieces_.contains(piece.fragment) || octets_ + piece.plain.size() > kMaxOctets)
    return std::nullopt;
  if (piece.fragment == 1) {
    first_ = piece.first;
    reserved_ = piece.reserved;
  }
  octets_ += piece.plain.size();
  pieces_[piece.fragment] = std::move(piece.plain);
  if (pieces_.size() < total_) return std::nullopt;
  Opened whole{.first = first_, .plain = {}, .reserved = reserved_};
  for (const auto& [number, octets] : pieces_)
    whole.plain.insert(whole.plain.end(), octets.begin(), octets.end());
  clear();
  return whole;
}

}  // namespace cgw::ipsec
