#include "daemon/options.hpp"

#include <getopt.h>

#include <array>
#include <optional>
#include <string_view>

#include <fmt/format.h>

namespace cgw {
namespace {

std::optional<Level> level_named(std::string_view name) {
  for (const Level l : {Level::Error, Level::Warning, Level::Info, Level::Debug}) {
    if (name == to_string(l)) return l;
  }
  return std::nullopt;
}

}  // namespace

const char* const kUsage =
    "usage: cgwd [-f FILE] [--run-dir DIR] [--log-level error|warning|info|debug]\n"
    "            [--debug-ike] [--ike-keys-file FILE]\n"
    "       cgwd --check [-f FILE]   read the configuration, say what is wrong, exit\n"
    "       cgwd --purge             remove every route, nexthop, interface and SA of cgwd's\n"
    "       cgwd --version | --help\n"
    "\n"
    "  -f FILE        configuration (/etc/cgwd/cgwd.conf); its secrets are in the file\n"
    "                 'secrets' beside it, which only its owner may read\n"
    "  --run-dir DIR  where the control socket cgwd.sock lives (/run/cgwd)\n"
    "  --debug-ike    logs every IKE message payload by payload, as does cgwsh's 'debug ike'\n"
    "  --ike-keys-file FILE\n"
    "                 appends the keys of every IKE SA for Wireshark (its ikev2_decryption_table). Whoever reads\n"
    "                 FILE can read the tunnels: for a laboratory\n"
    "\n"
    "SIGTERM stops the daemon and leaves the kernel's state to the next start, which adopts it.\n";

Result<Options, std::string> parse_options(int argc, char** argv) {
  enum Long { kRunDir = 256, kCheck, kPurge, kLogLevel, kDebugIke, kIkeKeys, kVersion, kHelp };
  static const std::array<option, 11> kLong{{{"file", required_argument, nullptr, 'f'},
                                             {"run-dir", required_argument, nullptr, kRunDir},
                                             {"check", no_argument, nullptr, kCheck},
                                             {"purge", no_argument, nullptr, kPurge},
                                             {"log-level", required_argument, nullptr, kLogLevel},
                                             {"debug-ike", no_argument, nullptr, kDebugIke},
                                             {"ike-keys-file", required_argument, nullptr, kIkeKeys},
                                             {"version", no_argument, nullptr, kVersion},
                                             {"help", no_argument, nullptr, kHelp},
                                             {nullptr, 0, nullptr, 0}}};
  Options o;
  opterr = 0;
  optind = 1;
  while (true) {
    const int c = getopt_long(argc, argv, ":f:h", kLong.data(), nullptr);
    if (c == -1) break;
    switch (c) {
      case 'f': o.config_file = optarg; break;
      case kRunDir: o.run_dir = optarg; break;
      case kCheck: o.job = Options::Job::Check; break;
      case kPurge: o.job = Options::Job::Purge; break;
      case kDebugIke: o.debug_ike = true; break;
      case kIkeKeys: o.ike_keys_file = optarg; break;
      case kVersion: o.job = Options::Job::Version; break;
      case 'h':
      case kHelp: o.job = Options::Job::Help; break;
      case kLogLevel: {
        const auto level = level_named(optarg);
        if (!level) {
          return fail(fmt::format("--log-level {}: error, warning, info or debug is expected", optarg));
        }
        o.log_level = *level;
        break;
      }
      case ':': return fail(fmt::format("{} needs a value", argv[optind - 1]));
      default: return fail(fmt::format("unknown option {}", argv[optind - 1]));
    }
  }
  if (optind < argc) return fail(fmt::format("unexpected argument '{}'", argv[optind]));
  return o;
}

}  // namespace cgw
