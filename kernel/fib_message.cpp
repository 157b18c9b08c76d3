#include "kernel/fib_message.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <span>

#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>

namespace cgw::kernel::fib {
namespace {

static_assert(static_cast<int>(Fallback::Blackhole) == RTN_BLACKHOLE);
static_assert(static_cast<int>(Fallback::Unreachable) == RTN_UNREACHABLE);

constexpr std::size_t kMessageSize = 256;  // all but large groups; zeroing a page for each would show in a full feed

int flags_of(Put put) {
  switch (put) {
    case Put::New: return NLM_F_CREATE | NLM_F_EXCL;
    case Put::Replace: return NLM_F_REPLACE;
    case Put::Set: return NLM_F_CREATE | NLM_F_REPLACE;
  }
  return 0;
}

std::uint8_t af(Family f) {
  return f == Family::V4 ? AF_INET : AF_INET6;
}

std::optional<Family> family_of(std::uint8_t af) {
  if (af == AF_INET) return Family::V4;
  if (af == AF_INET6) return Family::V6;
  return std::nullopt;
}

template <class Header>
Message message(int type, int flags, const Header& header, std::size_t size = kMessageSize) {
  Message m(nlmsg_alloc_size(size));
  if (m && nlmsg_put(m.get(), 0, 0, type, 0, flags) == nullptr) m.reset();
  if (m && nlmsg_append(m.get(), const_cast<Header*>(&header), sizeof header, NLMSG_ALIGNTO) < 0) m.reset();
  return m;
}

void put_address(nl_msg* m, int type, const IpAddress& a) {
  const auto octets = a.bytes();
  nla_put(m, type, static_cast<int>(octets.size()), octets.data());
}

std::uint8_t nexthop_family(const Nexthop& n) {
  if (n.is_group()) return AF_UNSPEC;
  if (n.blackhole) return af(n.blackhole_family);
  return af(n.exit ? n.exit->next_hop.family() : Family::V4);
}

void put_members(nl_msg* m, const std::vector<std::uint32_t>& members) {
  std::vector<nexthop_grp> group;
  for (const auto id : members) {
    nexthop_grp g{};
    g.id = id;  // weight 0 means 1
    group.push_back(g);
  }
  nla_put(m, NHA_GROUP, static_cast<int>(group.size() * sizeof(nexthop_grp)), group.data());
}

Message route(int type, int flags, const Prefix& p, std::uint8_t route_type, std::uint8_t scope, std::uint32_t metric) {
  rtmsg r{};
  r.rtm_family = af(p.address.family());
  r.rtm_dst_len = p.length;
  r.rtm_table = RT_TABLE_MAIN;
  r.rtm_protocol = kRouteProtocol;
  r.rtm_scope = scope;
  r.rtm_type = route_type;
  Message m = message(type, flags, r);
  if (!m) return m;
  put_address(m.get(), RTA_DST, p.address);
  nla_put_u32(m.get(), RTA_PRIORITY, metric);
  return m;
}

const nlattr* find(nlmsghdr* h, int header, int type, int at_least) {
  const nlattr* a = nlmsg_find_attr(h, header, type);
  return a != nullptr && nla_len(a) >= at_least ? a : nullptr;
}

std::uint32_t number(nlmsghdr* h, int header, int type) {
  const nlattr* a = find(h, header, type, 4);
  return a != nullptr ? nla_get_u32(a) : 0;
}

Result<IpAddress, std::string> address(const nlattr* a) {
  return IpAddress::from_bytes(
      std::span(static_cast<const std::uint8_t*>(nla_data(a)), static_cast<std::size_t>(nla_len(a))));
}

std::vector<std::uint32_t> read_members(const nlattr* a) {
  std::vector<std::uint32_t> out;
  const auto* g = static_cast<const nexthop_grp*>(nla_data(a));
  for (std::size_t i = 0; i < static_cast<std::size_t>(nla_len(a)) / sizeof(nexthop_grp); ++i)
    out.push_back(g[i].id);
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace

Message put_nexthop(std::uint32_t id, const Nexthop& n, Put put) {
  nhmsg header{};
  header.nh_family = nexthop_family(n);
  header.nh_protocol = kRouteProtocol;
  if (n.exit) header.nh_flags = RTNH_F_ONLINK;
  Message m = message(RTM_NEWNEXTHOP, flags_of(put), header, kMessageSize + n.members.size() * sizeof(nexthop_grp));
  if (!m) return m;
  nla_put_u32(m.get(), NHA_ID, id);
  if (n.is_group()) put_members(m.get(), n.members);
  if (n.blackhole) nla_put_flag(m.get(), NHA_BLACKHOLE);
  if (n.exit) {
    nla_put_u32(m.get(), NHA_OIF, static_cast<std::uint32_t>(n.exit->interface.value()));
    put_address(m.get(), NHA_GATEWAY, n.exit->next_hop);
  }
  return m;
}

Message delete_nexthop(std::uint32_t id) {
  Message m = message(RTM_DELNEXTHOP, 0, nhmsg{});
  if (m) nla_put_u32(m.get(), NHA_ID, id);
  return m;
}

Message put_route(const Prefix& p, std::uint32_t nexthop_id, Put put) {
  Message m = route(RTM_NEWROUTE, flags_of(put), p, RTN_UNICAST, RT_SCOPE_UNIVERSE, kRouteMetric);
  if (m) nla_put_u32(m.get(), RTA_NH_ID, nexthop_id);
  return m;
}

Message put_fallback(const Prefix& p, Fallback f, Put put) {
  return route(RTM_NEWROUTE, flags_of(put), p, static_cast<std::uint8_t>(f), RT_SCOPE_UNIVERSE, kBlackholeMetric);
}

// No type, any scope: the protocol and the metric say that it is ours.
Message delete_route(const Prefix& p, std::uint32_t metric) {
  return route(RTM_DELROUTE, 0, p, RTN_UNSPEC, RT_SCOPE_NOWHERE, metric);
}

Message dump_nexthops(int) {
  return message(RTM_GETNEXTHOP, NLM_F_DUMP, nhmsg{});
}

Message dump_routes(int family) {
  rtmsg r{};
  r.rtm_family = static_cast<std::uint8_t>(family);
  r.rtm_table = RT_TABLE_MAIN;
  r.rtm_protocol = kRouteProtocol;
  return message(RTM_GETROUTE, NLM_F_DUMP, r);
}

std::optional<NexthopInfo> read_nexthop(nlmsghdr* h) {
  constexpr int kHeader = sizeof(nhmsg);
  if (h->nlmsg_type != RTM_NEWNEXTHOP || !nlmsg_valid_hdr(h, kHeader)) return std::nullopt;
  const auto* header = static_cast<const nhmsg*>(nlmsg_data(h));
  NexthopInfo out;
  out.id = number(h, kHeader, NHA_ID);
  if (header->nh_protocol != kRouteProtocol || !is_our_id(out.id)) return std::nullopt;
  if (const nlattr* a = find(h, kHeader, NHA_GROUP, sizeof(nexthop_grp))) out.nexthop.members = read_members(a);
  if (nlmsg_find_attr(h, kHeader, NHA_BLACKHOLE) != nullptr) {
    out.nexthop.blackhole = true;
    out.nexthop.blackhole_family = family_of(header->nh_family).value_or(Family::V4);
  }
  if (const nlattr* a = find(h, kHeader, NHA_GATEWAY, 4)) {
    const auto gateway = address(a);
    const auto oif = static_cast<int>(number(h, kHeader, NHA_OIF));
    if (gateway) out.nexthop.exit = ExitState{IfIndex{oif}, *gateway};
  }
  return out;
}

std::optional<RouteInfo> read_route(nlmsghdr* h) {
  constexpr int kHeader = sizeof(rtmsg);
  if (h->nlmsg_type != RTM_NEWROUTE || !nlmsg_valid_hdr(h, kHeader)) return std::nullopt;
  const auto* r = static_cast<const rtmsg*>(nlmsg_data(h));
  const auto family = family_of(r->rtm_family);
  if (!family || r->rtm_protocol != kRouteProtocol || r->rtm_table != RT_TABLE_MAIN ||
      (r->rtm_flags & RTM_F_CLONED) != 0)
    return std::nullopt;
  RouteInfo out;
  IpAddress network = *family == Family::V4 ? IpAddress{} : IpAddress::v6({});
  if (const nlattr* a = find(h, kHeader, RTA_DST, 4)) {
    const auto parsed = address(a);
    if (!parsed || parsed->family() != *family) return std::nullopt;
    network = *parsed;
  }
  out.prefix = Prefix::of(network, r->rtm_dst_len);
  const std::uint32_t metric = number(h, kHeader, RTA_PRIORITY);
  out.nexthop_id = number(h, kHeader, RTA_NH_ID);
  if (metric == kRouteMetric && is_our_id(out.nexthop_id)) return out;
  if (metric != kBlackholeMetric || out.nexthop_id != 0) return std::nullopt;
  if (r->rtm_type != RTN_BLACKHOLE && r->rtm_type != RTN_UNREACHABLE) return std::nullopt;
  out.fallback = static_cast<Fallback>(r->rtm_type);
  return out;
}

}  // namespace cgw::kernel::fib
