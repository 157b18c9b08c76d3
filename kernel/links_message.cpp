#include "kernel/links_message.hpp"

#include <net/if.h>
#include <sys/socket.h>

#include <cstring>
#include <span>

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>

namespace cgw::kernel::links {
namespace {

constexpr std::uint32_t kLoose = 2;

template <class Header>
Message message(int type, int flags, const Header& header) {
  Message m(nlmsg_alloc());
  if (m && nlmsg_put(m.get(), NL_AUTO_PORT, NL_AUTO_SEQ, type, 0, flags) == nullptr) m.reset();
  if (m && nlmsg_append(m.get(), const_cast<Header*>(&header), sizeof header, NLMSG_ALIGNTO) < 0) m.reset();
  return m;
}

std::uint8_t af(const IpAddress& a) {
  return a.is_v4() ? AF_INET : AF_INET6;
}

void put_ip(nl_msg* m, int type, const IpAddress& a) {
  nla_put(m, type, static_cast<int>(a.bytes().size()), a.bytes().data());
}

std::string text(const nlattr* a) {
  if (a == nullptr || nla_len(a) <= 0) return {};
  const auto* data = static_cast<const char*>(nla_data(a));
  return std::string(data, ::strnlen(data, static_cast<std::size_t>(nla_len(a))));
}

std::uint32_t number(const nlattr* a) {
  return a != nullptr && nla_len(a) >= 4 ? nla_get_u32(a) : 0;
}

const nlattr* inside(const nlattr* nest, int type) {
  return nest == nullptr ? nullptr : nla_find(static_cast<const nlattr*>(nla_data(nest)), nla_len(nest), type);
}

// The kernel sends the whole array of IPv4 settings, the first one (IPV4_DEVCONF_FORWARDING = 1) at 0.
std::int32_t setting(const nlattr* conf, std::size_t which) {
  if (conf == nullptr || static_cast<std::size_t>(nla_len(conf)) < which * sizeof(std::int32_t)) return -1;
  std::int32_t value = -1;
  std::memcpy(&value, static_cast<const char*>(nla_data(conf)) + (which - 1) * sizeof value, sizeof value);
  return value;
}

ifinfomsg link_header(IfIndex index) {
  ifinfomsg i{};
  i.ifi_index = index.value();
  return i;
}

std::optional<IpAddress> ip(const nlattr* a) {
  if (a == nullptr) return std::nullopt;
  const auto parsed = IpAddress::from_bytes(
      std::span(static_cast<const std::uint8_t*>(nla_data(a)), static_cast<std::size_t>(nla_len(a))));
  return parsed ? std::optional(*parsed) : std::nullopt;
}

}  // namespace

std::optional<LinkInfo> read_link(nlmsghdr* h) {
  constexpr int kHeader = sizeof(ifinfomsg);
  if ((h->nlmsg_type != RTM_NEWLINK && h->nlmsg_type != RTM_DELLINK) || !nlmsg_valid_hdr(h, kHeader))
    return std::nullopt;
  const auto* i = static_cast<const ifinfomsg*>(nlmsg_data(h));
  if (i->ifi_family == AF_BRIDGE) return std::nullopt;  // a port's bridge settings, not its link
  LinkInfo out;
  out.state.index = IfIndex{i->ifi_index};
  out.state.name = text(nlmsg_find_attr(h, kHeader, IFLA_IFNAME));
  out.state.up = (i->ifi_flags & IFF_UP) != 0;
  out.state.running = (i->ifi_flags & IFF_RUNNING) != 0;
  out.state.mtu = number(nlmsg_find_attr(h, kHeader, IFLA_MTU));
  out.alias = text(nlmsg_find_attr(h, kHeader, IFLA_IFALIAS));
  out.kind = text(inside(nlmsg_find_attr(h, kHeader, IFLA_LINKINFO), IFLA_INFO_KIND));
  const nlattr* conf = inside(inside(nlmsg_find_attr(h, kHeader, IFLA_AF_SPEC), AF_INET), IFLA_INET_CONF);
  out.rp_filter = setting(conf, IPV4_DEVCONF_RP_FILTER);
  out.send_redirects = setting(conf, IPV4_DEVCONF_SEND_REDIRECTS);
  return out;
}

std::optional<AddressInfo> read_address(nlmsghdr* h) {
  constexpr int kHeader = sizeof(ifaddrmsg);
  if ((h->nlmsg_type != RTM_NEWADDR && h->nlmsg_type != RTM_DELADDR) || !nlmsg_valid_hdr(h, kHeader))
    return std::nullopt;
  const auto* i = static_cast<const ifaddrmsg*>(nlmsg_data(h));
  auto address = ip(nlmsg_find_attr(h, kHeader, IFA_LOCAL));
  if (!address) address = ip(nlmsg_find_attr(h, kHeader, IFA_ADDRESS));
  if (!address) return std::nullopt;
  return AddressInfo{IfIndex{static_cast<int>(i->ifa_index)}, {*address, i->ifa_prefixlen}};
}

Message get_link(IfIndex index) {
  return message(RTM_GETLINK, 0, link_header(index));
}

Message get_link(const std::string& name) {
  Message m = get_link(IfIndex{});
  if (m) nla_put_string(m.get(), IFLA_IFNAME, name.c_str());
  return m;
}

Message dump_links() {
  return message(RTM_GETLINK, NLM_F_DUMP, link_header({}));
}

Message dump_addresses() {
  return message(RTM_GETADDR, NLM_F_DUMP, ifaddrmsg{});
}

namespace {

Message address_message(int type, int flags, IfIndex index, const InterfaceAddress& a) {
  ifaddrmsg i{};
  i.ifa_family = af(a.address);
  i.ifa_prefixlen = a.length;
  i.ifa_index = static_cast<std::uint32_t>(index.value());
  Message m = message(type, flags, i);
  if (m) put_ip(m.get(), IFA_LOCAL, a.address);
  return m;
}

}  // namespace

Message put_address(IfIndex index, const InterfaceAddress& address, const IpAddress* peer) {
  Message m = address_message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, index, address);
  if (m) put_ip(m.get(), IFA_ADDRESS, peer != nullptr ? *peer : address.address);
  return m;
}

