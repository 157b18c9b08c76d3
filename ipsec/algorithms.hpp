#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

// Transform identifiers as IANA numbers them (registry "IKEv2 Parameters"), and the proposals made
// of them. Text form is the field's: "aes256gcm16-prfsha384-ecp384", "aes128-sha256-modp2048".
namespace cgw::ipsec {

enum class Encr : std::uint16_t { AesCbc = 12, AesGcm16 = 20, Null_ = 11 };
enum class Integ : std::uint16_t {
  None = 0,
  HmacSha1_96 = 2,
  HmacSha256_128 = 12,
  HmacSha384_192 = 13,
  HmacSha512_256 = 14,
};
enum class Prf : std::uint16_t { HmacSha1 = 2, HmacSha256 = 5, HmacSha384 = 6, HmacSha512 = 7 };
enum class DhGroup : std::uint16_t {
  None = 0,
  Modp1024 = 2,
  Modp1536 = 5,
  Modp2048 = 14,
  Modp3072 = 15,
  Modp4096 = 16,
  Modp6144 = 17,
  Modp8192 = 18,
  Ecp256 = 19,
  Ecp384 = 20,
  Ecp521 = 21,
  Modp1024s160 = 22,
  Modp2048s224 = 23,
  Modp2048s256 = 24,
  Curve25519 = 31,
  MlKem768 = 36,
};

// The additional key exchanges ADDKE1 to ADDKE7 (RFC 9370); None where there is none.
using AdditionalKe = std::array<DhGroup, 7>;
// The group of the n-th that is there, from 0; None past the last.
DhGroup additional(const AdditionalKe& all, std::size_t n);

// One concrete set of IKE algorithms. AEAD: integ is None.
struct IkeSuite {
  Encr encr = Encr::AesGcm16;
  std::uint16_t key_bits = 256;  // 128 | 256
  Integ integ = Integ::None;
  Prf prf = Prf::HmacSha384;
  DhGroup dh = DhGroup::Ecp384;
  AdditionalKe more_ke{};
  bool operator==(const IkeSuite&) const = default;
};

// One concrete set of ESP algorithms. dh None: no PFS (the Child SA of IKE_AUTH never has one).
struct EspSuite {
  Encr encr = Encr::AesGcm16;
  std::uint16_t key_bits = 256;
  Integ integ = Integ::None;
  DhGroup dh = DhGroup::Ecp384;
  bool esn = false;
  AdditionalKe more_ke{};
  bool operator==(const EspSuite&) const = default;
};

// What is offered or accepted, in order of preference; each entry goes out as a proposal of its own.
using IkeProposals = std::vector<IkeSuite>;
using EspProposals = std::vector<EspSuite>;

// DESIGN 4: AES-256-GCM-16 with PRF-SHA-384 and ECP-384, then AES-256-GCM-16/ECP-256.
IkeProposals default_ike_proposals();
EspProposals default_esp_proposals();

// Words: aes128|aes256 [gcm16], sha1|sha256|sha384|sha512 (integrity, and PRF where no prf word),
// prfsha1|prfsha256|prfsha384|prfsha512, a group (modp1024 to modp8192, modp1024s160, modp2048s224, modp2048s256,
// ecp256, ecp384, ecp521, curve25519), ke1_GROUP to ke7_GROUP (also mlkem768), esn. The error names the word that is
// wrong and what is allowed.
Result<IkeSuite, std::string> parse_ike_suite(std::string_view text);
Result<EspSuite, std::string> parse_esp_suite(std::string_view text);
std::string to_string(const IkeSuite& s);
std::string to_string(const EspSuite& s);  // without "-esn" unless esn

std::string_view to_string(Encr v);
std::string_view to_string(Integ v);
std::string_view to_string(Prf v);
std::string_view to_string(DhGroup v);

// Key material lengths in octets. For AES-GCM the 4-octet salt is included (RFC 5282, RFC 4106).
std::size_t encr_key_octets(Encr e, std::uint16_t key_bits);
std::size_t integ_key_octets(Integ i);
std::size_t icv_octets(Encr e, Integ i);  // 16 for GCM, 12/16/24/32 for HMAC
std::size_t iv_octets(Encr e);            // on the wire: 8 for GCM, 16 for CBC
std::size_t prf_octets(Prf p);            // output size = preferred key size

// Why the suite is weak (SHA-1, RFC 8247's groups) and which AWS tunnel option allows better; empty when it is fine.
std::string weakness(const IkeSuite& s);
std::string weakness(const EspSuite& s);

// Inner MTU of a tunnel, from the path MTU of the outer interface (1280..9216) and the negotiated
// transform; reproduces every value AWS publishes (1446/1438/1422/1406 at 1500).
//   floor((link - outer IP - (8 if UDP) - 8 - IV - ICV) / block) * block - 2
std::uint32_t tunnel_mtu(std::uint32_t link_mtu, bool outer_v6, bool udp_encap, const EspSuite& s);
// TCP MSS for that MTU: -40 (IPv4 inside) or -60 (IPv6 inside).
std::uint32_t tunnel_mss(std::uint32_t mtu, bool inner_v6);

}  // namespace cgw::ipsec
