#include "ipsec/certificate.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>

#include <fmt/format.h>

#include "base/note.hpp"
#include "ipsec/distinguished_name.hpp"

namespace cgw::ipsec {
namespace {

using BioPtr = std::unique_ptr<BIO, OpenSslFree<BIO_free_all>>;
using NamesPtr = std::unique_ptr<GENERAL_NAMES, OpenSslFree<GENERAL_NAMES_free>>;

constexpr std::size_t kMaxCrls = 16;

std::optional<WallTime> wall_time(const ASN1_TIME* t) {
  std::tm tm{};
  if (t == nullptr || ASN1_TIME_to_tm(t, &tm) != 1) return std::nullopt;
  using namespace std::chrono;
  const auto day = year{tm.tm_year + 1900} / (tm.tm_mon + 1) / tm.tm_mday;
  return sys_days(day) + hours(tm.tm_hour) + minutes(tm.tm_min) + seconds(tm.tm_sec);
}

NamesPtr names_of(const X509* x509) {
  return NamesPtr(static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(x509, NID_subject_alt_name, nullptr, nullptr)));
}

Bytes octets_of(const ASN1_STRING* s) {
  return {ASN1_STRING_get0_data(s), static_cast<std::size_t>(ASN1_STRING_length(s))};
}

// The identity a subjectAltName is; nothing for forms that IKE has no ID type for.
std::optional<Identity> identity_of(const GENERAL_NAME* name) {
  int kind = 0;
  const void* value = GENERAL_NAME_get0_value(name, &kind);
  const auto string = [&](Identity::Type t) {
    const Bytes b = octets_of(static_cast<const ASN1_STRING*>(value));
    return Identity{t, {b.begin(), b.end()}};
  };
  switch (kind) {
    case GEN_DNS: return string(Identity::Type::Fqdn);
    case GEN_EMAIL: return string(Identity::Type::Rfc822);
    case GEN_DIRNAME: return Identity{Identity::Type::DerAsn1Dn, der_of(static_cast<const X509_NAME*>(value))};
    case GEN_IPADD: {
      auto id = string(Identity::Type::Ipv4);
      if (id.data.size() == 16) id.type = Identity::Type::Ipv6;
      return id;
    }
    default: return std::nullopt;
  }
}

// Octets that came from elsewhere go through the same checks as an ID payload: no zero octets, no other lengths.
template <class F>
void each_alternative_name(const X509* x509, F f) {
  const NamesPtr names = names_of(x509);
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const auto id = identity_of(sk_GENERAL_NAME_value(names.get(), i));
    if (id && parse_id(id_body(*id))) f(*id);
  }
}

bool is_pem(std::string_view text) {
  return text.find("-----BEGIN ") != std::string_view::npos;
}

// The blocks of a PEM text that carry this name, as DER.
Result<std::vector<Buffer>, std::string> pem_blocks(std::string_view text, std::string_view wanted) {
  const BioPtr bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  std::vector<Buffer> out;
  bool sound = true;
  while (sound) {
    char *name = nullptr, *header = nullptr;
    unsigned char* data = nullptr;
    long size = 0;
    sound = PEM_read_bio(bio.get(), &name, &header, &data, &size) == 1;
    if (sound && name == wanted) out.emplace_back(data, data + size);
    // A key in the same file is not ours to keep.
    if (sound) OPENSSL_cleanse(data, static_cast<std::size_t>(size));
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(data);
  }
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (!at_end) return fail(std::string("holds a damaged PEM block"));
  return out;
}

}  // namespace

std::string to_string(WallTime t) {
  const auto day = std::chrono::floor<std::chrono::days>(t);
  const std::chrono::year_month_day date(day);
  const auto minutes = std::chrono::duration_cast<std::chrono::minutes>(t - day).count();
  return fmt::format("{}-{:02}-{:02} {:02}:{:02} UTC", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), minutes / 60,
                     minutes % 60);
}

Result<Certificate, std::string> Certificate::parse(Bytes der) {
  if (der.size() > kMaxCertificateOctets)
    return fail(fmt::format("a certificate of {} octets (at most {} are read)", der.size(), kMaxCertificateOctets));
  const unsigned char* at = der.data();
  Certificate c;
  c.x509_.reset(d2i_X509(nullptr, &at, static_cast<long>(der.size())), X509_free);
  const bool whole = c.x509_ && at == der.data() + der.size();
  ERR_clear_error();
  if (!whole) return fail(std::string("no X.509 certificate in DER"));
  const auto from = wall_time(X509_get0_notBefore(c.handle())), to = wall_time(X509_get0_notAfter(c.handle()));
  if (!from || !to) return fail(std::string("a certificate whose validity cannot be read"));
  c.not_before_ = *from;
  c.not_after_ = *to;
  c.der_.assign(der.begin(), der.end());
  return c;
}