Message delete_address(const AddressInfo& a) {
  return address_message(RTM_DELADDR, 0, a.index, a.address);
}

Message set_mtu(IfIndex index, std::uint32_t mtu) {
  Message m = message(RTM_SETLINK, 0, link_header(index));
  if (m) nla_put_u32(m.get(), IFLA_MTU, mtu);
  return m;
}

Message set_ipv4_conf(IfIndex index) {
  Message m = message(RTM_SETLINK, 0, link_header(index));
  if (!m) return m;
  nlattr* spec = nla_nest_start(m.get(), IFLA_AF_SPEC);
  nlattr* inet = nla_nest_start(m.get(), AF_INET);
  nlattr* conf = nla_nest_start(m.get(), IFLA_INET_CONF);
  nla_put_u32(m.get(), IPV4_DEVCONF_RP_FILTER, kLoose);
  nla_put_u32(m.get(), IPV4_DEVCONF_SEND_REDIRECTS, 0);
  nla_nest_end(m.get(), conf);
  nla_nest_end(m.get(), inet);
  nla_nest_end(m.get(), spec);
  return m;
}

Message set_up(IfIndex index) {
  ifinfomsg i = link_header(index);
  i.ifi_flags = IFF_UP;
  i.ifi_change = IFF_UP;
  return message(RTM_SETLINK, 0, i);
}

Message get_route(const IpAddress& to) {
  rtmsg r{};
  r.rtm_family = af(to);
  r.rtm_dst_len = to.bits();
  Message m = message(RTM_GETROUTE, 0, r);
  if (m) put_ip(m.get(), RTA_DST, to);
  return m;
}

std::optional<RouteAnswer> read_route_answer(nlmsghdr* h) {
  constexpr int kHeader = sizeof(rtmsg);
  if (h->nlmsg_type != RTM_NEWROUTE || !nlmsg_valid_hdr(h, kHeader)) return std::nullopt;
  RouteAnswer out;
  out.source = ip(nlmsg_find_attr(h, kHeader, RTA_PREFSRC));
  out.index = IfIndex{static_cast<int>(number(nlmsg_find_attr(h, kHeader, RTA_OIF)))};
  out.mtu = number(inside(nlmsg_find_attr(h, kHeader, RTA_METRICS), RTAX_MTU));
  return out;
}

}  // namespace cgw::kernel::links
