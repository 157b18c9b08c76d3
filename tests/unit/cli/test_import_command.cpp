#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <future>
#include <string>
#include <thread>
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
  std::string xml = folder / "aws.xml", conf = folder / "cgwd.conf", secrets = folder / "secrets";

  Desk() { put(xml, aws_file(AwsRouting::Bgp), 0600); }
  Printed import(std::vector<std::string> more = {}) const {
    std::vector<std::string> args{xml, "local-network", "192.168.77.0/24"};
    args.insert(args.end(), more.begin(), more.end());
    return printed([&] { return import_aws(args); });
  }
  Printed to_files() const { return import({"--output", conf}); }
};

bool holds_key(const std::string& text) {
  return text.find(kKey1) != std::string::npos || text.find(kKey2) != std::string::npos;
}

const std::string kStored =
    "# Pre-shared keys of cgwd, by the names the configuration refers to. Keep mode 0600.\n"
    "vpn-0159ce993cd96ff0c-tunnel1 k3yOne.abcdefghijklmnop_qrstuvwx\n"
    "vpn-0159ce993cd96ff0c-tunnel2 k3yTwo.abcdefghijklmnop_qrstuvwx\n";

}  // namespace

TEST_CASE("the configuration goes to --output, the keys into 'secrets' beside it for its owner only") {
  const Desk d;
  const auto p = d.to_files();
  CHECK(p.status == kOk);
  CHECK(p.out == "");
  CHECK(content(d.secrets) == kStored);
  CHECK(mode_of(d.secrets) == 0600);
  CHECK(mode_of(d.conf) == 0644);
  CHECK(content(d.conf).starts_with(
      "! cgwd, imported from aws.xml\nhostname cgw\nvpn connection vpn-0159ce993cd96ff0c\n"));
  CHECK(content(d.conf).find("  network 192.168.77.0/24\n") != std::string::npos);
  CHECK(!holds_key(content(d.conf) + p.err));
  CHECK(p.err.find("note: 2 keys stored in " + d.secrets + " (mode 0600); delete " + d.xml) != std::string::npos);
  CHECK(std::distance(std::filesystem::directory_iterator(d.folder.path()), {}) == 3);
}

TEST_CASE("without --output the configuration is on stdout, without a key") {
  const Desk d;
  const auto p = d.import({"--secrets", d.folder / "new/deep/keys"});
  CHECK(p.status == kOk);
  CHECK(p.out.find("\nrouter bgp 65000\n") != std::string::npos);
  CHECK(!holds_key(p.out + p.err));
  CHECK(content(d.folder / "new/deep/keys") == kStored);
  CHECK(!std::filesystem::exists(d.secrets));
}

TEST_CASE("other keys stay, keys of the same name are replaced, and a file that others could read is closed") {
  const Desk d;
  put(d.secrets, "other-tunnel1 stays\nvpn-0159ce993cd96ff0c-tunnel1 goes\n", 0644);
  CHECK(d.to_files().status == kOk);
  CHECK(content(d.secrets) == replaced(kStored, "vpn-0159", "other-tunnel1 stays\nvpn-0159"));
  CHECK(mode_of(d.secrets) == 0600);
}

TEST_CASE("a secrets file that cannot be understood is left alone, and its content is not shown") {
  const Desk d;
  put(d.secrets, "JustAKeyWithoutAName\n", 0600);
  const auto p = d.to_files();
  CHECK(p.status == kFileError);
  CHECK(p.err == "% secrets: " + d.secrets + ":1:1: a name and a key are expected, 1 words are there\n");
  CHECK(content(d.secrets) == "JustAKeyWithoutAName\n");
  CHECK(!std::filesystem::exists(d.conf));
}

TEST_CASE("a symlink stays one, and what it points to is written; it may not exist yet") {
  const Desk d;
  std::filesystem::create_directory(d.folder / "vault");
  std::filesystem::create_symlink("vault/keys", d.secrets);
  std::filesystem::create_symlink(d.folder / "vault/real.conf", d.conf);
  for (int round = 0; round < 2; ++round) {
    CHECK(d.to_files().status == kOk);
    CHECK(std::filesystem::is_symlink(d.secrets));
    CHECK(std::filesystem::is_symlink(d.conf));
    CHECK(content(d.folder / "vault/keys") == kStored);
    CHECK(mode_of(d.folder / "vault/keys") == 0600);
    CHECK(content(d.folder / "vault/real.conf").starts_with("! cgwd"));
  }
}

