#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "config/aws_import.hpp"
#include "config/import/source.hpp"

// What AWS says of its connections, whatever the file it says it in: the readers fill it, aws_map.cpp makes a
// configuration of it. Private to this folder.
namespace cgw::config {

// A value as the file has it, by what name, and where (the place of its surroundings while there is none).
struct Field {
  std::string text;  // empty: not said
  std::string name;
  Spot at;
  bool said() const { return !text.empty(); }
};

// What a tunnel may negotiate, by AWS's names of algorithms; an empty list: all that AWS has.
struct TunnelOptions {
  std::vector<Field> ike_encryption, ike_integrity, ike_groups;
  std::vector<Field> esp_encryption, esp_integrity, esp_groups;
  std::vector<Field> ike_versions;
  Field dpd_timeout, dpd_action, startup_action, replay_window;
};

struct TunnelFacts {
  std::string name;  // what the file calls it: "<ipsec_tunnel>"
  Field our_outside, their_outside, our_inside, inside_length, their_inside;
  Spot their_outside_at, our_inside_at, their_inside_at;  // of what holds the address
  Field our_asn, their_asn, hold_time;
  bool bgp = false;      // says anything of BGP
  bool our_bgp = false;  // names our side of it
  Field ike_lifetime, esp_lifetime, dpd_interval;
  Field key;
  std::string floor;            // algorithms the file names: "aes-128-cbc sha1 group2"
  std::string ike_version;      // of the sample: "ikev1"; empty: not said
  std::string certificate_arn;  // of AWS's certificate for this tunnel
  std::optional<TunnelOptions> options;
};

struct ConnectionFacts {
  std::string name;         // "<vpn_connection>"
  std::string tunnel_name;  // "<ipsec_tunnel>"
  Spot at;
  Field id, customer_gateway, gateway;
  std::optional<Target> target;  // none: by the gateway's id
  bool marked_static = false;
  bool tells_routing = true;  // false: the file would not say that there is BGP
  std::vector<TunnelFacts> tunnels;
  std::vector<Prefix> behind_aws;   // prefixes the file knows behind the tunnels
  std::vector<std::string> routes;  // that AWS sends to us
  std::string key_arn;              // the keys' secret in Secrets Manager
  bool certificates = false;        // known to use certificates
  std::vector<std::string> left;    // what is AWS's own matter, or not known here, by its name
  std::vector<std::string> notes, warnings;
};

struct Facts {
  std::vector<ConnectionFacts> connections;
  std::vector<std::string> notes;
};

// The most tunnels that a connection of the configuration may have; readers take one more, to be complained of.
inline constexpr std::size_t kMaxTunnels = 64;

// ---- readers: each leaves a complaint where it cannot read on.
void read_xml(const Source& source, ConnectionFacts& out, Complaints& wrong);
void read_json(const Source& source, const ImportOptions& options, Facts& out, Complaints& wrong);
void read_generic(const Source& source, ConnectionFacts& out, Complaints& wrong);
void read_strongswan_sample(const Source& source, ConnectionFacts& out, Complaints& wrong);
void read_vyatta_sample(const Source& source, ConnectionFacts& out, Complaints& wrong);

// ---- the mapper; nothing when it complained.
std::optional<Imported> map_facts(const Facts& facts, const ImportOptions& options, Complaints& wrong);

// One proposal each, the best that the options allow; empty where they say nothing.
struct Proposals {
  std::string ike, esp;
  std::vector<std::string> warnings;  // of a word that is not known, of what is weak
};
Proposals proposals_of(const TunnelOptions& options, std::string_view label);

}  // namespace cgw::config
