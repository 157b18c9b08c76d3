#include "daemon/key_log.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/format.h>

namespace cgw {

Result<KeyLog, std::string> KeyLog::open(const std::string& path) {
  KeyLog out;
  out.path_ = path;
  out.fd_ = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (out.fd_ < 0) return fail(fmt::format("--ike-keys-file {}: {}", path, std::strerror(errno)));
  struct stat s {};
  if (fstat(out.fd_, &s) < 0 || !S_ISREG(s.st_mode) || (s.st_mode & 077) != 0)
    return fail(fmt::format("--ike-keys-file {}: not a file that only its owner may read (chmod 600)", path));
  return out;
}

KeyLog::~KeyLog() {
  if (fd_ >= 0) close(fd_);
}
KeyLog::KeyLog(KeyLog&& other) noexcept : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)) {}
KeyLog& KeyLog::operator=(KeyLog&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(path_, other.path_);
  return *this;
}

bool KeyLog::write(const SecretBytes& row) {
  return fd_ >= 0 && ::write(fd_, row.view().data(), row.size()) == static_cast<ssize_t>(row.size());
}

}  // namespace cgw
