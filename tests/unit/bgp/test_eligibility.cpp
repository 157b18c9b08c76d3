#include <doctest/doctest.h>

#include "bgp/eligibility.hpp"

using namespace cgw;
using namespace cgw::bgp;

namespace {

PathAttributes with_path(std::vector<Asn> asns) {
  PathAttributes a;
  a.as_path = {{AsPathSegment::Type::Sequence, std::move(asns)}};
  return a;
}

constexpr Asn kUs{65000}, kThem{64512}, kFar{64600};

}  // namespace

TEST_SUITE("bgp/eligibility") {
  TEST_CASE("our own AS in the path is a loop, unless so many of it are allowed [RFC 4271 9.1.2]") {
    const OwnIdentity own{.local_as = kUs, .router_id = RouterId{1}, .cluster_id = {}};
    CHECK(loop(with_path({kThem, kFar}), own).empty());
    CHECK_FALSE(loop(with_path({kThem, kUs}), own).empty());
    OwnIdentity twice = own;
    twice.allow_own_as = 2;
    CHECK(loop(with_path({kThem, kUs, kUs}), twice).empty());
    CHECK_FALSE(loop(with_path({kUs, kThem, kUs, kUs}), twice).empty());
  }

  TEST_CASE("our router id as ORIGINATOR_ID and our cluster id in CLUSTER_LIST are loops [RFC 4456 8]") {
    const OwnIdentity own{.local_as = kUs, .router_id = RouterId{1}, .cluster_id = 7};
    PathAttributes a = with_path({kThem});
    a.originator_id = RouterId{2};
    a.cluster_list = {5, 6};
    CHECK(loop(a, own).empty());
    a.cluster_list = {5, 7};
    CHECK_FALSE(loop(a, own).empty());
    a.cluster_list.clear();
    a.originator_id = RouterId{1};
    CHECK_FALSE(loop(a, own).empty());
  }
}
