#include <doctest/doctest.h>

#include "ipsec/sa_payload.hpp"
#include "ipsec/ts_payload.hpp"
#include "octets.hpp"

namespace cgw::ipsec {
namespace {

using test::octets;

// proposals of 200 transforms each, the last fitting transform at the very end
Buffer big_sa(std::size_t proposals) {
  std::vector<Proposal> all;
  for (std::size_t i = 0; i < proposals; ++i) {
    Proposal p{static_cast<std::uint8_t>(i + 1), SaProtocol::Esp, octets("c0000001"), {}};
    for (std::uint16_t t = 0; t < 198; ++t)
      p.transforms.push_back({TransformType::Encr, static_cast<std::uint16_t>(1000 + t), 128});
    p.transforms.push_back({TransformType::Encr, 20, 256});
    p.transforms.push_back({TransformType::Esn, 0, 0});
    all.push_back(std::move(p));
  }
  return make_sa(all).body;
}

AddressRange range(const char* from, const char* to) {
  return {*IpAddress::parse(from), *IpAddress::parse(to)};
}

constexpr const char* kSound =
    "00000028 01030403 c1234567 0300000c 01000014 800e0100 03000008 04000014 00000008 05000000";

}  // namespace

TEST_SUITE_BEGIN("ipsec/sa_payload");

TEST_CASE("an ESP offer has the octets of the standard [RFC 7296 3.3]") {
  const EspSuite s = *parse_esp_suite("aes256gcm16-ecp384");
  CHECK(offer({s}, Spi{0xc1234567}, WithDh::Yes).body == octets(kSound));
  const auto back = parse_sa(octets(kSound));
  REQUIRE(back);
  REQUIRE(back->size() == 1);
  CHECK(back->front().spi == octets("c1234567"));
  CHECK(back->front().transforms == proposal_of(s, 1, Spi{1}, WithDh::Yes).transforms);
}

TEST_CASE("no truncation of an SA payload is accepted") {
  const Buffer body = octets(kSound);
  for (std::size_t n = 0; n < body.size(); ++n)
    CHECK(parse_sa(Bytes(body).first(n)).error() == NotifyType::InvalidSyntax);
}

TEST_CASE("one broken length or count spoils an SA payload") {
  const Buffer sound = octets(kSound);
  struct Row {
    const char* name;
    std::size_t at;
    std::uint8_t value;
  };
  for (const Row& r : {Row{"proposal too long", 3, 0x29},
                       {"proposal too short", 3, 0x24},
                       {"proposal length 7", 3, 7},
                       {"SPI too long", 6, 200},
                       {"SPI too short", 6, 0},
                       {"a transform more", 7, 4},
                       {"a transform less", 7, 2},
                       {"transform length 0", 15, 0},
                       {"transform length 7", 15, 7},
                       {"transform too long", 15, 0xff},
                       {"attribute cut", 15, 11},
                       {"long attribute past the end", 20, 0}}) {
    CAPTURE(r.name);
    Buffer bad = sound;
    bad[r.at] = r.value;
    CHECK(!parse_sa(bad));
  }
}

TEST_CASE("hundreds of transforms are read, thousands are refused") {
  const auto sa = parse_sa(big_sa(3));
  REQUIRE(sa);
  std::size_t transforms = 0;
  for (const auto& p : *sa)
    transforms += p.transforms.size();
  CHECK(transforms == 600);
  const auto chosen = choose(*sa, EspProposals{*parse_esp_suite("aes256gcm16-ecp384")}, WithDh::No);
  REQUIRE(chosen);
  CHECK(chosen->number == 1);
  CHECK(parse_sa(big_sa(25)).error() == NotifyType::InvalidSyntax);
}

TEST_CASE("the first of ours that a proposal holds is chosen, with its number and SPI [RFC 7296 2.7]") {
  const IkeSuite strong = *parse_ike_suite("aes256gcm16-prfsha384-ecp384"),
                 weak = *parse_ike_suite("aes128-sha1-modp2048");
  const auto theirs = *parse_sa(offer(IkeProposals{weak, strong}, octets("0102030405060708")).body);
  const auto both = choose(theirs, IkeProposals{strong, weak});
  REQUIRE(both);
  CHECK(both->suite == strong);
  CHECK(both->number == 2);
  CHECK(both->spi == octets("0102030405060708"));
  CHECK(choose(theirs, IkeProposals{weak})->number == 1);
  CHECK(!choose(theirs, IkeProposals{*parse_ike_suite("aes256-sha1-modp2048")}));
  CHECK(!choose(theirs, IkeProposals{}));
}

TEST_CASE("a key length, a protocol or an unwanted transform type that differs is no match [RFC 7296 3.3.6]") {
  const EspSuite s = *parse_esp_suite("aes256gcm16-ecp384");
  const auto sound = *parse_sa(octets(kSound));
  CHECK(choose(sound, EspProposals{s}, WithDh::Yes));
  auto no_key = sound;
  no_key[0].transforms[0].key_bits = 0;
  CHECK(!choose(no_key, EspProposals{s}, WithDh::Yes));
  auto ah = sound;
  ah[0].protocol = SaProtocol::Ah;
  CHECK(!choose(ah, EspProposals{s}, WithDh::Yes));
  auto integ = sound;
  integ[0].transforms.push_back({TransformType::Integ, 12, 0});
  CHECK(!choose(integ, EspProposals{s}, WithDh::Yes));
  integ[0].transforms.push_back({TransformType::Integ, 0, 0});
  CHECK(choose(integ, EspProposals{s}, WithDh::Yes));
  CHECK(!choose(sound, EspProposals{*parse_esp_suite("aes256gcm16-ecp384-esn")}, WithDh::Yes));
}

// kSound with its transform ENCR_AES_GCM_16 given other attributes.
std::optional<Chosen<EspSuite>> chosen_with(std::string_view attributes) {
  const Buffer a = octets(attributes);
  Buffer body = octets("00000000 01030403 c1234567 03000000 01000014");
  body[15] = static_cast<std::uint8_t>(8 + a.size());
  body.insert(body.end(), a.begin(), a.end());
  const Buffer rest = octets("03000008 04000014 00000008 05000000");
  body.insert(body.end(), rest.begin(), rest.end());
  body[3] = static_cast<std::uint8_t>(body.size());
  const auto sa = parse_sa(body);
  REQUIRE(sa);
  return choose(*sa, EspProposals{*parse_esp_suite("aes256gcm16-ecp384")}, WithDh::Yes);
}

TEST_CASE("a key length that is missing, given twice, odd or in long form is no match [RFC 7296 3.3.5]") {
  CHECK(chosen_with("800e0100"));
  for (const char* bad : {"", "800e0000", "800e0080", "800e0101", "800e00c8", "800e0100 800e0100", "800e0100 800e0080",
                          "800e0000 800e0100", "000e0002 0100"}) {
    CAPTURE(bad);
    CHECK(!chosen_with(bad));
  }
}

TEST_CASE(
    "a transform with an attribute that we do not know is never chosen, another of the proposal is [RFC 7296 3.3.6]") {
  CHECK(!chosen_with("800e0100 800f0001"));
  CHECK(!chosen_with("800e0100 00120004 01020304"));
  CHECK(!chosen_with("00120000 800e0100"));
  auto sa = *parse_sa(octets(kSound));
  sa[0].transforms.insert(sa[0].transforms.begin(), sa[0].transforms[0]);
  sa[0].transforms[0].foreign = true;
  CHECK(choose(sa, EspProposals{*parse_esp_suite("aes256gcm16-ecp384")}, WithDh::Yes));
}

TEST_CASE("128 proposals are read, 129 and 300 are refused") {
  const EspSuite s = *parse_esp_suite("aes256gcm16-ecp384");
  for (const auto& [count, sound] : {std::pair{128, true}, std::pair{129, false}, std::pair{300, false}}) {
    const std::vector<Proposal> all(static_cast<std::size_t>(count), proposal_of(s, 1, Spi{0xc0000001}, WithDh::Yes));
    CHECK(parse_sa(make_sa(all).body).has_value() == sound);
  }
}

TEST_CASE("of 300 suites 255 are offered: a proposal's number is one octet") {
  const auto offered = offer(IkeProposals(300, *parse_ike_suite("aes256gcm16-prfsha384-ecp384")), Bytes{});
  std::size_t proposals = 0;
  for (Reader r(offered.body); r.more(); ++proposals) {
    r.u16();
    const std::size_t length = r.u16();
    CHECK(r.u8() == proposals + 1);
    r.bytes(length - 5);
  }
  CHECK(proposals == 255);
}

TEST_CASE("the same transform twice is chosen from an offer, and spoils an answer [RFC 7296 2.7]") {
  auto sa = *parse_sa(octets(kSound));
  CHECK(single(sa));
  sa[0].transforms.push_back(sa[0].transforms[0]);
  CHECK(choose(sa, EspProposals{*parse_esp_suite("aes256gcm16-ecp384")}, WithDh::Yes));
  CHECK(!single(sa));
  auto two = *parse_sa(octets(kSound));
  two.push_back(two[0]);
  CHECK(!single(two));
  CHECK(!single({}));
}

TEST_CASE("all that AWS can be set to is one offer, and every suite of it can be chosen") {
  using Ids = std::vector<std::uint16_t>;
  Proposal aead{1, SaProtocol::Ike, {}, {}}, cbc{2, SaProtocol::Ike, {}, {}};
  for (const std::uint16_t bits : Ids{128, 256}) {
    aead.transforms.push_back({TransformType::Encr, 20, bits});
    cbc.transforms.push_back({TransformType::Encr, 12, bits});
  }
  for (const std::uint16_t integ : Ids{2, 12, 13, 14})
    cbc.transforms.push_back({TransformType::Integ, integ});
  for (Proposal* p : {&aead, &cbc}) {
    for (const std::uint16_t prf : Ids{2, 5, 6, 7})
      p->transforms.push_back({TransformType::Prf, prf});
    for (const std::uint16_t group : Ids{2, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24})
      p->transforms.push_back({TransformType::Dh, group});
  }
  const auto theirs = *parse_sa(make_sa({aead, cbc}).body);
  for (const auto* cipher : {"aes128-sha1", "aes256-sha256", "aes128-sha384", "aes256-sha512", "aes128gcm16-prfsha256",
                             "aes256gcm16-prfsha384", "aes256gcm16-prfsha512", "aes128gcm16-prfsha1"}) {
    for (const auto* group : {"modp1024", "modp2048", "modp3072", "modp4096", "modp6144", "modp8192", "ecp256",
                              "ecp384", "ecp521", "modp1024s160", "modp2048s224", "modp2048s256"}) {
      const auto suite = parse_ike_suite(std::string(cipher) + "-" + group);
      REQUIRE(suite);
      CHECK(choose(theirs, IkeProposals{*suite}));
    }
  }
  CHECK(!choose(theirs, IkeProposals{*parse_ike_suite("aes256gcm16-prfsha384-curve25519")}));
}

TEST_CASE("without the group, suites that differ only in it are offered once") {
  CHECK(parse_sa(offer(default_esp_proposals(), Spi{0xc0000001}, WithDh::No).body)->size() == 1);
  CHECK(parse_sa(offer(default_esp_proposals(), Spi{0xc0000001}, WithDh::Yes).body)->size() == 2);
}

TEST_CASE(
    "traffic selectors have the octets of the standard and read back; no truncation is accepted [RFC 7296 3.13]") {
  const Payload v4 = make_ts(PayloadType::TsI, any_address(Family::V4));
  CHECK(v4.body == octets("01000000 07000010 0000ffff 00000000 ffffffff"));
  const Payload v6 = make_ts(PayloadType::TsR, range("2001:db8::", "2001:db8::ffff"));
  for (const Payload& p : {v4, v6}) {
    REQUIRE(parse_ts(p.body));
    CHECK(make_ts(p.type, parse_ts(p.body)->front()).body == p.body);
    for (std::size_t n = 0; n < p.body.size(); ++n)
      CHECK(parse_ts(Bytes(p.body).first(n)).error() == NotifyType::InvalidSyntax);
  }
  for (const char* bad :
       {"02000000 07000010 0000ffff 00000000 ffffffff", "00000000 07000010 0000ffff 00000000 ffffffff",
        "01000000 0700000f 0000ffff 00000000 ffffffff", "01000000 07000011 0000ffff 00000000 ffffffff",
        "01000000 07000007 0000ffff 00000000 ffffffff", "01000000 08000010 0000ffff 00000000 ffffffff",
        "01000000 07000010 0000ffff 0a000001 0a000000", "01000000 07000010 0000ffff 00000000 ffffffff 00"}) {
    CAPTURE(bad);
    CHECK(!parse_ts(octets(bad)));
  }
}

TEST_CASE("selectors for a protocol, a port or of an unknown type are passed over") {
  CHECK(parse_ts(octets("01000000 07060010 0000ffff 00000000 ffffffff"))->empty());
  CHECK(parse_ts(octets("01000000 07000010 01bb01bb 00000000 ffffffff"))->empty());
  CHECK(parse_ts(octets("02000000 09000008 00000000 07000010 0000ffff 00000000 ffffffff"))->size() == 1);
}

TEST_CASE("narrowing cuts to what both have [RFC 7296 2.9]") {
  const AddressRange ours = range("10.0.0.0", "10.0.255.255");
  CHECK(narrow({any_address(Family::V4)}, ours) == ours);
  CHECK(narrow({ours}, any_address(Family::V4)) == ours);
  CHECK(narrow({range("10.0.128.0", "10.1.0.0")}, ours) == range("10.0.128.0", "10.0.255.255"));
  CHECK(narrow({range("10.0.255.255", "10.0.255.255")}, ours) == range("10.0.255.255", "10.0.255.255"));
  CHECK(!narrow({range("10.1.0.0", "10.1.0.1")}, ours));
  CHECK(!narrow({range("::", "ffff::")}, ours));
  CHECK(!narrow({}, ours));
}

TEST_SUITE_END();
}  // namespace cgw::ipsec
