#include <doctest/doctest.h>

#include "bgp/framing.hpp"

using namespace cgw;
using namespace cgw::bgp;
using Octets = std::vector<std::uint8_t>;

namespace {

Octets header(std::uint16_t length, std::uint8_t type) {
  Octets out(16, 0xff);
  out.push_back(static_cast<std::uint8_t>(length >> 8));
  out.push_back(static_cast<std::uint8_t>(length));
  out.push_back(type);
  return out;
}

struct Cut {
  std::size_t messages = 0;
  std::optional<Notification> error;
};

Cut drain(Framer& f) {
  Cut out;
  while (true) {
    auto r = f.next();
    if (!r) {
      out.error = r.error();
      return out;
    }
    if (!*r) return out;
    ++out.messages;
  }
}

}  // namespace

TEST_SUITE("bgp/framing") {
  TEST_CASE("a KEEPALIVE is nineteen octets and frames back to itself [RFC 4271 4.4]") {
    const Octets wire = frame(MessageType::Keepalive, {});
    CHECK(wire == header(19, 4));
    Framer f;
    f.push(wire);
    auto r = f.next();
    REQUIRE(r);
    REQUIRE(*r);
    CHECK((*r)->type == MessageType::Keepalive);
    CHECK((*r)->body.empty());
    CHECK(drain(f).messages == 0);
  }

  TEST_CASE("every truncation of a message asks for more, the last octet completes it") {
    Octets wire = encode(Notification{.code = 6, .subcode = 2, .data = {3, 'b', 'y', 'e'}});
    for (std::size_t n = 0; n < wire.size(); ++n) {
      Framer f;
      f.push(Bytes(wire).first(n));
      const auto cut = drain(f);
      CHECK(cut.messages == 0);
      CHECK_FALSE(cut.error);
      f.push(Bytes(wire).subspan(n));
      CHECK(drain(f).messages == 1);
    }
  }

  TEST_CASE("many messages cut octet by octet come out whole and in order") {
    Octets stream;
    for (std::uint8_t i = 0; i < 20; ++i) {
      const auto m = encode(Notification{.code = 6, .subcode = i, .data = Octets(i, i)});
      stream.insert(stream.end(), m.begin(), m.end());
    }
    Framer f;
    std::uint8_t seen = 0;
    for (const std::uint8_t b : stream) {
      f.push(Bytes(&b, 1));
      auto r = f.next();
      REQUIRE(r);
      if (!*r) continue;
      const auto n = parse_notification((*r)->body);
      REQUIRE(n);
      CHECK(n->subcode == seen);
      CHECK(n->data == Octets(seen, seen));
      ++seen;
    }
    CHECK(seen == 20);
  }

  TEST_CASE("a broken header is hopeless, and says what to notify [RFC 4271 6.1]") {
    struct Row {
      Octets wire;
      Notification answer;
    };
    Octets bad_marker = header(19, 4);
    bad_marker[7] = 0xfe;
    const Row rows[] = {
        {bad_marker, {1, 1, {}}},
        {header(18, 4), {1, 2, {0, 18}}},
        {header(20, 4), {1, 2, {0, 20}}},
        {header(4097, 2), {1, 2, {0x10, 0x01}}},
        {header(0xffff, 2), {1, 2, {0xff, 0xff}}},
        {header(28, 1), {1, 2, {0, 28}}},
        {header(22, 2), {1, 2, {0, 22}}},
        {header(20, 3), {1, 2, {0, 20}}},
        {header(19, 0), {1, 3, {0}}},
        {header(19, 6), {1, 3, {6}}},
    };
    for (const auto& row : rows) {
      Framer f;
      f.push(row.wire);
      const auto cut = drain(f);
      REQUIRE(cut.error);
      CHECK(*cut.error == row.answer);
    }
  }

  TEST_CASE("the largest message is 4096 octets") {
    Octets body(kMaxMessage - kHeaderOctets, 0);
    Framer f;
    f.push(frame(MessageType::Update, body));
    const auto cut = drain(f);
    CHECK(cut.messages == 1);
    CHECK_FALSE(cut.error);
  }
}

TEST_SUITE("bgp/notification") {
  TEST_CASE("a NOTIFICATION is told in words") {
    CHECK(Notification{6, 1, {}}.to_string() == "Cease/Maximum Number of Prefixes Reached");
    CHECK(Notification{2, 2, {}}.to_string() == "OPEN Message Error/Bad Peer AS");
    CHECK(Notification{4, 0, {}}.to_string() == "Hold Timer Expired");
    CHECK(Notification{6, 7, {}}.to_string() == "Cease/Connection Collision Resolution");
    CHECK(Notification{5, 3, {}}.to_string() == "Finite State Machine Error/Unexpected Message in Established State");
  }

  TEST_CASE("a shutdown communication is shown, made printable [RFC 9003 2]") {
    const auto text = Notification{6, 2, {4, 'u', 'p', '\n', 0x1b}}.to_string();
    CHECK(text.find("Administrative Shutdown") != std::string::npos);
    CHECK(text.find("up\\x0") != std::string::npos);
    CHECK(text.find('\n') == std::string::npos);
    // A length that lies is not followed.
    CHECK(Notification{6, 2, {200, 'x'}}.to_string() == "Cease/Administrative Shutdown");
  }

  TEST_CASE("codes nobody has assigned are numbers, not a crash") {
    for (int code = 0; code < 256; ++code) {
      for (int sub = 0; sub < 256; sub += 5)
        CHECK_FALSE(
            Notification{static_cast<std::uint8_t>(code), static_cast<std::uint8_t>(sub), {}}.to_string().empty());
    }
  }
}
