#pragma once
#include <sys/types.h>

#include <chrono>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.hpp"

namespace cgw::cli {

// At most `limit` octets; the error names the file and what the system says.
Result<std::string, std::string> read_file(const std::string& path, std::size_t limit);

// What a path names once symbolic links are followed; the last may dangle.
Result<std::string, std::string> target_of(const std::string& path);

// Whole or not at all (temporary file, fsync, rename), with exactly this mode and the owner of the file it replaces. A
// symbolic link stays and what it names is written. Missing directories are made.
Result<void, std::string> write_file(const std::string& path, std::string_view content, mode_t mode);

// Keeps others that take it from changing what is in the folder of a file.
class FolderLock {
 public:
  // Waits for another holder up to `patience`. The folder is made when it is missing.
  static Result<FolderLock, std::string> of(const std::string& file, std::chrono::milliseconds patience);
  FolderLock(FolderLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FolderLock& operator=(FolderLock&&) = delete;
  ~FolderLock();

 private:
  explicit FolderLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace cgw::cli
