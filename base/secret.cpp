#include "base/secret.hpp"

#include <cstring>

namespace cgw {

void SecretBytes::wipe() {
  if (!data_.empty()) explicit_bzero(data_.data(), data_.size());
}

}  // namespace cgw
