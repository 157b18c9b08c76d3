// AWS's XML file: what is accepted is a configuration that reads back as it was; what is not is one line, with a place.
#include "config/aws_import.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace cgw;
using namespace cgw::config;
using cgw::fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static const ImportOptions kOptions{.local_networks = {*Prefix::parse("10.1.0.0/16")},
                                      .vpc_cidrs = {*Prefix::parse("10.50.0.0/16")}};
  const auto imported = import_aws_xml(text, "f", kOptions);
  if (!imported) {
    require(!imported.error().empty(), "a refused file has a reason");
    for (const auto& d : imported.error()) {
      for (const char c : d.to_string())
        require(static_cast<unsigned char>(c) >= 0x20, "a complaint is one line of text");
    }
    return 0;
  }
  const auto again = parse(render(imported->config), "f");
  require(again && *again == imported->config, "an imported configuration reads back as it was");
  require(validate(imported->config, &imported->secrets).errors.empty(), "an imported configuration is valid");
  const auto secrets = parse_secrets(render_secrets(imported->secrets), "f");
  require(secrets && *secrets == imported->secrets, "imported keys read back as they were");
  return 0;
}
