#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "base/result.hpp"
#include "base/wire.hpp"
#include "bgp/families.hpp"
#include "bgp/types.hpp"

namespace cgw::bgp {

// RFC 4271 4.1, RFC 2918.
enum class MessageType : std::uint8_t { Open = 1, Update = 2, Notification = 3, Keepalive = 4, RouteRefresh = 5 };

inline constexpr std::size_t kHeaderOctets = 19;
inline constexpr std::size_t kMaxMessage = 4096;
inline constexpr std::size_t kMaxExtendedMessage = 65535;  // RFC 8654

struct Frame {
  MessageType type;
  Bytes body;  // valid until the next push()
};

// Cuts a byte stream into messages. Three answers: a message, need more (nullopt), hopeless (what to notify). Holds at
// most one message and what was pushed behind it.
class Framer {
 public:
  void push(Bytes bytes);
  Result<std::optional<Frame>, Notification> next();
  // RFC 8654 4: what we have said that we take, from the OPEN on.
  void allow_extended() { max_message_ = kMaxExtendedMessage; }

 private:
  std::size_t max_message_ = kMaxMessage;
  std::vector<std::uint8_t> buffer_;
  std::size_t read_ = 0;
};

// Header and body.
std::vector<std::uint8_t> frame(MessageType type, Bytes body);
// Its data is cut to what any neighbor takes (RFC 8654 5).
std::vector<std::uint8_t> encode(const Notification& n);
// RFC 2918 3, RFC 7313 3.2.
enum class RefreshKind : std::uint8_t { Request = 0, Begin = 1, End = 2 };
std::vector<std::uint8_t> encode_route_refresh(Family family, RefreshKind kind);
Result<Notification, Notification> parse_notification(Bytes body);

}  // namespace cgw::bgp
