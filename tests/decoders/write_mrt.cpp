// Writes MRT files for somebody else's decoder: DIR/updates, DIR/table, DIR/table.addpath.
#include <fstream>

#include "bgp/framing.hpp"
#include "bgp/open.hpp"
#include "bgp/table_dump.hpp"

using namespace cgw;
using namespace cgw::bgp;

namespace {

const mrt::WallTime kAt{std::chrono::seconds{1700000000} + std::chrono::microseconds{250000}};
const TimePoint kNow{std::chrono::hours{1}};
const UpdateContext kContext{.local_as = Asn{65000}, .remote_as = Asn{64512}, .families = {true, true}};

IpAddress address(const char* text) {
  return IpAddress::parse(text).value();
}
Nlri route(const char* text, std::uint32_t path_id = 0) {
  return {Prefix::parse(text).value(), path_id};
}

PathAttributes attributes(Family f) {
  PathAttributes a;
  a.as_path = {{AsPathSegment::Type::Sequence, {Asn{64512}, Asn{4200000001}}}};
  a.next_hop = f == Family::V4 ? address("169.254.10.1") : address("2001:db8::1");
  a.med = 100;
  a.communities = {64512U << 16 | 7, 0xffffff01};
  a.large_communities = {{64512, 1, 2}};
  a.atomic_aggregate = true;
  a.aggregator = {Asn{64512}, address("192.0.2.1")};
  return a;
}

class File {
 public:
  explicit File(const std::string& path) : out_(path, std::ios::binary) {}
  void write(Bytes b) { out_.write(reinterpret_cast<const char*>(b.data()), static_cast<std::streamsize>(b.size())); }

 private:
  std::ofstream out_;
};

void write_updates(const std::string& path) {
  File out(path);
  const mrt::Link link{Asn{65000}, Asn{64512}, address("169.254.10.2"), address("169.254.10.1"), 3};
  const mrt::Link link6{Asn{65000}, Asn{4200000001}, address("fd00::2"), address("fd00::1"), 3};
  const auto received = [&](UpdateContext c, Bytes m) {
    out.write(mrt::message(kAt, link, mrt::Direction::Received, c, m));
  };
  out.write(mrt::state_change(kAt, link, State::OpenConfirm, State::Established));
  received(kContext, encode_open({Asn{64512}, Seconds{30}, RouterId{0xa9fe0a01}, default_capabilities()}));
  for (const Family f : kFamilies) {
    const std::vector<Nlri> routes = f == Family::V4 ? std::vector{route("10.50.0.0/16"), route("0.0.0.0/0")}
                                                     : std::vector{route("2001:db8:50::/48")};
    received(kContext, encode_announce(routes, f, attributes(f), kContext).value().front());
    received(kContext, encode_withdraw(routes, f, kContext).front());
  }
  UpdateContext old = kContext;
  old.four_octet_as = false;
  const std::vector routes{route("10.51.0.0/16")};
  received(old, encode_announce(routes, Family::V4, attributes(Family::V4), old).value().front());
  out.write(mrt::message(kAt, link6, mrt::Direction::Received, kContext, frame(MessageType::Keepalive, {})));
  out.write(mrt::state_change(kAt, link6, State::Established, State::Idle));
}

// Three neighbors, of which one has sent nothing, and a route of our own.
void write_table(const std::string& path, std::uint32_t path_id) {
  Ribs ribs({Asn{65000}, RouterId{0x0a000001}, 0}, {}, 1);
  std::vector<mrt::Peer> peers{{RouterId{0x0a000001}, IpAddress{}, Asn{65000}}};
  std::vector<NeighborId> ids;
  for (const char* text : {"169.254.10.1", "fd00::1", "169.254.10.5"}) {
    NeighborRoutes r;
    r.address = address(text);
    r.import.remote_as = Asn{64512};
    ids.push_back(ribs.add_neighbor(r));
    ribs.up(ids.back(), kContext, RouterId{1});
    peers.push_back({RouterId{0x01010100 + static_cast<std::uint32_t>(ids.size())}, r.address, Asn{64512}});
  }
  const auto announce = [&](NeighborId from, Nlri n, PathAttributes a, TimePoint at) {
    ribs.receive(from,
                 {n.prefix.address.family(), {}, {n}, std::make_shared<const PathAttributes>(std::move(a)), false}, at);
  };
  announce(ids[0], route("10.50.0.0/16", path_id), attributes(Family::V4), kNow - Seconds{100});
  PathAttributes internal = attributes(Family::V4);
  internal.local_pref = 200;
  internal.originator_id = RouterId{0x0a000009};
  internal.cluster_list = {0x0a000001};
  announce(ids[1], route("10.50.0.0/16"), internal, kNow - Seconds{50});
  announce(ids[1], route("2001:db8:50::/48"), attributes(Family::V6), kNow);
  PathAttributes ours;
  ours.next_hop = address("192.0.2.1");
  ribs.originate(Prefix::parse("10.60.0.0/16").value(), ours, {}, kNow);
  File out(path);
  TableDump dump(ribs, peers, kAt, kNow);
  for (auto piece = dump.next(); !piece.empty(); piece = dump.next())
    out.write(piece);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const std::string dir = argv[1];
  write_updates(dir + "/updates");
  write_table(dir + "/table", 0);
  write_table(dir + "/table.addpath", 17);
}
