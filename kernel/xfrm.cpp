#include "kernel/xfrm.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <map>

#include <fmt/format.h>
#include <linux/netlink.h>
#include <linux/udp.h>

#include "kernel/data_plane.hpp"
#include "kernel/tunnel_link.hpp"
#include "kernel/xfrm_table.hpp"

namespace cgw::kernel {
namespace {

using ipsec::ChildSa;
using ipsec::Spi;
using xfrm::Direction;
using xfrm::PolicyDirection;
using xfrm::SaInfo;
using xfrm::SaName;
using xfrm::SaRequest;
using xfrm::Selectors;

// An SA of this process: where it is in the kernel, and its counters when last seen (the kernel drops an
// expired SA with its counters).
struct Installed {
  SaName name;
  SaInfo last;
};

struct Tunnel {
  std::map<Spi, Installed> in, out;
  std::optional<Spi> sending;
  std::optional<Selectors> selectors;  // of the policies
  TunnelCounters retired;              // of SAs that are gone
};

void add_received(TunnelCounters& c, const SaInfo& sa) {
  c.packets_in += sa.packets;
  c.octets_in += sa.octets;
  if (sa.replayed > 0) c.drops["replayed"] += sa.replayed;
  if (sa.bad_icv > 0) c.drops["bad ICV"] += sa.bad_icv;
}

void add_sent(TunnelCounters& c, const SaInfo& sa) {
  c.packets_out += sa.packets;
  c.octets_out += sa.octets;
}

// ESP happens in the kernel: an xfrm interface, SAs and policies a tunnel, tied together by the if_id. All of it
// outlives this process on purpose; the next one adopts the interface and replaces the SAs.
class XfrmPlane final : public DataPlane {
 public:
  XfrmPlane(RequestSocket xfrm, RequestSocket route) : xfrm_(std::move(xfrm)), route_(std::move(route)) {}

  std::string_view name() const override { return "kernel"; }
  bool needs_udp_encap() const override { return false; }

  KernelResult<IfIndex> ensure_interface(const std::string& name, IfId id) override;
  KernelResult<void> remove_interface(const std::string& name, IfId id) override;
  KernelResult<void> install_inbound(IfId id, const ChildSa& sa) override;
  KernelResult<void> use_outbound(IfId id, const ChildSa& sa) override;
  KernelResult<void> remove_child(IfId id, Spi spi_in, Spi spi_out) override;
  KernelResult<void> remove_leftovers(IfId id) override;
  KernelResult<TunnelCounters> counters(IfId id) override;

 private:
  KernelResult<void> install(IfId id, const ChildSa& sa, Direction d);
  KernelResult<void> update_own(IfId id, const ChildSa& sa, Direction d);
  KernelResult<void> allow(IfId id, const ChildSa& sa, std::initializer_list<PolicyDirection> directions);
  KernelResult<void> drop_other_policies(IfId id, const Selectors& keep);
  KernelResult<void> look(Installed& sa);
  KernelResult<void> retire(std::map<Spi, Installed>& from, Spi spi, TunnelCounters& totals,
                            void (*add)(TunnelCounters&, const SaInfo&));

