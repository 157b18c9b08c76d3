#pragma once
#include <string>

#include "bgp/speaker.hpp"

// What bgp_host is told on its command line, and what it answers.
namespace cgw::bench {

struct HostSelf {
  IpAddress address;
  std::optional<IpAddress> v6;
  bgp::Asn asn;
};
struct HostNeighbor {
  bgp::NeighborConfig config;
  std::string md5;  // empty: none
};

//   ADDRESS:AS[,WORD]...
//   dial  hold=S  md5=KEY  add-path  extended  enhanced  restart=S  restarted  role=R  strict-role  maximum=N
//   maximum-out=N  client  fqdn=NAME
Result<HostNeighbor, std::string> host_neighbor(const HostSelf& self, const std::string& text);
//   PREFIX[,community=N:N][,large=N:N:N]: one of our own
Result<std::pair<Prefix, bgp::PathAttributes>, std::string> host_network(const HostSelf& self, const std::string& text);

// One line of JSON each.
std::string host_status(const bgp::Speaker& speaker, bgp::NeighborId n);
std::string host_routes(const bgp::Speaker& speaker);

}  // namespace cgw::bench
