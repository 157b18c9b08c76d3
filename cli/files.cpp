#include "cli/files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include <fmt/format.h>

namespace cgw::cli {
namespace {

std::unexpected<std::string> system_says(const std::string& path, int error) {
  return fail(fmt::format("{}: {}", path, std::strerror(error)));
}

}  // namespace

Result<std::string, std::string> read_file(const std::string& path, std::size_t limit) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return system_says(path, errno);
  std::string out;
  char buffer[65536];
  ssize_t n = 0;
  while ((n = read(fd, buffer, sizeof buffer)) > 0 && out.size() <= limit)
    out.append(buffer, static_cast<std::size_t>(n));
  const int error = errno;
  close(fd);
  if (n < 0) return system_says(path, error);
  if (out.size() > limit) return fail(fmt::format("{}: longer than {} octets", path, limit));
  return out;
}

Result<void, std::string> write_file(const std::string& path, std::string_view content, mode_t mode) {
  const auto parent = std::filesystem::path(path).parent_path();
  std::error_code ec;
  if (!parent.empty()) std::filesystem::create_directories(parent, ec);
  if (ec) return fail(fmt::format("{}: {}", parent.string(), ec.message()));
  std::string temporary = path + ".XXXXXX";
  const int fd = mkostemp(temporary.data(), O_CLOEXEC);  // 0600 from the start
  if (fd < 0) return system_says(temporary, errno);
  bool ok = fchmod(fd, mode) == 0;
  while (ok && !content.empty()) {
    const ssize_t n = write(fd, content.data(), content.size());
    ok = n > 0;
    if (ok) content.remove_prefix(static_cast<std::size_t>(n));
  }
  ok = ok && fsync(fd) == 0;
  ok = close(fd) == 0 && ok;
  ok = ok && rename(temporary.c_str(), path.c_str()) == 0;
  if (ok) return {};
  const int error = errno;
  unlink(temporary.c_str());
  return system_says(path, error);
}

}  // namespace cgw::cli
