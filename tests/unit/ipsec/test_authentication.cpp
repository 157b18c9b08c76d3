// IKE_AUTH between two cores: certificates, shared keys, and what is refused.
#include <doctest/doctest.h>

#include <deque>

#include "base/overload.hpp"
#include "ipsec/payload.hpp"
#include "ipsec/peer.hpp"
#include "tests/support/sim_entropy.hpp"
#include "tests/support/test_pki.hpp"

namespace cgw::ipsec {
namespace {

using test::days;
using test::Issued;
using test::kToday;
using test::test_key;
using test::Wish;

constexpr TimePoint kStart{std::chrono::hours(1)};

// Two peers and a wire that loses nothing; `tamper` may change what passes.
class Pair {
 public:
  Pair(PeerConfig initiator, PeerConfig responder)
      : peers_{IkePeer(std::move(initiator), entropy_[0]), IkePeer(std::move(responder), entropy_[1])} {}

  Pair& run(std::optional<WallTime> today = kToday) {
    for (std::size_t i : {0U, 1U}) {
      if (today) act(i, WallClock{*today});
      act(i, Start{});
    }
    return deliver();
  }
  // The initiator's next attempt after a refusal.
  Pair& again() {
    now_ = *peers_[0].next_deadline();
    act(0, Tick{});
    return deliver();
  }

  const PeerStatus& status(std::size_t i) const { return peers_[i].status(); }
  bool up() const { return status(0).state == PeerState::Established && status(1).state == PeerState::Established; }
  bool warned(std::size_t i, std::string_view words) const {
    INFO(warnings[i]);
    return warnings[i].find(words) != std::string::npos;
  }

  std::function<void(std::size_t from, Buffer& message)> tamper = [](std::size_t, Buffer&) {};
  std::string warnings[2];
  std::vector<Buffer> sent[2];

 private:
  Pair& deliver() {
    while (!wire_.empty()) {
      auto [to, message] = std::move(wire_.front());
      wire_.pop_front();
      act(to, std::move(message));
    }
    return *this;
  }
  void act(std::size_t i, const Event& event) {
    for (auto& a : peers_[i].step(now_, event)) {
      if (const auto* n = std::get_if<Note>(&a); n != nullptr && n->level == Level::Warning)
        warnings[i] += n->text + '\n';
      auto* d = std::get_if<SendDatagram>(&a);
      if (d == nullptr) continue;
      tamper(i, d->message);
      sent[i].push_back(d->message);
      wire_.emplace_back(1 - i, Received{d->remote, d->local, d->message});
    }
  }

  test::SimEntropy entropy_[2]{test::SimEntropy(1), test::SimEntropy(2)};
  IkePeer peers_[2];
  TimePoint now_ = kStart;
  std::deque<std::pair<std::size_t, Received>> wire_;
};

const Issued& root() {
  static const Issued kRoot = Issued::root("O=Example, CN=Root");
  return kRoot;
}
const Issued& sub() {
  static const Issued kSub =
      root().issue({.subject = "O=Example, CN=Sub", .to = kToday + days(900), .ca = true}, test_key("P-256", 91));
  return kSub;
}
Issued cgw_cert(const std::string& kind, Wish w = {}) {
  w.subject = "CN=cgw.example.com";
  return sub().issue(w, test_key(kind, 1));
}
Issued vgw_cert(const std::string& kind, Wish w = {}) {
  return sub().issue(w, test_key(kind, 2));
}

PeerConfig side(bool first) {
  const auto a = *IpAddress::parse("198.51.100.2"), b = *IpAddress::parse("203.0.113.10");
  PeerConfig c;
  c.local = first ? a : b;
  c.remote = first ? b : a;
  c.local_id = Identity::of(c.local);
  c.remote_id = Identity::of(c.remote);
  c.initiate = first;
  return c;
}
PeerConfig with_psk(bool first, std::string_view key = "a shared key") {
  PeerConfig c = side(first);
  c.psk = SecretBytes(key);
  return c;
}
PeerConfig with_certificate(bool first, const Issued& own, const Issued& ca = root(), std::vector<Crl> crls = {}) {
  PeerConfig c = side(first);
  c.credentials = test::credentials(own, {sub().certificate()}, {ca.certificate()}, std::move(crls));
  c.local_id = own.certificate().subject_id();
  c.remote_id = *Identity::dn(first ? "CN=vgw1.example.com" : "CN=cgw.example.com");
  return c;
}

// A key whose holder sends something else than its signature.
class Forger final : public SigningKey {
 public:
  using Forgery = std::function<Buffer(Buffer genuine)>;
  Forger(std::shared_ptr<const SigningKey> key, Forgery forgery) : key_(std::move(key)), forgery_(std::move(forgery)) {}
  const PublicKey& public_key() const override { return key_->public_key(); }
  Buffer sign(const SignatureScheme& s, Bytes octets) const override { return forgery_(key_->sign(s, octets)); }

