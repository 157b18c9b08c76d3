#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace cgw::bgp {

// RFC 7606 2, weakest first; of several errors the strongest decides.
enum class OnError : std::uint8_t { Discard, Withdraw, DisableFamily, Reset };
std::string_view to_string(OnError e);

// Something malformed in an UPDATE, and what was done about it.
struct Finding {
  std::uint8_t attribute = 0;  // its type; 0: the message or its routes
  OnError action = OnError::Withdraw;
  std::string what;     // "malformed ORIGIN of 2 octets"
  std::string excerpt;  // hex of the first octets, may be empty

  std::string to_string() const;  // "malformed ORIGIN of 2 octets (00 00): routes treated as withdrawn"
  bool operator==(const Finding&) const = default;
};

}  // namespace cgw::bgp
