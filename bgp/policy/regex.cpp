#include "bgp/policy/regex.hpp"

#include <fmt/format.h>
#include <re2/re2.h>

namespace cgw::bgp::policy {
namespace {

constexpr std::int64_t kMemory = 1 << 20;  // of the compiled expression and its automaton's cache
constexpr std::size_t kLongest = 1024;

std::string with_separators(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '_') {
      out += "(^|[,{}() ]|$)";
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

Regex::Regex(std::string text, std::shared_ptr<const re2::RE2> compiled)
    : text_(std::move(text)),
      compiled_(std::move(compiled)) {}

Result<Regex, std::string> Regex::compile(std::string_view text) {
  if (text.size() > kLongest) return fail(fmt::format("longer than {} characters", kLongest));
  re2::RE2::Options options;
  options.set_posix_syntax(true);
  options.set_one_line(true);  // ^ and $ are the text's ends
  options.set_never_capture(true);
  options.set_log_errors(false);
  options.set_encoding(re2::RE2::Options::EncodingLatin1);
  options.set_max_mem(kMemory);
  auto compiled = std::make_shared<const re2::RE2>(with_separators(text), options);
  if (!compiled->ok()) return fail(compiled->error());
  return Regex(std::string(text), std::move(compiled));
}

bool Regex::matches(std::string_view text) const {
  return re2::RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), *compiled_);
}

std::string as_path_regex_fault(std::string_view text) {
  if (text.find_first_not_of("1234567890_^|[,{}() ]$*+.?-\\") != std::string_view::npos)
    return fmt::format("Invalid character in as-path access-list {}", text);
  if (const auto regex = Regex::compile(text); !regex)
    return fmt::format("can't compile regexp {}: {}", text, regex.error());
  return {};
}

}  // namespace cgw::bgp::policy
