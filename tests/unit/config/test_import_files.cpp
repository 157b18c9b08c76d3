// Files of all the kinds that AWS hands out, good and bad; what each becomes stands in `expected` and `refused`.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "config/aws_import.hpp"
#include "ipsec/algorithms.hpp"
#include "tests/support/aws_file.hpp"

namespace {

using namespace cgw;
using namespace cgw::config;
using namespace cgw::test;

const std::filesystem::path kFolder = IMPORT_FOLDER;

std::string content(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<std::string> files_of(const char* folder) {
  std::vector<std::string> out;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder / folder))
    out.push_back(entry.path().filename().string());
  std::ranges::sort(out);
  return out;
}

ImportOptions options() {
  return {.local_networks = {*Prefix::parse("192.168.77.0/24")}};
}

Result<Imported, Diagnostics> import(const std::string& name, const ImportOptions& how = options()) {
  return import_aws(content(kFolder / name), name, how);
}

// All that an import says, as one text.
std::string told(const Result<Imported, Diagnostics>& r) {
  std::string out;
  if (!r) {
    for (const auto& d : r.error())
      out += d.to_string() + "\n";
    return out;
  }
  out = "from " + r->format + "\n" + render(r->config);
  for (const auto& [name, key] : r->secrets)
    out += "secret " + name + " of " + std::to_string(key.size()) + " characters\n";
  for (const auto& n : r->notes)
    out += "note: " + n + "\n";
  for (const auto& w : r->warnings)
    out += "warning: " + w + "\n";
  return out;
}

// "==> NAME" and the text below it, as often as there are files. CGW_TELL=FILE: what is told now goes there.
void compare(const char* folder, const std::string& expected) {
  std::string all;
  for (const auto& name : files_of(folder))
    all += "==> " + name + "\n" + told(import(std::string(folder) + "/" + name));
  if (const char* file = std::getenv("CGW_TELL")) std::ofstream(std::string(file) + "." + folder) << all;
  CHECK(all == expected);
}

template <auto Parse>
std::string fault(std::string_view text) {
  const auto suite = Parse(text);
  return suite ? std::string() : suite.error();
}
constexpr SuiteChecker kSuites{fault<ipsec::parse_ike_suite>, fault<ipsec::parse_esp_suite>};

}  // namespace

TEST_CASE("every kind of file becomes a configuration, and what it does not say is told") {
  compare("good", content(kFolder / "expected"));
}

TEST_CASE("every fault of a file is told by place and remedy") {
  compare("bad", content(kFolder / "refused"));
  for (const auto& name : files_of("bad"))
    CHECK_MESSAGE(!import("bad/" + name), name);
}

TEST_CASE("what is made of a file is valid as far as its keys go, reads back, and names algorithms that exist") {
  for (const auto& name : files_of("good")) {
    CAPTURE(name);
    const auto r = import("good/" + name);
    REQUIRE(r);
    const auto again = parse(render(r->config), name, kSuites);
    REQUIRE_MESSAGE(again, again.error().front().to_string());
    CHECK(*again == r->config);
    const bool without_keys = name == "certificates.json" || name == "secrets-manager.json";
    CHECK(validate(r->config, &r->secrets).errors.empty() == !without_keys);
  }
}

TEST_CASE("one connection is the same in whatever file it comes") {
  const auto xml = import("good/vgw.xml");
  REQUIRE(xml);
  for (const auto* name :
       {"one-object.json", "options-empty.json", "string.json", "generic-ikev1-bgp.txt", "vyos-1.4.txt"}) {
    CAPTURE(name);
    const auto r = import(std::string("good/") + name);
    REQUIRE(r);
    CHECK(r->config == xml->config);
    CHECK(r->secrets == xml->secrets);
  }
  auto vyatta = import("good/vyatta-bgp.txt");
  REQUIRE(vyatta);
  for (auto& [number, t] : vyatta->config.connections[0].tunnels)
    t.dpd_interval = Seconds{10};  // the sample says 15
  CHECK(vyatta->config == xml->config);
  const auto fixed = import("good/generic-ikev2-static.txt"), strongswan = import("good/strongswan.txt");
  REQUIRE(fixed);
  REQUIRE(strongswan);
  CHECK(fixed->config == strongswan->config);
  CHECK(fixed->secrets == strongswan->secrets);
}

