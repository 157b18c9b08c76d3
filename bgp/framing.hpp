#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "base/result.hpp"
#include "base/wire.hpp"
#include "bgp/types.hpp"

namespace cgw::bgp {

// RFC 4271 4.1, RFC 2918.
enum class MessageType : std::uint8_t { Open = 1, Update = 2, Notification = 3, Keepalive = 4, RouteRefresh = 5 };

inline constexpr std::size_t kHeaderOctets = 19;
inline constexpr std::size_t kMaxMessage = 4096;

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

 private:
  std::vector<std::uint8_t> buffer_;
  std::size_t read_ = 0;
};

// Header and body.
std::vector<std::uint8_t> frame(MessageType type, Bytes body);
std::vector<std::uint8_t> encode(const Notification& n);
Result<Notification, Notification> parse_notification(Bytes body);

}  // namespace cgw::bgp
