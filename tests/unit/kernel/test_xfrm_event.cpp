#include <arpa/inet.h>

#include <doctest/doctest.h>

#include "kernel/xfrm_event.hpp"
#include "kernel/xfrm_wire.hpp"

namespace cgw::kernel::xfrm {
namespace {

constexpr IfId kId{0x0c670001};
constexpr std::uint32_t kOwnPort = 4711;

template <class T>
Message told(std::uint16_t type, const T& payload, std::uint32_t if_id = 0, std::uint32_t port = 0) {
  Message m = message(type);
  append(m, payload);
  if (if_id != 0) nla_put_u32(m.get(), XFRMA_IF_ID, if_id);
  nlmsg_hdr(m.get())->nlmsg_pid = port;
  return m;
}

std::optional<Event> read(const Message& m) {
  return read_event(nlmsg_hdr(m.get()), kOwnPort);
}

xfrm_user_expire expire(std::uint32_t reqid, bool hard) {
  xfrm_user_expire e{};
  e.state.id.spi = htonl(0xc0000001);
  e.state.id.proto = IPPROTO_ESP;
  e.state.reqid = reqid;
  e.hard = hard;
  return e;
}

TEST_SUITE("kernel/xfrm_event") {
  TEST_CASE("an SA's end is told with its tunnel, its SPI and whether it is over") {
    for (const bool hard : {false, true}) {
      const auto e = read(told(XFRM_MSG_EXPIRE, expire(kId.value(), hard)));
      REQUIRE(e);
      const auto& x = std::get<SaExpired>(*e);
      CHECK(x.id == kId);
      CHECK(x.spi == ipsec::Spi{0xc0000001});
      CHECK(x.hard == hard);
    }
    CHECK(!read(told(XFRM_MSG_EXPIRE, expire(16385, true))));
  }

  TEST_CASE("a mapping names the peer's new address and port") {
    xfrm_user_mapping m{};
    m.id.family = AF_INET;
    m.id.spi = htonl(0xc0000001);
    m.reqid = kId.value();
    m.old_saddr.a4 = htonl(0xcb00710a);
    m.new_saddr.a4 = htonl(0xcb00710b);
    m.new_sport = htons(1027);
    const auto e = read(told(XFRM_MSG_MAPPING, m));
    REQUIRE(e);
    CHECK(std::get<PeerMapped>(*e).remote == Endpoint{IpAddress::parse("203.0.113.11").value(), 1027});
    CHECK(std::get<PeerMapped>(*e).spi == ipsec::Spi{0xc0000001});
    m.reqid = 1;
    CHECK(!read(told(XFRM_MSG_MAPPING, m)));
  }

  TEST_CASE("an acquire is ours by the if_id of its policy") {
    const auto e = read(told(XFRM_MSG_ACQUIRE, xfrm_user_acquire{}, kId.value()));
    REQUIRE(e);
    CHECK(std::get<SaWanted>(*e).id == kId);
    CHECK(!read(told(XFRM_MSG_ACQUIRE, xfrm_user_acquire{}, 42)));
    CHECK(!read(told(XFRM_MSG_ACQUIRE, xfrm_user_acquire{})));
  }

  TEST_CASE("others' changes are noticed, our own are not, nor those that name another if_id") {
    const auto changed = [](const std::optional<Event>& e) { return e && std::holds_alternative<Changed>(*e); };
    CHECK(changed(read(told(XFRM_MSG_FLUSHSA, xfrm_usersa_flush{}))));
    CHECK(changed(read(told(XFRM_MSG_FLUSHPOLICY, xfrm_usersa_flush{}))));
    CHECK(changed(read(told(XFRM_MSG_DELSA, xfrm_usersa_id{}, 0, 99))));
    CHECK(changed(read(told(XFRM_MSG_NEWSA, xfrm_usersa_info{}, kId.value(), 99))));
    CHECK(changed(read(told(XFRM_MSG_DELPOLICY, xfrm_userpolicy_id{}, kId.value(), 99))));
    CHECK(changed(read(told(XFRM_MSG_UPDPOLICY, xfrm_userpolicy_info{}, kId.value(), 99))));
    CHECK(!read(told(XFRM_MSG_FLUSHSA, xfrm_usersa_flush{}, 0, kOwnPort)));
    CHECK(!read(told(XFRM_MSG_NEWSA, xfrm_usersa_info{}, kId.value(), kOwnPort)));
    CHECK(!read(told(XFRM_MSG_NEWSA, xfrm_usersa_info{}, 42, 99)));
    CHECK(!read(told(XFRM_MSG_NEWPOLICY, xfrm_userpolicy_info{}, 42, 99)));
  }

  TEST_CASE("short messages are read as no event, or as a change worth looking at; never past their end") {
    const auto empty = [](std::uint16_t type) { return read(message(type)); };
    CHECK(!empty(XFRM_MSG_EXPIRE));
    CHECK(!empty(XFRM_MSG_MAPPING));
    CHECK(!empty(XFRM_MSG_ACQUIRE));
    CHECK(!empty(XFRM_MSG_GETSA));
    CHECK(empty(XFRM_MSG_DELSA));
  }
}

}  // namespace
}  // namespace cgw::kernel::xfrm
