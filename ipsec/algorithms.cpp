#include "ipsec/algorithms.hpp"

#include <algorithm>
#include <array>
#include <ranges>
#include <span>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "ipsec/crypto.hpp"

namespace cgw::ipsec {
namespace {

struct IntegRow {
  std::string_view word, name;
  Integ integ;
  Prf prf;
  std::size_t key, icv;
};
constexpr std::array<IntegRow, 4> kInteg{{
    {"sha1", "HMAC-SHA1-96", Integ::HmacSha1_96, Prf::HmacSha1, 20, 12},
    {"sha256", "HMAC-SHA2-256-128", Integ::HmacSha256_128, Prf::HmacSha256, 32, 16},
    {"sha384", "HMAC-SHA2-384-192", Integ::HmacSha384_192, Prf::HmacSha384, 48, 24},
    {"sha512", "HMAC-SHA2-512-256", Integ::HmacSha512_256, Prf::HmacSha512, 64, 32},
}};

struct DhRow {
  std::string_view word;
  DhGroup group;
  std::string_view weak;  // why, or empty
};
constexpr std::string_view kShort = "can be broken by a state", kOpaque = "has a prime of unknown making";
constexpr std::array<DhRow, 15> kDh{{
    {"modp1024", DhGroup::Modp1024, kShort},
    {"modp1536", DhGroup::Modp1536, kShort},
    {"modp2048", DhGroup::Modp2048, {}},
    {"modp3072", DhGroup::Modp3072, {}},
    {"modp4096", DhGroup::Modp4096, {}},
    {"modp6144", DhGroup::Modp6144, {}},
    {"modp8192", DhGroup::Modp8192, {}},
    {"ecp256", DhGroup::Ecp256, {}},
    {"ecp384", DhGroup::Ecp384, {}},
    {"ecp521", DhGroup::Ecp521, {}},
    {"modp1024s160", DhGroup::Modp1024s160, kShort},
    {"modp2048s224", DhGroup::Modp2048s224, kOpaque},
    {"modp2048s256", DhGroup::Modp2048s256, kOpaque},
    {"curve25519", DhGroup::Curve25519, {}},
    {"mlkem768", DhGroup::MlKem768, {}},
}};

const DhRow* row_of(DhGroup g) {
  const auto it = std::ranges::find(kDh, g, &DhRow::group);
  return it == kDh.end() ? nullptr : it;
}
const IntegRow* row_of(Integ i) {
  const auto it = std::ranges::find(kInteg, i, &IntegRow::integ);
  return it == kInteg.end() ? nullptr : it;
}
const IntegRow& row_of(Prf p) {
  return *std::ranges::find(kInteg, p, &IntegRow::prf);
}

// What the words of a suite say, before it is known whether it is IKE's or ESP's.
struct Words {
  std::optional<std::uint16_t> key_bits;
  bool gcm = false;
  const IntegRow* integ = nullptr;
  const IntegRow* prf = nullptr;
  DhGroup dh = DhGroup::None;
  bool esn = false;
  AdditionalKe more_ke{};
};

constexpr std::string_view kOnlyAdditional = "mlkem768";  // no Diffie-Hellman: beside one, never in its place

bool take_cipher(std::string_view word, Words& w) {
  for (const std::uint16_t bits : {std::uint16_t{128}, std::uint16_t{256}}) {
    if (word == fmt::format("aes{}", bits) || word == fmt::format("aes{}gcm16", bits)) {
      if (w.key_bits) return false;
      w.key_bits = bits;
      w.gcm = word.ends_with("gcm16");
      return true;
    }
  }
  return false;
}

// "ke1_ecp384"
bool take_additional(std::string_view word, Words& w) {
  if (word.size() < 5 || !word.starts_with("ke") || word[2] < '1' || word[2] > '7' || word[3] != '_') return false;
  const auto row = std::ranges::find(kDh, word.substr(4), &DhRow::word);
  DhGroup& slot = w.more_ke[static_cast<std::size_t>(word[2] - '1')];
  if (row == kDh.end() || slot != DhGroup::None) return false;
  slot = row->group;
  return true;
}

bool take_word(std::string_view word, Words& w) {
  if (take_cipher(word, w) || take_additional(word, w)) return true;
  for (const auto& r : kInteg) {
    if (word == r.word && w.integ == nullptr) return w.integ = &r, true;
    if (word.starts_with("prf") && word.substr(3) == r.word && w.prf == nullptr) return w.prf = &r, true;
  }
  for (const auto& r : kDh) {
    if (word == r.word && word != kOnlyAdditional && w.dh == DhGroup::None) return w.dh = r.group, true;
  }
  if (word == "esn" && !w.esn) return w.esn = true;
  return false;
}

Result<Words, std::string> read_words(std::string_view text) {
  Words w;
  for (std::size_t from = 0; from <= text.size();) {
    const auto dash = std::min(text.find('-', from), text.size());
    const auto word = text.substr(from, dash - from);
    if (!take_word(word, w)) {
      return fail(fmt::format(
          "'{}' in '{}': allowed once each are aes128, aes256, aes128gcm16, aes256gcm16; sha1, sha256, "
          "sha384, sha512; prfsha1, prfsha256, prfsha384, prfsha512; {}; ke1_ to ke7_ and one of these or mlkem768; "
          "esn",
          word, text, fmt::join(kDh | std::views::transform(&DhRow::word) | std::views::take(kDh.size() - 1), ", ")));
    }
    from = dash + 1;
  }
  for (const DhGroup g : w.more_ke) {
    if (g == DhGroup::None) continue;
    if (!available(g)) {
      return fail(fmt::format("'{}': {} needs OpenSSL 3.5 or newer; this host's is {} (Debian 12 has 3.0)", text,
                              to_string(g), openssl_version()));
    }
    // RFC 9370 2.2.1: "the responder's choice MUST NOT contain duplicated algorithms".
    if (g == w.dh || std::ranges::count(w.more_ke, g) > 1)
      return fail(fmt::format("'{}': {} twice adds nothing (RFC 9370 2.2.1)", text, to_string(g)));
  }
  if (!w.key_bits) return fail(fmt::format("'{}' names no cipher (aes256gcm16, aes128, ...)", text));
  if (w.gcm && w.integ != nullptr && w.prf != nullptr) {
    return fail(fmt::format("'{}': AES-GCM needs no integrity algorithm", text));
  }
  if (!w.gcm && w.integ == nullptr) {
    return fail(fmt::format("'{}': AES-CBC needs an integrity algorithm (sha256, ...)", text));
  }
  return w;
}

std::string additional_words(const AdditionalKe& all) {
  std::string out;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i] != DhGroup::None) out += fmt::format("-ke{}_{}", i + 1, to_string(all[i]));
  }
  return out;
}

