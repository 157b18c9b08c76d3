#include <doctest/doctest.h>

#include <string>

#include "config/config.hpp"

namespace {

using namespace cgw;
using namespace cgw::config;

std::string value(const Secrets& s, const char* name) {
  const auto view = s.at(name).view();
  return {view.begin(), view.end()};
}

std::string complaint(const std::string& text) {
  const auto s = parse_secrets(text, "secrets");
  std::string out;
  if (!s) {
    for (const auto& d : s.error())
      out += (out.empty() ? "" : " | ") + d.to_string();
  }
  return out;
}

}  // namespace

TEST_CASE("names and keys, one pair a line; comments, blank lines and CRLF between them") {
  const auto s =
      parse_secrets("# keys\n\nvpn-1-tunnel1 abc.DEF_123\r\n\t vpn-1-tunnel2 \t x#y! \n#c d e f\nlast 1", "secrets");
  REQUIRE(s);
  CHECK(s->size() == 3);
  CHECK(value(*s, "vpn-1-tunnel1") == "abc.DEF_123");
  CHECK(value(*s, "vpn-1-tunnel2") == "x#y!");
  CHECK(value(*s, "last") == "1");
  CHECK(parse_secrets("", "secrets")->empty());
}

TEST_CASE("a fault names its line and shows nothing of it") {
  CHECK(complaint("a b\nTopSecretKey\n") == "secrets:2:1: a name and a key are expected, 1 words are there");
  CHECK(complaint("n TopSecretKey trailing\n") == "secrets:1:1: a name and a key are expected, 3 words are there");
  CHECK(complaint("TopSecretKey n\nb c\nTopSecretKey m\n") ==
        "secrets:3:1: line 1 has a key of this name already: remove one of them");
  CHECK(complaint("a\na b\na c\nd\n") ==
        "secrets:1:1: a name and a key are expected, 1 words are there | "
        "secrets:3:1: line 2 has a key of this name already: remove one of them | "
        "secrets:4:1: a name and a key are expected, 1 words are there");
}

TEST_CASE("what is rendered reads back as it was") {
  Secrets s;
  s["b"] = SecretBytes(std::string_view("second.key_2"));
  s["a-tunnel1"] = SecretBytes(std::string_view("#key!"));
  const std::string text = render_secrets(s);
  CHECK(text ==
        "# Pre-shared keys of cgwd, by the names the configuration refers to. Keep mode 0600.\n"
        "a-tunnel1 #key!\nb second.key_2\n");
  const auto again = parse_secrets(text, "secrets");
  REQUIRE(again);
  CHECK(*again == s);
}
