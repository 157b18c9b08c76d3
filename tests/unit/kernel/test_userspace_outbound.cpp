#include <doctest/doctest.h>

#include "kernel/userspace_options.hpp"
#include "kernel/userspace_outbound.hpp"

namespace cgw::kernel::userspace {
namespace {

SecretBytes filled(std::size_t octets, unsigned value) {
  SecretBytes out(octets);
  for (auto& b : out.mutable_view())
    b = static_cast<std::uint8_t>(value);
  return out;
}

// The nth Child SA of a day.
ipsec::ChildSa child(unsigned n, unsigned spi_out) {
  ipsec::ChildSa sa;
  sa.suite = *ipsec::parse_esp_suite("aes128gcm16");
  sa.spi_in = ipsec::Spi{0xc0000000 + n};
  sa.spi_out = ipsec::Spi{spi_out};
  sa.out.encr = filled(20, n);
  sa.out.encr.mutable_view()[1] = static_cast<std::uint8_t>(n >> 8);
  return sa;
}

std::uint64_t send_one(Sealing& s) {
  const auto number = s.numbers.take(1);
  REQUIRE(number.count == 1);
  return number.first;
}

}  // namespace

TEST_SUITE_BEGIN("kernel/userspace_outbound");

TEST_CASE("an SA that is used again goes on with its sequence numbers, whatever was used in between") {
  OutboundSas sas(ipsec::EspCrypto::Fastest, 1);
  auto first = *sas.take(child(1, 0x1111));
  CHECK(send_one(*first) == 1);
  CHECK(send_one(**sas.take(child(2, 0x2222))) == 1);
  CHECK(send_one(**sas.take(child(1, 0x1111))) == 2);
}

TEST_CASE("a peer that gives a living SPI to another SA gets that SA's keys") {
  OutboundSas sas(ipsec::EspCrypto::Fastest, 1);
  auto first = *sas.take(child(1, 0x1111)), second = *sas.take(child(2, 0x1111));
  CHECK(first != second);
  CHECK(send_one(*first) == 1);
  CHECK(send_one(*second) == 1);
  sas.retire(ipsec::Spi{0xc0000001}, ipsec::Spi{0x1111});
  CHECK(*sas.take(child(2, 0x1111)) == second);
}

TEST_CASE("the keys of a removed SA are never used again, nor those of a living one under other SPIs") {
  OutboundSas sas(ipsec::EspCrypto::Fastest, 1);
  REQUIRE(sas.take(child(1, 0x1111)));
  auto stolen = child(1, 0x1111);
  stolen.spi_in = ipsec::Spi{0xc0000099};
  CHECK(!sas.take(stolen));
  auto rekeyed = child(1, 0x1111);
  rekeyed.out.encr = filled(20, 9);
  CHECK(!sas.take(rekeyed));

  sas.retire(ipsec::Spi{0xc0000001}, ipsec::Spi{0x1111});
  const auto again = sas.take(child(1, 0x1111));
  REQUIRE(!again);
  CHECK(again.error().to_string().find("removed") != std::string::npos);
  CHECK(!sas.take(stolen));
  CHECK(sas.take(child(2, 0x1111)));
  sas.retire(ipsec::Spi{0xc0000077}, ipsec::Spi{0x1111});  // unknown: nothing
}

TEST_CASE("thousands of rekeys later they are still remembered, and no more than that") {
  OutboundSas sas(ipsec::EspCrypto::Fastest, 1);
  for (unsigned n = 1; n <= OutboundSas::kRemembered; ++n) {
    REQUIRE(sas.take(child(n, 0x1111)));
    sas.retire(ipsec::Spi{0xc0000000 + n}, ipsec::Spi{0x1111});
  }
  CHECK(!sas.take(child(1, 0x1111)));
  CHECK(!sas.take(child(OutboundSas::kRemembered, 0x1111)));
}

TEST_CASE("wear is told once when a new SA is due and once when nothing passes any more") {
  const auto sa = child(1, 0x1111);
  Sealing s(sa, ipsec::EspCrypto::Fastest, 1, 0xefffffff);
  send_one(s);
  CHECK(!s.wears());
  send_one(s);
  CHECK(s.wears());
  CHECK(s.wear == Wear::Nearly);
  send_one(s);
  CHECK(!s.wears());
  Sealing last(sa, ipsec::EspCrypto::Fastest, 1, 0xfffffffe);
  send_one(last);
  CHECK(last.wears());
  CHECK(last.wear == Wear::UsedUp);
  CHECK(!last.wears());
}

TEST_CASE("of a peer that moves the last place is told, and what is not taken has a bound") {
  News news;
  const Endpoint one{*IpAddress::parse("192.0.2.1"), 4500}, other{*IpAddress::parse("192.0.2.1"), 7777};
  news.moved(IfId{1}, ipsec::Spi{5}, one);
  news.moved(IfId{1}, ipsec::Spi{5}, other);
  const auto told = news.take();
  REQUIRE(told.size() == 1);
  CHECK(told[0].remote == other);
  CHECK(news.take().empty());
  for (std::uint32_t spi = 0; spi < 1000; ++spi)
    news.moved(IfId{1}, ipsec::Spi{spi}, one);
  CHECK(news.take().size() <= 64);
}

TEST_CASE("words that nobody knows are refused by name") {
  CHECK(parse_options("")->datagram_offload);
  CHECK(parse_options("openssl")->crypto == ipsec::EspCrypto::OpenSsl);
  const auto both = parse_options("no-udp-offload,no-tun-offload");
  CHECK(!both->datagram_offload);
  CHECK(!both->tun.tcp);
  CHECK(parse_options("ipsec-mb").has_value() == ipsec::ipsec_mb_usable());
  CHECK(parse_options("openssl,fast").error().to_string().find("'fast'") != std::string::npos);
}

TEST_SUITE_END();
}  // namespace cgw::kernel::userspace
