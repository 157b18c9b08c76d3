#include "ipsec/algorithms.hpp"

#include <doctest/doctest.h>

namespace cgw::ipsec {

TEST_SUITE_BEGIN("ipsec/algorithms");

TEST_CASE("suites read back as they are written, and a wrong word is named") {
  for (const char* name :
       {"aes256gcm16-prfsha384-ecp384", "aes128-sha256-modp2048", "aes256-sha1-prfsha512-ecp521",
        "aes128-sha1-modp1024", "aes256gcm16-prfsha256-modp8192", "aes256-sha384-modp2048s256",
        "aes128gcm16-prfsha1-modp1024s160", "aes256-sha512-modp6144", "aes256gcm16-prfsha512-curve25519"}) {
    CAPTURE(name);
    REQUIRE(parse_ike_suite(name));
    CHECK(to_string(*parse_ike_suite(name)) == name);
  }
  for (const char* name : {"aes256gcm16-ecp384", "aes128-sha256-modp2048", "aes256gcm16-ecp256-esn", "aes128gcm16",
                           "aes128-sha1-modp1536", "aes256gcm16-modp2048s224"}) {
    CAPTURE(name);
    REQUIRE(parse_esp_suite(name));
    CHECK(to_string(*parse_esp_suite(name)) == name);
  }
  const std::string error = parse_ike_suite("aes512-sha256-ecp256").error();
  for (const char* word : {"'aes512'", "modp1024,", "curve25519;"})
    CHECK(error.find(word) != std::string::npos);
  for (const char* bad : {"", "aes128", "aes128-modp2048", "aes128gcm16-ecp256", "aes128-aes256-sha256-ecp256",
                          "aes128-sha256-ecp256-esn", "aes128-sha256-modp1536", "aes128-sha256-mlkem768"}) {
    CAPTURE(bad);
    CHECK(!parse_ike_suite(bad));
  }
  for (const char* bad : {"aes128gcm16-sha256", "aes128", "aes128-sha256-prfsha256"})
    CHECK(!parse_esp_suite(bad));
}

TEST_CASE("a weak suite names the AWS tunnel option that allows better [RFC 8247 2.4]") {
  struct Row {
    std::string text, why;
  };
  for (const Row& r : {Row{weakness(*parse_ike_suite("aes128-sha1-modp2048")), "Phase1IntegrityAlgorithms"},
                       {weakness(*parse_ike_suite("aes256gcm16-prfsha1-ecp384")), "Phase1IntegrityAlgorithms"},
                       {weakness(*parse_ike_suite("aes256-sha256-modp1024")), "Phase1DHGroupNumbers"},
                       {weakness(*parse_ike_suite("aes256-sha256-modp1024s160")), "Phase1DHGroupNumbers"},
                       {weakness(*parse_ike_suite("aes256-sha256-modp2048s224")), "group 23"},
                       {weakness(*parse_ike_suite("aes256-sha256-modp2048s256")), "group 24"},
                       {weakness(*parse_esp_suite("aes128-sha1-modp2048")), "Phase2IntegrityAlgorithms"},
                       {weakness(*parse_esp_suite("aes256gcm16-modp1536")), "Phase2DHGroupNumbers"},
                       {weakness(*parse_esp_suite("aes256gcm16")), "Phase2DHGroupNumbers"}}) {
    CAPTURE(r.text);
    CHECK(r.text.find(r.why) != std::string::npos);
  }
  for (const char* name :
       {"aes128-sha256-modp2048", "aes256gcm16-prfsha384-modp8192", "aes256gcm16-prfsha384-curve25519"})
    CHECK(weakness(*parse_ike_suite(name)).empty());
  for (const auto& s : default_ike_proposals())
    CHECK(weakness(s).empty());
  for (const auto& s : default_esp_proposals())
    CHECK(weakness(s).empty());
}

TEST_SUITE_END();
}  // namespace cgw::ipsec