TEST_CASE("no key is told, whatever is wrong") {
  for (const auto* folder : {"good", "bad"}) {
    for (const auto& name : files_of(folder)) {
      CAPTURE(name);
      CHECK(told(import(std::string(folder) + "/" + name)).find("k3y") == std::string::npos);
    }
  }
}

TEST_CASE("each text cut off anywhere is refused or the whole, and never told of with a key") {
  for (const auto* name : {"one-object.json", "generic-ikev1-bgp.txt", "strongswan.txt", "vyatta-bgp.txt"}) {
    CAPTURE(name);
    const std::string text = content(kFolder / "good" / name);
    const auto whole = import_aws(text, "f", options());
    REQUIRE(whole);
    for (std::size_t n = 0; n < text.size(); n += 13) {
      const auto r = import_aws(text.substr(0, n), "f", options());
      CHECK_MESSAGE((!r || (r->config == whole->config && r->secrets == whole->secrets)), n);
      CHECK_MESSAGE(told(r).find("k3y") == std::string::npos, n);
    }
  }
}

TEST_CASE("of several connections one can be chosen, and one that is not there is missed by name") {
  ImportOptions how = options();
  how.connection = "vpn-0aaaabbbbccccdddd";
  const auto one = import("good/several.json", how);
  REQUIRE(one);
  REQUIRE(one->config.connections.size() == 1);
  CHECK(one->config.connections[0].id == how.connection);
  CHECK(one->config.connections[0].tunnels.at(1).interface == "cgw1");
  how.connection = "vpn-0none";
  CHECK(told(import("good/several.json", how)) ==
        "good/several.json:1:1: vpn-0none is not in it; there are: vpn-0159ce993cd96ff0c, vpn-0deleted, "
        "vpn-0aaaabbbbccccdddd\n");
  how.connection = "vpn-0deleted";
  CHECK(told(import("good/several.json", how)).find("vpn-0deleted is deleted in AWS and was left out") !=
        std::string::npos);
  CHECK(told(import("good/vgw.xml", how)).find("this is vpn-0159ce993cd96ff0c; vpn-0deleted is asked for") !=
        std::string::npos);
}

TEST_CASE("a tunnel keeps its number by AWS's outside address, in whatever order AWS names them") {
  const auto first = import("good/vgw.xml");
  REQUIRE(first);
  ImportOptions how = options();
  how.existing = &first->config;
  const std::string other = aws_file(AwsRouting::Bgp);
  const auto middle = other.find("  <ipsec_tunnel>"), second = other.find("  <ipsec_tunnel>", middle + 1),
             end = other.find("</vpn_connection>");
  const std::string swapped = other.substr(0, middle) + other.substr(second, end - second) +
                              other.substr(middle, second - middle) + other.substr(end);
  const auto again = import_aws(swapped, "f", how);
  REQUIRE(again);
  CHECK(again->config == first->config);
  CHECK(again->secrets == first->secrets);
  CHECK_FALSE(import_aws(swapped, "f", options())->config == first->config);
}

TEST_CASE("a hundred megabytes, or more values than AWS would send, are refused quickly") {
  CHECK(told(import_aws(std::string(100'000'000, '{'), "f", {})) ==
        "f: is longer than 1048576 octets; AWS's file has a few thousand: is it the right one?\n");
  std::string many = "[0";
  for (int i = 0; i < 100'001; ++i)
    many += ",0";
  CHECK(told(import_aws(many + "]", "f", {})).find("more than 100000 values") != std::string::npos);
}
