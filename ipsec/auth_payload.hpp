#pragma once
#include <array>
#include <optional>
#include <span>
#include <vector>

#include "ipsec/payload.hpp"
#include "ipsec/trust.hpp"

// AUTH, CERT and CERTREQ payloads (RFC 7296 3.6 to 3.8). Pure functions of their octets.
namespace cgw::ipsec {

// RFC 7296 3.6. Hash and URL (12, 13) is not supported: HTTP_CERT_LOOKUP_SUPPORTED is never sent, nothing is fetched.
enum class CertEncoding : std::uint8_t { X509Signature = 4, Crl = 7, HashAndUrl = 12, HashAndUrlBundle = 13 };

struct AuthPayload {
  AuthMethod method{};
  Bytes data;
};
std::optional<AuthPayload> parse_auth(Bytes body);
Payload make_auth(AuthMethod method, Bytes data);

// The certificates of a message, the peer's own first. Errors are clauses: "it sends ...".
Result<std::vector<Certificate>, std::string> certificates_in(const Payloads& payloads);
Payload make_cert(const Certificate& c);

using KeyHash = std::array<std::uint8_t, 20>;  // SHA-1 of a CA's SubjectPublicKeyInfo

// What the other side asks for. Encodings other than X.509 are passed over; a body that is no list of hashes counts
// as naming no CA.
struct CertRequest {
  bool present = false;
  std::vector<KeyHash> authorities;  // at most 64
};
CertRequest certificates_wanted(const Payloads& payloads);
Payload make_certreq(std::span<const Certificate> anchors);

// The part of our chain that the peer needs: up to, but without, a certificate whose key it says it trusts.
std::span<const Certificate> chain_for(const CertRequest& request, std::span<const Certificate> chain);
// Whether it names the issuer of anything in the chain, or nobody at all.
bool accepts(const CertRequest& request, const Credentials& ours);

}  // namespace cgw::ipsec
