#include "cli/files.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <thread>

#include <fmt/format.h>

namespace cgw::cli {
namespace {

std::unexpected<std::string> system_says(const std::string& path, int error) {
  return fail(fmt::format("{}: {}", path, std::strerror(error)));
}

// The folder of a file, made when it is missing.
Result<std::string, std::string> made_folder(const std::string& file) {
  const auto folder = std::filesystem::path(file).parent_path();
  if (folder.empty()) return std::string(".");
  std::error_code ec;
  std::filesystem::create_directories(folder, ec);
  if (ec) return fail(fmt::format("{}: {}", folder.string(), ec.message()));
  return folder.string();
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

Result<std::string, std::string> target_of(const std::string& path) {
  constexpr int kMostLinks = 40;  // as the kernel's
  std::filesystem::path at(path);
  std::error_code ec;
  for (int links = 0; std::filesystem::is_symlink(at, ec); ++links) {
    if (links == kMostLinks) return system_says(path, ELOOP);
    const auto next = std::filesystem::read_symlink(at, ec);
    if (ec) return fail(fmt::format("{}: {}", at.string(), ec.message()));
    at = next.is_absolute() ? next : at.parent_path() / next;
  }
  return at.string();
}

Result<void, std::string> write_file(const std::string& path, std::string_view content, mode_t mode) {
  CGW_TRY(const std::string target, target_of(path));
  CGW_TRY(const std::string folder, made_folder(target));
  std::string temporary = target + ".XXXXXX";
  const int fd = mkostemp(temporary.data(), O_CLOEXEC);  // 0600 from the start
  if (fd < 0) return system_says(temporary, errno);
  struct stat old {};
  // Only root can give a file away; for others the owner is the same already.
  if (stat(target.c_str(), &old) == 0 && geteuid() == 0) static_cast<void>(!fchown(fd, old.st_uid, old.st_gid));
  bool ok = fchmod(fd, mode) == 0;
  while (ok && !content.empty()) {
    const ssize_t n = write(fd, content.data(), content.size());
    ok = n > 0;
    if (ok) content.remove_prefix(static_cast<std::size_t>(n));
  }
  ok = ok && fsync(fd) == 0;
  ok = close(fd) == 0 && ok;
  ok = ok && rename(temporary.c_str(), target.c_str()) == 0;
  if (ok) return {};
  const int error = errno;
  unlink(temporary.c_str());
  return system_says(target, error);
}

Result<FolderLock, std::string> FolderLock::of(const std::string& file, std::chrono::milliseconds patience) {
  CGW_TRY(const std::string target, target_of(file));
  CGW_TRY(const std::string folder, made_folder(target));
  const int fd = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return system_says(folder, errno);
  const auto until = std::chrono::steady_clock::now() + patience;
  while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    const int error = errno;
    if (error == EWOULDBLOCK && std::chrono::steady_clock::now() < until) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      continue;
    }
    close(fd);
    if (error == EWOULDBLOCK)
      return fail(fmt::format("{}: another import has had it locked for {} s; is one hanging?", folder,
                              std::chrono::duration<double>(patience).count()));
    return system_says(folder, error);
  }
  return FolderLock(fd);
}

FolderLock::~FolderLock() {
  if (fd_ >= 0) close(fd_);
}

}  // namespace cgw::cli
