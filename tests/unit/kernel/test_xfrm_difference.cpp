#include <doctest/doctest.h>

#include "kernel/xfrm_difference.hpp"

namespace cgw::kernel::xfrm {
namespace {

constexpr IfId kId{0x0c670001}, kOther{0x0c670002};

IpAddress ip(const char* text) {
  return IpAddress::parse(text).value();
}

SaInfo sa(std::uint32_t spi, IfId id = kId) {
  return {.name = {ipsec::Spi{spi}, ip("198.51.100.1")}, .id = id, .reqid = id.value()};
}

ExpectedSa expected(std::uint32_t spi) {
  return {sa(spi).name, kId};
}

Policy policy(PolicyDirection d, IfId id = kId) {
  const Prefix all = Prefix::of(ip("0.0.0.0"), 0);
  return {.id = id,
          .direction = d,
          .selectors = {all, all},
          .through = Template{ip("198.51.100.1"), ip("203.0.113.10"), ipsec::Spi{2}, id.value()}};
}

bool nothing(const Difference& d) {
  return d.lost.empty() && d.strange_sas.empty() && d.wrong_policies.empty() && d.strange_policies.empty();
}

TEST_SUITE("kernel/xfrm_difference") {
  const std::vector<IfId> settled{kId};

  TEST_CASE("what is there as it should be is no difference, nor is anything of other if_ids") {
    CHECK(nothing(compare(std::vector{expected(1)}, std::vector{policy(PolicyDirection::In)},
                          std::vector{sa(1), sa(9, kOther)},
                          std::vector{policy(PolicyDirection::In), policy(PolicyDirection::In, kOther)}, settled)));
  }

  TEST_CASE("an SA is lost when it is gone, in another tunnel, of another reqid, or only the kernel's placeholder") {
    const auto lost = [&](std::vector<SaInfo> there) {
      return compare(std::vector{expected(1)}, {}, there, {}, settled).lost.size();
    };
    CHECK(lost({sa(1)}) == 0);
    CHECK(lost({}) == 1);
    CHECK(lost({sa(2)}) == 1);
    CHECK(lost({sa(1, kOther)}) == 1);
    SaInfo odd = sa(1);
    odd.reqid = 5;
    CHECK(lost({odd}) == 1);
    odd = sa(1);
    odd.larval = true;
    CHECK(lost({odd}) == 1);
    odd = sa(1);
    odd.name.destination = ip("198.51.100.2");
    CHECK(lost({odd}) == 1);
  }

  TEST_CASE("a placeholder of our own name is no stranger") {
    SaInfo larval = sa(1);
    larval.larval = true;
    CHECK(compare(std::vector{expected(1)}, {}, std::vector{larval}, {}, settled).strange_sas.empty());
  }

  TEST_CASE("strangers are those of a settled tunnel: an earlier process's are not ours to judge yet") {
    const std::vector there{sa(1), sa(2)};
    const std::vector policies{policy(PolicyDirection::Out)};
    const auto after = compare(std::vector{expected(1)}, {}, there, policies, settled);
    REQUIRE(after.strange_sas.size() == 1);
    CHECK(after.strange_sas[0].name == sa(2).name);
    CHECK(after.strange_policies == policies);
    CHECK(nothing(compare(std::vector{expected(1)}, {}, there, policies, {})));
  }

  TEST_CASE("an SA that bears our if_id and not our reqid is somebody's, and stays") {
    SaInfo foreign = sa(2);
    foreign.reqid = 0;
    CHECK(compare({}, {}, std::vector{foreign}, {}, settled).strange_sas.empty());
  }

  TEST_CASE("a policy that is gone or changed is to be put again, and one changed is not removed") {
    const Policy p = policy(PolicyDirection::Out);
    Policy changed = p;
    changed.through->spi = ipsec::Spi{3};
    CHECK(compare({}, std::vector{p}, {}, {}, settled).wrong_policies == std::vector{p});
    const auto d = compare({}, std::vector{p}, {}, std::vector{changed}, settled);
    CHECK(d.wrong_policies == std::vector{p});
    CHECK(d.strange_policies.empty());
  }
}

}  // namespace
}  // namespace cgw::kernel::xfrm
