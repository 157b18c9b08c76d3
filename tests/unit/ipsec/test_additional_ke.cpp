// Additional key exchanges: IKE_INTERMEDIATE and IKE_FOLLOWUP_KE.
#include <doctest/doctest.h>

#include <algorithm>

#include "ipsec/protected_message.hpp"
#include "ipsec/sa_payload.hpp"
#include "octets.hpp"
#include "tests/support/peer_pair.hpp"

namespace cgw::ipsec {
namespace {

using test::PeerPair;

constexpr const char* kPlain = "aes256gcm16-prfsha384-ecp384";
constexpr const char* kTwoMore = "aes256gcm16-prfsha384-ecp384-ke1_curve25519-ke3_ecp256";

PeerConfig with(PeerConfig c, std::initializer_list<const char*> ike, const char* esp = "aes256gcm16-ecp256") {
  c.ike.clear();
  for (const char* s : ike)
    c.ike.push_back(*parse_ike_suite(s));
  c.esp = {*parse_esp_suite(esp)};
  return c;
}

std::size_t messages(const PeerPair& pair, Exchange e) {
  std::size_t n = 0;
  for (const auto& s : pair.sent)
    n += parse_header(s.as_received.message)->exchange == e ? 1 : 0;
  return n;
}

// What one end sends with, the other accepts.
void check_same_keys(const PeerPair& pair) {
  for (const int i : {0, 1}) {
    const ChildSa out = pair.of<UseOutbound>(i).back().sa;
    bool found = false;
    for (const auto& in : pair.of<InstallInbound>(1 - i))
      found = found || (in.sa.spi_in == out.spi_out && in.sa.in.encr == out.out.encr);
    CHECK(found);
  }
}

// The one message of this exchange and direction; the n-th of them, from 0.
const Buffer& message(const PeerPair& pair, Exchange e, int from, std::size_t n = 0) {
  for (const auto& s : pair.sent) {
    if (s.from == from && parse_header(s.as_received.message)->exchange == e && n-- == 0) return s.as_received.message;
  }
  FAIL("no such message");
  return pair.sent.front().as_received.message;
}

Payloads chain_of(const Buffer& m) {
  return parse_chain(parse_header(m)->first, Bytes(m).subspan(kHeaderOctets))->payloads;
}

}  // namespace

TEST_SUITE_BEGIN("ipsec/additional_ke");

TEST_CASE("additional exchanges are written and read back; an offer holds them as transforms [RFC 9370 2.2.1]") {
  const IkeSuite s = *parse_ike_suite(kTwoMore);
  CHECK(to_string(s) == kTwoMore);
  CHECK(s.more_ke[0] == DhGroup::Curve25519);
  CHECK(s.more_ke[2] == DhGroup::Ecp256);
  CHECK(to_string(*parse_esp_suite("aes128gcm16-ecp256-ke7_modp2048-esn")) == "aes128gcm16-ecp256-ke7_modp2048-esn");
  const Proposal p = proposal_of(s, 1, {});
  CHECK(p.transforms[p.transforms.size() - 2] == Transform{TransformType{6}, 31, 0});
  CHECK(p.transforms.back() == Transform{TransformType{8}, 19, 0});
  for (const char* bad :
       {"aes256gcm16-prfsha384-ecp384-ke0_ecp256", "aes256gcm16-prfsha384-ecp384-ke8_ecp256",
        "aes256gcm16-prfsha384-ecp384-ke1_ecp256-ke1_ecp521", "aes256gcm16-prfsha384-ke1_ecp256",
        "aes256gcm16-prfsha384-mlkem768", "aes256gcm16-prfsha384-ecp384-ke1_none", "aes256gcm16-prfsha384-ecp384-ke1_"})
    CHECK(!parse_ike_suite(bad));
  CHECK(!parse_esp_suite("aes256gcm16-ke1_ecp256"));
}

TEST_CASE("ML-KEM-768 is a word where OpenSSL has it; elsewhere the refusal says what is missing") {
  const auto s = parse_ike_suite("aes256gcm16-prfsha384-ecp384-ke1_mlkem768");
  REQUIRE(s.has_value() == available(DhGroup::MlKem768));
  if (!s)
    CHECK(s.error().find("mlkem768 needs OpenSSL 3.5 or newer; this host's is " + openssl_version()) !=
          std::string::npos);
}

TEST_CASE("no method comes twice in one suite [RFC 9370 2.2.1]") {
  CHECK(parse_ike_suite("aes256gcm16-prfsha384-ecp384-ke1_ecp384").error().find("ecp384 twice") != std::string::npos);
  CHECK(!parse_ike_suite("aes256gcm16-prfsha384-ecp384-ke1_ecp256-ke2_ecp256"));
  CHECK(parse_ike_suite("aes256gcm16-prfsha384-ecp384-ke1_ecp256-ke2_ecp521"));
  CHECK(!parse_esp_suite("aes256gcm16-ecp384-ke1_ecp384"));
}

TEST_CASE("what the peer leaves open and we do without is answered with NONE [RFC 9370 2.2.1]") {
  const IkeSuite plain = *parse_ike_suite(kPlain);
  auto theirs = *parse_sa(offer(IkeProposals{*parse_ike_suite(kTwoMore)}, Bytes{}).body);
  theirs[0].transforms.push_back({TransformType{6}, 0, 0});
  theirs[0].transforms.push_back({TransformType{8}, 0, 0});
  const auto chosen = choose(theirs, IkeProposals{plain});
  REQUIRE(chosen);
  const Proposal answer = chosen->with_none(proposal_of(plain, 1, {}));
  CHECK(answer.transforms.size() == proposal_of(plain, 1, {}).transforms.size() + 2);
  CHECK(std::ranges::count(answer.transforms, Transform{TransformType{6}, 0, 0}) == 1);
  CHECK(std::ranges::count(answer.transforms, Transform{TransformType{8}, 0, 0}) == 1);
  CHECK(choose({answer}, IkeProposals{plain}));
  CHECK(single({answer}));
}

TEST_CASE("a proposal with an additional exchange fits only one that has it, or NONE among it [RFC 9370 2.2.1]") {
  const IkeSuite more = *parse_ike_suite(kTwoMore), plain = *parse_ike_suite(kPlain);
  auto theirs = *parse_sa(offer(IkeProposals{more}, Bytes{}).body);
  CHECK(choose(theirs, IkeProposals{more}));
  CHECK(!choose(theirs, IkeProposals{plain}));
  CHECK(!choose(*parse_sa(offer(IkeProposals{plain}, Bytes{}).body), IkeProposals{more}));
  theirs[0].transforms.push_back({TransformType{6}, 0, 0});
  theirs[0].transforms.push_back({TransformType{8}, 0, 0});
  CHECK(choose(theirs, IkeProposals{plain}));
}

TEST_CASE("an IKE SA comes up over two IKE_INTERMEDIATE exchanges") {
  PeerPair pair(with(test::left_peer(), {kTwoMore}), with(test::right_peer(), {kTwoMore}));
  pair.start();
  CHECK(pair.up(0));
  CHECK(pair.up(1));
  CHECK(to_string(*pair.status(1).ike_suite) == kTwoMore);
  CHECK(messages(pair, Exchange::IkeIntermediate) == 4);
  check_same_keys(pair);
}

TEST_CASE("a lost answer to IKE_INTERMEDIATE is given again, although the keys are others by now") {
  PeerPair pair(with(test::left_peer(), {kTwoMore}), with(test::right_peer(), {kTwoMore}));
  std::size_t answers = 0;
  pair.on_the_way = [&](int from, Received& r) {
    const auto h = parse_header(r.message);
    pair.cut[1] = from == 1 && h->exchange == Exchange::IkeIntermediate && ++answers % 2 == 1;
  };
  pair.start();
  CHECK(!pair.up(0));
  pair.run_for(Seconds{3});
  CHECK(pair.up(0));
  CHECK(pair.up(1));
  CHECK(answers == 4);
  CHECK(pair.status(0).attempts == 1);
}

TEST_CASE("a large value goes in fragments, and AUTH covers it as if it had not [RFC 9242 3.3.2]") {
  PeerConfig left = with(test::left_peer(), {kPlain}), right = with(test::right_peer(), {kPlain});
  left.ike[0].more_ke[0] = right.ike[0].more_ke[0] = DhGroup::MlKem768;  // the simulated exchange has its size
  PeerPair pair(left, right);
  pair.start();
  CHECK(pair.up(0));
  CHECK(pair.up(1));
  CHECK(messages(pair, Exchange::IkeIntermediate) == 4);
  CHECK(parse_header(message(pair, Exchange::IkeIntermediate, 0))->first == PayloadType::Skf);
}

TEST_CASE("a peer without IKE_INTERMEDIATE gets the suite without it, or none") {
  const auto forget = [](int, Received& r) {  // as if the notify were another
    if (parse_header(r.message)->exchange != Exchange::IkeSaInit) return;
    const Buffer notify = test::octets("00004036");
    const auto at = std::ranges::search(r.message, notify);
    if (!at.empty()) at[3] = 0xff;
  };
  {
    PeerPair pair(with(test::left_peer(), {kTwoMore}), with(test::right_peer(), {kTwoMore, kPlain}));
    pair.on_the_way = forget;
    pair.start();
    CHECK(!pair.up(0));
    CHECK(pair.status(0).last_error.find("NO_PROPOSAL_CHOSEN") != std::string::npos);
  }
  PeerPair pair(with(test::left_peer(), {kTwoMore, kPlain}), with(test::right_peer(), {kPlain}));
  pair.start();
  CHECK(pair.up(0));
  CHECK(to_string(*pair.status(0).ike_suite) == kPlain);
  CHECK(messages(pair, Exchange::IkeIntermediate) == 0);
}

// The keys and the octets are made here from what is on the wire, as the RFCs have it.
TEST_CASE("the keys are RFC 9370's and AUTH is RFC 9242's [RFC 9370 2.2.2, RFC 9242 3.3.2]") {
  constexpr const char* kSuite = "aes256gcm16-prfsha384-ecp384-ke1_curve25519";
  PeerPair pair(with(test::left_peer(), {kSuite}), with(test::right_peer(), {kSuite}));
  pair.start();
  const IkeSuite suite = *parse_ike_suite(kSuite);
  const Buffer &init_i = message(pair, Exchange::IkeSaInit, 0), &init_r = message(pair, Exchange::IkeSaInit, 1);
  const Payloads pi = chain_of(init_i), pr = chain_of(init_r);
  const Buffer ni = find(pi, PayloadType::Nonce)->body, nr = find(pr, PayloadType::Nonce)->body;
  const auto h = *parse_header(init_r);
  const auto secret = [](Bytes ke_i, Bytes ke_r) {  // test::SimKeyExchange
    Buffer sum(ke_i.begin() + 4, ke_i.end());
    for (std::size_t i = 0; i < sum.size(); ++i)
      sum[i] = static_cast<std::uint8_t>(sum[i] ^ ke_r[i + 4]);
    return sha256(sum);
  };
  const Buffer first = secret(find(pi, PayloadType::Ke)->body, find(pr, PayloadType::Ke)->body);
  const auto seed0 = skeyseed_initial(suite.prf, ni, nr, first);
  const IkeKeys k0 = derive_ike_keys(suite, seed0.view(), ni, nr, h.spi_i, h.spi_r);

  Buffer auth_input, plain[2];
  for (const int from : {0, 1}) {
    const Buffer& m = message(pair, Exchange::IkeIntermediate, from);
    const auto cipher = make_sk_cipher(suite, (from == 0 ? k0.ei : k0.er).view(), {});
    const auto opened = unprotect(m, *parse_header(m), *cipher);
    REQUIRE(opened);
    plain[from] = opened->plain;
    Buffer octets(m.begin(), m.begin() + 24);
    Writer w(octets);
    w.u32(static_cast<std::uint32_t>(32 + opened->plain.size()));
    w.u8(static_cast<std::uint8_t>(PayloadType::Ke));
    w.u8(0);
    w.u16(static_cast<std::uint16_t>(4 + opened->plain.size()));
    w.bytes(opened->plain);
    const Buffer one = prf(suite.prf, (from == 0 ? k0.pi : k0.pr).view(), octets);
    auth_input.insert(auth_input.end(), one.begin(), one.end());
  }
  Writer(auth_input).u32(2);  // IKE_AUTH's Message ID

  const Buffer more = secret(Bytes(plain[0]).subspan(4), Bytes(plain[1]).subspan(4));
  Buffer data = more;
  for (const Buffer& nonce : {ni, nr})
    data.insert(data.end(), nonce.begin(), nonce.end());
  const Buffer seed1 = prf(suite.prf, k0.d.view(), data);
  const IkeKeys k1 = derive_ike_keys(suite, seed1, ni, nr, h.spi_i, h.spi_r);
  const Buffer& auth = message(pair, Exchange::IkeAuth, 0);
  const auto opened = unprotect(auth, *parse_header(auth), *make_sk_cipher(suite, k1.ei.view(), {}));
  REQUIRE(opened);
  const Payloads payloads = parse_chain(opened->first, opened->plain)->payloads;
  Buffer octets = init_i;
  const Buffer maced = prf(suite.prf, k1.pi.view(), find(payloads, PayloadType::IdI)->body);
  for (const Buffer& part : {nr, maced, auth_input})
    octets.insert(octets.end(), part.begin(), part.end());
  const SecretBytes psk = test::left_peer().psk;
  const Buffer expected = psk_auth(suite.prf, psk.view(), octets);
  CHECK(Bytes(find(payloads, PayloadType::Auth)->body).subspan(4).size() == expected.size());
  CHECK(equal_ct(Bytes(find(payloads, PayloadType::Auth)->body).subspan(4), expected));
}

TEST_CASE("the secrets of a rekey's additional exchanges stand behind the nonces [RFC 9370 2.2.4]") {
  const Buffer d(48, 1), shared(32, 2), ni(32, 3), nr(32, 4), more(64, 5);
  Buffer behind = nr;
  behind.insert(behind.end(), more.begin(), more.end());
  CHECK(skeyseed_rekey(Prf::HmacSha384, d, shared, ni, nr, more) ==
        skeyseed_rekey(Prf::HmacSha384, d, shared, ni, behind));
  const EspSuite suite;
  CHECK(derive_child_keys(Prf::HmacSha384, suite, d, shared, ni, nr, more).encr_i ==
        derive_child_keys(Prf::HmacSha384, suite, d, shared, ni, behind).encr_i);
  CHECK(derive_child_keys(Prf::HmacSha384, suite, d, shared, ni, nr, more).encr_i !=
        derive_child_keys(Prf::HmacSha384, suite, d, shared, ni, nr).encr_i);
}

TEST_CASE("rekeys of Child SAs and of the IKE SA are followed up, whoever begins [RFC 9370 2.2.4]") {
  for (const int who : {0, 1}) {
    CAPTURE(who);
    PeerConfig c[] = {with(test::left_peer(), {kTwoMore}, "aes256gcm16-ecp256-ke1_curve25519-ke2_ecp384"),
                      with(test::right_peer(), {kTwoMore}, "aes256gcm16-ecp256-ke1_curve25519-ke2_ecp384")};
    c[who].child_lifetime = Seconds{600};
    c[who].ike_lifetime = Seconds{1500};
    PeerPair pair(c[0], c[1]);
    pair.start();
    pair.run_for(Seconds{3600});
    CHECK(pair.up(0));
    CHECK(pair.up(1));
    CHECK(pair.status(who).child_rekeys >= 5);
    CHECK(pair.status(who).ike_rekeys >= 2);
    CHECK(pair.status(0).attempts == 1);
    // Two additional exchanges a rekey, of either kind.
    const auto rekeys = pair.status(who).child_rekeys + pair.status(who).ike_rekeys;
    CHECK(messages(pair, Exchange::IkeFollowupKe) == 4 * rekeys);
    check_same_keys(pair);
    // Packets are accepted before the peer can send them.
    const auto& acts = pair.actions[0];
    CHECK(std::ranges::count_if(acts, [](const Action& a) { return std::holds_alternative<InstallInbound>(a); }) ==
          static_cast<std::ptrdiff_t>(pair.status(who).child_rekeys + 1));
  }
}

// A responder waits 20 s for the next; the initiator sends again after 30.
PeerConfig patient(PeerConfig c) {
  c = with(std::move(c), {kPlain}, "aes256gcm16-ecp256-ke1_curve25519");
  c.retransmit = {Seconds{30}, Seconds{30}, Seconds{30}};
  return c;
}

TEST_CASE("what the peer does not follow up is forgotten after 20 s, and said to be [RFC 9370 2.2.4]") {
  PeerConfig left = patient(test::left_peer());
  left.child_lifetime = Seconds{600};
  PeerPair pair(left, patient(test::right_peer()));
  bool lose = true;
  std::vector<TimePoint> lost;
  pair.on_the_way = [&](int from, Received& r) {
    const bool followup = parse_header(r.message)->exchange == Exchange::IkeFollowupKe;
    pair.cut[static_cast<std::size_t>(from)] = followup && lose;
    if (followup && lose) lost.push_back(pair.now());
    if (followup) lose = false;
  };
  pair.start();
  pair.run_for(Seconds{560});
  REQUIRE(lost.size() == 1);
  const auto answers = messages(pair, Exchange::IkeFollowupKe);
  CHECK(answers == 5);  // the lost one, it again, STATE_NOT_FOUND; then a pair that works
  CHECK(pair.noted(0, "STATE_NOT_FOUND"));
  CHECK(pair.status(0).child_rekeys == 1);
  CHECK(pair.status(0).attempts == 1);
  check_same_keys(pair);
}

TEST_CASE("a peer that forgets again and again loses the IKE SA [RFC 9370 2.2.4]") {
  PeerConfig left = patient(test::left_peer());
  left.child_lifetime = Seconds{600};
  PeerPair pair(left, patient(test::right_peer()));
  bool lose = true;
  pair.on_the_way = [&](int from, Received& r) {
    const bool ours = from == 0 && parse_header(r.message)->exchange == Exchange::IkeFollowupKe;
    pair.cut[0] = ours && lose;
    if (ours) lose = !lose;
  };
  pair.start();
  pair.run_for(Seconds{700});
  CHECK(pair.noted(0, "forgets rekeys between their exchanges (STATE_NOT_FOUND)"));
  CHECK(pair.status(0).attempts == 2);
  CHECK(pair.up(0));
  CHECK(pair.up(1));
}

TEST_CASE("rekeys that cross, each followed up, leave one Child SA and no gap") {
  PeerConfig left = with(test::left_peer(), {kTwoMore}, "aes256gcm16-ecp256-ke1_ecp384"),
             right = with(test::right_peer(), {kTwoMore}, "aes256gcm16-ecp256-ke1_ecp384");
  left.child_lifetime = right.child_lifetime = Seconds{60};
  left.ike_lifetime = right.ike_lifetime = Seconds{300};
  PeerPair pair(left, right);
  pair.start();
  for (int minute = 0; minute < 60; ++minute) {
    pair.run_for(Seconds{60});
    CHECK(pair.up(0));
    CHECK(pair.up(1));
  }
  CHECK(pair.status(0).attempts == 1);
  check_same_keys(pair);
}

TEST_SUITE_END();
}  // namespace cgw::ipsec
