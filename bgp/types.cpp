#include "bgp/types.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace cgw::bgp {
namespace {

using Type = AsPathSegment::Type;

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

}  // namespace cgw::bgp
