#include "daemon/files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <fmt/format.h>

namespace cgw {
namespace {

using config::Diagnostic;
using config::Diagnostics;

constexpr off_t kMaxFile = 16 << 20;

std::unexpected<Diagnostics> one(const std::string& file, std::string text) {
  return fail(Diagnostics{Diagnostic{.file = file, .text = std::move(text)}});
}

}  // namespace

Result<std::string, Diagnostics> read_file(const std::string& file, Access access) {
  const int fd = open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return one(file, fmt::format("cannot be read: {}", std::strerror(errno)));
  struct stat st {};
  std::string text;
  if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= kMaxFile) {
    text.resize(static_cast<std::size_t>(st.st_size));
    const ssize_t n = read(fd, text.data(), text.size());
    text.resize(n < 0 ? 0 : static_cast<std::size_t>(n));
    close(fd);
  } else {
    close(fd);
    return one(file, "is no regular file of at most 16 MiB");
  }
  if (access == Access::OwnerOnly && (st.st_mode & 077) != 0) {
    return one(file, fmt::format("holds keys but its mode is {:04o}: others could read it; chmod 600 {}",
                                 st.st_mode & 07777, file));
  }
  return text;
}

}  // namespace cgw
