#include <algorithm>

#include "ipsec/crypto.hpp"

namespace cgw::ipsec {
namespace {

// Allocated once: nothing secret stays behind in a buffer that was outgrown.
SecretBytes join(std::initializer_list<Bytes> parts) {
  std::size_t size = 0;
  for (const Bytes p : parts)
    size += p.size();
  SecretBytes out(size);
  auto at = out.mutable_view().begin();
  for (const Bytes p : parts)
    at = std::ranges::copy(p, at).out;
  return out;
}

// Hands out consecutive pieces of key material.
class Slicer {
 public:
  explicit Slicer(const SecretBytes& material) : left_(material.view()) {}
  SecretBytes take(std::size_t n) {
    SecretBytes out(left_.first(n));
    left_ = left_.subspan(n);
    return out;
  }

 private:
  Bytes left_;
};

}  // namespace

SecretBytes skeyseed_initial(Prf alg, Bytes ni, Bytes nr, Bytes shared) {
  return secret_prf(alg, join({ni, nr}).view(), shared);
}

SecretBytes skeyseed_rekey(Prf old_prf, Bytes old_sk_d, Bytes shared, Bytes ni, Bytes nr, Bytes more) {
  return secret_prf(old_prf, old_sk_d, join({shared, ni, nr, more}).view());
}

IkeKeys derive_ike_keys(const IkeSuite& suite, Bytes skeyseed, Bytes ni, Bytes nr, std::uint64_t spi_i,
                        std::uint64_t spi_r) {
  Buffer seed(ni.begin(), ni.end());
  Writer w(seed);
  w.bytes(nr);
  for (const std::uint64_t spi : {spi_i, spi_r}) {
    w.u32(static_cast<std::uint32_t>(spi >> 32));
    w.u32(static_cast<std::uint32_t>(spi));
  }
  const std::size_t p = prf_octets(suite.prf), a = integ_key_octets(suite.integ);
  const std::size_t e = encr_key_octets(suite.encr, suite.key_bits);
  const SecretBytes material = prf_plus(suite.prf, skeyseed, seed, 3 * p + 2 * a + 2 * e);
  Slicer s(material);
  IkeKeys k;
  k.d = s.take(p);
  k.ai = s.take(a);
  k.ar = s.take(a);
  k.ei = s.take(e);
  k.er = s.take(e);
  k.pi = s.take(p);
  k.pr = s.take(p);
  return k;
}

ChildKeys derive_child_keys(Prf alg, const EspSuite& suite, Bytes sk_d, Bytes shared, Bytes ni, Bytes nr, Bytes more) {
  const SecretBytes seed = join({shared, ni, nr, more});
  const std::size_t e = encr_key_octets(suite.encr, suite.key_bits), a = integ_key_octets(suite.integ);
  const SecretBytes material = prf_plus(alg, sk_d, seed.view(), 2 * (e + a));
  Slicer s(material);
  ChildKeys k;
  k.encr_i = s.take(e);
  k.integ_i = s.take(a);
  k.encr_r = s.take(e);
  k.integ_r = s.take(a);
  return k;
}

Buffer psk_auth(Prf alg, Bytes psk, Bytes signed_octets) {
  static constexpr std::string_view kPad = "Key Pad for IKEv2";
  const SecretBytes key = secret_prf(alg, psk, Buffer(kPad.begin(), kPad.end()));
  return prf(alg, key.view(), signed_octets);
}

}  // namespace cgw::ipsec
