#include <doctest/doctest.h>

#include "ipsec/crypto.hpp"
#include "ipsec/payload.hpp"
#include "octets.hpp"

namespace cgw::ipsec {
namespace {

using test::octets;

Payloads sample() {
  OpenSslEntropy entropy;
  const auto ke = entropy.new_key_exchange(DhGroup::Ecp256);
  return {make_ke(*ke),
          {PayloadType::Nonce, false, Buffer(32, 7)},
          make_notify(NotifyType::RekeySa, {}, 3, octets("c1234567")),
          make_delete_esp(0xc7654321),
          {PayloadType::Vendor, true, {}}};
}

}  // namespace

TEST_SUITE_BEGIN("ipsec/payload");

TEST_CASE("a header reads back as it is written, and none is read from less than 28 octets [RFC 7296 3.1]") {
  for (const bool initiator : {false, true}) {
    for (const bool response : {false, true}) {
      const Header h{0x0102030405060708, 0x1112131415161718, PayloadType::Sk, 2,          0,
                     Exchange::IkeAuth,  initiator,          response,        0xa1b2c3d4, 999};
      Buffer out;
      write_header(h, out);
      REQUIRE(out.size() == kHeaderOctets);
      CHECK(Buffer(out.begin(), out.begin() + 19) == octets("0102030405060708 1112131415161718 2e 20 23"));
      CHECK(out[19] == (initiator ? 0x08 : 0) + (response ? 0x20 : 0));
      CHECK(Buffer(out.begin() + 20, out.end()) == octets("a1b2c3d4 000003e7"));
      const auto back = parse_header(out);
      REQUIRE(back);
      CHECK(back->spi_i == h.spi_i);
      CHECK(back->spi_r == h.spi_r);
      CHECK(back->first == h.first);
      CHECK(back->major == 2);
      CHECK(back->minor == 0);
      CHECK(back->exchange == h.exchange);
      CHECK(back->initiator == initiator);
      CHECK(back->response == response);
      CHECK(back->message_id == h.message_id);
      CHECK(back->length == h.length);
      for (std::size_t n = 0; n < out.size(); ++n)
        CHECK(!parse_header(Bytes(out).first(n)));
    }
  }
}

TEST_CASE("a chain reads back as it is written, and no truncation of it is accepted [RFC 7296 3.2]") {
  const Payloads in = sample();
  Buffer out;
  const PayloadType first = write_chain(in, out);
  const auto back = parse_chain(first, out);
  REQUIRE(back);
  REQUIRE(back->payloads.size() == in.size());
  for (std::size_t i = 0; i < in.size(); ++i) {
    CHECK(back->payloads[i].type == in[i].type);
    CHECK(back->payloads[i].critical == in[i].critical);
    CHECK(back->payloads[i].body == in[i].body);
  }
  for (std::size_t n = 0; n < out.size(); ++n)
    CHECK(parse_chain(first, Bytes(out).first(n)).error() == NotifyType::InvalidSyntax);
  out.push_back(0);
  CHECK(parse_chain(first, out).error() == NotifyType::InvalidSyntax);
}

TEST_CASE("an empty chain is legal, octets behind its end are not") {
  CHECK(parse_chain(PayloadType::None, {})->payloads.empty());
  CHECK(!parse_chain(PayloadType::None, octets("00")));
}

TEST_CASE("one broken field spoils a chain") {
  struct Row {
    const char* name;
    const char* hex;
    bool ok;
  };
  const Row rows[] = {
      {"sound", "29000008 01020304 00000008 00004000", true},
      {"length 3", "29000003 01020304 00000008 00004000", false},
      {"length 0", "29000000 01020304 00000008 00004000", false},
      {"length past the end", "29000008 01020304 00000009 00004000", false},
      {"length short of the end", "29000008 01020304 00000007 00004000", false},
      {"a next payload that is not there", "29000008 01020304 29000008 00004000", false},
      {"an end before the end", "00000008 01020304 00000008 00004000", false},
      {"reserved bits", "297f0008 01020304 00000008 00004000", true},
      {"octets behind SK", "2e000008 01020304 29000008 00004000 00000004", false},
      {"SK last", "2e000008 01020304 29000008 00004000", true},
  };
  for (const Row& r : rows) {
    CAPTURE(r.name);
    CHECK(parse_chain(PayloadType::Nonce, octets(r.hex)).has_value() == r.ok);
  }
  CHECK(parse_chain(PayloadType::Nonce, octets(rows[9].hex))->inner_first == PayloadType::Notify);
}

TEST_CASE("a chain holds at most as many payloads as we read") {
  Payloads many(kMaxPayloads, Payload{PayloadType::Vendor, false, {}});
  Buffer out;
  write_chain(many, out);
  CHECK(parse_chain(PayloadType::Vendor, out)->payloads.size() == kMaxPayloads);
  many.push_back(many.front());
  out.clear();
  write_chain(many, out);
  CHECK(!parse_chain(PayloadType::Vendor, out));
}

TEST_CASE("only a payload both unknown and critical is reported [RFC 7296 2.5]") {
  const auto unknown = PayloadType{99};
  CHECK(!unknown_critical({{unknown, false, {}}}));
  CHECK(!unknown_critical({{PayloadType::Nonce, true, {}}, {PayloadType::Skf, true, {}}}));
  CHECK(unknown_critical({{PayloadType::Nonce, true, {}}, {unknown, true, {}}}) == 99);
  CHECK(unknown_critical({{PayloadType{32}, true, {}}}) == 32);
}

TEST_CASE("notifies read back, and are found by type [RFC 7296 3.10]") {
  const Payload p = make_notify(NotifyType::RekeySa, octets("aabb"), 3, octets("c1234567"));
  CHECK(p.body == octets("03 04 4009 c1234567 aabb"));
  const auto n = parse_notify(p.body);
  REQUIRE(n);
  CHECK(n->protocol == 3);
  CHECK(n->spi == octets("c1234567"));
  CHECK(n->data == octets("aabb"));
  for (std::size_t size = 0; size < 8; ++size)
    CHECK(!parse_notify(Bytes(p.body).first(size)));
  const Payloads all = sample();
  CHECK(find_notify(all, NotifyType::RekeySa));
  CHECK(!find_notify(all, NotifyType::Cookie));
  CHECK(find(all, PayloadType::Nonce)->body.size() == 32);
  CHECK(find(all, PayloadType::Sa) == nullptr);
  CHECK(to_string(NotifyType::NoProposalChosen) == "NO_PROPOSAL_CHOSEN");
  CHECK(to_string(NotifyType{8192}) == "notify 8192");
}

TEST_CASE("a key exchange payload is the group and its value [RFC 7296 3.4]") {
  OpenSslEntropy entropy;
  for (const DhGroup g : {DhGroup::Modp2048, DhGroup::Ecp384, DhGroup::Ecp521}) {
    const auto ke = entropy.new_key_exchange(g);
    const Payload p = make_ke(*ke);
    const auto back = parse_ke(p.body);
    REQUIRE(back);
    CHECK(back->group == g);
    CHECK(Buffer(back->value.begin(), back->value.end()) == ke->public_value());
    for (std::size_t n = 0; n < 4; ++n)
      CHECK(!parse_ke(Bytes(p.body).first(n)));
    // Shorter values are well-formed payloads of which no secret is made.
    const auto cut = parse_ke(Bytes(p.body).first(p.body.size() - 1));
    REQUIRE(cut);
    CHECK(!ke->shared_secret(cut->value));
  }
}

TEST_CASE("a DELETE names IKE without SPI or ESP with as many as it counts [RFC 7296 3.11]") {
  CHECK(parse_delete(make_delete_ike().body)->ike);
  const Payload p = make_delete_esp(0xc7654321);
  CHECK(parse_delete(p.body)->spis == std::vector<std::uint32_t>{0xc7654321});
  for (std::size_t n = 0; n < p.body.size(); ++n)
    CHECK(!parse_delete(Bytes(p.body).first(n)));
  CHECK(parse_delete(octets("03040002 00000001 00000002"))->spis.size() == 2);
  CHECK(parse_delete(octets("03040000"))->spis.empty());
  for (const char* bad : {"01080001 0102030405060708", "01000001", "02040001 00000001", "03080001 0102030405060708",
                          "03040001 00000001 00", "03040002 00000001", "0304ffff 00000001", "03000001"}) {
    CAPTURE(bad);
    CHECK(!parse_delete(octets(bad)));
  }
}

TEST_SUITE_END();
}  // namespace cgw::ipsec
