#include "ipsec/crypto.hpp"

namespace cgw::ipsec {
namespace {

Buffer join(std::initializer_list<Bytes> parts) {
  Buffer out;
  for (const Bytes p : parts)
    out.insert(out.end(), p.begin(), p.end());
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
  return SecretBytes(Bytes(prf(alg, join({ni, nr}), shared)));
}

SecretBytes skeyseed_rekey(Prf old_prf, Bytes old_sk_d, Bytes shared, Bytes ni, Bytes nr) {
  const SecretBytes seed{Bytes(join({shared, ni, nr}))};
  return SecretBytes(Bytes(prf(old_prf, old_sk_d, seed.view())));
}

IkeKeys derive_ike_keys(const IkeSuite& suite, Bytes skeyseed, Bytes ni, Bytes nr, std::uint64_t spi_i,
                        std::uint64_t spi_r) {
  Buffer seed = join({ni, nr});
  for (const std::uint64_t spi : {spi_i, spi_r}) {
    for (int shift = 56; shift >= 0; shift -= 8)
      seed.push_back(static_cast<std::uint8_t>(spi >> shift));
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

ChildKeys derive_child_keys(Prf alg, const EspSuite& suite, Bytes sk_d, Bytes shared, Bytes ni, Bytes nr) {
  const SecretBytes seed{Bytes(join({shared, ni, nr}))};
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
  const SecretBytes pad(kPad);
  const SecretBytes key{Bytes(prf(alg, psk, pad.view()))};
  return prf(alg, key.view(), signed_octets);
}

}  // namespace cgw::ipsec
