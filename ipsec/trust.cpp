#include "ipsec/trust.hpp"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/note.hpp"
#include "ipsec/distinguished_name.hpp"

namespace cgw::ipsec {
namespace {

using StoreCtxPtr = std::unique_ptr<X509_STORE_CTX, OpenSslFree<X509_STORE_CTX_free>>;
using StackPtr = std::unique_ptr<STACK_OF(X509), OpenSslFree<[](STACK_OF(X509) * s) { sk_X509_free(s); }>>;

constexpr int kMaxDepth = 6;       // intermediates between leaf and anchor
constexpr int kSecurityLevel = 2;  // OpenSSL's: 112 bits; no SHA-1, no RSA below 2048
constexpr std::chrono::days kWarnAhead{30};

// Intermediates are checked against the lists that are there; only the leaf must have one.
int tolerate_missing_crl(int ok, X509_STORE_CTX* ctx) {
  if (ok == 1) return 1;
  const bool missing = X509_STORE_CTX_get_error(ctx) == X509_V_ERR_UNABLE_TO_GET_CRL;
  if (!missing || X509_STORE_CTX_get_error_depth(ctx) == 0) return 0;
  X509_STORE_CTX_set_error(ctx, X509_V_OK);
  return 1;
}

Result<WallTime, std::string> next_update(const std::vector<Crl>& crls, const std::string& issuer) {
  for (const Crl& c : crls) {
    if (c.issuer == issuer && c.next_update) return *c.next_update;
  }
  return fail(std::string());
}

// The failure of a verification in an operator's words.
std::string words(X509_STORE_CTX* ctx, const Certificate& leaf, const std::vector<Crl>& crls, WallTime now) {
  const int error = X509_STORE_CTX_get_error(ctx), depth = X509_STORE_CTX_get_error_depth(ctx);
  X509* at = X509_STORE_CTX_get_current_cert(ctx);
  std::string subject = leaf.subject(), issuer = leaf.issuer();
  std::optional<WallTime> from = leaf.not_before(), to = leaf.not_after();
  if (depth > 0 && at != nullptr) {
    subject = text_of(X509_get_subject_name(at));
    issuer = text_of(X509_get_issuer_name(at));
    unsigned char* der = nullptr;
    const int size = i2d_X509(at, &der);
    if (const auto c = Certificate::parse({der, static_cast<std::size_t>(std::max(size, 0))})) {
      from = c->not_before();
      to = c->not_after();
    }
    OPENSSL_free(der);
  }
  const std::string what = fmt::format("{} '{}'", depth > 0 ? "the CA certificate" : "its certificate", subject);
  switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return fmt::format("{} has expired on {} (it is {} here)", what, to_string(*to), to_string(now));
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return fmt::format("{} is valid only from {} on (it is {} here)", what, to_string(*from), to_string(now));
    case X509_V_ERR_CERT_REVOKED: return what + " is revoked by the list in 'crl'";
    case X509_V_ERR_UNABLE_TO_GET_CRL:
      return fmt::format("{} cannot be checked for revocation: 'crl' holds no list of '{}'", what, issuer);
    case X509_V_ERR_CRL_HAS_EXPIRED: {
      const auto due = next_update(crls, issuer);
      return fmt::format("{} cannot be checked for revocation: the list of '{}' in 'crl' is out of date{}", what,
                         issuer, due ? " since " + to_string(*due) : "");
    }
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_CERT_UNTRUSTED:
      return fmt::format("{} is from '{}', which leads to no CA in 'ca-certificate'", what, issuer);
    default: return fmt::format("{} is refused: {}", what, X509_verify_cert_error_string(error));
  }
}

// "has expired on", or how long is left; empty when there is time enough.
std::string time_left(WallTime end, WallTime now) {
  if (end <= now) return "has expired on " + to_string(end);
  if (end - now > kWarnAhead) return {};
  const auto days = std::chrono::duration_cast<std::chrono::days>(end - now).count();
  return fmt::format("expires on {}, in {} day{}", to_string(end), days, days == 1 ? "" : "s");
}

}  // namespace