std::string weak_sha1(int phase) {
  return fmt::format(
      "SHA-1 is deprecated; AWS's tunnel option Phase{}IntegrityAlgorithms allows SHA2-256, SHA2-384 and SHA2-512",
      phase);
}

// RFC 8247 2.4
std::string weak_group(DhGroup g, int phase) {
  const auto* r = row_of(g);
  if (r == nullptr || r->weak.empty()) return {};
  return fmt::format("group {} {}; AWS's tunnel option Phase{}DHGroupNumbers allows 14 to 21",
                     static_cast<std::uint16_t>(g), r->weak, phase);
}

std::string cipher_word(Encr e, std::uint16_t bits) {
  return fmt::format("aes{}{}", bits, e == Encr::AesGcm16 ? "gcm16" : "");
}

}  // namespace

DhGroup additional(const AdditionalKe& all, std::size_t n) {
  for (const DhGroup g : all) {
    if (g != DhGroup::None && n-- == 0) return g;
  }
  return DhGroup::None;
}

IkeProposals default_ike_proposals() {
  return {IkeSuite{}, IkeSuite{.dh = DhGroup::Ecp256}};
}
EspProposals default_esp_proposals() {
  return {EspSuite{}, EspSuite{.dh = DhGroup::Ecp256}};
}

Result<IkeSuite, std::string> parse_ike_suite(std::string_view text) {
  CGW_TRY(const Words w, read_words(text));
  if (w.esn) return fail(fmt::format("'{}': esn is a word of ESP proposals", text));
  if (w.dh == DhGroup::None)
    return fail(fmt::format("'{}' names no Diffie-Hellman group (ecp384, modp2048, ...)", text));
  if (w.dh == DhGroup::Modp1536)
    return fail(fmt::format("'{}': modp1536 (group 5) is a word of ESP proposals; AWS has no such phase 1", text));
  const IntegRow* prf = w.prf != nullptr ? w.prf : w.integ;
  if (prf == nullptr) return fail(fmt::format("'{}' names no PRF (prfsha384, ...)", text));
  IkeSuite s;
  s.encr = w.gcm ? Encr::AesGcm16 : Encr::AesCbc;
  s.key_bits = *w.key_bits;
  s.integ = w.gcm ? Integ::None : w.integ->integ;
  s.prf = prf->prf;
  s.dh = w.dh;
  s.more_ke = w.more_ke;
  return s;
}

