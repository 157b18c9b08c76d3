#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstring>
#include <string>

#include <doctest/doctest.h>
#include <linux/udp.h>
#include <netlink/attr.h>

#include "kernel/xfrm.hpp"
#include "kernel/xfrm_message.hpp"

namespace cgw::kernel::xfrm {
namespace {

constexpr IfId kId{0x0c670001};

IpAddress ip(const char* text) {
  return IpAddress::parse(text).value();
}

ipsec::ChildSa gcm_child() {
  ipsec::ChildSa sa;
  sa.spi_in = ipsec::Spi{0xc0000001};
  sa.spi_out = ipsec::Spi{0xc0000002};
  sa.in.encr = SecretBytes(std::string_view("iiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiSALT"));
  sa.out.encr = SecretBytes(std::string_view("ooooooooooooooooooooooooooooooooSALT"));
  sa.local = {ip("198.51.100.1"), 4500};
  sa.remote = {ip("203.0.113.10"), 1027};
  sa.local_ts = sa.remote_ts = {ip("0.0.0.0"), ip("255.255.255.255")};
  return sa;
}

ipsec::ChildSa cbc_child() {
  ipsec::ChildSa sa = gcm_child();
  sa.suite = {.encr = ipsec::Encr::AesCbc, .key_bits = 128, .integ = ipsec::Integ::HmacSha256_128};
  sa.in = {SecretBytes(std::string_view("iiiiiiiiiiiiiiii")), SecretBytes(std::string(32, 'h'))};
  sa.out = sa.in;
  return sa;
}

template <class T>
T payload(const Message& m) {
  T out;
  std::memcpy(&out, nlmsg_data(nlmsg_hdr(m.get())), sizeof out);
  return out;
}

template <class T>
const nlattr* attribute(const Message& m, int type) {
  return nlmsg_find_attr(nlmsg_hdr(m.get()), sizeof(T), type);
}

template <class T>
T value(const nlattr* a) {
  REQUIRE(a != nullptr);
  REQUIRE(nla_len(a) >= static_cast<int>(sizeof(T)));
  T out;
  std::memcpy(&out, nla_data(a), sizeof out);
  return out;
}

std::string key_of(const nlattr* a, std::size_t head) {
  return std::string(static_cast<const char*>(nla_data(a)) + head, static_cast<std::size_t>(nla_len(a)) - head);
}

TEST_SUITE("kernel/xfrm_message") {
  TEST_CASE("an inbound SA runs from the peer to us with our SPI, if_id and reqid") {
    const auto m = sa_message(SaRequest::New, kId, gcm_child(), Direction::In);
    CHECK(nlmsg_hdr(m.get())->nlmsg_type == XFRM_MSG_NEWSA);
    const auto info = payload<xfrm_usersa_info>(m);
    CHECK(info.id.spi == htonl(0xc0000001));
    CHECK(info.id.proto == IPPROTO_ESP);
    CHECK(info.saddr.a4 == htonl(0xcb00710a));
    CHECK(info.id.daddr.a4 == htonl(0xc6336401));
    CHECK(info.family == AF_INET);
    CHECK(info.mode == XFRM_MODE_TUNNEL);
    CHECK(info.reqid == kId.value());
    CHECK(info.flags == XFRM_STATE_AF_UNSPEC);
    CHECK(info.lft.hard_add_expires_seconds == 3600);
    CHECK(info.lft.hard_packet_limit == XFRM_INF);
    CHECK(value<std::uint32_t>(attribute<xfrm_usersa_info>(m, XFRMA_IF_ID)) == kId.value());
  }

  TEST_CASE("an outbound SA runs from us to the peer with the peer's SPI and our sending key") {
    const auto m = sa_message(SaRequest::Update, kId, gcm_child(), Direction::Out);
    CHECK(nlmsg_hdr(m.get())->nlmsg_type == XFRM_MSG_UPDSA);
    const auto info = payload<xfrm_usersa_info>(m);
    CHECK(info.id.spi == htonl(0xc0000002));
    CHECK(info.saddr.a4 == htonl(0xc6336401));
    CHECK(info.id.daddr.a4 == htonl(0xcb00710a));
    const auto* aead = attribute<xfrm_usersa_info>(m, XFRMA_ALG_AEAD);
    CHECK(key_of(aead, sizeof(xfrm_algo_aead)) == "ooooooooooooooooooooooooooooooooSALT");
  }

  TEST_CASE("AES-GCM is one AEAD algorithm whose key has the salt behind it [RFC 4106 8.1]") {
    const auto m = sa_message(SaRequest::New, kId, gcm_child(), Direction::In);
    const auto* a = attribute<xfrm_usersa_info>(m, XFRMA_ALG_AEAD);
    const auto aead = value<xfrm_algo_aead>(a);
    CHECK(std::string(aead.alg_name) == "rfc4106(gcm(aes))");
    CHECK(aead.alg_key_len == 288);
    CHECK(aead.alg_icv_len == 128);
    CHECK(key_of(a, sizeof aead) == "iiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiSALT");
    CHECK(attribute<xfrm_usersa_info>(m, XFRMA_ALG_CRYPT) == nullptr);
  }

  TEST_CASE("HMAC-SHA-256 is truncated to 128 bits, not to the kernel's default of 96 [RFC 4868 2.3]") {
    const auto m = sa_message(SaRequest::New, kId, cbc_child(), Direction::In);
    const auto crypt = value<xfrm_algo>(attribute<xfrm_usersa_info>(m, XFRMA_ALG_CRYPT));
    CHECK(std::string(crypt.alg_name) == "cbc(aes)");
    CHECK(crypt.alg_key_len == 128);
    const auto auth = value<xfrm_algo_auth>(attribute<xfrm_usersa_info>(m, XFRMA_ALG_AUTH_TRUNC));
    CHECK(std::string(auth.alg_name) == "hmac(sha256)");
    CHECK(auth.alg_key_len == 256);
    CHECK(auth.alg_trunc_len == 128);
    CHECK(attribute<xfrm_usersa_info>(m, XFRMA_ALG_AUTH) == nullptr);
  }

  TEST_CASE("only the inbound SA has a replay window, of the size asked for") {
    ipsec::ChildSa sa = gcm_child();
    sa.replay_window = 1000;
    const auto in = sa_message(SaRequest::New, kId, sa, Direction::In);
    const auto* a = attribute<xfrm_usersa_info>(in, XFRMA_REPLAY_ESN_VAL);
    const auto window = value<xfrm_replay_state_esn>(a);
    CHECK(window.replay_window == 1000);
    CHECK(window.bmp_len == 32);
    CHECK(nla_len(a) == static_cast<int>(sizeof window) + 32 * 4);
    const auto out = sa_message(SaRequest::New, kId, sa, Direction::Out);
    CHECK(attribute<xfrm_usersa_info>(out, XFRMA_REPLAY_ESN_VAL) == nullptr);
  }

  TEST_CASE("with extended sequence numbers the outbound SA has the window of 1 that the kernel wants") {
    ipsec::ChildSa sa = gcm_child();
    sa.suite.esn = true;
    const auto m = sa_message(SaRequest::New, kId, sa, Direction::Out);
    CHECK((payload<xfrm_usersa_info>(m).flags & XFRM_STATE_ESN) != 0);
    CHECK(value<xfrm_replay_state_esn>(attribute<xfrm_usersa_info>(m, XFRMA_REPLAY_ESN_VAL)).replay_window == 1);
  }

  TEST_CASE("UDP encapsulation names the ports as the packets carry them, and is absent when not negotiated") {
    ipsec::ChildSa sa = gcm_child();
    CHECK(attribute<xfrm_usersa_info>(sa_message(SaRequest::New, kId, sa, Direction::In), XFRMA_ENCAP) == nullptr);
    sa.udp_encap = true;
    const auto in = sa_message(SaRequest::New, kId, sa, Direction::In);
    const auto encap_in = value<xfrm_encap_tmpl>(attribute<xfrm_usersa_info>(in, XFRMA_ENCAP));
    CHECK(encap_in.encap_type == UDP_ENCAP_ESPINUDP);
    CHECK(encap_in.encap_sport == htons(1027));
    CHECK(encap_in.encap_dport == htons(4500));
    const auto out = sa_message(SaRequest::New, kId, sa, Direction::Out);
    CHECK(value<xfrm_encap_tmpl>(attribute<xfrm_usersa_info>(out, XFRMA_ENCAP)).encap_dport == htons(1027));
  }

  TEST_CASE("the outbound policy is pinned to the outbound SPI; inbound ones match any SA of the tunnel") {
    const auto out = allow_policy(kId, gcm_child(), PolicyDirection::Out);
    CHECK(nlmsg_hdr(out.get())->nlmsg_type == XFRM_MSG_UPDPOLICY);
    CHECK(payload<xfrm_userpolicy_info>(out).dir == XFRM_POLICY_OUT);
    const auto t = value<xfrm_user_tmpl>(attribute<xfrm_userpolicy_info>(out, XFRMA_TMPL));
    CHECK(t.id.spi == htonl(0xc0000002));
    CHECK(t.reqid == kId.value());
    CHECK(t.saddr.a4 == htonl(0xc6336401));
    CHECK(value<std::uint32_t>(attribute<xfrm_userpolicy_info>(out, XFRMA_IF_ID)) == kId.value());
    for (const auto d : {PolicyDirection::In, PolicyDirection::Forward}) {
      const auto in = allow_policy(kId, gcm_child(), d);
      const auto inbound = value<xfrm_user_tmpl>(attribute<xfrm_userpolicy_info>(in, XFRMA_TMPL));
      CHECK(inbound.id.spi == 0);
      CHECK(inbound.id.daddr.a4 == htonl(0xc6336401));
    }
  }

  TEST_CASE("a blocking policy has no template and drops") {
    const auto m = block_policy(kId, selectors_of(gcm_child()));
    CHECK(payload<xfrm_userpolicy_info>(m).action == XFRM_POLICY_BLOCK);
    CHECK(attribute<xfrm_userpolicy_info>(m, XFRMA_TMPL) == nullptr);
    CHECK(value<std::uint32_t>(attribute<xfrm_userpolicy_info>(m, XFRMA_IF_ID)) == kId.value());
  }

  TEST_CASE("a policy is deleted with its if_id, or the kernel would not find it") {
    const auto m = delete_policy(kId, PolicyDirection::Forward, selectors_of(gcm_child()));
    CHECK(payload<xfrm_userpolicy_id>(m).dir == XFRM_POLICY_FWD);
    CHECK(value<std::uint32_t>(attribute<xfrm_userpolicy_id>(m, XFRMA_IF_ID)) == kId.value());
  }

  TEST_CASE("a traffic selector that is a prefix becomes the policy's, any other range all of its family") {
    ipsec::ChildSa sa = gcm_child();
    CHECK(selectors_of(sa).local.to_string() == "0.0.0.0/0");
    sa.local_ts = {ip("10.0.0.0"), ip("10.0.255.255")};
    sa.remote_ts = {ip("10.1.0.0"), ip("10.1.0.6")};
    CHECK(selectors_of(sa).local.to_string() == "10.0.0.0/16");
    CHECK(selectors_of(sa).remote.to_string() == "0.0.0.0/0");
    sa.remote_ts = {ip("10.1.0.7"), ip("10.1.0.7")};
    CHECK(selectors_of(sa).remote.to_string() == "10.1.0.7/32");
    sa.remote_ts = {ip("2001:db8::"), ip("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff")};
    CHECK(selectors_of(sa).remote.to_string() == "2001:db8::/32");
    const auto in = payload<xfrm_userpolicy_info>(allow_policy(kId, sa, PolicyDirection::In));
    CHECK(in.sel.prefixlen_s == 32);
    CHECK(in.sel.prefixlen_d == 16);
  }

  TEST_CASE("what the kernel tells about an SA is read back; other messages and short ones are not") {
    const auto m = sa_message(SaRequest::New, kId, gcm_child(), Direction::In);
    auto* h = nlmsg_hdr(m.get());
    auto* raw = static_cast<xfrm_usersa_info*>(nlmsg_data(h));
    raw->curlft.packets = 7;
    raw->curlft.bytes = 700;
    raw->stats.replay = 2;
    raw->stats.replay_window = 1;
    raw->stats.integrity_failed = 4;
    SaInfo info;
    REQUIRE(read_sa(h, info));
    CHECK(info.name.spi == ipsec::Spi{0xc0000001});
    CHECK(info.name.destination == ip("198.51.100.1"));
    CHECK(info.id == kId);
    CHECK(info.reqid == kId.value());
    CHECK(info.packets == 7);
    CHECK(info.octets == 700);
    CHECK(info.replayed == 3);
    CHECK(info.bad_icv == 4);
    h->nlmsg_len = NLMSG_LENGTH(sizeof(xfrm_usersa_info) - 1);
    CHECK(!read_sa(h, info));
    CHECK(!read_sa(nlmsg_hdr(dump_policies().get()), info));
  }

  TEST_CASE("a policy read back names its selectors from our side, whatever its direction") {
    ipsec::ChildSa sa = gcm_child();
    sa.local_ts = {ip("10.0.0.0"), ip("10.0.255.255")};
    for (const auto d : {PolicyDirection::In, PolicyDirection::Out, PolicyDirection::Forward}) {
      const auto m = allow_policy(kId, sa, d);
      nlmsg_hdr(m.get())->nlmsg_type = XFRM_MSG_NEWPOLICY;
      PolicyInfo info;
      REQUIRE(read_policy(nlmsg_hdr(m.get()), info));
      CHECK(info.direction == d);
      CHECK(info.id == kId);
      CHECK(info.selectors == selectors_of(sa));
    }
  }

  TEST_CASE("if_ids of ours are 0x0c670001 to 0x0c67ffff") {
    CHECK(!is_our_if_id(IfId{0x0c670000}));
    CHECK(is_our_if_id(IfId{0x0c670001}));
    CHECK(is_our_if_id(IfId{0x0c67ffff}));
    CHECK(!is_our_if_id(IfId{0x0c680000}));
  }
}

}  // namespace
}  // namespace cgw::kernel::xfrm
