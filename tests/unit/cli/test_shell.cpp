#include <doctest/doctest.h>

#include <chrono>
#include <map>
#include <string>

#include "cli/client.hpp"
#include "cli/exit_status.hpp"
#include "cli/shell.hpp"
#include "tests/unit/cli/cli_bench.hpp"

namespace {

using namespace cgw::cli;
using namespace cgw::test;

std::string answer(const std::string& request) {
  static const std::map<std::string, std::string> kAnswers{
      {"show version", R"({"code":0,"data":{"name":"cgwd","version":"1.2.3","hostname":"edge1"}})"},
      {"show running-config", R"({"code":0,"data":{"text":"hostname edge1\n"}})"},
      {"show vpn", R"({"code":0,"data":{"hostname":"edge1","dataPlane":{"name":"kernel","reason":"auto"}}})"},
      {"rekey vpn vpn-1 tunnel 2 authentication", R"({"code":0,"data":{"text":""}})"},
      {"rekey vpn vpn-1 tunnel 1 esp",
       R"({"code":1,"error":"% vpn-1 tunnel 1 is not up: there are no keys to renew"})"},
      {"show bgp summary", R"({"code":0,"data":{}})"},
      {"show ip route", R"({"code":1,"error":"% no routes today"})"}};
  const auto it = kAnswers.find(request);
  return it == kAnswers.end() ? R"({"code":1,"error":"% Unknown command"})" : it->second;
}

struct World {
  TemporaryFolder folder;
  TinDaemon daemon{folder.path(), answer};
  Printed run(std::string_view line, Shell::Manner manner = Shell::Manner::Script) {
    return printed([&] { return Shell(folder.path(), manner).run(line); });
  }
};

}  // namespace

TEST_CASE("a command asks the daemon for its request and prints the answer on stdout") {
  World w;
  const auto p = w.run("show version");
  CHECK(p.status == kOk);
  CHECK(p.out == "cgwd 1.2.3 (edge1)\n");
  CHECK(p.err == "");
  CHECK(w.daemon.requests() == std::vector<std::string>{"show version"});
}

TEST_CASE("abbreviations, blanks and a line end make the same request; the two spellings of BGP's summary too") {
  World w;
  CHECK(w.run(" sh   ver \r").out == "cgwd 1.2.3 (edge1)\n");
  CHECK(w.run("show bgp summary").out == "% BGP instance not found\n");
  CHECK(w.run("sh ip bg su").out == "% BGP instance not found\n");
  CHECK(w.daemon.requests() == std::vector<std::string>{"show version", "show bgp summary", "show bgp summary"});
}

TEST_CASE("rekey goes to the daemon in full words, with the connection and the tunnel that are meant") {
  World w;
  CHECK(w.run(" rek vpn  vpn-1 tun 2  auth\r").status == kOk);
  CHECK(w.run("rekey vpn vpn-1 tunnel 1 esp").err == "% vpn-1 tunnel 1 is not up: there are no keys to renew\n");
  CHECK(w.daemon.requests() ==
        std::vector<std::string>{"rekey vpn vpn-1 tunnel 2 authentication", "rekey vpn vpn-1 tunnel 1 esp"});
}

TEST_CASE("routes are asked for with their family, prefix or neighbor, and json stays here") {
  World w;
  w.run("show bgp ipv4 unicast");
  w.run("sh bgp ipv6 uni json");
  w.run("show bgp ipv4 unicast 10.0.0.0/16 json");
  w.run("show bgp ipv6 unicast 2001:db8::1");
  w.run("show bgp ipv4 unicast neighbors 169.254.10.1 adv");
  CHECK(w.daemon.requests() == std::vector<std::string>{"show bgp table ipv4", "show bgp table ipv6",
                                                        "show bgp prefix ipv4 10.0.0.0/16",
                                                        "show bgp prefix ipv6 2001:db8::1",
                                                        "show bgp neighbor ipv4 169.254.10.1 advertised-routes"});
}

TEST_CASE("json is the answer itself, indented as FRR does") {
  World w;
  CHECK(w.run("show version json").out ==
        "{\n  \"name\":\"cgwd\",\n  \"version\":\"1.2.3\",\n  \"hostname\":\"edge1\"\n}\n");
}

TEST_CASE("what is empty or a comment does nothing; enable and terminal are taken for FRR's sake") {
  World w;
  for (const char* line : {"", "   ", "! show vpn", "enable", "disable", "terminal length 0"}) {
    const auto p = w.run(line);
    CHECK(p.status == kOk);
    CHECK(p.out + p.err == "");
  }
  CHECK(w.daemon.requests().empty());
}

