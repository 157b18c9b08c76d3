#pragma once
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ipsec/distinguished_name.hpp"
#include "ipsec/trust.hpp"

// Certificates made on the spot: none that expires lies in the tree. Their calendar is a fixed one.
namespace cgw::test {

using ipsec::WallTime;
using std::chrono::days;

inline constexpr WallTime kToday = std::chrono::sys_days(std::chrono::year{2031} / 5 / 17);

using KeyHandle = std::shared_ptr<EVP_PKEY>;

// One key of a kind and number, made once for the whole program: "RSA-2048", "P-256".
inline KeyHandle test_key(const std::string& kind, int number = 0) {
  static std::map<std::pair<std::string, int>, KeyHandle> made;
  KeyHandle& key = made[{kind, number}];
  if (key) return key;
  if (kind.starts_with("RSA-")) {
    const auto bits = static_cast<std::size_t>(std::stoul(kind.substr(4)));
    key.reset(EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", bits), EVP_PKEY_free);
  } else if (kind == "Ed25519") {
    key.reset(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"), EVP_PKEY_free);
  } else {
    key.reset(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", kind.c_str()), EVP_PKEY_free);
  }
  return key;
}

inline std::string pem_of(const std::function<void(BIO*)>& write) {
  const std::unique_ptr<BIO, decltype(&BIO_free_all)> bio(BIO_new(BIO_s_mem()), BIO_free_all);
  write(bio.get());
  char* octets = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &octets);
  return {octets, static_cast<std::size_t>(size)};
}

inline std::string key_pem(const KeyHandle& key, const char* passphrase = nullptr) {
  return pem_of([&](BIO* b) {
    const auto* secret = reinterpret_cast<const unsigned char*>(passphrase);
    PEM_write_bio_PrivateKey(b, key.get(), passphrase != nullptr ? EVP_aes_128_cbc() : nullptr, secret,
                             passphrase != nullptr ? 4 : 0, nullptr, nullptr);
  });
}

struct Wish {
  std::string subject = "CN=vgw1.example.com";
  std::string alternative{};  // "DNS:vgw1.example.com,IP:203.0.113.10"
  WallTime from = kToday - days(10), to = kToday + days(300);
  bool ca = false;
  std::string key_usage = "digitalSignature";
  bool identifiers = true;  // AKI, SKI and basicConstraints
  const EVP_MD* digest = EVP_sha256();
  int serial = 2;
};

// A certificate with its key, which may be a CA.
class Issued {
 public:
  Issued() = default;
  // issuer null: self-signed
  Issued(const Wish& w, KeyHandle key, const Issued* issuer) : key_(std::move(key)) {
    x509_.reset(X509_new(), X509_free);
    const Issued& by = issuer != nullptr ? *issuer : *this;
    X509_set_version(x509_.get(), 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x509_.get()), w.serial);
    ASN1_TIME_set(X509_getm_notBefore(x509_.get()), static_cast<time_t>(w.from.time_since_epoch().count()));
    ASN1_TIME_set(X509_getm_notAfter(x509_.get()), static_cast<time_t>(w.to.time_since_epoch().count()));
    if (!w.subject.empty()) X509_set_subject_name(x509_.get(), ipsec::name_from_text(w.subject)->get());
    X509_set_issuer_name(x509_.get(), X509_get_subject_name(by.x509_.get()));
    X509_set_pubkey(x509_.get(), key_.get());
    if (w.identifiers) {
      extend(by, NID_basic_constraints, w.ca ? "critical,CA:TRUE" : "CA:FALSE");
      extend(by, NID_subject_key_identifier, "hash");
      extend(by, NID_authority_key_identifier, "keyid");
    }
    if (!w.key_usage.empty()) extend(by, NID_key_usage, w.ca ? "critical,keyCertSign,cRLSign" : w.key_usage);
    if (!w.alternative.empty()) extend(by, NID_subject_alt_name, w.alternative);
    X509_sign(x509_.get(), by.key_.get(), w.digest);
  }
  static Issued root(const std::string& subject, const std::string& kind = "P-256", int number = 90,
                     WallTime to = kToday + days(3000)) {
    return {Wish{.subject = subject, .to = to, .ca = true}, test_key(kind, number), nullptr};
  }
  Issued issue(const Wish& w, const KeyHandle& key) const { return {w, key, this}; }

  std::string pem() const {
    return pem_of([&](BIO* b) { PEM_write_bio_X509(b, x509_.get()); });
  }
  ipsec::Certificate certificate() const { return ipsec::parse_certificates(pem(), 1)->front(); }
  std::shared_ptr<const ipsec::SigningKey> key() const {
    const std::string pem = key_pem(key_);
    return *ipsec::parse_private_key({reinterpret_cast<const std::uint8_t*>(pem.data()), pem.size()});
  }
  std::string crl(const std::vector<int>& revoked, WallTime next) const {
    const std::unique_ptr<X509_CRL, decltype(&X509_CRL_free)> list(X509_CRL_new(), X509_CRL_free);
    X509_CRL_set_version(list.get(), 1);
    X509_CRL_set_issuer_name(list.get(), X509_get_subject_name(x509_.get()));
    const auto at = [](WallTime t) {
      return std::unique_ptr<ASN1_TIME, decltype(&ASN1_TIME_free)>(
          ASN1_TIME_set(nullptr, static_cast<time_t>(t.time_since_epoch().count())), ASN1_TIME_free);
    };
    X509_CRL_set1_lastUpdate(list.get(), at(kToday - days(5)).get());
    X509_CRL_set1_nextUpdate(list.get(), at(next).get());
    for (const int serial : revoked) {
      X509_REVOKED* entry = X509_REVOKED_new();
      const std::unique_ptr<ASN1_INTEGER, decltype(&ASN1_INTEGER_free)> number(ASN1_INTEGER_new(), ASN1_INTEGER_free);
      ASN1_INTEGER_set(number.get(), serial);
      X509_REVOKED_set_serialNumber(entry, number.get());
      X509_REVOKED_set_revocationDate(entry, at(kToday - days(6)).get());
      X509_CRL_add0_revoked(list.get(), entry);
    }
    X509_CRL_sign(list.get(), key_.get(), EVP_sha256());
    return pem_of([&](BIO* b) { PEM_write_bio_X509_CRL(b, list.get()); });
  }

 private:
  void extend(const Issued& by, int nid, const std::string& value) {
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, by.x509_.get(), x509_.get(), nullptr, nullptr, 0);
    X509_EXTENSION* e = X509V3_EXT_conf_nid(nullptr, &ctx, nid, value.c_str());
    if (e == nullptr) throw std::runtime_error("extension " + value);
    X509_add_ext(x509_.get(), e, -1);
    X509_EXTENSION_free(e);
  }

  KeyHandle key_;
  std::shared_ptr<X509> x509_;
};

inline std::shared_ptr<const ipsec::Credentials> credentials(const Issued& own, std::vector<ipsec::Certificate> more,
                                                             std::vector<ipsec::Certificate> anchors,
                                                             std::vector<ipsec::Crl> crls = {}) {
  more.insert(more.begin(), own.certificate());
  auto c = ipsec::make_credentials(std::move(more), own.key(), ipsec::Trust(std::move(anchors), std::move(crls)));
  return std::make_shared<const ipsec::Credentials>(std::move(*c));
}

}  // namespace cgw::test
