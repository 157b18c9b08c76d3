#pragma once
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "ipsec/certificate.hpp"

struct x509_store_st;

// CAs and revocation lists of the operator's, and whether a peer's certificate stands on them at a given time.
namespace cgw::ipsec {

class Trust {
 public:
  Trust() = default;
  // crls empty: revocation is not checked. With them, a certificate whose issuer has no list among them is refused;
  // for the intermediates the lists that are there count.
  Trust(std::vector<Certificate> anchors, std::vector<Crl> crls);

  const std::vector<Certificate>& anchors() const { return anchors_; }
  const std::vector<Crl>& crls() const { return crls_; }
  // others: what else the peer sent, intermediates in any order. The error is a clause: "its certificate ... has ...".
  Result<void, std::string> verify(const Certificate& leaf, std::span<const Certificate> others, WallTime now) const;

 private:
  std::vector<Certificate> anchors_;
  std::vector<Crl> crls_;
  std::shared_ptr<x509_store_st> store_;
};

// What a side authenticates itself with, and what it takes from the other.
struct Credentials {
  std::vector<Certificate> chain;  // ours: the key's own certificate first, then its intermediates; no root
  std::shared_ptr<const SigningKey> key;
  Trust trust;
};

// Finds the key's certificate among `own` and puts the chain together from them and the CAs. The error is a clause
// about the certificate file.
Result<Credentials, std::string> make_credentials(std::vector<Certificate> own, std::shared_ptr<const SigningKey> key,
                                                  Trust trust);

// Certificates and lists that end within 30 days, or have ended; one line each.
std::vector<std::string> expiry_warnings(const Credentials& c, WallTime now);

}  // namespace cgw::ipsec
