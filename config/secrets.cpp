#include <fmt/format.h>

#include "config/config.hpp"
#include "config/grammar.hpp"

namespace cgw::config {

Result<Secrets, Diagnostics> parse_secrets(std::string_view text, std::string_view file) {
  Secrets out;
  Diagnostics wrong;
  for (unsigned number = 1; !text.empty(); ++number) {
    const auto end = std::min(text.find('\n'), text.size());
    const auto words = split(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (words.empty() || words[0].text.starts_with('#')) continue;
    if (words.size() != 2) {
      // The line itself is not shown: it holds a key.
      wrong.push_back({std::string(file), number, 1,
                       fmt::format("a name and a value are expected, {} words are there", words.size())});
      continue;
    }
    if (!out.emplace(words[0].text, SecretBytes(words[1].text)).second) {
      wrong.push_back({std::string(file), number, 1, fmt::format("'{}' is there twice", words[0].text)});
    }
  }
  if (!wrong.empty()) return fail(std::move(wrong));
  return out;
}

std::string render_secrets(const Secrets& s) {
  std::string out = "# Pre-shared keys of cgwd, by the names the configuration refers to. Keep mode 0600.\n";
  for (const auto& [name, value] : s) {
    out += fmt::format("{} {}\n", name,
                       std::string_view(reinterpret_cast<const char*>(value.view().data()), value.size()));
  }
  return out;
}

}  // namespace cgw::config