  RequestSocket xfrm_, route_;
  std::map<IfId, Tunnel> tunnels_;
};

KernelResult<IfIndex> XfrmPlane::ensure_interface(const std::string& name, IfId id) {
  CGW_TRY(const auto found, find_link(route_, name));
  IfIndex index;
  if (found && found->kind == "xfrm" && found->if_id == id) {
    index = found->index;
    if (found->alias == tunnel_mark(id)) return index;
  } else {
    if (found && !has_tunnel_mark(found->alias))
      return fail(KernelError{EEXIST, "interface " + name,
                              "exists and is not cgwd's: remove it or name the tunnel's interface otherwise"});
    if (found) {
      if (auto gone = remove_link(route_, found->index, name); !gone) return fail(std::move(gone).error());
    }
    CGW_TRY(index, add_xfrm_link(route_, name, id));
  }
  if (auto marked = mark_link(route_, index, id); !marked) return fail(std::move(marked).error());
  return index;
}

KernelResult<void> XfrmPlane::remove_interface(const std::string& name, IfId id) {
  const auto of_tunnel = [id](const auto& x) { return x.id == id; };
  if (auto r = xfrm::remove_policies(xfrm_, of_tunnel); !r) return fail(std::move(r).error());
  if (auto r = xfrm::remove_sas(xfrm_, of_tunnel); !r) return fail(std::move(r).error());
  tunnels_.erase(id);
  CGW_TRY(const auto found, find_link(route_, name));
  if (!found || found->kind != "xfrm" || found->if_id != id) return {};
  return remove_link(route_, found->index, name);
}

KernelResult<void> XfrmPlane::install_inbound(IfId id, const ChildSa& sa) {
  if (auto done = install(id, sa, Direction::In); !done) return done;
  const SaName name = name_of(sa, Direction::In);
  tunnels_[id].in.try_emplace(sa.spi_in, Installed{name, {}});
  return allow(id, sa, {PolicyDirection::In, PolicyDirection::Forward});
}

KernelResult<void> XfrmPlane::use_outbound(IfId id, const ChildSa& sa) {
  Tunnel& tunnel = tunnels_[id];
  const SaName name = name_of(sa, Direction::Out);
  const auto known = tunnel.out.find(sa.spi_out);
  if (known != tunnel.out.end() && known->second.name.destination != name.destination)
    return fail(KernelError{EINVAL, fmt::format("outbound SA {:08x}", sa.spi_out.value()),
                            "the peer's address changed: a new SA is needed, its sequence numbers would start again"});
  if (auto done = install(id, sa, Direction::Out); !done) return done;
  tunnel.out.try_emplace(sa.spi_out, Installed{name, {}});
  if (auto done = allow(id, sa, {PolicyDirection::Out}); !done) return done;
  tunnel.sending = sa.spi_out;
  const Selectors selectors = xfrm::selectors_of(sa);
  if (tunnel.selectors == selectors) return {};
  tunnel.selectors = selectors;
  return drop_other_policies(id, selectors);
}

// Again for an SA that is there: addresses' ports and lifetimes change, keys and sequence numbers stay.
// (Deleting and adding it anew would send the same sequence numbers, and with GCM the same nonces, twice.)
KernelResult<void> XfrmPlane::install(IfId id, const ChildSa& sa, Direction d) {
  const std::string what = fmt::format("XFRM_MSG_NEWSA {} {:08x} if_id {:#x}", d == Direction::In ? "in" : "out",
                                       name_of(sa, d).spi.value(), id.value());
  auto done = xfrm_.request(sa_message(SaRequest::New, id, sa, d), what);
  if (done || done.error().errnum != EEXIST) return done;
  return update_own(id, sa, d);
}

KernelResult<void> XfrmPlane::update_own(IfId id, const ChildSa& sa, Direction d) {
  const SaName name = name_of(sa, d);
  const std::string what = fmt::format("XFRM_MSG_UPDSA {:08x} if_id {:#x}", name.spi.value(), id.value());
  CGW_TRY(const auto there, find_sa(xfrm_, name));
  const auto& own = d == Direction::In ? tunnels_[id].in : tunnels_[id].out;
  if (!own.contains(name.spi) || !there || there->id != id)
    return fail(KernelError{EEXIST, what, "an SA of another tunnel or program has this SPI"});
  return xfrm_.request(sa_message(SaRequest::Update, id, sa, d), what);
}

KernelResult<void> XfrmPlane::allow(IfId id, const ChildSa& sa, std::initializer_list<PolicyDirection> directions) {
  for (const auto d : directions) {
    const std::string what = fmt::format("XFRM_MSG_UPDPOLICY if_id {:#x}", id.value());
    if (auto done = xfrm_.request(allow_policy(id, sa, d), what); !done) return done;
  }
  return {};
}

// Selectors other than the negotiated ones: of the Child SA before, or of an earlier process.
KernelResult<void> XfrmPlane::drop_other_policies(IfId id, const Selectors& keep) {
  const auto done = xfrm::remove_policies(xfrm_, [&](const auto& p) { return p.id == id && p.selectors != keep; });
  if (!done) return fail(done.error());
  return {};
}

KernelResult<void> XfrmPlane::remove_child(IfId id, Spi spi_in, Spi spi_out) {
  const auto found = tunnels_.find(id);
  if (found == tunnels_.end()) return {};
  Tunnel& t = found->second;
  if (t.sending == spi_out && t.selectors) {
    const std::string what = fmt::format("XFRM_MSG_UPDPOLICY block if_id {:#x}", id.value());
    if (auto done = xfrm_.request(block_policy(id, *t.selectors), what); !done) return done;
    t.sending.reset();
  }
  if (auto done = retire(t.out, spi_out, t.retired, add_sent); !done) return done;
  return retire(t.in, spi_in, t.retired, add_received);
}

KernelResult<void> XfrmPlane::retire(std::map<Spi, Installed>& from, Spi spi, TunnelCounters& totals,
                                     void (*add)(TunnelCounters&, const SaInfo&)) {
  const auto it = from.find(spi);
  if (it == from.end()) return {};
  if (auto done = look(it->second); !done) return done;
  if (auto done = remove_sa(xfrm_, it->second.name); !done) return done;
  add(totals, it->second.last);
  from.erase(it);
  return {};
}

KernelResult<void> XfrmPlane::look(Installed& sa) {
  CGW_TRY(const auto there, find_sa(xfrm_, sa.name));
  if (there) sa.last = *there;
  return {};
}

KernelResult<void> XfrmPlane::remove_leftovers(IfId id) {
  const Tunnel& t = tunnels_[id];
  const auto own = [](const auto& sas, const SaName& name) {
    const auto it = sas.find(name.spi);
    return it != sas.end() && it->second.name.destination == name.destination;
  };
  const auto done = xfrm::remove_sas(xfrm_, [&](const SaInfo& sa) {
    return sa.id == id && sa.reqid == id.value() && !own(t.in, sa.name) && !own(t.out, sa.name);
  });
  if (!done) return fail(done.error());
  return {};
}

KernelResult<TunnelCounters> XfrmPlane::counters(IfId id) {
  Tunnel& t = tunnels_[id];
  TunnelCounters total = t.retired;
  for (auto& [spi, sa] : t.in) {
    if (auto done = look(sa); !done) return fail(std::move(done).error());
    add_received(total, sa.last);
  }
  for (auto& [spi, sa] : t.out) {
    if (auto done = look(sa); !done) return fail(std::move(done).error());
    add_sent(total, sa.last);
  }
  return total;
}

// IKE itself never meets an IPsec policy of this host; then the kernel takes ESP out of UDP on this socket.
KernelResult<void> prepare_socket(int udp4500) {
  int family = 0;
  socklen_t size = sizeof family;
  if (getsockopt(udp4500, SOL_SOCKET, SO_DOMAIN, &family, &size) < 0)
    return fail(KernelError{errno, "SO_DOMAIN on the UDP socket", {}});
  const bool v4 = family == AF_INET;
  for (const auto d : {XFRM_POLICY_IN, XFRM_POLICY_OUT}) {
    xfrm_userpolicy_info bypass{};
    bypass.sel.family = static_cast<std::uint16_t>(family);
    bypass.action = XFRM_POLICY_ALLOW;
    bypass.dir = static_cast<std::uint8_t>(d);
    if (setsockopt(udp4500, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_XFRM_POLICY : IPV6_XFRM_POLICY, &bypass,
                   sizeof bypass) < 0)
      return fail(KernelError{errno, "IP_XFRM_POLICY on the UDP socket", {}});
  }
  const int type = UDP_ENCAP_ESPINUDP;
  if (setsockopt(udp4500, IPPROTO_UDP, UDP_ENCAP, &type, sizeof type) < 0)
    return fail(KernelError{errno, "UDP_ENCAP on the UDP socket", {}});
  return {};
}

}  // namespace

KernelResult<std::unique_ptr<DataPlane>> make_xfrm_plane(int udp4500) {
  CGW_TRY(auto xfrm, RequestSocket::open(NETLINK_XFRM));
  CGW_TRY(auto route, RequestSocket::open(NETLINK_ROUTE));
  if (auto done = prepare_socket(udp4500); !done) return fail(std::move(done).error());
  return std::make_unique<XfrmPlane>(std::move(xfrm), std::move(route));
}

}  // namespace cgw::kernel
