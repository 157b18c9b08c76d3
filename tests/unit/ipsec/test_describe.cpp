#include <doctest/doctest.h>

#include <algorithm>

#include "ipsec/describe.hpp"
#include "ipsec/sa_payload.hpp"
#include "ipsec/ts_payload.hpp"
#include "tests/support/peer_pair.hpp"

namespace cgw {
namespace {

using namespace ipsec;

Payload auth(const Buffer& value) {
  Payload p{PayloadType::Auth, false, {2, 0, 0, 0}};
  p.body.insert(p.body.end(), value.begin(), value.end());
  return p;
}

}  // namespace

TEST_SUITE_BEGIN("ipsec/describe");

TEST_CASE("a message is a line, and a line for each payload") {
  Header h{.spi_i = 0x48c448daccdeac57, .spi_r = 1, .exchange = Exchange::IkeAuth, .initiator = true, .message_id = 1};
  const Payloads p{
      {PayloadType::IdI, false, {1, 0, 0, 0, 198, 51, 100, 2}},
      {PayloadType::IdR, false, {2, 0, 0, 0, 'g', 'w', 0x1b}},
      make_notify(NotifyType::InitialContact),
      auth(Buffer(48, 0xab)),
      offer(EspProposals{{}}, Spi{0xc0000001}, WithDh::Yes),
      make_ts(PayloadType::TsI, any_address(Family::V4)),
      make_delete_esp(0xc1234567),
      make_delete_ike(),
      {PayloadType{99}, true, {1, 2, 3}},
  };
  const auto lines = describe(h, p);
  const std::vector<std::string> expected{
      "IKE_AUTH request 1, 48c448daccdeac57_i 0000000000000001_r",
      "IDi: IPV4_ADDR 198.51.100.2",
      "IDr: FQDN gw\\x1b",
      "N(INITIAL_CONTACT)",
      "AUTH: shared key, 48 octets",
      "SA: 1 ESP c0 00 00 01, ENCR AES_GCM_16-256, DH ECP_384, ESN NO",
      "TSi: 0.0.0.0-255.255.255.255",
      "D: ESP c1234567",
      "D: the IKE SA",
      "payload 99: 3 octets, critical",
  };
  REQUIRE(lines.size() == expected.size());
  for (std::size_t i = 0; i < lines.size(); ++i)
    CHECK(lines[i] == expected[i]);
}

TEST_CASE("whatever the octets of a payload, it has a line") {
  for (unsigned type = 0; type < 256; ++type) {
    for (std::size_t n = 0; n < 24; ++n) {
      const Payload p{PayloadType{static_cast<std::uint8_t>(type)}, false,
                      Buffer(n, static_cast<std::uint8_t>(n * 11))};
      const auto lines = describe({}, {p});
      CHECK(lines.size() >= 2);
      for (const auto& line : lines)
        CHECK(line.size() < 4000);
    }
  }
}

TEST_CASE("hundreds of transforms are cut, and counted") {
  Proposal p{1, SaProtocol::Ike, {}, {}};
  for (std::uint16_t i = 0; i < 200; ++i)
    p.transforms.push_back({TransformType::Dh, static_cast<std::uint16_t>(1000 + i), 0});
  const auto lines = describe({}, {make_sa({p})});
  CHECK(lines.at(1).ends_with("1031 and 168 more"));
}

TEST_CASE("messages are traced while that is asked for, never a key, an AUTH value or the pre-shared key") {
  test::PeerPair p;
  p.start();
  CHECK(p.of<Trace>(0).empty());
  p.step(0, Debug{.messages = true});
  p.step(0, Reestablish{.why = "test"});
  REQUIRE(p.up(0));
  std::string all;
  for (const auto& t : p.of<Trace>(0)) {
    for (const auto& line : t.lines)
      all += line + "\n";
  }
  CHECK(all.find("-> 203.0.113.10:500 IKE_SA_INIT request 0") != std::string::npos);
  CHECK(all.find("<- 203.0.113.10:500 IKE_AUTH response 1") != std::string::npos);
  CHECK(all.find("D: the IKE SA") != std::string::npos);
  CHECK(all.find("a.shared.Key") == std::string::npos);
  CHECK(p.of<DecryptionKeys>(0).empty());
  p.step(0, Debug{});
  p.actions[0].clear();
  p.run_for(Seconds{30});
  CHECK(p.of<Trace>(0).empty());
}

TEST_CASE("a row of Wireshark's table") {
  IkeKeys k;
  k.ei = SecretBytes(Bytes(Buffer{1, 2}));
  k.er = SecretBytes(Bytes(Buffer{3, 0xff}));
  const auto row = decryption_table_row(0x48c448daccdeac57, 2, IkeSuite{}, k);
  const std::string text(row.view().begin(), row.view().end());
  CHECK(
      text ==
      "48c448daccdeac57,0000000000000002,0102,03ff,\"AES-GCM-256 with 16 octet ICV [RFC5282]\",,,\"NONE [RFC4306]\"\n");
}

TEST_CASE("keys are handed out for every IKE SA, but only when asked") {
  test::PeerPair p;
  p.step(0, Debug{.keys = true});
  p.start();
  CHECK(p.of<DecryptionKeys>(0).size() == 1);
  CHECK(p.of<DecryptionKeys>(1).empty());
  CHECK(p.of<Trace>(0).empty());
}

TEST_SUITE_END();
}  // namespace cgw
