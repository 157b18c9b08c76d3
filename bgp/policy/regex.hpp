#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace re2 {
class RE2;
}

namespace cgw::bgp::policy {

// A POSIX extended regular expression over AS paths or communities as text, where '_' stands for a blank, a brace, a
// parenthesis, a comma, or either end. Matching takes time linear in the text, whatever the expression: the text is a
// peer's.
class Regex {
 public:
  // The error says what is wrong with the expression.
  static Result<Regex, std::string> compile(std::string_view text);

  // Anywhere in the text.
  bool matches(std::string_view text) const;
  const std::string& text() const { return text_; }

 private:
  Regex(std::string text, std::shared_ptr<const re2::RE2> compiled);

  std::string text_;
  std::shared_ptr<const re2::RE2> compiled_;
};

// What FRR refuses in an as-path access-list before it tries: empty when nothing is wrong.
std::string as_path_regex_fault(std::string_view text);

}  // namespace cgw::bgp::policy
