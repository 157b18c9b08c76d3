// The configurations that ship with the program.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include "config/config.hpp"
#include "ipsec/algorithms.hpp"

namespace {

using namespace cgw::config;

template <auto Parse>
std::string fault(std::string_view text) {
  const auto suite = Parse(text);
  return suite ? std::string() : suite.error();
}
constexpr SuiteChecker kSuites{fault<cgw::ipsec::parse_ike_suite>, fault<cgw::ipsec::parse_esp_suite>};

// A key for every name.
Secrets keys_of(const Config& c) {
  Secrets out;
  for (const auto& connection : c.connections) {
    for (const auto& [number, t] : connection.tunnels)
      out[t.pre_shared_key] = cgw::SecretBytes(std::string_view("example"));
  }
  return out;
}

}  // namespace

TEST_CASE("every example is read without an error or a warning, and read back as it was") {
  std::set<std::string> seen;
  for (const auto& entry : std::filesystem::directory_iterator(EXAMPLES_FOLDER)) {
    if (entry.path().extension() != ".conf") continue;
    const std::string name = entry.path().filename().string();
    CAPTURE(name);
    seen.insert(name);
    std::ifstream in(entry.path());
    const std::string text(std::istreambuf_iterator<char>(in), {});
    const auto c = parse(text, name, kSuites);
    if (!c) FAIL(c.error().front().to_string());
    const Secrets keys = keys_of(*c);
    const auto findings = validate(*c, &keys);
    for (const auto& d : findings.errors)
      FAIL_CHECK(d.text);
    for (const auto& d : findings.warnings)
      FAIL_CHECK(d.text);
    const auto again = parse(render(*c), name, kSuites);
    REQUIRE(again);
    CHECK(*again == *c);
    CHECK(c->connections.front().tunnels.size() == 2);
  }
  CHECK(seen == std::set<std::string>{"behind-nat.conf", "hub.conf", "static.conf", "tgw-two-connections.conf",
                                      "vgw-dynamic.conf"});
}
