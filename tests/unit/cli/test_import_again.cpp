// `import aws` over what is there, with other files than the XML, and what it prints of it.
#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "cli/exit_status.hpp"
#include "cli/import_command.hpp"
#include "tests/support/aws_file.hpp"
#include "tests/unit/cli/cli_bench.hpp"

namespace {

using namespace cgw::cli;
using namespace cgw::test;

struct Desk {
  TemporaryFolder folder;
  std::string file = folder / "aws.xml", conf = folder / "cgwd.conf", secrets = folder / "secrets";

  Printed import(const std::string& text, std::vector<std::string> more = {}) const {
    put(file, text, 0600);
    std::vector<std::string> args{file, "local-network", "192.168.77.0/24", "--output", conf};
    args.insert(args.end(), more.begin(), more.end());
    return printed([&] { return import_aws(args); });
  }
};

const std::string kXml = aws_file(AwsRouting::Bgp);

}  // namespace

TEST_CASE("a summary has a line a tunnel, and no key") {
  const Desk d;
  const auto p = d.import(kXml);
  CHECK(p.status == kOk);
  CHECK(p.err.find("vpn-0159ce993cd96ff0c to vgw vgw-0ec8c63b5de573c46, from customer gateway configuration (XML)\n"
                   "Tunnel  Outside     AWS outside   Inside           AWS inside    Routing            Key\n"
                   "1       192.0.2.10  203.0.113.10  169.254.10.2/30  169.254.10.1  BGP 65000 - 64512  "
                   "vpn-0159ce993cd96ff0c-tunnel1\n") != std::string::npos);
  CHECK(p.err.find(kKey1) == std::string::npos);
}

TEST_CASE("the same again leaves the file as it is, comments and all") {
  const Desk d;
  CHECK(d.import(kXml).status == kOk);
  const std::string before = content(d.conf) + "! by hand\nhostname gw1\n";
  put(d.conf, before);
  const auto p = d.import(kXml);
  CHECK(p.status == kOk);
  CHECK(p.err.find("note: " + d.conf + " says all of this already and was left as it is\n") != std::string::npos);
  CHECK(content(d.conf) == before);
}

TEST_CASE("a change in AWS is shown as a difference, and what was set by hand stays") {
  const Desk d;
  CHECK(d.import(kXml).status == kOk);
  put(d.conf, content(d.conf) + "hostname gw1\n");
  const auto p = d.import(replaced(kXml, "203.0.113.14", "203.0.113.99"));
  CHECK(p.status == kOk);
  CHECK(p.err.find("note: changed in " + d.conf +
                   ":\n  vpn connection vpn-0159ce993cd96ff0c\n   tunnel 2\n-   vpn-gateway outside-address "
                   "203.0.113.14\n+   vpn-gateway outside-address 203.0.113.99\n") != std::string::npos);
  CHECK(content(d.conf).find("hostname gw1\n") != std::string::npos);
  CHECK(content(d.conf).find("203.0.113.99\n") != std::string::npos);
}

TEST_CASE("a new key of the same name replaces the old one, though the configuration says the same") {
  const Desk d;
  CHECK(d.import(kXml).status == kOk);
  CHECK(d.import(replaced(kXml, kKey1, "another.Key_12345")).status == kOk);
  CHECK(content(d.secrets).find("vpn-0159ce993cd96ff0c-tunnel1 another.Key_12345\n") != std::string::npos);
}

TEST_CASE("a configuration that cannot be read is named line by line and left alone, and no key is stored") {
  const Desk d;
  put(d.conf, "hostname gw1\nneighbr 1\n");
  const auto p = d.import(kXml);
  CHECK(p.status == kFileError);
  CHECK(p.err.starts_with(d.conf + ":2:1: % Unknown command"));
  CHECK(p.err.find("put right what is wrong in it, or name another --output\n") != std::string::npos);
  CHECK(content(d.conf) == "hostname gw1\nneighbr 1\n");
  CHECK(!std::filesystem::exists(d.secrets));
}

TEST_CASE("a file of 100 MB is read no further than it has to be") {
  const Desk d;
  put(d.file, "", 0600);
  std::filesystem::resize_file(d.file, 100'000'000);
  const auto p = printed([&] { return import_aws({d.file, "--output", d.conf}); });
  CHECK(p.status == kFileError);
  CHECK(p.err == "% " + d.file + ": longer than 1114112 octets\n");
  CHECK(!std::filesystem::exists(d.conf));
}

TEST_CASE("one connection of several is chosen by 'connection'") {
  const Desk d;
  std::string list = "[";
  for (const char* id : {"vpn-1", "vpn-2"})
    list += std::string(list.size() > 1 ? "," : "") + "{\"VpnConnectionId\":\"" + id + "\",\"State\":\"pending\"}";
  const auto p = d.import(list + "]", {"connection", "vpn-2"});
  CHECK(p.status == kFileError);
  CHECK(p.err.starts_with(d.file + ":1:48: vpn-2 has no CustomerGatewayConfiguration"));
  CHECK(p.err.find("vpn-1 has") == std::string::npos);
}
