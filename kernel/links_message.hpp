#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "base/ip.hpp"
#include "kernel/links.hpp"
#include "kernel/xfrm_socket.hpp"

// Messages about interfaces and addresses, and what answers say. Nothing here talks to the kernel.
namespace cgw::kernel::links {

struct LinkInfo {
  LinkState state;
  std::string kind, alias;
  std::int32_t rp_filter = -1, send_redirects = -1;  // -1: the kernel did not say
};
std::optional<LinkInfo> read_link(nlmsghdr* h);  // RTM_NEWLINK or RTM_DELLINK

struct AddressInfo {
  IfIndex index;
  InterfaceAddress address;
};
std::optional<AddressInfo> read_address(nlmsghdr* h);  // RTM_NEWADDR or RTM_DELADDR

Message get_link(IfIndex index);
Message get_link(const std::string& name);
Message dump_links();
Message dump_addresses();
// peer: the far end of a point-to-point address, for those that share no subnet.
Message put_address(IfIndex index, const InterfaceAddress& address, const IpAddress* peer);
Message delete_address(const AddressInfo& a);
Message set_mtu(IfIndex index, std::uint32_t mtu);
// rp_filter=2 (loose: packets come in on either tunnel) and send_redirects=0.
Message set_ipv4_conf(IfIndex index);
Message set_up(IfIndex index);

struct RouteAnswer {
  std::optional<IpAddress> source;
  IfIndex index;
  std::uint32_t mtu = 0;  // of the route, if it has one
};
Message get_route(const IpAddress& to);
std::optional<RouteAnswer> read_route_answer(nlmsghdr* h);

}  // namespace cgw::kernel::links
