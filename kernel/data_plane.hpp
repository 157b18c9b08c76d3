#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/note.hpp"
#include "ipsec/child_sa.hpp"
#include "kernel/error.hpp"

namespace cgw::kernel {

// Totals of a tunnel's life in this process, monotonic across rekeys.
struct TunnelCounters {
  std::uint64_t packets_in = 0, octets_in = 0, packets_out = 0, octets_out = 0;
  std::map<std::string, std::uint64_t> drops;  // by reason: "replayed", "bad ICV", "no SA", ...
};

// ---- what a data plane tells by itself, about the tunnel `id`
// The SA's lifetime or its sequence numbers are nearly over, or are over: then nothing passes any more.
struct SaExpired {
  IfId id;
  ipsec::Spi spi;
  bool hard = false;
};
// An SA of ours was removed or changed by somebody. It cannot be put back: its sequence numbers would start again.
struct SaLost {
  IfId id;
  ipsec::Spi spi;
};
// Authentic ESP in UDP comes from another address or port of the peer (a NAT on its side has a new mapping).
struct PeerMapped {
  IfId id;
  ipsec::Spi spi;
  Endpoint remote;
};
struct PlaneNote {
  IfId id;
  Note note;
};
using PlaneEvent = std::variant<SaExpired, SaLost, PeerMapped, PlaneNote>;

// How a tunnel's SAs are made.
struct SaSettings {
  bool clear_df = false;           // outer packets may be fragmented on their way
  std::optional<IfIndex> offload;  // the outer interface, if it is asked to do the encryption
  bool operator==(const SaSettings&) const = default;
};

// Where ESP happens. Two kinds behind one interface: XFRM states and policies with an xfrm interface
// a tunnel, or ESP in UDP over a TUN device in this process.
class DataPlane {
 public:
  virtual ~DataPlane() = default;
  virtual std::string_view name() const = 0;  // "kernel" | "userspace"
  // ESP must come in UDP (the userspace plane has no other way in).
  virtual bool needs_udp_encap() const = 0;
  // Threads a tunnel in each direction, in this process; nullopt: none.
  virtual std::optional<unsigned> threads() const { return std::nullopt; }

  // Creates the tunnel's interface, or adopts one of this name that is ours (same kind and if_id; for TUN:
  // a persistent TUN of that name). Leaves it down and without address if new.
  virtual KernelResult<IfIndex> ensure_interface(const std::string& name, IfId id) = 0;
  virtual KernelResult<void> remove_interface(const std::string& name, IfId id) = 0;

  // Packets that come to this SPI before its SA is here are held, some hundreds of them, and taken by
  // install_inbound(). One SPI a tunnel; the next replaces it.
  virtual KernelResult<void> expect_inbound(IfId id, const ipsec::InboundSpi& sa) = 0;
  virtual KernelResult<void> install_inbound(IfId id, const ipsec::ChildSa& sa) = 0;
  // Switches what is sent; policies appear with the first SA. The SA in use again, with other endpoints: only the way
  // changes. An error for an SA that has been removed, or whose SPIs are in use with other keys: its sequence numbers
  // would begin again under the same keys.
  virtual KernelResult<void> use_outbound(IfId id, const ipsec::ChildSa& sa) = 0;
  // Unknown SPIs are fine. Counters of the removed SA stay in the totals. When it was the outbound one in
  // use, packets are dropped from then on.
  virtual KernelResult<void> remove_child(IfId id, ipsec::Spi spi_in, ipsec::Spi spi_out) = 0;
  // SAs of ours that no install_inbound of this process explains (left by an earlier one): removed. Called once
  // a tunnel has its own Child SA.
  virtual KernelResult<void> remove_leftovers(IfId id) = 0;
  virtual KernelResult<TunnelCounters> counters(IfId id) = 0;

  // For SAs installed from now on. False: this plane has no such choice.
  virtual bool set_sa_settings(IfId, const SaSettings&) { return false; }
  // Readable when there may be events; nullopt: this plane has none.
  virtual std::optional<int> event_fd() const { return std::nullopt; }
  // Never blocks.
  virtual std::vector<PlaneEvent> take_events() { return {}; }
  // Somebody changed SAs or policies, or events were lost: verify() is due. Until it is called.
  virtual bool doubtful() const { return false; }
  // Compares what the kernel holds for our tunnels with what it should: policies are put right, strangers in our
  // if_ids removed, SAs that are gone reported. The events say what was found.
  virtual KernelResult<std::vector<PlaneEvent>> verify() { return std::vector<PlaneEvent>{}; }

  // The userspace plane reads UDP port 4500 itself and hands IKE messages over through this SOCK_DGRAM
  // socket, each preceded by a RelayHeader; nullopt: the caller reads port 4500 itself.
  virtual std::optional<int> ike_relay_fd() const { return std::nullopt; }
};

// In front of every datagram from ike_relay_fd(). Addresses in network order, ports in host order.
struct RelayHeader {
  std::uint8_t family = 4;  // 4 | 6
  std::uint8_t from[16] = {};
  std::uint8_t to[16] = {};
  std::uint16_t from_port = 0, to_port = 0;
};

// What this kernel offers; found by trying (a throw-away SA, a throw-away interface), since ALLOCSPI,
// NEWPOLICY and UDP_ENCAP succeed on kernels without ESP.
struct Capability {
  bool kernel_esp = false;
  bool xfrm_interface = false;
  bool tun = false;
  bool nexthop_objects = false;
  std::string why_not_kernel;     // "CONFIG_INET_ESP and CONFIG_XFRM_INTERFACE are missing"; empty if usable
  std::string why_not_userspace;  // "/dev/net/tun: No such file or directory"
};
Capability probe_capability();

// udp4500, udp4500_v6: bound UDP sockets that outlive the plane (-1: none of IPv6). The kernel plane sets UDP_ENCAP on
// them; the userspace plane reads them in a thread of its own.
KernelResult<std::unique_ptr<DataPlane>> make_xfrm_plane(int udp4500, int udp4500_v6 = -1);
constexpr unsigned kMostUserspaceThreads = 16;
// threads: for each tunnel, in each direction.
KernelResult<std::unique_ptr<DataPlane>> make_userspace_plane(int udp4500, int udp4500_v6 = -1, unsigned threads = 1);

// No IPsec policy of this host applies to the socket's packets: another program's policy for 0.0.0.0/0 would take IKE
// itself. A kernel without XFRM has no policies.
KernelResult<void> exempt_from_ipsec(int socket);

}  // namespace cgw::kernel