Result<EspSuite, std::string> parse_esp_suite(std::string_view text) {
  CGW_TRY(const Words w, read_words(text));
  if (w.prf != nullptr) return fail(fmt::format("'{}': a PRF is a word of IKE proposals", text));
  if (w.gcm && w.integ != nullptr) return fail(fmt::format("'{}': AES-GCM needs no integrity algorithm", text));
  EspSuite s;
  s.encr = w.gcm ? Encr::AesGcm16 : Encr::AesCbc;
  s.key_bits = *w.key_bits;
  s.integ = w.gcm ? Integ::None : w.integ->integ;
  s.dh = w.dh;
  s.esn = w.esn;
  s.more_ke = w.more_ke;
  if (s.dh == DhGroup::None && additional(s.more_ke, 0) != DhGroup::None)
    return fail(fmt::format("'{}': an additional key exchange needs a Diffie-Hellman group beside it", text));
  return s;
}

std::string to_string(const IkeSuite& s) {
  std::string out = cipher_word(s.encr, s.key_bits);
  const auto* integ = row_of(s.integ);
  if (integ != nullptr) out += fmt::format("-{}", integ->word);
  if (integ == nullptr || integ->prf != s.prf) out += fmt::format("-prf{}", row_of(s.prf).word);
  return out + fmt::format("-{}", to_string(s.dh)) + additional_words(s.more_ke);
}

std::string to_string(const EspSuite& s) {
  std::string out = cipher_word(s.encr, s.key_bits);
  if (const auto* integ = row_of(s.integ)) out += fmt::format("-{}", integ->word);
  if (s.dh != DhGroup::None) out += fmt::format("-{}", to_string(s.dh)) + additional_words(s.more_ke);
  return s.esn ? out + "-esn" : out;
}

std::string_view to_string(Encr v) {
  switch (v) {
    case Encr::AesCbc: return "AES-CBC";
    case Encr::AesGcm16: return "AES-GCM-16";
    case Encr::Null_: return "NULL";
  }
  return "?";
}
std::string_view to_string(Integ v) {
  const auto* r = row_of(v);
  return r == nullptr ? "none" : r->name;
}
std::string_view to_string(Prf v) {
  switch (v) {
    case Prf::HmacSha1: return "PRF-HMAC-SHA1";
    case Prf::HmacSha256: return "PRF-HMAC-SHA2-256";
    case Prf::HmacSha384: return "PRF-HMAC-SHA2-384";
    case Prf::HmacSha512: return "PRF-HMAC-SHA2-512";
  }
  return "?";
}
std::string_view to_string(DhGroup v) {
  if (v == DhGroup::None) return "none";
  const auto* r = row_of(v);
  return r == nullptr ? "unknown" : r->word;
}

std::size_t encr_key_octets(Encr e, std::uint16_t key_bits) {
  return key_bits / 8U + (e == Encr::AesGcm16 ? 4U : 0U);
}
std::size_t integ_key_octets(Integ i) {
  const auto* r = row_of(i);
  return r == nullptr ? 0 : r->key;
}
std::size_t icv_octets(Encr e, Integ i) {
  if (e == Encr::AesGcm16) return 16;
  const auto* r = row_of(i);
  return r == nullptr ? 0 : r->icv;
}
std::size_t iv_octets(Encr e) {
  return e == Encr::AesGcm16 ? 8 : 16;
}
std::size_t prf_octets(Prf p) {
  return row_of(p).key;
}

std::string weakness(const IkeSuite& s) {
  if (s.prf == Prf::HmacSha1 || s.integ == Integ::HmacSha1_96) return weak_sha1(1);
  return weak_group(s.dh, 1);
}
std::string weakness(const EspSuite& s) {
  if (s.integ == Integ::HmacSha1_96) return weak_sha1(2);
  if (s.dh == DhGroup::None)
    return "rekeys without Diffie-Hellman; AWS always demands a group (tunnel option Phase2DHGroupNumbers)";
  return weak_group(s.dh, 2);
}

}  // namespace cgw::ipsec
