// Built without libipsec-mb: OpenSSL does all.
#include "ipsec/esp_cipher.hpp"

namespace cgw::ipsec {

std::unique_ptr<EspCipher> make_ipsec_mb_gcm(const EspSuite&, const EspKeys&, bool) {
  return nullptr;
}

bool ipsec_mb_usable() {
  return false;
}

}  // namespace cgw::ipsec
