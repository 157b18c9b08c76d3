// The secrets file.
#include "config/config.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace cgw::config;
using cgw::fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto s = parse_secrets(text, "f");
  if (!s) return 0;
  const auto again = parse_secrets(render_secrets(*s), "f");
  require(again && *again == *s, "what is rendered reads back as it was");
  return 0;
}
