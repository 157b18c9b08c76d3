#include <algorithm>

#include <fmt/format.h>

#include "base/note.hpp"
#include "bgp/types.hpp"

namespace cgw::bgp {
namespace {

struct Words {
  std::uint8_t code, subcode;
  std::string_view text;
};
// RFC 4271 4.5, RFC 4486, RFC 5492, RFC 6608, RFC 7313, RFC 8538, RFC 9687.
constexpr Words kCodes[] = {
    {1, 0, "Message Header Error"}, {2, 0, "OPEN Message Error"},         {3, 0, "UPDATE Message Error"},
    {4, 0, "Hold Timer Expired"},   {5, 0, "Finite State Machine Error"}, {6, 0, "Cease"},
    {7, 0, "ROUTE-REFRESH Error"},  {8, 0, "Send Hold Timer Expired"},
};
constexpr Words kSubcodes[] = {
    {1, 1, "Connection Not Synchronized"},
    {1, 2, "Bad Message Length"},
    {1, 3, "Bad Message Type"},
    {2, 1, "Unsupported Version Number"},
    {2, 2, "Bad Peer AS"},
    {2, 3, "Bad BGP Identifier"},
    {2, 4, "Unsupported Optional Parameter"},
    {2, 6, "Unacceptable Hold Time"},
    {2, 7, "Unsupported Capability"},
    {2, 11, "Role Mismatch"},
    {3, 1, "Malformed Attribute List"},
    {3, 2, "Unrecognized Well-known Attribute"},
    {3, 3, "Missing Well-known Attribute"},
    {3, 4, "Attribute Flags Error"},
    {3, 5, "Attribute Length Error"},
    {3, 6, "Invalid ORIGIN Attribute"},
    {3, 8, "Invalid NEXT_HOP Attribute"},
    {3, 9, "Optional Attribute Error"},
    {3, 10, "Invalid Network Field"},
    {3, 11, "Malformed AS_PATH"},
    {5, 1, "Unexpected Message in OpenSent State"},
    {5, 2, "Unexpected Message in OpenConfirm State"},
    {5, 3, "Unexpected Message in Established State"},
    {6, 1, "Maximum Number of Prefixes Reached"},
    {6, 2, "Administrative Shutdown"},
    {6, 3, "Peer De-configured"},
    {6, 4, "Administrative Reset"},
    {6, 5, "Connection Rejected"},
    {6, 6, "Other Configuration Change"},
    {6, 7, "Connection Collision Resolution"},
    {6, 8, "Out of Resources"},
    {6, 9, "Hard Reset"},
    {7, 1, "Invalid Message Length"},
};

// What one that comes from the neighbor means for us, and what to do. Subcode 0 stands for all without a row of their
// own.
constexpr Words kMeanings[] = {
    {1, 0, "it cannot read our messages: something else than BGP answers or changes them on the way"},
    {2, 0, "it does not accept our OPEN"},
    {2, 1, "it speaks another version of BGP than 4"},
    {2, 2, "it expects another AS of us: compare 'router bgp' with the customer gateway's ASN in AWS"},
    {2, 3, "it does not accept our router id: set another with 'bgp router-id'"},
    {2, 4, "it wants no capabilities: it is too old a speaker"},
    {2, 6, "it does not accept our hold time: change 'timers bgp'"},
    {2, 7, "it needs a capability that we do not have"},
    {3, 0, "it could not understand a route of ours"},
    {4, 0, "it has heard nothing from us for its hold time: packets towards it are lost"},
    {5, 0, "it did not expect our message in its state; the session starts over"},
    {6, 0, "it ended the session"},
    {6, 1,
     "we announced more prefixes than it takes (AWS: 100 to a virtual private gateway, 1000 to a transit gateway): "
     "aggregate them, or lower 'maximum-prefix-out'"},
    {6, 2, "its operator has shut the session down"},
    {6, 3, "its operator has removed us from its configuration"},
    {6, 4, "its operator has reset the session, which comes back by itself"},
    {6, 5, "it takes no connection from us now"},
    {6, 6, "its configuration has changed; the session comes back by itself"},
    {6, 7, "two connections met, and the other one stays"},
    {6, 8, "it is short of memory or of something else"},
    {6, 9, "it wants all routes forgotten; the session comes back by itself"},
    {7, 0, "it could not understand our ROUTE-REFRESH"},
    {8, 0, "we have read nothing from it for its send hold time"},
};

template <std::size_t N>
std::string words(const Words (&table)[N], std::uint8_t code, std::uint8_t subcode) {
  for (const auto& w : table) {
    if (w.code == code && w.subcode == subcode) return std::string(w.text);
  }
  return fmt::format("{}", subcode != 0 ? subcode : code);
}

}  // namespace

std::string Notification::to_string() const {
  std::string out = words(kCodes, code, 0);
  if (subcode != 0) out += "/" + words(kSubcodes, code, subcode);
  // RFC 9003: a shutdown communication, its length first.
  const bool shutdown = code == 6 && (subcode == 2 || subcode == 4);
  if (shutdown && !data.empty() && data[0] == data.size() - 1 && data[0] > 0) {
    out += fmt::format(" \"{}\"", printable({reinterpret_cast<const char*>(data.data()) + 1, data[0]}));
  }
  // RFC 8538 3.1: a Hard Reset holds the NOTIFICATION that was meant. One deep: a Hard Reset in it is none.
  if (code == 6 && subcode == 9 && data.size() >= 2 && (data[0] != 6 || data[1] != 9)) {
    const Notification inner{.code = data[0], .subcode = data[1], .data = {data.begin() + 2, data.end()}};
    out += fmt::format(" ({})", inner.to_string());
  }
  return out;
}

std::string_view Notification::meaning() const {
  const auto row = [&](std::uint8_t sub) {
    return std::ranges::find_if(kMeanings, [&](const Words& w) { return w.code == code && w.subcode == sub; });
  };
  const auto exact = row(subcode), general = row(0);
  if (exact != std::end(kMeanings)) return exact->text;
  return general != std::end(kMeanings) ? general->text : "its reason has no name in BGP's standards";
}

}  // namespace cgw::bgp