TEST_CASE("exit and quit end the shell") {
  for (const char* line : {"exit", "quit", "q"}) {
    Shell shell("/nowhere", Shell::Manner::Script);
    CHECK(!shell.ended());
    CHECK(shell.run(line) == kOk);
    CHECK(shell.ended());
  }
}

TEST_CASE("list prints every operational command once, as it is typed") {
  const auto p = printed([] { return Shell("/nowhere", Shell::Manner::Script).run("list"); });
  CHECK(p.out.find("  show bgp summary [json]\n") != std::string::npos);
  CHECK(p.out.find("hostname WORD") == std::string::npos);
}

TEST_CASE("a wrong line is a command error on stderr, and the daemon is not asked") {
  World w;
  const auto p = w.run("show bogus");
  CHECK(p.status == kCommandError);
  CHECK(p.out == "");
  CHECK(p.err == "% Unknown command: show bogus\n");
  CHECK(w.run("show").err == "% Command incomplete: show\n");
  CHECK(w.run("show v").err == "% Ambiguous command: show v\n");
  CHECK(w.daemon.requests().empty());
}

TEST_CASE("interactively the caret stands under the wrong word, and placing it asks nobody") {
  World w;
  Shell shell(w.folder.path(), Shell::Manner::Interactive);
  CHECK(shell.hostname() == "edge1");
  const auto before = w.daemon.requests();
  const auto p = printed([&] { return shell.run("show bogus"); });
  CHECK(p.status == kCommandError);
  CHECK(p.err == "");
  //             "edge1# show bogus"
  CHECK(p.out == "            ^\n% Unknown command: show bogus\n% Invalid input detected at '^' marker.\n");
  CHECK(printed([&] { return shell.run("show v"); }).out == "            ^\n% Ambiguous command: show v\n");
  CHECK(printed([&] { return shell.run("show"); }).out == "% Command incomplete: show\n");
  CHECK(w.daemon.requests() == before);
}

TEST_CASE("the daemon's complaint is printed as it is") {
  World w;
  const auto p = w.run("show ip route");
  CHECK(p.status == kCommandError);
  CHECK(p.err == "% no routes today\n");
}

TEST_CASE("without a daemon the shell says where it looked and has its own exit status") {
  TemporaryFolder folder;
  const auto p = printed([&] { return Shell(folder.path(), Shell::Manner::Script).run("show vpn"); });
  CHECK(p.status == kUnreachable);
  CHECK(p.err == "% cgwd does not answer at " + (folder / "cgwd.sock") +
                     ": No such file or directory; is it running (systemctl status cgwd), and is --run-dir its own?\n");
  CHECK(Shell(folder.path(), Shell::Manner::Interactive).hostname() == "cgw");
  const auto long_name = printed([&] { return Shell(std::string(200, 'x'), Shell::Manner::Script).run("show vpn"); });
  CHECK(long_name.status == kUnreachable);
}

TEST_CASE("answers that are none are told apart: nothing, not ours, too deep") {
  for (const auto& [reply, said] : std::map<std::string, std::string>{
           {"\n", "% cgwd's answer is not what this cgwsh expects: are both of one version?\n"},
           {"[]", "% cgwd's answer is not what this cgwsh expects: are both of one version?\n"},
           {std::string(100000, '['), "% cgwd's answer is not what this cgwsh expects: are both of one version?\n"},
           {R"({"code":7})", "% failed\n"}}) {
    TemporaryFolder folder;
    const TinDaemon daemon(folder.path(), [&](const std::string&) { return reply; });
    const auto p = printed([&] { return Shell(folder.path(), Shell::Manner::Script).run("show vpn"); });
    CHECK(p.status != kOk);
    CHECK(p.err == said);
  }
}

TEST_CASE("a daemon that hangs is given up on after the patience, in words") {
  TemporaryFolder folder;
  const TinDaemon daemon(folder.path(), [](const std::string&) { return ""; });
  const auto began = std::chrono::steady_clock::now();
  const auto r = ask(folder.path(), "show vpn", std::chrono::milliseconds(50));
  REQUIRE(!r);
  CHECK(r.error().status == kUnreachable);
  CHECK(r.error().text ==
        "% cgwd at " + (folder / "cgwd.sock") +
            " has not answered for 0.05 s: it hangs or is very busy; see its log (journalctl -u cgwd)");
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(5));
}

TEST_CASE("words of a line") {
  CHECK(words_of("") == std::vector<std::string>{});
  CHECK(words_of(" a\tb  c\r\n") == std::vector<std::string>{"a", "b", "c"});
}
