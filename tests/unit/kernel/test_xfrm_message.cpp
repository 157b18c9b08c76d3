#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstring>
#include <string>

#include <doctest/doctest.h>
#include <linux/udp.h>
#include <netlink/attr.h>

#include "kernel/xfrm.hpp"
#include "kernel/xfrm_message.hpp"
#include "kernel/xfrm_wire.hpp"
#include "tests/unit/kernel/child_sas.hpp"

namespace cgw::kernel::xfrm {
namespace {

ipsec::ChildSa cbc_child() {
  ipsec::ChildSa sa = gcm_child();
  sa.suite = {.encr = ipsec::Encr::AesCbc, .key_bits = 128, .integ = ipsec::Integ::HmacSha256_128};
  sa.in = {SecretBytes(std::string_view("iiiiiiiiiiiiiiii")), SecretBytes(std::string(32, 'h'))};
  sa.out = sa.in;
  return sa;
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
    CHECK(info.lft.soft_add_expires_seconds == 3300);
    CHECK(info.lft.hard_add_expires_seconds == 3600);
    CHECK(info.lft.hard_packet_limit == XFRM_INF);
    CHECK(value<std::uint32_t>(attribute<xfrm_usersa_info>(m, XFRMA_IF_ID)) == kId.value());
  }

  TEST_CASE("the kernel ends an SA by volume too, where the SA has a limit") {
    ipsec::ChildSa sa = gcm_child();
    sa.soft = {.packets = 1000, .octets = 0};
    sa.hard = {.packets = 1250, .octets = 5'000'000};
    const auto lft = payload<xfrm_usersa_info>(sa_message(SaRequest::New, kId, sa, Direction::Out)).lft;
    CHECK(lft.soft_packet_limit == 1000);
    CHECK(lft.hard_packet_limit == 1250);
    CHECK(lft.soft_byte_limit == XFRM_INF);
    CHECK(lft.hard_byte_limit == 5'000'000);
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

  TEST_CASE("from Linux 6.10 on an SA says its direction, and an outbound one has no window at all") {
    ipsec::ChildSa sa = gcm_child();
    sa.suite.esn = true;
    const SaOptions options{.says_direction = true};
    const auto out = sa_message(SaRequest::New, kId, sa, Direction::Out, options);
    CHECK(value<std::uint8_t>(attribute<xfrm_usersa_info>(out, 33)) == 2);
    const auto window = value<xfrm_replay_state_esn>(attribute<xfrm_usersa_info>(out, XFRMA_REPLAY_ESN_VAL));
    CHECK(window.replay_window == 0);
    CHECK(window.bmp_len == 0);
    const auto in = sa_message(SaRequest::New, kId, sa, Direction::In, options);
    CHECK(value<std::uint8_t>(attribute<xfrm_usersa_info>(in, 33)) == 1);
    CHECK(value<xfrm_replay_state_esn>(attribute<xfrm_usersa_info>(in, XFRMA_REPLAY_ESN_VAL)).replay_window == 1024);
    CHECK(attribute<xfrm_usersa_info>(sa_message(SaRequest::New, kId, sa, Direction::In), 33) == nullptr);
  }

  TEST_CASE("which kernels know an SA's direction, and ESP in UDP over IPv6, is read from their release") {
    CHECK(has_sa_direction("6.10.0"));
    CHECK(has_sa_direction("6.18.44"));
    CHECK(has_sa_direction("7.0.0-rc1"));
    CHECK(!has_sa_direction("6.9.12-amd64"));
    CHECK(!has_sa_direction("6.1.0-56-cloud-amd64"));
    CHECK(!has_sa_direction("5.15.0"));
    for (const char* odd : {"", "6", "6.", "x.y", "6-10"})
      CHECK(!has_sa_direction(odd));
    CHECK(has_esp_in_udp_v6("5.8.0"));
    CHECK(has_esp_in_udp_v6("6.1.0-56-cloud-amd64"));
    CHECK(!has_esp_in_udp_v6("5.7.19"));
    CHECK(!has_esp_in_udp_v6("4.19.0"));
  }

  TEST_CASE("behind a NAT of IPv6 an older kernel is refused by name, and only there") {
    auto sa = gcm_child();
    for (const bool encap : {false, true}) {
      for (const char* peer : {"192.0.2.1", "2001:db8::1"}) {
        CAPTURE(peer);
        sa.udp_encap = encap;
        sa.remote.address = *IpAddress::parse(peer);
        CHECK(why_not(sa, "6.1.0").empty());
        CHECK(why_not(sa, "5.7.19").empty() == (!encap || sa.remote.address.is_v4()));
      }
    }
    CHECK(why_not(sa, "5.4.0").find("Linux 5.8") != std::string_view::npos);
  }

  TEST_CASE("DF is cleared on what is sent only: inbound the flag is refused from Linux 6.10 on") {
    const SaOptions options{.clear_df = true};
    const auto flags = [&](Direction d) {
      return payload<xfrm_usersa_info>(sa_message(SaRequest::New, kId, gcm_child(), d, options)).flags;
    };
    CHECK((flags(Direction::Out) & XFRM_STATE_NOPMTUDISC) != 0);
    CHECK((flags(Direction::In) & XFRM_STATE_NOPMTUDISC) == 0);
  }

  TEST_CASE("offload names the outer interface, the direction and the family") {
    const SaOptions options{.offload = IfIndex{7}};
    const auto offload = [&](const ipsec::ChildSa& sa, Direction d) {
      const auto m = sa_message(SaRequest::New, kId, sa, d, options);
      return value<xfrm_user_offload>(attribute<xfrm_usersa_info>(m, XFRMA_OFFLOAD_DEV));
    };
    CHECK(offload(gcm_child(), Direction::Out).ifindex == 7);
    CHECK(offload(gcm_child(), Direction::Out).flags == 0);
    CHECK(offload(gcm_child(), Direction::In).flags == XFRM_OFFLOAD_INBOUND);
    CHECK(offload(v6_child(), Direction::Out).flags == XFRM_OFFLOAD_IPV6);
    const auto none = sa_message(SaRequest::New, kId, gcm_child(), Direction::Out);
    CHECK(attribute<xfrm_usersa_info>(none, XFRMA_OFFLOAD_DEV) == nullptr);
  }

  TEST_CASE("an IPv6 path makes IPv6 SAs, whatever they carry") {
    const auto info = payload<xfrm_usersa_info>(sa_message(SaRequest::New, kId, v6_child(), Direction::Out));
    CHECK(info.family == AF_INET6);
    CHECK((info.flags & XFRM_STATE_AF_UNSPEC) != 0);
    CHECK(info.id.daddr.a6[0] == htonl(0x20010db8));
    CHECK(info.id.daddr.a6[3] == htonl(2));
    CHECK(info.saddr.a6[3] == htonl(1));
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
    CHECK(value<std::uint32_t>(attribute<xfrm_usersa_info>(in, XFRMA_MTIMER_THRESH)) == 1);
    const auto out = sa_message(SaRequest::New, kId, sa, Direction::Out);
    CHECK(attribute<xfrm_usersa_info>(out, XFRMA_MTIMER_THRESH) == nullptr);
    CHECK(value<xfrm_encap_tmpl>(attribute<xfrm_usersa_info>(out, XFRMA_ENCAP)).encap_dport == htons(1027));
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
    CHECK(!info.larval);
    CHECK(!info.offloaded);
    h->nlmsg_len = NLMSG_LENGTH(sizeof(xfrm_usersa_info) - 1);
    CHECK(!read_sa(h, info));
    CHECK(!read_sa(nlmsg_hdr(dump_sas().get()), info));
  }

  TEST_CASE("an SA without keys is the kernel's placeholder, and is known as one") {
    const auto m = message(XFRM_MSG_NEWSA);
    xfrm_usersa_info raw_info{};
    raw_info.family = AF_INET;
    raw_info.id.proto = IPPROTO_ESP;
    append(m, raw_info);
    SaInfo info;
    REQUIRE(read_sa(nlmsg_hdr(m.get()), info));
    CHECK(info.larval);
  }

  TEST_CASE("an offloaded SA says so") {
    const auto m = sa_message(SaRequest::New, kId, gcm_child(), Direction::Out, {.offload = IfIndex{7}});
    SaInfo info;
    REQUIRE(read_sa(nlmsg_hdr(m.get()), info));
    CHECK(info.offloaded);
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
