// Configuration text and lines of the shell.
#include "config/commands.hpp"
#include "config/config.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace cgw::config;
using cgw::fuzz::require;

namespace {

constexpr Mode kModes[] = {Mode::Exec, Mode::Config, Mode::Vpn, Mode::VpnTunnel, Mode::Router, Mode::RouterAf};

void lines(std::string_view text) {
  for (std::size_t i = 0; i < 16 && !text.empty(); ++i) {
    const auto end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    for (const Mode m : kModes) {
      const auto found = match(m, line);
      require(found || found.error().column <= line.size(), "a complaint's column is on the line");
      for (const auto& c : complete(m, line))
        require(!c.word.empty(), "a completion is a word");
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (size < 2048) lines(text);
  Places places;
  const auto c = parse(text, "f", {}, &places);
  if (!c) {
    for (const auto& d : c.error())
      require(d.line > 0 && d.column > 0 && !d.text.empty(), "every complaint has its place");
    return 0;
  }
  const std::string rendered = render(*c);
  const auto again = parse(rendered, "f");
  require(again && *again == *c, "what is rendered reads back as it was");
  require(render(*again) == rendered, "rendering is a fixpoint");
  validate(*c, nullptr, places);
  return 0;
}
