#include "bgp/types.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/note.hpp"

namespace cgw::bgp {
namespace {

using Type = AsPathSegment::Type;

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

template <std::size_t N>
std::string words(const Words (&table)[N], std::uint8_t code, std::uint8_t subcode) {
  for (const auto& w : table) {
    if (w.code == code && w.subcode == subcode) return std::string(w.text);
  }
  return fmt::format("{}", subcode != 0 ? subcode : code);
}

}  // namespace

std::uint32_t PathAttributes::as_path_length() const {
  std::size_t n = 0;
  for (const auto& s : as_path) {
    if (s.type == Type::Sequence) n += s.asns.size();
    if (s.type == Type::Set) n += 1;
  }
  return static_cast<std::uint32_t>(n);
}

std::optional<Asn> PathAttributes::first_as() const {
  for (const auto& s : as_path) {
    if (s.type == Type::Sequence && !s.asns.empty()) return s.asns.front();
    if (s.type == Type::Set) return std::nullopt;
  }
  return std::nullopt;
}

std::string PathAttributes::as_path_text() const {
  std::vector<std::string> out;
  for (const auto& s : as_path) {
    std::vector<std::uint32_t> n;
    for (const Asn a : s.asns)
      n.push_back(a.value());
    switch (s.type) {
      case Type::Sequence: out.push_back(fmt::format("{}", fmt::join(n, " "))); break;
      case Type::Set: out.push_back(fmt::format("{{{}}}", fmt::join(n, ","))); break;
      case Type::ConfedSequence: out.push_back(fmt::format("({})", fmt::join(n, " "))); break;
      case Type::ConfedSet: out.push_back(fmt::format("[{}]", fmt::join(n, ","))); break;
    }
  }
  return fmt::format("{}", fmt::join(out, " "));
}

std::string Notification::to_string() const {
  std::string out = words(kCodes, code, 0);
  if (subcode != 0) out += "/" + words(kSubcodes, code, subcode);
  // RFC 9003: a shutdown communication, its length first.
  const bool shutdown = code == 6 && (subcode == 2 || subcode == 4);
  if (shutdown && !data.empty() && data[0] == data.size() - 1 && data[0] > 0) {
    out += fmt::format(" \"{}\"", printable({reinterpret_cast<const char*>(data.data()) + 1, data[0]}));
  }
  return out;
}

}  // namespace cgw::bgp
