#include <doctest/doctest.h>

#include "kernel/ecn.hpp"
#include "packets.hpp"

namespace cgw::kernel::test {

TEST_SUITE_BEGIN("kernel/ecn");

struct Row {
  int inner, outer;
  int result;  // -1: dropped
};

TEST_CASE("congestion marked on the way reaches the inner packet, or the packet is dropped [RFC 6040 4.2]") {
  enum { Not, Ect1, Ect0, Ce };
  const Row rows[] = {{Not, Not, Not},   {Not, Ect0, Not},   {Not, Ect1, Not},   {Not, Ce, -1},
                      {Ect0, Not, Ect0}, {Ect0, Ect0, Ect0}, {Ect0, Ect1, Ect1}, {Ect0, Ce, Ce},
                      {Ect1, Not, Ect1}, {Ect1, Ect0, Ect1}, {Ect1, Ect1, Ect1}, {Ect1, Ce, Ce},
                      {Ce, Not, Ce},     {Ce, Ect0, Ce},     {Ce, Ect1, Ce},     {Ce, Ce, Ce}};
  constexpr std::uint8_t kDscp = 46 << 2, kOther = 10 << 2;
  for (const Row& r : rows) {
    for (const bool v6 : {false, true}) {
      CAPTURE(r.inner);
      CAPTURE(r.outer);
      CAPTURE(v6);
      Flow f{.v6 = v6, .tos = static_cast<std::uint8_t>(kDscp | r.inner)};
      Packet p = next_packet(f, 20);
      CHECK(traffic_class(p) == (kDscp | r.inner));
      const bool passes = take_congestion(p, static_cast<std::uint8_t>(kOther | r.outer));
      CHECK(passes == (r.result >= 0));
      CHECK(traffic_class(p) == (kDscp | (passes ? r.result : r.inner)));
      CHECK(checksums_right(p));
      CHECK((p[0] & 0xf0) == (v6 ? 0x60 : 0x40));
    }
  }
}

TEST_SUITE_END();
}  // namespace cgw::kernel::test