 private:
  std::shared_ptr<const SigningKey> key_;
  Forgery forgery_;
};
PeerConfig forging(PeerConfig c, Forger::Forgery forgery) {
  Credentials forged = *c.credentials;
  forged.key = std::make_shared<Forger>(forged.key, std::move(forgery));
  c.credentials = std::make_shared<const Credentials>(std::move(forged));
  return c;
}

std::size_t auth_messages(const std::vector<Buffer>& sent) {
  return static_cast<std::size_t>(std::ranges::count_if(sent, [](const Buffer& m) {
    const auto h = parse_header(m);
    return h && h->exchange == Exchange::IkeAuth;
  }));
}

}  // namespace

TEST_CASE("certificates of every key type authenticate both sides, whatever the other's key is") {
  const std::vector<std::pair<std::string, std::string>> kinds{
      {"RSA-2048", "RSA-2048"}, {"P-256", "P-256"}, {"P-384", "P-384"}, {"P-521", "RSA-2048"}, {"RSA-2048", "P-384"}};
  for (const auto& [ours, theirs] : kinds) {
    CAPTURE(ours + " " + theirs);
    Pair p(with_certificate(true, cgw_cert(ours)), with_certificate(false, vgw_cert(theirs)));
    CHECK(p.run().up());
    CHECK(p.status(0).peer_certificate == "CN=vgw1.example.com");
    CHECK(p.status(1).peer_certificate == "CN=cgw.example.com");
    CHECK(p.status(0).peer_certificate_expires == kToday + days(300));
    CHECK(p.warnings[0] == "");
    CHECK(p.warnings[1] == "");
  }
  Pair p(with_certificate(true, cgw_cert("P-384")), with_certificate(false, vgw_cert("RSA-2048")));
  p.run();
  CHECK(p.status(0).authentication == "certificate, RSA-2048, RSASSA-PSS with SHA2-256");
  CHECK(p.status(1).authentication == "certificate, ECDSA P-384, ECDSA with SHA2-384");
}

TEST_CASE("identities by subjectAltName: address, host name, mailbox") {
  const Wish w{.alternative = "IP:203.0.113.10,DNS:vgw1.example.com,email:vgw1@example.com"};
  for (const auto& [kind, text] : {std::pair("address", "203.0.113.10"), std::pair("fqdn", "vgw1.example.com"),
                                   std::pair("email", "vgw1@example.com")}) {
    CAPTURE(text);
    auto ours = with_certificate(true, cgw_cert("P-256"));
    auto theirs = with_certificate(false, vgw_cert("P-256", w));
    ours.remote_id = theirs.local_id = *Identity::parse(kind, text);
    CHECK(Pair(ours, theirs).run().up());
  }
}

TEST_CASE("a chain of RSA-4096 certificates travels in fragments of at most 1280 octets [RFC 7383]") {
  const Issued big_root = Issued::root("CN=Big Root");
  const Issued big_sub =
      big_root.issue({.subject = "CN=Big Sub", .to = kToday + days(900), .ca = true}, test_key("RSA-4096", 90));
  const auto config = [&](bool first) {
    PeerConfig c = side(first);
    const Wish w{.subject = first ? "CN=cgw.example.com" : "CN=vgw1.example.com"};
    const Issued own = big_sub.issue(w, test_key("RSA-4096", 90));
    c.credentials = test::credentials(own, {big_sub.certificate()}, {big_root.certificate()});
    c.local_id = own.certificate().subject_id();
    c.remote_id = *Identity::dn(first ? "CN=vgw1.example.com" : "CN=cgw.example.com");
    return c;
  };
  Pair p(config(true), config(false));
  CHECK(p.run().up());
  for (const auto& sent : p.sent) {
    CHECK(auth_messages(sent) >= 3);
    for (const auto& m : sent)
      CHECK(m.size() <= 1280);
  }
  CHECK(p.status(0).authentication == "certificate, RSA-4096, RSASSA-PSS with SHA2-384");
}

TEST_CASE("another method than the configured one is refused, both ways and in both roles") {
  Pair a(with_certificate(true, cgw_cert("P-256")), with_psk(false));
  CHECK_FALSE(a.run().up());
  CHECK(a.warned(1, "the peer says it is 'CN=cgw.example.com', but '198.51.100.2' is configured"));

  auto psk = with_psk(false);
  psk.remote_id = *Identity::dn("CN=cgw.example.com");
  psk.local_id = *Identity::dn("CN=vgw1.example.com");
  Pair b(with_certificate(true, cgw_cert("P-256")), psk);
  CHECK_FALSE(b.run().up());
  CHECK(b.warned(1, "the peer authenticates by ECDSA P-256 (9), but a pre-shared key is configured"));
  CHECK(b.warned(0, "it does not take certificate 'CN=cgw.example.com'"));

  auto initiator = psk;
  initiator.local = side(true).local;
  initiator.remote = side(true).remote;
  initiator.initiate = true;
  std::swap(initiator.local_id, initiator.remote_id);
  Pair c(initiator, with_certificate(false, vgw_cert("P-256")));
  CHECK_FALSE(c.run().up());
  CHECK(c.warned(1, "the peer authenticates by pre-shared key (2), but certificates are configured"));
  CHECK(c.status(1).state != PeerState::Established);
}

TEST_CASE("a wrong key is a wrong key") {
  Pair p(with_psk(true), with_psk(false, "another key"));
  CHECK_FALSE(p.run().up());
  CHECK(p.warned(1, "the pre-shared keys for 198.51.100.2 differ"));
  Pair q(with_psk(true), with_psk(false));
  CHECK(q.run().up());
  CHECK(q.status(0).authentication == "pre-shared key");
}

TEST_CASE("an identity other than the configured one is refused although the CA is right") {
  auto ours = with_certificate(true, cgw_cert("P-256"));
  ours.remote_id = *Identity::dn("CN=vgw2.example.com");
  Pair p(ours, with_certificate(false, vgw_cert("P-256")));
  CHECK_FALSE(p.run().up());
  CHECK(p.warned(
      0, "the peer says it is 'CN=vgw1.example.com', but 'CN=vgw2.example.com' is configured (remote-identity)"));
  CHECK(p.status(1).state != PeerState::Established);  // told by DELETE with AUTHENTICATION_FAILED
}

TEST_CASE("an identity that the certificate does not carry is refused: it is bound to the certificate") {
  auto theirs = with_certificate(false, vgw_cert("P-256"));
  theirs.local_id = Identity::fqdn("vgw1.example.com");
  auto ours = with_certificate(true, cgw_cert("P-256"));
  ours.remote_id = theirs.local_id;
  Pair p(ours, theirs);
  CHECK_FALSE(p.run().up());
  CHECK(p.warned(0, "its certificate 'CN=vgw1.example.com' is not for this identity"));
}

TEST_CASE("wrong CA, expired, revoked: one clear line each, and AUTHENTICATION_FAILED to the peer") {
  const Issued other = Issued::root("CN=Other", "P-256", 95);
  const auto refused = [](const PeerConfig& responder, std::string_view words) {
    Pair p(with_certificate(true, cgw_cert("P-256")), responder);
    CHECK_FALSE(p.run().up());
    CHECK(p.warned(1, words));
    CHECK(std::ranges::count(p.warnings[1], '\n') == 1);
    CHECK(p.warned(0, "AUTHENTICATION_FAILED"));
  };
  refused(with_certificate(false, vgw_cert("P-256"), other), "leads to no CA in 'ca-certificate'");
  Pair q(with_certificate(true, cgw_cert("P-256")), with_certificate(false, vgw_cert("P-256"), other));
  CHECK(q.run().warned(0, "it asks for certificates of CAs (CERTREQ) that ours is not from"));
  refused(with_certificate(false, vgw_cert("P-256"), root(), *parse_crls(sub().crl({2}, kToday + days(1)))),
          "its certificate 'CN=cgw.example.com' is revoked");
  Pair p(with_certificate(true, cgw_cert("P-256", {.to = kToday - days(1)})),
         with_certificate(false, vgw_cert("P-256")));
  CHECK_FALSE(p.run().up());
  CHECK(p.warned(1, "has expired on 2031-05-16 00:00 UTC"));
}

TEST_CASE("without the time of day no certificate is valid") {
  Pair p(with_certificate(true, cgw_cert("P-256")), with_certificate(false, vgw_cert("P-256")));
  CHECK_FALSE(p.run(std::nullopt).up());
  CHECK(p.warned(1, "the time of day is not known"));
}

TEST_CASE("forged AUTH is refused by either role: empty, with octets behind it, of other octets") {
  const std::vector<std::pair<Forger::Forgery, std::string>> forgeries{
      {[](Buffer) { return Buffer(); }, "its AUTH is cut short"},
      {[](Buffer b) {
         b.push_back(0);
         return b;
       },
       "its signature is wrong"},
      {[](Buffer b) {
         b[b.size() / 2] ^= 1;
         return b;
       },
       "its signature is wrong"},
      {[](Buffer b) { return Buffer(b.size(), 0); }, "its signature is wrong"}};
  for (const auto& [forgery, words] : forgeries) {
    for (const auto* kind : {"RSA-2048", "P-256"}) {
      CAPTURE(words + " " + kind);
      const auto good_i = with_certificate(true, cgw_cert(kind)), good_r = with_certificate(false, vgw_cert(kind));
      Pair by_initiator(forging(good_i, forgery), good_r);
      CHECK_FALSE(by_initiator.run().up());
      CHECK(by_initiator.warned(1, words));
      Pair by_responder(good_i, forging(good_r, forgery));
      CHECK_FALSE(by_responder.run().up());
      CHECK(by_responder.warned(0, words));
    }
  }
}

TEST_CASE("our own AUTH sent back to us is refused, even with one certificate on both sides") {
  auto seen = std::make_shared<Buffer>();
  const auto one = vgw_cert("P-256");
  auto ours = with_certificate(true, one), theirs = with_certificate(false, one);
  ours.remote_id = theirs.remote_id = one.certificate().subject_id();
  REQUIRE(Pair(ours, theirs).run().up());
  Pair p(forging(ours, [seen](Buffer b) { return *seen = b; }),
         forging(theirs, [seen](const Buffer&) { return *seen; }));
  CHECK_FALSE(p.run().up());
  CHECK(p.warned(0, "its signature is wrong"));
}

TEST_CASE("SIGNATURE_HASH_ALGORITHMS taken out on the way is noticed: AUTH covers IKE_SA_INIT") {
  const Buffer notify{0x40, 0x2f};  // 16431
  for (const std::size_t from : {0U, 1U}) {
    CAPTURE(from);
    Pair p(with_certificate(true, cgw_cert("RSA-2048")), with_certificate(false, vgw_cert("RSA-2048")));
    bool done = false;
    p.tamper = [&](std::size_t i, Buffer& m) {
      const auto h = parse_header(m);
      if (i != from || !h || h->exchange != Exchange::IkeSaInit) return;
      const auto at = std::ranges::search(m, notify);
      REQUIRE_FALSE(at.empty());
      at.front() = 0x7f;
      done = true;
    };
    CHECK_FALSE(p.run().up());
    CHECK(done);
    CHECK(p.warned(1, "is refused: "));
  }
}

TEST_CASE("an RSA peer that refuses RSASSA-PSS is offered RSASSA-PKCS1-v1_5 the next time") {
  std::vector<std::string> used;
  auto ours = with_certificate(true, cgw_cert("RSA-2048"));
  class Recorder final : public SigningKey {
   public:
    Recorder(std::shared_ptr<const SigningKey> k, std::vector<std::string>& u) : key_(std::move(k)), used_(u) {}
    const PublicKey& public_key() const override { return key_->public_key(); }
    Buffer sign(const SignatureScheme& s, Bytes o) const override {
      used_.push_back(to_string(s));
      return key_->sign(s, o);
    }

   private:
    std::shared_ptr<const SigningKey> key_;
    std::vector<std::string>& used_;
  };
  Credentials recorded = *ours.credentials;
  recorded.key = std::make_shared<Recorder>(recorded.key, used);
  ours.credentials = std::make_shared<const Credentials>(recorded);
  // The responder speaks RFC 7427 but fails every AUTH: it trusts another CA.
  const Issued other = Issued::root("CN=Other", "P-256", 95);
  Pair p(ours, with_certificate(false, vgw_cert("RSA-2048"), other));
  p.run();
  p.again();
  CHECK(used == std::vector<std::string>{"RSASSA-PSS with SHA2-256", "RSASSA-PKCS1-v1_5 with SHA2-256"});
}

}  // namespace cgw::ipsec
