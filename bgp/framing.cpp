#include "bgp/framing.hpp"

#include <algorithm>

namespace cgw::bgp {
namespace {

std::unexpected<Notification> header_error(std::uint8_t subcode, std::vector<std::uint8_t> data = {}) {
  return fail(Notification{.code = 1, .subcode = subcode, .data = std::move(data)});
}

std::vector<std::uint8_t> two_octets(std::size_t v) {
  return {static_cast<std::uint8_t>(v >> 8), static_cast<std::uint8_t>(v)};
}

// RFC 4271 6.1: the least length of each type; RFC 8654 4: an OPEN is never extended.
bool length_fits(MessageType type, std::size_t length) {
  switch (type) {
    case MessageType::Open: return length >= 29 && length <= kMaxMessage;
    case MessageType::Update: return length >= 23;
    case MessageType::Notification: return length >= 21;
    case MessageType::Keepalive: return length == kHeaderOctets;
    case MessageType::RouteRefresh: return true;  // its own error code answers (RFC 7313 5)
  }
  return false;
}

}  // namespace

void Framer::push(Bytes bytes) {
  buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(read_));
  read_ = 0;
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
}

Result<std::optional<Frame>, Notification> Framer::next() {
  Reader r(Bytes(buffer_).subspan(read_));
  const Bytes marker = r.bytes(16);
  const std::size_t length = r.u16();
  const std::uint8_t type = r.u8();
  if (!r.ok()) return std::optional<Frame>{};
  if (std::ranges::any_of(marker, [](auto b) { return b != 0xff; })) return header_error(1);
  if (length < kHeaderOctets || length > max_message_) return header_error(2, two_octets(length));
  if (type < 1 || type > 5) return header_error(3, {type});
  if (!length_fits(MessageType{type}, length)) return header_error(2, two_octets(length));
  const Bytes body = r.bytes(length - kHeaderOctets);
  if (!r.ok()) return std::optional<Frame>{};
  read_ += length;
  return std::optional<Frame>{Frame{MessageType{type}, body}};
}

std::vector<std::uint8_t> frame(MessageType type, Bytes body) {
  std::vector<std::uint8_t> out(16, 0xff);
  Writer w(out);
  w.u16(static_cast<std::uint16_t>(kHeaderOctets + body.size()));
  w.u8(static_cast<std::uint8_t>(type));
  w.bytes(body);
  return out;
}

std::vector<std::uint8_t> encode(const Notification& n) {
  std::vector<std::uint8_t> body{n.code, n.subcode};
  const auto most = std::min(n.data.size(), kMaxMessage - kHeaderOctets - body.size());
  body.insert(body.end(), n.data.begin(), n.data.begin() + static_cast<std::ptrdiff_t>(most));
  return frame(MessageType::Notification, body);
}

std::vector<std::uint8_t> encode_route_refresh(Family family, RefreshKind kind) {
  std::vector<std::uint8_t> body;
  Writer w(body);
  w.u16(afi_of(family));
  w.u8(static_cast<std::uint8_t>(kind));
  w.u8(kSafiUnicast);
  return frame(MessageType::RouteRefresh, body);
}

Result<Notification, Notification> parse_notification(Bytes body) {
  Reader r(body);
  Notification n{.code = r.u8(), .subcode = r.u8(), .data = {}};
  if (!r.ok()) return header_error(2);
  const Bytes data = body.subspan(2);
  n.data.assign(data.begin(), data.end());
  return n;
}

}  // namespace cgw::bgp
