#include <doctest/doctest.h>

#include "base/ip.hpp"
#include "base/note.hpp"

namespace cgw {
TEST_SUITE_BEGIN("base/ip");

TEST_CASE("addresses survive text and bytes in both families") {
  for (const char* text : {"0.0.0.0", "192.0.2.1", "255.255.255.255", "::", "fd00::1", "2001:db8::ff00:42:8329"}) {
    const auto a = IpAddress::parse(text);
    REQUIRE(a);
    CHECK(a->to_string() == text);
    CHECK(*IpAddress::from_bytes(a->bytes()) == *a);
  }
  CHECK(IpAddress::v4(0xC0000201).to_string() == "192.0.2.1");
  CHECK(IpAddress::parse("192.0.2.1")->v4_value() == 0xC0000201);
}

TEST_CASE("what is no address is named in the error") {
  for (const char* text : {"", "1.2.3", "1.2.3.256", "1.2.3.4 ", "g::", "1.2.3.4/8"}) {
    const auto a = IpAddress::parse(text);
    REQUIRE(!a);
    CHECK(a.error().find(text) != std::string::npos);
  }
  CHECK(!IpAddress::from_bytes(std::array<std::uint8_t, 5>{}));
}

TEST_CASE("a prefix with host bits is refused and the right one is named") {
  CHECK(Prefix::parse("10.50.0.0/16")->to_string() == "10.50.0.0/16");
  CHECK(Prefix::parse("10.50.0.1/16").error().find("10.50.0.0/16") != std::string::npos);
  CHECK(!Prefix::parse("10.0.0.0/33"));
  CHECK(!Prefix::parse("10.0.0.0/-1"));
  CHECK(!Prefix::parse("10.0.0.0/8x"));
  CHECK(!Prefix::parse("10.0.0.0"));
  CHECK(Prefix::of(*IpAddress::parse("fd00::ffff"), 127).to_string() == "fd00::fffe/127");
}

TEST_CASE("a prefix contains its own and longer ones of the same family") {
  const Prefix p = *Prefix::parse("10.50.0.0/17");
  CHECK(p.contains(*IpAddress::parse("10.50.127.255")));
  CHECK(!p.contains(*IpAddress::parse("10.50.128.0")));
  CHECK(p.contains(*Prefix::parse("10.50.0.0/17")));
  CHECK(p.contains(*Prefix::parse("10.50.1.0/24")));
  CHECK(!p.contains(*Prefix::parse("10.50.0.0/16")));
  CHECK(!Prefix::parse("0.0.0.0/0")->contains(*IpAddress::parse("::1")));
  CHECK(Prefix::parse("::/0")->contains(*IpAddress::parse("::1")));
}

TEST_CASE("text of a peer is made printable") {
  CHECK(printable("a\x1b[2Jb\\") == "a\\x1b[2Jb\\x5c");
  CHECK(printable("abcdef", 3) == "abc...");
  CHECK(hex("\x01\xff") == "01 ff");
}

TEST_SUITE_END();
}  // namespace cgw
