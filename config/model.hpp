#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/ip.hpp"
#include "base/secret.hpp"
#include "base/time.hpp"
#include "config/policy.hpp"

// What a configuration says, typed. Crypto suites stay in their text form here (validated by the
// grammar): config/ knows nothing of ipsec/.
namespace cgw::config {

enum class Target : std::uint8_t { Vgw, Tgw, Other };
enum class Routing : std::uint8_t { Dynamic, Static };
enum class DataPlane : std::uint8_t { Auto, Kernel, Userspace };
// The DF bit of outer packets: as on the inner one, or never set.
enum class Df : std::uint8_t { Copy, Clear };
enum class WhenDown : std::uint8_t { Blackhole, Unreachable, Remove };

// An IKE identity as it is written: address, dn, email or fqdn, and the name.
struct IdentityText {
  std::string kind, name;
  bool operator==(const IdentityText&) const = default;
};

struct Tunnel {
  unsigned number = 0;    // 1..
  std::string interface;  // at most 15 characters; default "cgw<n>t<number>", n: position of the connection
  std::optional<IpAddress> vpn_gateway_outside;       // AWS's
  bool vpn_gateway_any = false;                       // instead of one: the peer is known by its remote-identity
  std::optional<IpAddress> customer_gateway_outside;  // ours as AWS knows it: the IKE identity
  std::optional<IpAddress> local_address;             // ours as the host knows it; none: by the route to AWS
  std::optional<InterfaceAddress> customer_gateway_inside;
  std::optional<IpAddress> vpn_gateway_inside;
  std::string pre_shared_key;  // the secret's name
  // Files, where certificates take the place of the shared key.
  std::string certificate, private_key, ca_certificate, crl;
  std::optional<IdentityText> local_identity, remote_identity;
  std::vector<std::string> ike_proposals;  // "aes256gcm16-prfsha384-ecp384"; empty: defaults
  std::vector<std::string> esp_proposals;
  Seconds ike_lifetime{28800}, child_lifetime{3600};
  std::uint64_t rekey_packets = 3'000'000'000;  // of a Child SA, either direction
  std::uint64_t rekey_bytes = 0;                // 0: not by bytes
  Seconds reauth_time{0};                       // 0: never
  Seconds dpd_interval{10};
  std::uint32_t replay_window = 1024;  // 64..2048
  bool initiate = true;
  bool probe = true;
  Millis probe_interval{100};        // 20..60000
  unsigned probe_misses = 3;         // 1..100
  std::optional<std::uint32_t> mtu;  // none: computed from the transform
  Df df = Df::Copy;
  bool hw_offload = false;  // ESP by the outer interface's hardware, where it can
  std::optional<std::uint32_t> preference;
  bool shutdown = false;
  bool operator==(const Tunnel&) const = default;
};

struct Connection {
  std::string id;                         // "vpn-0123456789abcdef0"
  std::string customer_gateway, gateway;  // ids, for show only
  Target target = Target::Vgw;
  Routing routing = Routing::Dynamic;
  std::map<unsigned, Tunnel> tunnels;
  bool operator==(const Connection&) const = default;
};

enum class RemovePrivateAs : std::uint8_t { No, Only, OnlyReplace, All, AllReplace };

struct MaximumPrefix {
  std::uint32_t limit = 0;
  std::optional<std::uint16_t> restart;  // minutes
  bool operator==(const MaximumPrefix&) const = default;
};

// What a neighbor does in one address family.
struct NeighborFamily {
  std::string route_map_in, route_map_out, prefix_list_in, prefix_list_out, filter_list_in, filter_list_out;
  bool addpath_tx_all_paths = false, as_override = false, next_hop_self = false, route_reflector_client = false;
  bool soft_reconfiguration_inbound = false;
  RemovePrivateAs remove_private_as = RemovePrivateAs::No;
  bool default_originate = false;
  std::optional<std::uint8_t> allowas_in;
  std::optional<std::uint16_t> weight;
  std::optional<MaximumPrefix> maximum_prefix;
  bool operator==(const NeighborFamily&) const = default;
};

struct Neighbor {
  IpAddress address;
  std::uint32_t remote_as = 0;
  std::string description;
  std::optional<Seconds> keepalive, hold;
  bool passive = false;
  bool shutdown = false;
  std::optional<std::uint32_t> maximum_prefix_out;
  NeighborFamily ipv4;
  bool operator==(const Neighbor&) const = default;
};

struct Bgp {
  std::uint32_t asn = 0;
  std::optional<IpAddress> router_id;  // none: see bgp_identifier()
  Seconds keepalive{10}, hold{30};
  std::map<IpAddress, Neighbor> neighbors;
  std::vector<Prefix> networks;
  bool operator==(const Bgp&) const = default;
};

// ip route PREFIX NEXT-HOP|VPN-ID [DISTANCE]
struct StaticRoute {
  Prefix prefix;
  std::optional<IpAddress> next_hop;  // a tunnel's AWS inside address
  std::string connection;             // or every tunnel of this connection
  std::uint8_t distance = 1;
  bool operator==(const StaticRoute&) const = default;
};

struct Config {
  std::string hostname = "cgw";
  DataPlane data_plane = DataPlane::Auto;
  std::uint8_t plane_threads = 1;  // of the userspace plane, a tunnel and direction
  WhenDown when_down = WhenDown::Blackhole;
  std::vector<Connection> connections;  // in the order of the file
  std::optional<Bgp> bgp;
  std::vector<StaticRoute> static_routes;
  Policy policy;
  bool operator==(const Config&) const = default;
};

// Secrets by name, from their own file (0600): lines "NAME VALUE", '#' starts a comment.
using Secrets = std::map<std::string, SecretBytes>;

// Something wrong in a file: where, what, what to do.
struct Diagnostic {
  std::string file;
  unsigned line = 0;    // 1.., 0 when it concerns the whole file
  unsigned column = 0;  // 1.., 0 unknown
  std::string text;
  std::string to_string() const;  // "cgwd.conf:12:3: % Unknown command: neighbr ..."
  bool operator==(const Diagnostic&) const = default;
};
using Diagnostics = std::vector<Diagnostic>;

}  // namespace cgw::config
