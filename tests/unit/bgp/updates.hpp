#pragma once
#include <vector>

#include "bgp/framing.hpp"
#include "bgp/update.hpp"

// UPDATEs octet by octet, as a neighbor in AS 64512 at 169.254.10.1 sends them to AS 65000 at 169.254.10.2.
namespace cgw::bgp::test {

using Octets = std::vector<std::uint8_t>;

inline const UpdateContext kEbgp{.ebgp = true,
                                 .four_octet_as = true,
                                 .local_as = Asn{65000},
                                 .remote_as = Asn{64512},
                                 .local_address = IpAddress::v4(0xa9fe0a02)};
inline UpdateContext ibgp() {
  UpdateContext c = kEbgp;
  c.ebgp = false;
  c.remote_as = c.local_as;
  return c;
}
inline UpdateContext old_speaker() {
  UpdateContext c = kEbgp;
  c.four_octet_as = false;
  return c;
}
inline UpdateContext both_families(UpdateContext c = kEbgp) {
  c.families = {true, true};
  return c;
}

inline const Octets kOrigin{0x40, 1, 1, 0};
inline const Octets kPath{0x40, 2, 6, 2, 1, 0, 0, 0xfc, 0};
inline const Octets kOldPath{0x40, 2, 4, 2, 1, 0xfc, 0};
inline const Octets kNextHop{0x40, 3, 4, 169, 254, 10, 1};
inline const Octets kNlri{16, 10, 50};
inline const Nlri kRoute{Prefix::of(IpAddress::v4(0x0a320000), 16), 0};

inline Nlri route(const char* text, std::uint32_t path_id = 0) {
  return {Prefix::parse(text).value(), path_id};
}

inline Octets join(const std::vector<Octets>& parts) {
  Octets out;
  for (const auto& p : parts)
    out.insert(out.end(), p.begin(), p.end());
  return out;
}

// The body of an UPDATE.
inline Octets update(const std::vector<Octets>& attributes, const Octets& nlri = kNlri, const Octets& withdrawn = {}) {
  Octets out;
  Writer w(out);
  w.u16(static_cast<std::uint16_t>(withdrawn.size()));
  w.bytes(withdrawn);
  const Octets a = join(attributes);
  w.u16(static_cast<std::uint16_t>(a.size()));
  w.bytes(a);
  w.bytes(nlri);
  return out;
}

// MP_REACH_NLRI for IPv6 with this next hop and these routes.
inline Octets reach6(const Octets& hop, const Octets& nlri, std::uint8_t flags = 0x80) {
  Octets value = join({{0, 2, 1, static_cast<std::uint8_t>(hop.size())}, hop, {0}, nlri});
  return join({{flags, 14, static_cast<std::uint8_t>(value.size())}, value});
}
inline const Octets kHop6{0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
inline const Octets kNlri6{32, 0x20, 1, 0xd, 0xb8};

}  // namespace cgw::bgp::test
