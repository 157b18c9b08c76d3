#pragma once
#include <string>

#include "base/note.hpp"
#include "base/result.hpp"

namespace cgw {

struct Options {
  enum class Job { Run, Check, Purge, Version, Help };
  Job job = Job::Run;
  std::string config_file = "/etc/cgwd/cgwd.conf";
  std::string run_dir = "/run/cgwd";
  Level log_level = Level::Info;
  bool debug_ike = false;     // from the start on; later: cgwsh, "debug ike"
  std::string ike_keys_file;  // empty: none
};

// The error is one line that names the argument.
Result<Options, std::string> parse_options(int argc, char** argv);

extern const char* const kUsage;

}  // namespace cgw
