#pragma once
#include <optional>
#include <string>

#include "base/result.hpp"
#include "base/secret.hpp"

namespace cgw {

// The file in which Wireshark finds the keys of IKE SAs (its table ikev2_decryption_table). Off unless asked for on the
// command line: whoever reads it reads all that IKE said, the keys of ESP's SAs derive from it.
class KeyLog {
 public:
  KeyLog() = default;  // writes nothing
  // Appends to a file of mode 0600; refuses one that others may read.
  static Result<KeyLog, std::string> open(const std::string& path);
  ~KeyLog();
  KeyLog(KeyLog&& other) noexcept;
  KeyLog& operator=(KeyLog&& other) noexcept;

  bool enabled() const { return fd_ >= 0; }
  const std::string& path() const { return path_; }
  bool write(const SecretBytes& row);

 private:
  int fd_ = -1;
  std::string path_;
};

}  // namespace cgw
