#include "bgp/nlri.hpp"

#include <algorithm>
#include <array>

namespace cgw::bgp {

bool read_nlri(Bytes field, Family family, PathIds ids, std::vector<Nlri>& out) {
  Reader r(field);
  const std::uint8_t longest = family == Family::V4 ? 32 : 128;
  while (r.more()) {
    Nlri n;
    if (ids == PathIds::Present) n.path_id = r.u32();
    const std::uint8_t length = r.u8();
    if (!r.ok() || length > longest) return false;
    const Bytes octets = r.bytes((length + 7U) / 8U);
    if (!r.ok()) return false;
    std::array<std::uint8_t, 16> address{};
    std::ranges::copy(octets, address.begin());
    if (family == Family::V4) {
      const auto v = std::uint32_t{address[0]} << 24 | std::uint32_t{address[1]} << 16 |
                     std::uint32_t{address[2]} << 8 | std::uint32_t{address[3]};
      n.prefix = Prefix::of(IpAddress::v4(v), length);
    } else {
      n.prefix = Prefix::of(IpAddress::v6(address), length);
    }
    out.push_back(n);
  }
  return r.ok();
}

void write_nlri(Writer& w, const Nlri& n, PathIds ids) {
  if (ids == PathIds::Present) w.u32(n.path_id);
  w.u8(n.prefix.length);
  w.bytes(n.prefix.address.bytes().first((n.prefix.length + 7U) / 8U));
}

std::size_t nlri_octets(const Nlri& n, PathIds ids) {
  return (ids == PathIds::Present ? 4U : 0U) + 1U + (n.prefix.length + 7U) / 8U;
}

bool is_martian(const Prefix& p) {
  const auto octets = p.address.bytes();
  if (p.address.is_v4()) {
    const bool class_d_or_e = octets[0] >= 224 && p.length >= 3;
    return class_d_or_e || (octets[0] == 127 && p.length >= 8);
  }
  const bool multicast = octets[0] == 0xff && p.length >= 8;
  const bool link_local = octets[0] == 0xfe && (octets[1] & 0xc0) == 0x80 && p.length >= 10;
  const bool loopback = p.length == 128 && octets[15] == 1 &&
                        std::ranges::all_of(octets.first(15), [](std::uint8_t b) { return b == 0; });
  return multicast || link_local || loopback;
}

}  // namespace cgw::bgp
