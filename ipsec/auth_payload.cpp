#include "ipsec/auth_payload.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace cgw::ipsec {
namespace {

constexpr std::size_t kMaxAuthorities = 64;

bool lists(const CertRequest& request, const Certificate& c) {
  const Buffer hash = c.key_hash();
  return std::ranges::any_of(request.authorities, [&](const KeyHash& h) { return std::ranges::equal(h, hash); });
}

}  // namespace

//    | Auth Method   |                RESERVED                       |
//    ~                      Authentication Data                      ~
std::optional<AuthPayload> parse_auth(Bytes body) {
  Reader r(body);
  const auto method = AuthMethod{r.u8()};
  r.bytes(3);
  if (!r.ok()) return std::nullopt;
  return AuthPayload{method, r.rest()};
}

Payload make_auth(AuthMethod method, Bytes data) {
  Payload p{PayloadType::Auth, false, {static_cast<std::uint8_t>(method), 0, 0, 0}};
  p.body.insert(p.body.end(), data.begin(), data.end());
  return p;
}

//    | Cert Encoding |
//    ~                       Certificate Data                        ~
Result<std::vector<Certificate>, std::string> certificates_in(const Payloads& payloads) {
  std::vector<Certificate> out;
  std::string passed_over;
  for (const auto& p : payloads) {
    if (p.type != PayloadType::Cert) continue;
    Reader r(p.body);
    const auto encoding = CertEncoding{r.u8()};
    const Bytes data = r.rest();
    if (encoding == CertEncoding::HashAndUrl || encoding == CertEncoding::HashAndUrlBundle)
      passed_over = " but a URL to fetch one from (Hash and URL), which is not done here";
    if (!r.ok() || encoding != CertEncoding::X509Signature) continue;
    if (out.size() == kMaxChain) return fail(fmt::format("it sends more than {} certificates", kMaxChain));
    auto c = Certificate::parse(data);
    if (!c) return fail("it sends " + c.error());
    out.push_back(std::move(*c));
  }
  if (out.empty()) return fail("it sends no certificate" + passed_over);
  return out;
}

Payload make_cert(const Certificate& c) {
  Payload p{PayloadType::Cert, false, {static_cast<std::uint8_t>(CertEncoding::X509Signature)}};
  p.body.insert(p.body.end(), c.der().begin(), c.der().end());
  return p;
}

CertRequest certificates_wanted(const Payloads& payloads) {
  CertRequest out;
  for (const auto& p : payloads) {
    if (p.type != PayloadType::CertReq) continue;
    Reader r(p.body);
    if (CertEncoding{r.u8()} != CertEncoding::X509Signature || !r.ok()) continue;
    out.present = true;
    const Bytes hashes = r.rest();
    if (hashes.size() % KeyHash{}.size() != 0) continue;
    for (Reader each(hashes); each.more() && out.authorities.size() < kMaxAuthorities;) {
      KeyHash h{};
      std::ranges::copy(each.bytes(h.size()), h.begin());
      out.authorities.push_back(h);
    }
  }
  return out;
}

Payload make_certreq(std::span<const Certificate> anchors) {
  Payload p{PayloadType::CertReq, false, {static_cast<std::uint8_t>(CertEncoding::X509Signature)}};
  for (const auto& a : anchors) {
    const Buffer hash = a.key_hash();
    p.body.insert(p.body.end(), hash.begin(), hash.end());
  }
  return p;
}

std::span<const Certificate> chain_for(const CertRequest& request, std::span<const Certificate> chain) {
  for (std::size_t i = 1; i < chain.size(); ++i) {
    if (lists(request, chain[i])) return chain.first(i);
  }
  return chain;
}

bool accepts(const CertRequest& request, const Credentials& ours) {
  if (request.authorities.empty()) return true;
  const auto in_chain = [&](const Certificate& c) { return lists(request, c); };
  // The root of our chain is not in it; it is one of our CAs when both sides share them.
  const auto ends_chain = [&](const Certificate& c) { return ours.chain.back().issued_by(c) && lists(request, c); };
  return std::ranges::any_of(ours.chain, in_chain) || std::ranges::any_of(ours.trust.anchors(), ends_chain);
}

}  // namespace cgw::ipsec
