#include "daemon/log.hpp"

#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <ctime>
#include <string>

#include <fmt/chrono.h>
#include <fmt/format.h>

namespace cgw {
namespace {

std::string timestamp() {
  const auto now = std::chrono::system_clock::now();
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch());
  const std::time_t seconds = ms.count() / 1000;
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(seconds), ms.count() % 1000);
}

}  // namespace

void Log::write(Level level, std::string_view who, std::string_view text) {
  if (enabled(level)) put(level, who, text);
}

void Log::put(Level level, std::string_view who, std::string_view text) {
  pollfd ready{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
  if (poll(&ready, 1, 0) != 1) {
    ++lost_;
    return;
  }
  std::string line;
  if (lost_ > 0) {
    line = fmt::format("{} {:<7} cgwd: {} lines were lost: the log's reader was too slow\n", timestamp(),
                       to_string(Level::Warning), lost_);
    lost_ = 0;
  }
  line += fmt::format("{} {:<7} {}: {}\n", timestamp(), to_string(level), who, text);
  if (::write(STDERR_FILENO, line.data(), line.size()) < 0) ++lost_;
}

}  // namespace cgw
