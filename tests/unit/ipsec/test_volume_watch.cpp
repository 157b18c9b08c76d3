#include "ipsec/volume_watch.hpp"

#include <doctest/doctest.h>

namespace cgw::ipsec {
namespace {

ChildSa limited() {
  ChildSa sa;
  sa.spi_in = Spi{0xc0000001};
  sa.soft = {100, 5000};
  sa.hard = {125, 6250};
  return sa;
}

}  // namespace

TEST_SUITE_BEGIN("ipsec/volume_watch");

TEST_CASE("the soft limit asks once, the hard one ends, either way of the traffic and counted from the start") {
  VolumeWatch w;
  w.start(limited(), {1000, 0}, {7, 0});
  CHECK_FALSE(w.check({1099, 0}, {106, 0}));
  const auto soft = w.check({1099, 0}, {107, 0});
  REQUIRE(soft);
  CHECK(soft->spi == Spi{0xc0000001});
  CHECK_FALSE(soft->hard);
  CHECK_FALSE(w.check({1124, 0}, {131, 0}));
  const auto hard = w.check({1125, 0}, {131, 0});
  REQUIRE(hard);
  CHECK(hard->hard);
  CHECK_FALSE(w.check({9999, 0}, {9999, 0}));
}

TEST_CASE("octets count like packets") {
  VolumeWatch w;
  w.start(limited(), {}, {});
  CHECK_FALSE(w.check({1, 4999}, {}));
  CHECK(w.check({1, 5000}, {}));
  CHECK(w.check({1, 6250}, {})->hard);
}

TEST_CASE("a rekeyed SA is counted anew; one told of twice is not") {
  VolumeWatch w;
  ChildSa sa = limited();
  w.start(sa, {}, {});
  w.start(sa, {50, 0}, {50, 0});
  CHECK(w.check({100, 0}, {}));
  sa.spi_in = Spi{0xc0000002};
  w.start(sa, {100, 0}, {});
  CHECK_FALSE(w.check({199, 0}, {}));
  CHECK(w.check({200, 0}, {})->spi == Spi{0xc0000002});
}

TEST_CASE("no limit is none") {
  VolumeWatch w;
  CHECK_FALSE(w.check({1, 1}, {1, 1}));
  w.start(ChildSa{}, {}, {});
  CHECK_FALSE(w.check({~0ULL, ~0ULL}, {~0ULL, ~0ULL}));
}

TEST_SUITE_END();
}  // namespace cgw::ipsec
