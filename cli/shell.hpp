#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/commands.hpp"

namespace cgw::cli {

// Runs commands of Exec mode: by itself, or by asking the daemon and rendering its answer.
class Shell {
 public:
  enum class Manner : unsigned char { Interactive, Script };
  Shell(std::string run_dir, Manner manner) : run_dir_(std::move(run_dir)), manner_(manner) {}

  // The exit status of one line; output on stdout, complaints on stderr (interactively on stdout, with a caret).
  int run(std::string_view line);
  bool ended() const { return ended_; }
  // For the prompt: the daemon's, asked for once; "cgw" while it does not tell.
  const std::string& hostname();

 private:
  int show(const std::string& request, const std::vector<std::string>& args, bool json);
  int order(const std::string& request) const;
  int refuse(std::string_view line, const config::NoMatch& why);
  int complain(std::string_view text, int status) const;
  void list() const;

  std::string run_dir_;
  Manner manner_;
  bool ended_ = false;
  std::optional<std::string> hostname_;
};

// The arguments of `import aws` as words of a shell line.
std::vector<std::string> words_of(std::string_view line);

}  // namespace cgw::cli
