#include <getopt.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <exception>
#include <iostream>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "cli/exit_status.hpp"
#include "cli/import_command.hpp"
#include "cli/line_editor.hpp"
#include "cli/shell.hpp"

namespace {

using namespace cgw::cli;

constexpr const char* kUsage =
    "usage: cgwsh [--run-dir DIR] [-c COMMAND]...\n"
    "       cgwsh import aws FILE [connection VPN-ID] [local-network A.B.C.D/M]... [vpc-cidr A.B.C.D/M]... [--output "
    "FILE] [--secrets "
    "FILE]\n"
    "       cgwsh --version | --help\n"
    "\n"
    "  -c COMMAND     run it and exit; several stop at the first error\n"
    "  --run-dir DIR  where cgwd's control socket is (/run/cgwd)\n"
    "\n"
    "exit status: 0 done, 1 command error, 2 configuration or import file, 3 cgwd does not answer, 4 not permitted\n";

struct Arguments {
  std::string run_dir = "/run/cgwd";
  std::vector<std::string> commands, words;
  enum class Job { Run, Version, Help, Wrong } job = Job::Run;
};

Arguments parse(int argc, char** argv) {
  enum { kRunDir = 256, kVersion, kHelp };
  static const std::array<option, 5> kLong{{{"run-dir", required_argument, nullptr, kRunDir},
                                            {"command", required_argument, nullptr, 'c'},
                                            {"version", no_argument, nullptr, kVersion},
                                            {"help", no_argument, nullptr, kHelp},
                                            {nullptr, 0, nullptr, 0}}};
  Arguments a;
  int c = 0;
  // '+': what follows the first word (import aws ...) is not ours.
  while ((c = getopt_long(argc, argv, "+c:h", kLong.data(), nullptr)) != -1) {
    switch (c) {
      case kRunDir: a.run_dir = optarg; break;
      case 'c': a.commands.emplace_back(optarg); break;
      case kVersion: a.job = Arguments::Job::Version; break;
      case 'h':
      case kHelp: a.job = Arguments::Job::Help; break;
      default: a.job = Arguments::Job::Wrong; break;
    }
  }
  a.words.assign(argv + optind, argv + argc);
  return a;
}

int run_script(Shell& shell) {
  std::string line;
  int status = kOk;
  while (status == kOk && !shell.ended() && std::getline(std::cin, line))
    status = shell.run(line);
  return status;
}

int run(const Arguments& a) {
  if (!a.words.empty()) {
    if (a.words.size() >= 2 && a.words[0] == "import" && a.words[1] == "aws")
      return import_aws({a.words.begin() + 2, a.words.end()});
    fmt::print(stderr, "% Unknown argument: {}\n{}", a.words[0], kUsage);
    return kCommandError;
  }
  const bool terminal = a.commands.empty() && isatty(STDIN_FILENO) != 0;
  Shell shell(a.run_dir, terminal ? Shell::Manner::Interactive : Shell::Manner::Script);
  if (terminal) return interact(shell);
  if (a.commands.empty()) return run_script(shell);
  for (const auto& command : a.commands) {
    if (const int status = shell.run(command); status != kOk) return status;
  }
  return kOk;
}

}  // namespace

int main(int argc, char** argv) try {
  const Arguments a = parse(argc, argv);
  switch (a.job) {
    case Arguments::Job::Version: fmt::print("cgwsh {}\n", CGWD_VERSION); return kOk;
    case Arguments::Job::Help: fmt::print("{}", kUsage); return kOk;
    case Arguments::Job::Wrong: fmt::print(stderr, "{}", kUsage); return kCommandError;
    case Arguments::Job::Run: return run(a);
  }
  return kOk;
} catch (const std::exception& e) {
  fmt::print(stderr, "% cgwsh: {}\n", e.what());
  return kCommandError;
}