std::string Certificate::subject() const {
  return text_of(X509_get_subject_name(handle()));
}
std::string Certificate::issuer() const {
  return text_of(X509_get_issuer_name(handle()));
}
Identity Certificate::subject_id() const {
  return {Identity::Type::DerAsn1Dn, der_of(X509_get_subject_name(handle()))};
}

Result<PublicKey, std::string> Certificate::public_key() const {
  std::shared_ptr<EVP_PKEY> key(X509_get_pubkey(handle()), EVP_PKEY_free);
  ERR_clear_error();
  return PublicKey::of(std::move(key));
}

bool Certificate::self_signed() const {
  return (X509_get_extension_flags(handle()) & EXFLAG_SI) != 0;
}
bool Certificate::issued_by(const Certificate& issuer) const {
  return X509_check_issued(issuer.handle(), handle()) == X509_V_OK;
}
bool Certificate::is_ca() const {
  return X509_check_ca(handle()) != 0;
}

bool Certificate::names(const Identity& id) const {
  if (id.type == Identity::Type::DerAsn1Dn && same(id, subject_id())) return true;
  bool found = false;
  each_alternative_name(handle(), [&](const Identity& name) { found = found || same(id, name); });
  return found;
}

std::vector<std::string> Certificate::alternative_names() const {
  std::vector<std::string> out;
  each_alternative_name(handle(), [&](const Identity& name) { out.push_back(name.to_string()); });
  return out;
}

bool Certificate::may_sign() const {
  return (X509_get_key_usage(handle()) & (KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION)) != 0;
}

Buffer Certificate::key_hash() const {
  unsigned char* info = nullptr;
  const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(handle()), &info);
  require(size > 0, "a SubjectPublicKeyInfo");
  Buffer out = sha1({info, static_cast<std::size_t>(size)});
  OPENSSL_free(info);
  return out;
}

std::vector<std::string> Certificate::missing_for_aws() const {
  std::vector<std::string> out;
  constexpr std::pair<int, const char*> kWanted[] = {{NID_authority_key_identifier, "authorityKeyIdentifier"},
                                                     {NID_subject_key_identifier, "subjectKeyIdentifier"},
                                                     {NID_basic_constraints, "basicConstraints"}};
  for (const auto& [nid, name] : kWanted) {
    if (X509_get_ext_by_NID(handle(), nid, -1) < 0) out.emplace_back(name);
  }
  return out;
}

Result<std::vector<Certificate>, std::string> parse_certificates(std::string_view text, std::size_t limit) {
  std::vector<Buffer> blocks;
  if (is_pem(text)) {
    CGW_TRY(blocks, pem_blocks(text, PEM_STRING_X509));
  } else {
    blocks.emplace_back(text.begin(), text.end());
  }
  if (blocks.empty()) return fail(std::string("holds no certificate (-----BEGIN CERTIFICATE-----)"));
  if (blocks.size() > limit)
    return fail(fmt::format("holds {} certificates; at most {} are expected", blocks.size(), limit));
  std::vector<Certificate> out;
  for (const auto& der : blocks) {
    auto c = Certificate::parse(der);
    if (!c) return fail("holds " + c.error());
    out.push_back(std::move(*c));
  }
  return out;
}

Result<std::vector<Crl>, std::string> parse_crls(std::string_view text) {
  std::vector<Buffer> blocks;
  if (is_pem(text)) {
    CGW_TRY(blocks, pem_blocks(text, PEM_STRING_X509_CRL));
  } else {
    blocks.emplace_back(text.begin(), text.end());
  }
  if (blocks.empty()) return fail(std::string("holds no revocation list (-----BEGIN X509 CRL-----)"));
  if (blocks.size() > kMaxCrls) return fail(fmt::format("holds more than {} revocation lists", kMaxCrls));
  std::vector<Crl> out;
  for (const auto& der : blocks) {
    const unsigned char* at = der.data();
    std::shared_ptr<X509_CRL> crl(d2i_X509_CRL(nullptr, &at, static_cast<long>(der.size())), X509_CRL_free);
    const bool whole = crl && at == der.data() + der.size();
    ERR_clear_error();
    if (!whole) return fail(std::string("holds no X.509 revocation list in DER"));
    out.push_back({crl, text_of(X509_CRL_get_issuer(crl.get())), wall_time(X509_CRL_get0_nextUpdate(crl.get()))});
  }
  return out;
}

}  // namespace cgw::ipsec