Trust::Trust(std::vector<Certificate> anchors, std::vector<Crl> crls)
    : anchors_(std::move(anchors)),
      crls_(std::move(crls)),
      store_(X509_STORE_new(), X509_STORE_free) {
  require(store_ != nullptr, "a certificate store");
  for (const auto& a : anchors_)
    require(X509_STORE_add_cert(store_.get(), a.handle()) == 1, "a certificate store");
  for (const auto& c : crls_)
    require(X509_STORE_add_crl(store_.get(), c.handle.get()) == 1, "a certificate store");
  X509_VERIFY_PARAM* how = X509_STORE_get0_param(store_.get());
  X509_VERIFY_PARAM_set_depth(how, kMaxDepth);
  X509_VERIFY_PARAM_set_auth_level(how, kSecurityLevel);
  // A subordinate CA in the file is an anchor by itself: AWS Private CA hands out no more.
  unsigned long flags = X509_V_FLAG_PARTIAL_CHAIN;
  if (!crls_.empty()) flags |= X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL;
  X509_VERIFY_PARAM_set_flags(how, flags);
  X509_STORE_set_verify_cb(store_.get(), tolerate_missing_crl);
}

Result<void, std::string> Trust::verify(const Certificate& leaf, std::span<const Certificate> others,
                                        WallTime now) const {
  if (!store_) return fail(std::string("there is no 'ca-certificate' to check its certificate with"));
  for (const auto& c : others) {
    if (const auto key = c.public_key(); !key)
      return fail(fmt::format("certificate '{}': {}", c.subject(), key.error()));
  }
  const StackPtr untrusted(sk_X509_new_null());
  for (const auto& c : others)
    require(sk_X509_push(untrusted.get(), c.handle()) > 0, "a stack of certificates");
  const StoreCtxPtr ctx(X509_STORE_CTX_new());
  require(ctx && X509_STORE_CTX_init(ctx.get(), store_.get(), leaf.handle(), untrusted.get()) == 1, "verification");
  X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(ctx.get()), static_cast<time_t>(now.time_since_epoch().count()));
  const bool good = X509_verify_cert(ctx.get()) == 1;
  ERR_clear_error();
  if (good) return {};
  return fail(words(ctx.get(), leaf, crls_, now));
}

Result<Credentials, std::string> make_credentials(std::vector<Certificate> own, std::shared_ptr<const SigningKey> key,
                                                  Trust trust) {
  const auto fits = [&](const Certificate& c) {
    const auto k = c.public_key();
    return k && k->matches(key->public_key());
  };
  const auto leaf = std::ranges::find_if(own, fits);
  if (leaf == own.end()) {
    const auto k = own.front().public_key();
    return fail(fmt::format("holds '{}' with an {} key, to which the private key ({}) does not belong",
                            own.front().subject(), k ? k->to_string() : "unsupported", key->public_key().to_string()));
  }
  Credentials out{{*leaf}, std::move(key), std::move(trust)};
  if (!leaf->may_sign())
    return fail(
        fmt::format("holds '{}', whose keyUsage allows no digitalSignature: IKE cannot use it", leaf->subject()));
  own.insert(own.end(), out.trust.anchors().begin(), out.trust.anchors().end());
  while (out.chain.size() < kMaxChain) {
    const Certificate& last = out.chain.back();
    const auto issuer = std::ranges::find_if(
        own, [&](const Certificate& c) { return !c.self_signed() && c.is_ca() && last.issued_by(c); });
    // Cross-signed CAs could go round for ever.
    if (issuer == own.end() || std::ranges::find(out.chain, issuer->der(), &Certificate::der) != out.chain.end()) break;
    out.chain.push_back(*issuer);
  }
  return out;
}

std::vector<std::string> expiry_warnings(const Credentials& c, WallTime now) {
  std::vector<std::string> out;
  const auto look = [&](std::string_view what, const std::string& name, WallTime end) {
    const auto left = time_left(end, now);
    auto line = fmt::format("{} '{}' {}", what, name, left);
    if (!left.empty() && std::ranges::find(out, line) == out.end()) out.push_back(std::move(line));
  };
  look("our certificate", c.chain.front().subject(), c.chain.front().not_after());
  for (std::size_t i = 1; i < c.chain.size(); ++i)
    look("CA certificate", c.chain[i].subject(), c.chain[i].not_after());
  for (const auto& a : c.trust.anchors())
    look("CA certificate", a.subject(), a.not_after());
  for (const Crl& l : c.trust.crls()) {
    if (l.next_update && *l.next_update <= now) {
      out.push_back(
          fmt::format("the revocation list of '{}' is out of date since {}: peers with a certificate of this "
                      "CA are refused until 'crl' holds a newer one",
                      l.issuer, to_string(*l.next_update)));
    }
  }
  if (c.chain.front().not_before() > now) {
    out.push_back(fmt::format("our certificate '{}' is valid only from {} on", c.chain.front().subject(),
                              to_string(c.chain.front().not_before())));
  }
  return out;
}

}  // namespace cgw::ipsec
