#include "bgp/bmp.hpp"

#include <array>

#include "base/overload.hpp"
#include "bgp/framing.hpp"

namespace cgw::bgp::bmp {
namespace {

// RFC 7854 4.1, 4.2; RFC 8671 4; RFC 9069 4.2.
enum class Type : std::uint8_t {
  RouteMonitoring = 0,
  Statistics = 1,
  PeerDown = 2,
  PeerUp = 3,
  Initiation = 4,
  Termination = 5
};
constexpr std::uint8_t kVersion = 3;
constexpr std::uint8_t kGlobalInstance = 0, kLocRibInstance = 3;
constexpr std::uint8_t kIpv6 = 0x80, kPostPolicy = 0x40, kAdjRibOut = 0x10;
constexpr std::size_t kLongestText = 255;

//   | Version (1) | Length (4) | Type (1) | ...
Octets message(Type type, Bytes body) {
  constexpr std::size_t kHeader = 6;
  Octets out;
  Writer w(out);
  w.u8(kVersion);
  w.u32(static_cast<std::uint32_t>(kHeader + body.size()));
  w.u8(static_cast<std::uint8_t>(type));
  w.bytes(body);
  return out;
}

void write_tlv(Writer& w, std::uint16_t type, Bytes value) {
  w.u16(type);
  w.u16(static_cast<std::uint16_t>(value.size()));
  w.bytes(value);
}

void write_text(Writer& w, std::uint16_t type, std::string_view text) {
  text = text.substr(0, kLongestText);
  write_tlv(w, type, {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

// 16 octets, an IPv4 address in the last four.
void write_address(Writer& w, const IpAddress& a) {
  const Octets padding(16 - a.bytes().size(), 0);
  w.bytes(padding);
  w.bytes(a.bytes());
}

std::uint8_t flags_of(const Peer& peer) {
  const std::uint8_t family = peer.address.is_v4() ? 0 : kIpv6;
  switch (peer.view) {
    case View::AdjRibIn: return family;
    case View::AdjRibInPostPolicy: return family | kPostPolicy;
    case View::AdjRibOutPostPolicy: return family | kPostPolicy | kAdjRibOut;
    case View::LocRib: return 0;
  }
  return 0;
}

//   | Type (1) | Flags (1) | Distinguisher (8) | Address (16) | AS (4) | BGP ID (4) | Seconds (4) | Microseconds (4) |
void write_peer(Writer& w, WallTime at, const Peer& peer) {
  const auto since = at.time_since_epoch();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since);
  const bool loc_rib = peer.view == View::LocRib;
  w.u8(loc_rib ? kLocRibInstance : kGlobalInstance);
  w.u8(flags_of(peer));
  w.bytes(std::array<std::uint8_t, 8>{});
  write_address(w, loc_rib ? IpAddress{} : peer.address);
  w.u32(peer.asn.value());
  w.u32(peer.router_id.value());
  w.u32(static_cast<std::uint32_t>(seconds.count()));
  w.u32(static_cast<std::uint32_t>((since - seconds).count()));
}

Octets monitoring(WallTime at, const Peer& peer, Bytes update) {
  Octets body;
  Writer w(body);
  write_peer(w, at, peer);
  w.bytes(update);
  return message(Type::RouteMonitoring, body);
}

void append(Octets& to, const Octets& from) {
  to.insert(to.end(), from.begin(), from.end());
}

// Counters have four octets, gauges eight; those by family name it first.
class StatisticsWriter {
 public:
  explicit StatisticsWriter(Octets& out) : out_(out) {}
  void counter(std::uint16_t type, std::uint32_t value) {
    Octets v;
    Writer(v).u32(value);
    put(type, v);
  }
  void gauges(std::uint16_t all, std::uint16_t by_family, const PerFamily<std::uint64_t>& value) {
    Octets v;
    write_u64(v, value.v4 + value.v6);
    put(all, v);
    for (const Family f : kFamilies) {
      v.clear();
      Writer w(v);
      w.u16(afi_of(f));
      w.u8(kSafiUnicast);
      write_u64(v, value[f]);
      put(by_family, v);
    }
  }
  std::uint32_t count() const { return count_; }

 private:
  static void write_u64(Octets& to, std::uint64_t value) {
    Writer w(to);
    w.u32(static_cast<std::uint32_t>(value >> 32));
    w.u32(static_cast<std::uint32_t>(value));
  }
  void put(std::uint16_t type, const Octets& value) {
    Writer w(out_);
    write_tlv(w, type, value);
    ++count_;
  }

  Octets& out_;
  std::uint32_t count_ = 0;
};

}  // namespace

Octets initiation(std::string_view system_name, std::string_view description) {
  constexpr std::uint16_t kDescription = 1, kName = 2;
  Octets body;
  Writer w(body);
  write_text(w, kDescription, description);
  write_text(w, kName, system_name);
  return message(Type::Initiation, body);
}

Octets termination(TerminationReason reason) {
  constexpr std::uint16_t kReason = 1;
  Octets value, body;
  Writer(value).u16(static_cast<std::uint16_t>(reason));
  Writer w(body);
  write_tlv(w, kReason, value);
  return message(Type::Termination, body);
}

Octets peer_up(WallTime at, const Peer& peer, const Ends& ends, Bytes sent_open, Bytes received_open) {
  Octets body;
  Writer w(body);
  write_peer(w, at, peer);
  write_address(w, ends.local_address);
  w.u16(ends.local_port);
  w.u16(ends.remote_port);
  w.bytes(sent_open);
  w.bytes(received_open);
  return message(Type::PeerUp, body);
}

Octets peer_down(WallTime at, const Peer& peer, const DownReason& reason) {
  Octets body;
  Writer w(body);
  write_peer(w, at, peer);
  w.u8(static_cast<std::uint8_t>(reason.index() + 1));
  std::visit(Overload{
                 [&](const NotificationSent& r) { w.bytes(encode(r.notification)); },
                 [&](const FsmEvent& r) { w.u16(r.event); },
                 [&](const NotificationReceived& r) { w.bytes(encode(r.notification)); },
                 [](const auto&) {},
             },
             reason);
  return message(Type::PeerDown, body);
}

Octets announced(WallTime at, const Peer& peer, Family family, std::span<const Nlri> routes, const PathAttributes& a,
                 bool path_ids) {
  Octets out;
  // More attributes than 65535 octets hold: no UPDATE has brought them, and none can tell them.
  const auto announcement = Announcement::record(a, family, path_ids);
  if (!announcement) return withdrawn(at, peer, family, routes, path_ids);
  while (!routes.empty())
    append(out, monitoring(at, peer, announcement->next(routes)));
  return out;
}

Octets withdrawn(WallTime at, const Peer& peer, Family family, std::span<const Nlri> routes, bool path_ids) {
  UpdateContext context;
  context.add_path_send = {path_ids, path_ids};
  Octets out;
  for (const auto& m : encode_withdraw(routes, family, context))
    append(out, monitoring(at, peer, m));
  return out;
}

Octets end_of_rib(WallTime at, const Peer& peer, Family family) {
  return monitoring(at, peer, encode_end_of_rib(family));
}

Octets statistics(WallTime at, const Peer& peer, const Statistics& s) {
  Octets tlvs;
  StatisticsWriter out(tlvs);
  out.counter(0, s.rejected);
  out.gauges(7, 9, s.adj_rib_in);
  out.gauges(8, 10, s.loc_rib);
  out.counter(11, s.treated_as_withdraw);
  out.gauges(15, 17, s.adj_rib_out);
  Octets body;
  Writer w(body);
  write_peer(w, at, peer);
  w.u32(out.count());
  w.bytes(tlvs);
  return message(Type::Statistics, body);
}

}  // namespace cgw::bgp::bmp
