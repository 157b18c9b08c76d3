#include "kernel/tunnel_link.hpp"

#include <net/if.h>
#include <netinet/in.h>

#include <cerrno>
#include <memory>

#include <fmt/format.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/route/link.h>
#include <netlink/route/link/xfrmi.h>

namespace cgw::kernel {
namespace {

constexpr std::string_view kMark = "cgwd ";

struct PutLink {
  void operator()(rtnl_link* l) const { rtnl_link_put(l); }
};
using Link = std::unique_ptr<rtnl_link, PutLink>;

std::string text(const nlattr* a) {
  if (a == nullptr || nla_len(a) <= 0) return {};
  const std::string s(static_cast<const char*>(nla_data(a)), static_cast<std::size_t>(nla_len(a)));
  return s.substr(0, s.find('\0'));
}

TunnelLink parse(nlmsghdr* h) {
  TunnelLink out;
  out.index = IfIndex{static_cast<const ifinfomsg*>(nlmsg_data(h))->ifi_index};
  out.alias = text(nlmsg_find_attr(h, sizeof(ifinfomsg), IFLA_IFALIAS));
  const nlattr* info = nlmsg_find_attr(h, sizeof(ifinfomsg), IFLA_LINKINFO);
  if (info == nullptr) return out;
  auto* first = static_cast<nlattr*>(nla_data(info));
  out.kind = text(nla_find(first, nla_len(info), IFLA_INFO_KIND));
  const nlattr* data = nla_find(first, nla_len(info), IFLA_INFO_DATA);
  if (out.kind != "xfrm" || data == nullptr) return out;
  const nlattr* id = nla_find(static_cast<nlattr*>(nla_data(data)), nla_len(data), IFLA_XFRM_IF_ID);
  if (id != nullptr && nla_len(id) == 4) out.if_id = IfId{nla_get_u32(id)};
  return out;
}

Message link_message(std::uint16_t type, IfIndex index) {
  Message m(nlmsg_alloc());
  ifinfomsg info{};
  info.ifi_index = index.value();
  if (m && (nlmsg_put(m.get(), NL_AUTO_PORT, NL_AUTO_SEQ, type, 0, 0) == nullptr ||
            nlmsg_append(m.get(), &info, sizeof info, NLMSG_ALIGNTO) < 0))
    m.reset();
  return m;
}

}  // namespace

std::string tunnel_mark(IfId id) {
  return fmt::format("{}{:#010x}", kMark, id.value());
}

bool has_tunnel_mark(const std::string& alias) {
  return alias.starts_with(kMark);
}

KernelResult<std::optional<TunnelLink>> find_link(RequestSocket& route, const std::string& name) {
  const std::string what = "RTM_GETLINK " + name;
  if (name.empty() || name.size() >= IFNAMSIZ) return fail(KernelError{EINVAL, what, "not an interface name"});
  Message m = link_message(RTM_GETLINK, IfIndex{});
  if (m) nla_put_string(m.get(), IFLA_IFNAME, name.c_str());
  std::optional<TunnelLink> found;
  const auto done = route.request(std::move(m), what, [&](nlmsghdr* h) {
    if (h->nlmsg_type == RTM_NEWLINK && nlmsg_valid_hdr(h, sizeof(ifinfomsg))) found = parse(h);
  });
  if (!done && done.error().errnum != ENODEV) return fail(done.error());
  return found;
}

KernelResult<void> mark_link(RequestSocket& route, IfIndex index, IfId id) {
  Message m = link_message(RTM_SETLINK, index);
  const std::string mark = tunnel_mark(id);
  if (m) nla_put_string(m.get(), IFLA_IFALIAS, mark.c_str());
  return route.request(std::move(m), fmt::format("RTM_SETLINK alias of interface {}", index.value()));
}

KernelResult<void> remove_link(RequestSocket& route, IfIndex index, const std::string& name) {
  auto done = route.request(link_message(RTM_DELLINK, index), "RTM_DELLINK " + name);
  if (!done && done.error().errnum != ENODEV) return fail(std::move(done).error());
  return {};
}

KernelResult<IfIndex> add_xfrm_link(RequestSocket& route, const std::string& name, IfId id) {
  const std::string what = fmt::format("RTM_NEWLINK {} type xfrm if_id {:#x}", name, id.value());
  const Link link(rtnl_link_xfrmi_alloc());
  if (!link) return fail(KernelError{ENOMEM, what, {}});
  rtnl_link_set_name(link.get(), name.c_str());
  rtnl_link_xfrmi_set_if_id(link.get(), id.value());
  nl_msg* raw = nullptr;
  if (const int r = rtnl_link_build_add_request(link.get(), NLM_F_CREATE | NLM_F_EXCL, &raw); r < 0)
    return fail(libnl_error(r, what));
  auto done = route.request(Message(raw), what);
  if (!done) return fail(std::move(done).error());
  CGW_TRY(const auto made, find_link(route, name));
  if (!made) return fail(KernelError{ENODEV, what, "created, but not there"});
  return made->index;
}

}  // namespace cgw::kernel