TEST_CASE("symlinks in a circle are an error, not a hang") {
  const Desk d;
  std::filesystem::create_symlink("b", d.folder / "a");
  std::filesystem::create_symlink("a", d.folder / "b");
  const auto p = d.import({"--secrets", d.folder / "a"});
  CHECK(p.status == kFileError);
  CHECK(p.err.find("Too many levels of symbolic links") != std::string::npos);
}

TEST_CASE("two imports at once lose no key") {
  const Desk d;
  constexpr int kImports = 8;
  std::vector<std::thread> all;
  std::vector<int> status(kImports, -1);
  const auto quiet = printed([&] {
    for (int i = 0; i < kImports; ++i) {
      const std::string id = "vpn-" + std::to_string(i), xml = d.folder / (id + ".xml");
      put(xml, replaced(aws_file(AwsRouting::Bgp), "vpn-0159ce993cd96ff0c", id), 0600);
      all.emplace_back([&, i, id, xml] {
        status[static_cast<std::size_t>(i)] =
            import_aws({xml, "--output", d.folder / (id + ".conf"), "--secrets", d.secrets});
      });
    }
    for (auto& t : all)
      t.join();
    return 0;
  });
  CHECK(status == std::vector<int>(kImports, kOk));
  const std::string stored = content(d.secrets);
  for (int i = 0; i < kImports; ++i) {
    CHECK(stored.find("vpn-" + std::to_string(i) + "-tunnel1 ") != std::string::npos);
    CHECK(stored.find("vpn-" + std::to_string(i) + "-tunnel2 ") != std::string::npos);
  }
}

TEST_CASE("an import waits for another that holds the folder") {
  const Desk d;
  const int fd = open(d.folder.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  REQUIRE(flock(fd, LOCK_EX) == 0);
  auto done = std::async(std::launch::async, [&] { return import_aws({d.xml, "--output", d.conf}); });
  const auto quiet = printed([&] {
    CHECK(done.wait_for(std::chrono::milliseconds(100)) == std::future_status::timeout);
    CHECK(!std::filesystem::exists(d.secrets));
    close(fd);
    return done.get();
  });
  CHECK(quiet.status == kOk);
  CHECK(std::filesystem::exists(d.secrets));
}

TEST_CASE("a bad file is named with its place on stderr, and nothing is left behind") {
  const Desk d;
  put(d.xml, replaced(aws_file(AwsRouting::Bgp), kKey1, "0bad.key.with.zero"));
  const auto p = d.to_files();
  CHECK(p.status == kFileError);
  CHECK(p.out == "");
  CHECK(p.err.starts_with(d.xml + ":41:8: <pre_shared_key> begins with 0"));
  CHECK(p.err.find("0bad") == std::string::npos);
  CHECK(!std::filesystem::exists(d.conf));
  CHECK(!std::filesystem::exists(d.secrets));
}

TEST_CASE("files that cannot be read or written are named with the system's reason") {
  const Desk d;
  const auto missing = printed([&] { return import_aws({d.folder / "none.xml"}); });
  CHECK(missing.status == kFileError);
  CHECK(missing.err == "% " + (d.folder / "none.xml") + ": No such file or directory\n");
  const auto folder = printed([&] { return import_aws({d.folder.path()}); });
  CHECK(folder.status == kFileError);
  CHECK(folder.err == "% " + d.folder.path() + ": Is a directory\n");
  const auto p = d.import({"--output", d.conf, "--secrets", d.xml + "/secrets"});
  CHECK(p.status == kFileError);
  CHECK(p.err.starts_with("% secrets: " + d.xml));
  CHECK(!std::filesystem::exists(d.conf));
}

TEST_CASE("arguments that are wrong are a command error and show the form") {
  const Desk d;
  struct Case {
    std::vector<std::string> args;
    const char* said;
  };
  for (const auto& c : std::vector<Case>{{{}, "% Command incomplete: which file?\n% import aws FILE"},
                                         {{d.xml, "--bogus"}, "% Unknown argument '--bogus'\n% import aws FILE"},
                                         {{d.xml, d.xml}, "% Unknown argument"},
                                         {{d.xml, "--output"}, "% Command incomplete: --output needs a value"},
                                         {{d.xml, "local-network", "10.0.0.1/8"},
                                          "% local-network: '10.0.0.1/8' has host bits set: 10.0.0.0/8 is meant?"},
                                         {{d.xml, "vpc-cidr", "10"}, "% vpc-cidr: '10' is not a prefix"},
                                         {{d.xml, "vpc-cidr", "2001:db8::/32"},
                                          "% vpc-cidr: 2001:db8::/32 is IPv6, which this version does not do"}}) {
    const auto p = printed([&] { return import_aws(c.args); });
    CHECK(p.status == kCommandError);
    CHECK(p.err.starts_with(c.said));
  }
}
