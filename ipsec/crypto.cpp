#include "ipsec/crypto.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <stdexcept>

#include "ipsec/openssl.hpp"

namespace cgw::ipsec {
namespace {

Buffer digest(const EVP_MD* md, Bytes data) {
  Buffer out(static_cast<std::size_t>(EVP_MD_get_size(md)));
  require(EVP_Digest(data.data(), data.size(), out.data(), nullptr, md, nullptr) == 1, "EVP_Digest");
  return out;
}

}  // namespace

Buffer prf(Prf alg, Bytes key, Bytes data) {
  Hmac mac(prf_digest(alg), key);
  Buffer out(prf_octets(alg));
  mac.update(data);
  mac.finish(out);
  return out;
}

SecretBytes secret_prf(Prf alg, Bytes key, Bytes data) {
  Hmac mac(prf_digest(alg), key);
  SecretBytes out(prf_octets(alg));
  mac.update(data);
  mac.finish(out.mutable_view());
  return out;
}

// RFC 7296 2.13: T1 = prf(K, S | 0x01), Tn = prf(K, Tn-1 | S | n)
SecretBytes prf_plus(Prf alg, Bytes key, Bytes seed, std::size_t octets) {
  SecretBytes out(octets);
  Hmac mac(prf_digest(alg), key);
  SecretBytes block;
  std::size_t done = 0;
  for (std::uint8_t n = 1; done < octets && n != 0; ++n) {
    mac.restart();
    mac.update(block.view());
    mac.update(seed);
    mac.update(Bytes(&n, 1));
    if (block.empty()) block = SecretBytes(prf_octets(alg));
    mac.finish(block.mutable_view());
    const std::size_t take = std::min(block.size(), octets - done);
    std::copy_n(block.view().begin(), take, out.mutable_view().begin() + static_cast<std::ptrdiff_t>(done));
    done += take;
  }
  return out;
}

Buffer sha1(Bytes data) {
  return digest(EVP_sha1(), data);
}
Buffer sha256(Bytes data) {
  return digest(EVP_sha256(), data);
}

bool equal_ct(Bytes a, Bytes b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

void OpenSslEntropy::fill(std::span<std::uint8_t> out) {
  require(RAND_priv_bytes(out.data(), static_cast<int>(out.size())) == 1, "OpenSSL's random generator");
}

}  // namespace cgw::ipsec
