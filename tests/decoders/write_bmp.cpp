// Writes to a file what a BMP station receives on one connection, for somebody else's decoder.
#include <fstream>

#include "bgp/bmp.hpp"
#include "bgp/open.hpp"
#include "bgp/session.hpp"

using namespace cgw;
using namespace cgw::bgp;

namespace {

const bmp::WallTime kAt{std::chrono::seconds{1700000000} + std::chrono::microseconds{250000}};

IpAddress address(const char* text) {
  return IpAddress::parse(text).value();
}
std::vector<Nlri> routes(std::initializer_list<const char*> prefixes, std::uint32_t path_id = 0) {
  std::vector<Nlri> out;
  for (const char* p : prefixes)
    out.push_back({Prefix::parse(p).value(), path_id});
  return out;
}

PathAttributes attributes(const char* next_hop) {
  PathAttributes a;
  a.as_path = {{AsPathSegment::Type::Sequence, {Asn{64512}, Asn{4200000001}}}};
  a.next_hop = address(next_hop);
  a.local_pref = 200;
  a.communities = {64512U << 16 | 7};
  return a;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  std::ofstream file(argv[1], std::ios::binary);
  const auto write = [&](const bmp::Octets& b) {
    file.write(reinterpret_cast<const char*>(b.data()), static_cast<std::streamsize>(b.size()));
  };
  Capabilities both = default_capabilities();
  both.families.v6 = true;
  Capabilities add_path = both;
  add_path.add_path = {AddPath::Both, AddPath::Both};
  const auto ours = encode_open({Asn{65000}, Seconds{30}, RouterId{0x0a000001}, both});
  const auto theirs = encode_open({Asn{64512}, Seconds{30}, RouterId{0xa9fe0a01}, both});

  bmp::Peer v4{address("169.254.10.1"), Asn{64512}, RouterId{0xa9fe0a01}};
  bmp::Peer v6{address("fd00::1"), Asn{64512}, RouterId{0xa9fe0a01}};
  const bmp::Peer loc_rib{{}, Asn{65000}, RouterId{0x0a000001}, bmp::View::LocRib};
  write(bmp::initiation("cgw", "cgwd"));
  write(bmp::peer_up(kAt, v4, {address("169.254.10.2"), 50000, 179}, ours, theirs));
  write(bmp::peer_up(kAt, v6, {address("fd00::2"), 179, 50001}, ours, theirs));
  write(bmp::announced(kAt, v4, Family::V4, routes({"10.50.0.0/16", "0.0.0.0/0"}), attributes("169.254.10.1"), false));
  v4.view = bmp::View::AdjRibInPostPolicy;
  write(bmp::announced(kAt, v4, Family::V4, routes({"10.50.0.0/16"}), attributes("169.254.10.1"), false));
  v4.view = bmp::View::AdjRibOutPostPolicy;
  write(bmp::announced(kAt, v4, Family::V4, routes({"10.60.0.0/16"}), attributes("169.254.10.2"), false));
  v4.view = bmp::View::AdjRibIn;
  write(bmp::withdrawn(kAt, v4, Family::V4, routes({"10.50.0.0/16"}), false));
  write(bmp::announced(kAt, v6, Family::V6, routes({"2001:db8:50::/48"}), attributes("fd00::1"), false));
  write(bmp::withdrawn(kAt, v6, Family::V6, routes({"2001:db8:50::/48"}), false));
  // Ours, with no next hop of its own.
  write(bmp::announced(kAt, loc_rib, Family::V6, routes({"2001:db8:60::/48"}), attributes("0.0.0.0"), false));
  write(bmp::end_of_rib(kAt, v4, Family::V4));
  write(bmp::end_of_rib(kAt, v6, Family::V6));
  write(bmp::statistics(kAt, v4, {3, 2, {1000, 50}, {900, 40}, {10, 1}}));
  write(bmp::peer_down(kAt, v4, bmp::NotificationSent{{4, 0, {}}}));
  write(bmp::peer_down(kAt, v4, bmp::FsmEvent{18}));
  write(bmp::peer_down(kAt, v4, bmp::NotificationReceived{{6, 2, {}}}));
  write(bmp::peer_down(kAt, v6, bmp::ClosedByPeer{}));
  write(bmp::peer_down(kAt, v6, bmp::Deconfigured{}));
  write(bmp::termination(bmp::TerminationReason::Closed));
}
