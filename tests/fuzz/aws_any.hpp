#pragma once
#include <string>

#include "config/aws_import.hpp"
#include "config/diff.hpp"
#include "tests/fuzz/fuzz.hpp"

// What holds for every file of AWS: what is accepted is a configuration that reads back as it was; what is not is one
// line, with a place. Each kind of file has a target, and so a corpus, of its own.
namespace cgw::fuzz {

inline void one_line(const std::string& text) {
  for (const char c : text)
    require(static_cast<unsigned char>(c) >= 0x20, "what is said is one line of text");
}

// Else they are in Secrets Manager, or certificates take their place, and warnings ask for what is missing.
inline bool has_keys(const config::Imported& imported) {
  for (const auto& c : imported.config.connections) {
    for (const auto& [number, t] : c.tunnels)
      if (!imported.secrets.contains(t.pre_shared_key)) return false;
  }
  return true;
}

inline void import_anything(const std::uint8_t* data, std::size_t size) {
  using namespace config;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static const ImportOptions kOptions{.local_networks = {*Prefix::parse("10.1.0.0/16")},
                                      .vpc_cidrs = {*Prefix::parse("10.50.0.0/16")}};
  const auto imported = import_aws(text, "f", kOptions);
  if (!imported) {
    require(!imported.error().empty(), "a refused file has a reason");
    for (const auto& d : imported.error())
      one_line(d.to_string());
    return;
  }
  for (const auto& n : imported->notes)
    one_line(n);
  for (const auto& w : imported->warnings)
    one_line(w);
  const auto again = parse(render(imported->config), "f");
  require(again && *again == imported->config, "an imported configuration reads back as it was");
  if (has_keys(*imported))
    require(validate(imported->config, &imported->secrets).errors.empty(), "an imported configuration is valid");
  const auto secrets = parse_secrets(render_secrets(imported->secrets), "f");
  require(secrets && *secrets == imported->secrets, "imported keys read back as they were");
  ImportOptions anew = kOptions;
  anew.existing = &imported->config;
  const auto second = import_aws(text, "f", anew);
  require(second.has_value(), "what was imported once is imported again");
  require(difference(imported->config, merge_import(imported->config, second->config)).empty(),
          "importing the same again changes nothing");
}

}  // namespace cgw::fuzz
