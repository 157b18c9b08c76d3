#include "bgp/finding.hpp"

#include <fmt/format.h>

namespace cgw::bgp {

std::string_view to_string(OnError e) {
  switch (e) {
    case OnError::Discard: return "attribute discarded";
    case OnError::Withdraw: return "routes treated as withdrawn";
    case OnError::DisableFamily: return "the address family is disabled until the session ends";
    case OnError::Reset: return "session reset";
  }
  return "?";
}

std::string Finding::to_string() const {
  const auto octets = excerpt.empty() ? std::string() : fmt::format(" ({})", excerpt);
  return fmt::format("{}{}: {}", what, octets, bgp::to_string(action));
}

}  // namespace cgw::bgp
