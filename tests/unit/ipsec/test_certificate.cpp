// Identities, certificates, and what they stand on.
#include <doctest/doctest.h>

#include <algorithm>
#include <random>

#include "ipsec/auth_payload.hpp"
#include "tests/support/test_pki.hpp"
#include "tests/unit/ipsec/octets.hpp"

namespace cgw::ipsec {
namespace {

using std::chrono::seconds;
using test::days;
using test::Issued;
using test::kToday;
using test::test_key;
using test::Wish;

const Issued& root() {
  static const Issued kRoot = Issued::root("C=US, O=Example, CN=Example Root CA");
  return kRoot;
}
const Issued& sub() {
  static const Issued kSub = root().issue(
      Wish{.subject = "O=Example, CN=Example Sub CA", .to = kToday + days(2000), .ca = true}, test_key("P-256", 91));
  return kSub;
}
Issued leaf(const Wish& w = {}, const std::string& kind = "P-256") {
  return sub().issue(w, test_key(kind));
}

std::string verify(const Issued& one, std::vector<Certificate> others = {sub().certificate()},
                   std::vector<Certificate> anchors = {root().certificate()}, std::vector<Crl> crls = {},
                   WallTime now = kToday) {
  const auto ok = Trust(std::move(anchors), std::move(crls)).verify(one.certificate(), others, now);
  return ok ? "" : ok.error();
}
std::string with_crl(const Issued& one, const std::string& crl) {
  return verify(one, {sub().certificate()}, {root().certificate()}, *parse_crls(crl));
}
bool has(const std::string& text, std::string_view part) {
  CAPTURE(text);
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a DN in text is the certificate's order, comma and plus escaped, and comes back as it was") {
  for (const auto* text :
       {"CN=vgw1.example.com", "C=US, O=Example\\, Inc., CN=a\\+b", "O=x + OU=y, CN=z", "O=\\C3\\9C"}) {
    CAPTURE(text);
    const auto id = Identity::dn(text);
    REQUIRE(id);
    CHECK(id->to_string() == text);
  }
  CHECK(Identity::dn("vgw1").error().find("TYPE=VALUE") != std::string::npos);
  CHECK(Identity::dn("XY=1").error().find("'XY' is no attribute") == 0);
  CHECK(Identity::dn("CN=").error() == "'CN=' has no value");
  CHECK(Identity::dn("C=USA").error().find("does not fit") != std::string::npos);
  CHECK_FALSE(Identity::dn("CN=a,"));
  CHECK_FALSE(Identity::dn("CN=a\\"));
  CHECK_FALSE(Identity::dn(""));
}

TEST_CASE("identities are compared as RFC 5280 7 compares names") {
  CHECK(same(*Identity::dn("CN=VGW1  example"), *Identity::dn("CN=vgw1 example")));
  CHECK_FALSE(same(*Identity::dn("CN=a, O=b"), *Identity::dn("O=b, CN=a")));
  CHECK_FALSE(same(*Identity::dn("CN=a"), *Identity::dn("CN=a, CN=a")));
  CHECK(same(Identity::fqdn("VGW.example"), Identity::fqdn("vgw.EXAMPLE")));
  CHECK_FALSE(same(Identity::fqdn("vgw.example"), Identity::fqdn("vgw.example.org")));
  CHECK(same(*Identity::parse("email", "op@EXAMPLE.com"), *Identity::parse("email", "op@example.com")));
  CHECK_FALSE(same(*Identity::parse("email", "OP@example.com"), *Identity::parse("email", "op@example.com")));
  CHECK_FALSE(same(Identity::fqdn("a@b"), *Identity::parse("email", "a@b")));
  CHECK_FALSE(Identity::parse("email", "example.com"));
  CHECK_FALSE(Identity::parse("fqdn", "two words"));
  CHECK_FALSE(Identity::parse("address", "203.0.113"));
}

TEST_CASE("ID payloads of a wrong length, with control characters or a broken DN are none [RFC 7296 3.5]") {
  const auto id = [](std::string_view hex) { return parse_id(test::octets(hex)); };
  CHECK(id("01 000000 cb00710a")->to_string() == "203.0.113.10");
  CHECK_FALSE(id("01 000000 cb0071"));
  CHECK_FALSE(id("01 000000 cb00710a0a"));
  CHECK_FALSE(id("05 000000 cb00710a"));
  CHECK_FALSE(id("02 000000"));
  CHECK_FALSE(id("02 000000 61 00 62"));
  CHECK_FALSE(id("02 0000"));
  CHECK_FALSE(id("0d 000000 61"));
  const Buffer good = id_body(*Identity::dn("CN=a"));
  CHECK(parse_id(good));
  for (std::size_t n = 0; n < good.size(); ++n)
    CHECK_FALSE(parse_id(Bytes(good).first(n)));
  Buffer longer = good;
  longer.push_back(0);
  CHECK_FALSE(parse_id(longer));
  CHECK_FALSE(parse_id(Buffer(5000, 2)));
}

TEST_CASE("a certificate names its subject and its alternative names, and nobody else") {
  const Certificate c =
      leaf({.subject = "O=Example, CN=vgw1.example.com",
            .alternative = "DNS:vgw1.example.com,IP:203.0.113.10,IP:2001:db8::1,email:op@example.com"})
          .certificate();
  CHECK(c.names(*Identity::dn("O=example, CN=VGW1.example.com")));
  CHECK(c.names(Identity::fqdn("VGW1.example.com")));
  CHECK(c.names(Identity::of(*IpAddress::parse("203.0.113.10"))));
  CHECK(c.names(Identity::of(*IpAddress::parse("2001:db8::1"))));
  CHECK(c.names(*Identity::parse("email", "op@example.com")));
  CHECK_FALSE(c.names(*Identity::dn("CN=vgw1.example.com")));
  CHECK_FALSE(c.names(Identity::fqdn("vgw2.example.com")));
  CHECK_FALSE(c.names(Identity::of(*IpAddress::parse("203.0.113.11"))));
  // The common name is no host name [RFC 4945 3.1.2]; a wildcard stands for nobody.
  CHECK_FALSE(leaf({.subject = "CN=vgw1.example.com"}).certificate().names(Identity::fqdn("vgw1.example.com")));
  CHECK_FALSE(leaf({.alternative = "DNS:*.example.com"}).certificate().names(Identity::fqdn("vgw1.example.com")));
}

TEST_CASE("a chain leads by the intermediates that the peer sends to a CA of ours") {
  CHECK(verify(leaf()) == "");
  CHECK(verify(leaf(), {root().certificate(), sub().certificate()}) == "");
  CHECK(has(verify(leaf(), {}), "is from 'O=Example, CN=Example Sub CA', which leads to no CA in 'ca-certificate'"));
  // A subordinate CA alone is trusted when it is what the file holds.
  CHECK(verify(leaf(), {}, {sub().certificate()}) == "");
  const Issued other = Issued::root("C=US, O=Example, CN=Example Root CA", "P-256", 95);
  CHECK(has(verify(leaf(), {sub().certificate()}, {other.certificate()}), "leads to no CA"));
  const Issued self{Wish{.subject = "CN=self"}, test_key("P-256"), nullptr};
  CHECK(has(verify(self), "leads to no CA"));
}

TEST_CASE("a certificate that is no CA issues nothing") {
  const Issued not_ca = root().issue({.subject = "CN=not a CA"}, test_key("P-256", 92));
  CHECK(has(verify(not_ca.issue({}, test_key("P-256")), {not_ca.certificate()}), "refused"));
}

TEST_CASE("SHA-1 and short RSA keys in a chain are refused") {
  CHECK(has(verify(leaf({.digest = EVP_sha1()})), "too weak"));
  CHECK(has(verify(leaf({}, "RSA-1024")), "too weak"));
}

TEST_CASE("validity is judged to the second, by the time that is given") {
  const Issued one = leaf({.from = kToday, .to = kToday + days(1)});
  const auto at = [&](WallTime t) { return verify(one, {sub().certificate()}, {root().certificate()}, {}, t); };
  CHECK(at(kToday) == "");
  CHECK(at(kToday + days(1) - seconds(1)) == "");
  CHECK(at(kToday + days(1)) ==
        "its certificate 'CN=vgw1.example.com' has expired on 2031-05-18 00:00 UTC (it is 2031-05-18 00:00 UTC here)");
  CHECK(has(at(kToday - seconds(1)), "is valid only from 2031-05-17 00:00 UTC on"));
  CHECK(has(at(kToday + days(2500)), "has expired"));
  const Issued short_ca =
      root().issue(Wish{.subject = "CN=short", .to = kToday - days(1), .ca = true}, test_key("P-256", 93));
  CHECK(has(verify(short_ca.issue({}, test_key("P-256")), {short_ca.certificate()}),
            "the CA certificate 'CN=short' has expired on 2031-05-16"));
}

TEST_CASE("with a revocation list a revoked certificate, a missing and an outdated list are refused") {
  const std::string fresh = sub().crl({7}, kToday + days(7));
  CHECK(with_crl(leaf({.serial = 8}), fresh) == "");
  CHECK(with_crl(leaf({.serial = 7}), fresh) ==
        "its certificate 'CN=vgw1.example.com' is revoked by the list in 'crl'");
  CHECK(has(with_crl(leaf(), root().crl({}, kToday + days(7))), "holds no list of 'O=Example, CN=Example Sub CA'"));
  CHECK(has(with_crl(leaf(), sub().crl({}, kToday - days(1))), "is out of date since 2031-05-16 00:00 UTC"));
  // The intermediate's revocation counts where its issuer's list is there.
  const std::string of_root = root().crl({2}, kToday + days(7));
  CHECK(has(with_crl(leaf({.serial = 8}), fresh + of_root),
            "the CA certificate 'O=Example, CN=Example Sub CA' is revoked"));
  // A list signed by somebody else is no list.
  const Issued other = Issued::root("O=Example, CN=Example Sub CA", "P-256", 96);
  CHECK_FALSE(with_crl(leaf({.serial = 8}), other.crl({}, kToday + days(7))).empty());
  CHECK(parse_crls("nothing").error().find("holds no X.509 revocation list") == 0);
}

TEST_CASE("the private key finds its certificate in the file, and the chain is put in order without the root") {
  const Issued one = leaf();
  const auto c = make_credentials({root().certificate(), sub().certificate(), one.certificate()}, one.key(), {});
  REQUIRE(c);
  REQUIRE(c->chain.size() == 2);
  CHECK(c->chain[0].der() == one.certificate().der());
  CHECK(c->chain[1].der() == sub().certificate().der());
  const auto by_ca_file =
      make_credentials({one.certificate()}, one.key(), Trust({root().certificate(), sub().certificate()}, {}));
  CHECK(by_ca_file->chain.size() == 2);
  const auto wrong = make_credentials({one.certificate()}, leaf({}, "P-384").key(), {});
  CHECK(wrong.error() ==
        "holds 'CN=vgw1.example.com' with an ECDSA P-256 key, to which the private key (ECDSA P-384) does not belong");
  const Issued no_signing = leaf({.key_usage = "keyEncipherment"});
  CHECK(has(make_credentials({no_signing.certificate()}, no_signing.key(), {}).error(), "keyUsage"));
  const Issued bare = leaf({.identifiers = false});
  CHECK(bare.certificate().missing_for_aws() ==
        std::vector<std::string>{"authorityKeyIdentifier", "subjectKeyIdentifier", "basicConstraints"});
  CHECK(one.certificate().missing_for_aws().empty());
}

TEST_CASE("expiry is announced from 30 days ahead on, ours and the CAs'") {
  const Issued one = leaf({.to = kToday + days(30) + seconds(1)});
  const auto warnings = [&](WallTime now) {
    return expiry_warnings(*test::credentials(one, {sub().certificate()}, {root().certificate()}), now);
  };
  CHECK(warnings(kToday).empty());
  REQUIRE(warnings(kToday + seconds(1)).size() == 1);
  CHECK(warnings(kToday + seconds(1))[0] ==
        "our certificate 'CN=vgw1.example.com' expires on 2031-06-16 00:00 UTC, in 30 days");
  CHECK(warnings(kToday + days(30) + seconds(1))[0] ==
        "our certificate 'CN=vgw1.example.com' has expired on 2031-06-16 00:00 UTC");
  CHECK(warnings(kToday + days(1980)).size() == 2);  // and the subordinate CA
  const auto outdated = test::credentials(leaf(), {}, {root().certificate()}, *parse_crls(sub().crl({}, kToday)));
  REQUIRE(expiry_warnings(*outdated, kToday).size() == 1);
  CHECK(has(expiry_warnings(*outdated, kToday)[0], "is out of date since"));
  CHECK(expiry_warnings(*outdated, kToday - seconds(1)).empty());
}

TEST_CASE("files: PEM with anything around, DER; what is damaged or too much is said") {
  const std::string two = "words\n" + leaf().pem() + test::key_pem(test_key("P-256")) + sub().pem();
  CHECK(parse_certificates(two, 8)->size() == 2);
  CHECK(parse_certificates(two, 1).error() == "holds 2 certificates; at most 1 are expected");
  const Buffer der = leaf().certificate().der();
  CHECK(parse_certificates({reinterpret_cast<const char*>(der.data()), der.size()}, 1)->size() == 1);
  CHECK(parse_certificates("", 1).error() == "holds no X.509 certificate in DER");
  CHECK(parse_certificates(test::key_pem(test_key("P-256")), 1).error().find("holds no certificate") == 0);
  std::string damaged = leaf().pem();
  damaged.resize(damaged.size() / 2);
  CHECK_FALSE(parse_certificates(damaged, 1));
}

TEST_CASE("CERT payloads: X.509 only, eight at most; Hash and URL is told from nothing [RFC 7296 3.6]") {
  const auto one = make_cert(leaf().certificate());
  CHECK(certificates_in({one, make_cert(sub().certificate())})->size() == 2);
  CHECK(certificates_in({}).error() == "it sends no certificate");
  CHECK(has(certificates_in({{PayloadType::Cert, false, test::text("\x0c(hash)http://example.com")}}).error(),
            "Hash and URL"));
  CHECK(certificates_in({{PayloadType::Cert, false, {}}}).error() == "it sends no certificate");
  CHECK(certificates_in({{PayloadType::Cert, false, {4}}}).error() == "it sends no X.509 certificate in DER");
  CHECK(certificates_in(Payloads(8, one)));
  CHECK(certificates_in(Payloads(9, one)).error() == "it sends more than 8 certificates");
  Payload large{PayloadType::Cert, false, Buffer(kMaxCertificateOctets + 2, 4)};
  CHECK(has(certificates_in({large}).error(), "octets"));
  Payload longer = one;
  longer.body.push_back(0);
  CHECK_FALSE(certificates_in({longer}));
  for (std::size_t n = 1; n < one.body.size(); n += 7)
    CHECK_FALSE(certificates_in(
        {{PayloadType::Cert, false, Buffer(one.body.begin(), one.body.begin() + static_cast<std::ptrdiff_t>(n))}}));
}

TEST_CASE("CERTREQ names CAs by the SHA-1 of their keys, and shortens what is sent [RFC 7296 3.7]") {
  const std::vector<Certificate> anchors{root().certificate(), sub().certificate()};
  const Payload p = make_certreq(anchors);
  CHECK(p.body.size() == 41);
  CHECK(p.body[0] == 4);
  const auto wanted = certificates_wanted({p});
  REQUIRE(wanted.authorities.size() == 2);
  CHECK(std::ranges::equal(wanted.authorities[0], root().certificate().key_hash()));
  const auto ours = test::credentials(leaf(), {sub().certificate()}, {root().certificate()});
  CHECK(chain_for(wanted, ours->chain).size() == 1);  // it has the subordinate CA already
  CHECK(chain_for(certificates_wanted({}), ours->chain).size() == 2);
  CHECK(accepts(wanted, *ours));
  CHECK(accepts(certificates_wanted({make_certreq(std::vector{root().certificate()})}), *ours));
  CHECK(accepts(certificates_wanted({}), *ours));
  const std::vector<Certificate> foreign{Issued::root("CN=other", "P-256", 97).certificate()};
  CHECK_FALSE(accepts(certificates_wanted({make_certreq(foreign)}), *ours));
  CHECK(chain_for(certificates_wanted({make_certreq(foreign)}), ours->chain).size() == 2);
  CHECK(certificates_wanted({{PayloadType::CertReq, false, {4, 1, 2, 3}}}).authorities.empty());
  CHECK_FALSE(certificates_wanted({{PayloadType::CertReq, false, {12}}}).present);
  CHECK_FALSE(certificates_wanted({{PayloadType::CertReq, false, {}}}).present);
  CHECK(certificates_wanted({{PayloadType::CertReq, false, Buffer(1 + 20 * 70, 4)}}).authorities.size() == 64);
}

TEST_CASE(
    "octets changed at random in CERT, CERTREQ and ID payloads do no harm, and no changed certificate is trusted") {
  std::mt19937 dice(7);
  const Certificate good = leaf({.alternative = "DNS:vgw1.example.com,IP:203.0.113.10"}).certificate();
  const Trust trust({root().certificate(), sub().certificate()}, {});
  const Buffer id = id_body(good.subject_id()), request = make_certreq(trust.anchors()).body;
  const auto changed = [&](Buffer b) {
    for (auto n = dice() % 3 + 1; n > 0; --n)
      b[dice() % b.size()] = static_cast<std::uint8_t>(dice());
    b.resize(b.size() - (dice() % 4 == 0 ? dice() % b.size() : 0));
    return b;
  };
  for (int i = 0; i < 1500; ++i) {
    if (const auto name = parse_id(changed(id))) CHECK(name->to_string().size() < 4096);
    CHECK(certificates_wanted({{PayloadType::CertReq, false, changed(request)}}).authorities.size() <= 2);
    const auto cert = certificates_in({{PayloadType::Cert, false, changed(make_cert(good).body)}});
    if (!cert) continue;
    const Certificate& c = cert->front();
    static_cast<void>(c.names(good.subject_id()) || c.may_sign() || c.alternative_names().empty());
    CHECK((c.der() == good.der()) == trust.verify(c, {}, kToday).has_value());
  }
}

}  // namespace cgw::ipsec
