#include "cli/line_editor.hpp"

#include <histedit.h>
#include <sys/stat.h>

#include <csignal>
#include <cstdlib>
#include <memory>
#include <string>

#include <fmt/format.h>

#include "base/time.hpp"
#include "cli/exit_status.hpp"
#include "config/commands.hpp"

namespace cgw::cli {
namespace {

std::string& prompt_text() {
  static std::string text;
  return text;
}
char* prompt(EditLine*) {
  return prompt_text().data();
}

std::string line_so_far(EditLine* el) {
  const LineInfo* info = el_line(el);
  return {info->buffer, info->cursor};
}

// `?`: what may come here, each with its help; the line stays as it is.
unsigned char help(EditLine* el, int) {
  std::size_t width = 0;
  const auto list = config::complete(config::Mode::Exec, line_so_far(el));
  for (const auto& c : list)
    width = std::max(width, c.word.size());
  fmt::print("?\n");
  if (list.empty()) fmt::print("% There is no matched command.\n");
  for (const auto& c : list)
    fmt::print("  {:<{}}  {}\n", c.word, width, c.help);
  std::fflush(stdout);
  return CC_REDISPLAY;
}

// Tab: the rest of the word when it is the only one, else the words that fit.
unsigned char complete(EditLine* el, int) {
  const std::string line = line_so_far(el);
  std::vector<std::string> words;
  for (const auto& c : config::complete(config::Mode::Exec, line)) {
    if (c.literal) words.push_back(c.word);
  }
  const auto blank = line.find_last_of(' ');
  const std::string typed = line.substr(blank == std::string::npos ? 0 : blank + 1);
  if (words.empty()) return CC_ERROR;
  if (words.size() == 1) {
    el_insertstr(el, (words[0].substr(typed.size()) + " ").c_str());
    return CC_REFRESH;
  }
  fmt::print("\n");
  for (const auto& w : words)
    fmt::print("{:<20}", w);
  fmt::print("\n");
  std::fflush(stdout);
  return CC_REDISPLAY;
}

// Ctrl-C: the line is given up, as in any shell; the program stays.
unsigned char abandon(EditLine* el, int) {
  const LineInfo* info = el_line(el);
  el_cursor(el, static_cast<int>(info->lastchar - info->cursor));
  el_deletestr(el, static_cast<int>(info->lastchar - info->buffer));
  fmt::print("^C\n");
  std::fflush(stdout);
  return CC_REDISPLAY;
}

// While a command runs, Ctrl-C ends the wait for its answer: the system call fails with EINTR.
void interrupt_waits() {
  struct sigaction action {};
  action.sa_handler = [](int) {};
  sigaction(SIGINT, &action, nullptr);
}

std::string history_file() {
  const char* home = std::getenv("HOME");
  return home != nullptr ? std::string(home) + "/.cgwsh_history" : std::string();
}

struct Ends {
  void operator()(EditLine* e) const { el_end(e); }
  void operator()(History* h) const { history_end(h); }
};

}  // namespace

int interact(Shell& shell) {
  const std::unique_ptr<EditLine, Ends> el(el_init("cgwsh", stdin, stdout, stderr));
  const std::unique_ptr<History, Ends> past(history_init());
  HistEvent event;
  history(past.get(), &event, H_SETSIZE, 500);
  const std::string file = history_file();
  if (!file.empty()) history(past.get(), &event, H_LOAD, file.c_str());
  prompt_text() = shell.hostname() + "# ";
  el_set(el.get(), EL_PROMPT, prompt);
  el_set(el.get(), EL_EDITOR, "emacs");
  el_set(el.get(), EL_SIGNAL, 1);
  el_set(el.get(), EL_HIST, history, past.get());
  el_set(el.get(), EL_ADDFN, "cgw-help", "List what may follow", help);
  el_set(el.get(), EL_ADDFN, "cgw-complete", "Complete a word", complete);
  el_set(el.get(), EL_BIND, "?", "cgw-help", nullptr);
  el_set(el.get(), EL_BIND, "^I", "cgw-complete", nullptr);
  // The terminal sends no signal while a line is edited; Ctrl-C is a key.
  el_set(el.get(), EL_SETTY, "-d", "-isig", nullptr);
  el_set(el.get(), EL_ADDFN, "cgw-abandon", "Give the line up", abandon);
  el_set(el.get(), EL_BIND, "^C", "cgw-abandon", nullptr);
  interrupt_waits();

  int status = kOk;
  int length = 0;
  while (!shell.ended()) {
    const char* line = el_gets(el.get(), &length);
    if (line == nullptr || length <= 0) {  // Ctrl-D
      fmt::print("\n");
      break;
    }
    std::string text(line, static_cast<std::size_t>(length));
    text.erase(text.find_last_not_of("\r\n") + 1);
    if (!text.empty()) history(past.get(), &event, H_ENTER, text.c_str());
    status = shell.run(text);
    std::fflush(stdout);
  }
  if (!file.empty()) {
    const mode_t mask = umask(0177);  // it may hold names and addresses
    history(past.get(), &event, H_SAVE, file.c_str());
    umask(mask);
  }
  return status;
}

}  // namespace cgw::cli
