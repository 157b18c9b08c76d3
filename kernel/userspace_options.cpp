#include "kernel/userspace_options.hpp"

#include <cerrno>
#include <cstdlib>
#include <string>
#include <string_view>

namespace cgw::kernel::userspace {
namespace {

constexpr const char* kVariable = "CGWD_ESP";

}  // namespace

KernelResult<Options> parse_options(std::string_view words) {
  Options out;
  while (!words.empty()) {
    const std::string_view word = words.substr(0, words.find(','));
    words.remove_prefix(word.size() < words.size() ? word.size() + 1 : words.size());
    if (word == "openssl") {
      out.crypto = ipsec::EspCrypto::OpenSsl;
    } else if (word == "ipsec-mb") {
      if (!ipsec::ipsec_mb_usable())
        return fail(KernelError{ENOTSUP, "CGWD_ESP=ipsec-mb", "not built in, or the processor lacks AVX and AES"});
    } else if (word == "no-udp-offload") {
      out.datagram_offload = false;
    } else if (word == "no-tun-offload") {
      out.tun = {};
    } else {
      return fail(KernelError{EINVAL, "CGWD_ESP: '" + std::string(word) + "'",
                              "is none of openssl, ipsec-mb, no-udp-offload, no-tun-offload"});
    }
  }
  return out;
}

KernelResult<Options> options_from_environment() {
  const char* const words = std::getenv(kVariable);
  return parse_options(words == nullptr ? "" : words);
}

}  // namespace cgw::kernel::userspace
