#pragma once
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ipsec/identity.hpp"
#include "ipsec/signature.hpp"

struct x509_st;
struct X509_crl_st;

// X.509 certificates as IKE uses them (RFC 4945, RFC 5280), and what they chain up to. No URL in them is ever fetched.
namespace cgw::ipsec {

// What the calendar says; always an argument, never read here.
using WallTime = std::chrono::sys_seconds;
std::string to_string(WallTime t);  // "2026-11-24 16:39 UTC"

inline constexpr std::size_t kMaxCertificateOctets = 16384;
inline constexpr std::size_t kMaxChain = 8;  // certificates that a peer may send, and that we send
inline constexpr std::size_t kMaxAnchors = 16;

class Certificate {
 public:
  // One DER certificate from end to end.
  static Result<Certificate, std::string> parse(Bytes der);

  const Buffer& der() const { return der_; }
  std::string subject() const;
  std::string issuer() const;
  Identity subject_id() const;  // ID_DER_ASN1_DN, octet for octet
  WallTime not_before() const { return not_before_; }
  WallTime not_after() const { return not_after_; }
  Result<PublicKey, std::string> public_key() const;
  bool self_signed() const;
  bool issued_by(const Certificate& issuer) const;
  bool is_ca() const;
  // Whether the subject or a subjectAltName is this identity (RFC 4945 3.1).
  bool names(const Identity& id) const;
  std::vector<std::string> alternative_names() const;
  // RFC 4945 5.1.3.2: a keyUsage, where there is one, allows signatures.
  bool may_sign() const;
  // RFC 7296 3.7: SHA-1 of the SubjectPublicKeyInfo.
  Buffer key_hash() const;
  // Of the extensions that AWS wants to see in a customer gateway's certificate, those that are not there.
  std::vector<std::string> missing_for_aws() const;

  x509_st* handle() const { return x509_.get(); }

 private:
  std::shared_ptr<x509_st> x509_;
  Buffer der_;
  WallTime not_before_{}, not_after_{};
};

// A file's text: PEM blocks, or one DER certificate. Never empty.
Result<std::vector<Certificate>, std::string> parse_certificates(std::string_view text, std::size_t limit);

// A revocation list from a file.
struct Crl {
  std::shared_ptr<X509_crl_st> handle;
  std::string issuer;
  std::optional<WallTime> next_update;
};
Result<std::vector<Crl>, std::string> parse_crls(std::string_view text);

}  // namespace cgw::ipsec
