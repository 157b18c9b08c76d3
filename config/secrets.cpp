#include <fmt/format.h>

#include "config/config.hpp"
#include "config/grammar.hpp"

namespace cgw::config {

Result<Secrets, Diagnostics> parse_secrets(std::string_view text, std::string_view file) {
  Secrets out;
  Diagnostics wrong;
  std::map<std::string_view, unsigned> lines;
  for (unsigned number = 1; !text.empty(); ++number) {
    const auto end = std::min(text.find('\n'), text.size());
    const auto words = split(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (words.empty() || words[0].text.starts_with('#')) continue;
    // Nothing of the line is shown: who mistook the order has a key where the name belongs.
    if (words.size() != 2) {
      wrong.push_back({std::string(file), number, 1,
                       fmt::format("a name and a key are expected, {} words are there", words.size())});
      continue;
    }
    const auto [first, fresh] = lines.emplace(words[0].text, number);
    if (fresh) {
      out.emplace(words[0].text, SecretBytes(words[1].text));
    } else {
      wrong.push_back({std::string(file), number, 1,
                       fmt::format("line {} has a key of this name already: remove one of them", first->second)});
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
