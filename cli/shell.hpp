#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace cgw::cli {

// Runs commands of Exec mode: by itself, or by asking the daemon and rendering its answer.
class Shell {
 public:
  enum class Manner : unsigned char { Interactive, Script };
  Shell(std::string run_dir, Manner manner) : run_dir_(std::move(run_dir)), manner_(manner) {}

  // The exit status of one line; output on stdout, complaints on stderr (interactively on stdout, with a caret).
  int run(std::string_view line);
  bool ended() const { return ended_; }
  // For the prompt; "cgw" until the daemon has told its name.
  std::string hostname();

 private:
  int show(const std::string& request, bool json);
  int complain(std::string_view text, int status) const;
  void list() const;

  std::string run_dir_;
  Manner manner_;
  bool ended_ = false;
};

// The arguments of `import aws` as words of a shell line.
std::vector<std::string> words_of(std::string_view line);

}  // namespace cgw::cli
