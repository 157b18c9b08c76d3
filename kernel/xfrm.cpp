#include <sys/socket.h>
#include <sys/utsname.h>

#include <algorithm>
#include <cerrno>
#include <iterator>

#include <fmt/format.h>
#include <linux/netlink.h>
#include <linux/udp.h>

#include "kernel/tunnel_link.hpp"
#include "kernel/xfrm.hpp"
#include "kernel/xfrm_plane.hpp"

namespace cgw::kernel {

using ipsec::ChildSa;
using ipsec::Spi;
using xfrm::Direction;
using xfrm::Policy;
using xfrm::PolicyDirection;
using xfrm::SaInfo;
using xfrm::SaName;
using xfrm::SaOptions;
using xfrm::SaRequest;
using xfrm::Selectors;

namespace {

std::string kernel_release() {
  utsname u{};
  return uname(&u) == 0 ? u.release : "";
}

bool kernel_has(bool (*feature)(std::string_view release)) {
  return feature(kernel_release());
}

// The kernel takes ESP out of UDP on this socket, and leaves IKE on it.
KernelResult<void> take_esp_out_of_udp(int udp4500) {
  const int type = UDP_ENCAP_ESPINUDP;
  if (setsockopt(udp4500, IPPROTO_UDP, UDP_ENCAP, &type, sizeof type) == 0) return {};
  return fail(KernelError{errno, "UDP_ENCAP on the UDP socket", {}});
}

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

}  // namespace

XfrmPlane::XfrmPlane(RequestSocket xfrm, RequestSocket route, xfrm::Events events)
    : xfrm_(std::move(xfrm)),
      route_(std::move(route)),
      events_(std::move(events)),
      says_direction_(kernel_has(xfrm::has_sa_direction)) {}

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

KernelResult<void> XfrmPlane::expect_inbound(IfId id, const ipsec::InboundSpi& sa) {
  CGW_TRY(tunnels_[id].early, EarlyEsp::open(sa));
  return {};
}

KernelResult<void> XfrmPlane::install_inbound(IfId id, const ChildSa& sa) {
  if (auto done = install(id, sa, Direction::In); !done) return done;
  // From here on the kernel takes them itself.
  auto& expected = tunnels_[id].early;
  std::optional<EarlyEsp> early;
  if (expected && expected->spi() == sa.spi_in) early = std::exchange(expected, std::nullopt);
  if (early) early->stop();
  const SaName name = name_of(sa, Direction::In);
  tunnels_[id].in.try_emplace(sa.spi_in, Installed{.name = name});
  for (const auto d : {PolicyDirection::In, PolicyDirection::Forward}) {
    if (auto done = put(allow_policy(id, sa, d)); !done) return done;
  }
  if (early) {
    if (const std::size_t n = early->deliver(); n > 0)
      say(id, Level::Debug,
          fmt::format("{} packets came before SA {:08x} was here and were held", n, sa.spi_in.value()));
  }
  return {};
}

KernelResult<void> XfrmPlane::use_outbound(IfId id, const ChildSa& sa) {
  Tunnel& tunnel = tunnels_[id];
  const SaName name = name_of(sa, Direction::Out);
  const auto known = tunnel.out.find(sa.spi_out);
  if (known != tunnel.out.end() && known->second.name.destination != name.destination)
    return fail(KernelError{EINVAL, fmt::format("outbound SA {:08x}", sa.spi_out.value()),
                            "the peer's address changed: a new SA is needed, its sequence numbers would start again"});
  if (auto done = install(id, sa, Direction::Out); !done) return done;
  tunnel.out.try_emplace(sa.spi_out, Installed{.name = name});
  if (auto done = put(allow_policy(id, sa, PolicyDirection::Out)); !done) return done;
  tunnel.sending = sa.spi_out;
  return drop_other_policies(id, xfrm::selectors_of(sa));
}

// Again for an SA that is there: addresses' ports and lifetimes change, keys and sequence numbers stay.
// (Deleting and adding it anew would send the same sequence numbers, and with GCM the same nonces, twice.)
KernelResult<void> XfrmPlane::install(IfId id, const ChildSa& sa, Direction d) {
  auto done = add(id, sa, d);
  if (done || done.error().errnum != EEXIST) return done;
  return update_own(id, sa, d, {.says_direction = says_direction_, .clear_df = tunnels_[id].settings.clear_df});
}

// With the interface's hardware when that is asked for and the interface can; else without, and it is said once.
KernelResult<void> XfrmPlane::add(IfId id, const ChildSa& sa, Direction d) {
  const SaSettings& wanted = tunnels_[id].settings;
  SaOptions options{.says_direction = says_direction_, .clear_df = wanted.clear_df, .offload = wanted.offload};
  const SaName name = name_of(sa, d);
  const std::string what = fmt::format("XFRM_MSG_NEWSA {} {:08x} if_id {:#x}", d == Direction::In ? "in" : "out",
                                       name.spi.value(), id.value());
  if (const auto why = xfrm::why_not(sa, kernel_release()); !why.empty())
    return fail(KernelError{EAFNOSUPPORT, what, std::string(why)});
  auto done = xfrm_.request(sa_message(SaRequest::New, id, sa, d, options), what);
  if (!wanted.offload || (!done && done.error().errnum == EEXIST)) return done;
  std::string refusal;
  if (done) {
    // An interface without ESP offload is no error to the kernel: the SA just is not offloaded.
    CGW_TRY(const auto there, find_sa(xfrm_, name));
    if (there && there->offloaded) return {};
    refusal = "the interface has none (ethtool -k: esp-hw-offload)";
  } else {
    refusal = done.error().to_string();
    options.offload.reset();
    done = xfrm_.request(sa_message(SaRequest::New, id, sa, d, options), what);
  }
  if (done && offload_refused_.insert(id).second)
    say(id, Level::Warning, "hw-offload: ESP is encrypted without hardware: " + refusal);
  return done;
}

KernelResult<void> XfrmPlane::update_own(IfId id, const ChildSa& sa, Direction d, const SaOptions& options) {
  const SaName name = name_of(sa, d);
  const std::string what = fmt::format("XFRM_MSG_UPDSA {:08x} if_id {:#x}", name.spi.value(), id.value());
  CGW_TRY(const auto there, find_sa(xfrm_, name));
  const auto& own = d == Direction::In ? tunnels_[id].in : tunnels_[id].out;
  if (!own.contains(name.spi) || !there || there->id != id)
    return fail(KernelError{EEXIST, what, "an SA of another tunnel or program has this SPI"});
  if (there->larval)
    return fail(
        KernelError{ESRCH, what, "somebody removed it: a new SA is needed, its sequence numbers would start again"});
  return xfrm_.request(sa_message(SaRequest::Update, id, sa, d, options), what);
}

KernelResult<void> XfrmPlane::put(const Policy& policy) {
  const std::string what =
      fmt::format("XFRM_MSG_UPDPOLICY {}if_id {:#x}", policy.through ? "" : "block ", policy.id.value());
  if (auto done = xfrm_.request(put_policy(policy), what); !done) return done;
  auto& wanted = tunnels_[policy.id].policies;
  std::erase_if(wanted, [&](const Policy& p) { return p.same_place(policy); });
  wanted.push_back(policy);
  return {};
}

// Selectors other than the negotiated ones: of the Child SA before, or of an earlier process.
KernelResult<void> XfrmPlane::drop_other_policies(IfId id, const Selectors& keep) {
  Tunnel& t = tunnels_[id];
  const auto other = [&](const Policy& p) { return p.id == id && p.selectors != keep; };
  if (t.settled && std::erase_if(t.policies, other) == 0) return {};
  std::erase_if(t.policies, other);
  if (const auto done = xfrm::remove_policies(xfrm_, other); !done) return fail(done.error());
  return {};
}

KernelResult<void> XfrmPlane::remove_child(IfId id, Spi spi_in, Spi spi_out) {
  const auto found = tunnels_.find(id);
  if (found == tunnels_.end()) return {};
  Tunnel& t = found->second;
  if (t.sending == spi_out) {
    t.sending.reset();
    std::vector<Policy> sending;
    std::ranges::copy_if(t.policies, std::back_inserter(sending),
                         [](const Policy& p) { return p.direction == PolicyDirection::Out; });
    for (const auto& p : sending) {
      if (auto done = put(block_policy(id, p.selectors)); !done) return done;
    }
  }
  if (auto done = retire(t.out, spi_out, t.retired, add_sent); !done) return done;
  return retire(t.in, spi_in, t.retired, add_received);
}

KernelResult<void> XfrmPlane::retire(Sas& from, Spi spi, TunnelCounters& totals,
                                     void (*add_counters)(TunnelCounters&, const SaInfo&)) {
  const auto it = from.find(spi);
  if (it == from.end()) return {};
  if (auto done = look(it->second); !done) return done;
  if (auto done = remove_sa(xfrm_, it->second.name); !done) return done;
  add_counters(totals, it->second.last);
  from.erase(it);
  return {};
}

KernelResult<void> XfrmPlane::look(Installed& sa) {
  CGW_TRY(const auto there, find_sa(xfrm_, sa.name));
  if (there && !there->larval) sa.last = *there;
  return {};
}

KernelResult<void> XfrmPlane::remove_leftovers(IfId id) {
  Tunnel& t = tunnels_[id];
  const auto own = [](const auto& sas, const SaName& name) {
    const auto it = sas.find(name.spi);
    return it != sas.end() && it->second.name.destination == name.destination;
  };
  const auto done = xfrm::remove_sas(xfrm_, [&](const SaInfo& sa) {
    return sa.id == id && sa.reqid == id.value() && !own(t.in, sa.name) && !own(t.out, sa.name);
  });
  if (!done) return fail(done.error());
  t.settled = true;
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

bool XfrmPlane::set_sa_settings(IfId id, const SaSettings& settings) {
  if (settings.offload != tunnels_[id].settings.offload) offload_refused_.erase(id);
  tunnels_[id].settings = settings;
  return true;
}

KernelResult<std::unique_ptr<DataPlane>> make_xfrm_plane(int udp4500, int udp4500_v6) {
  CGW_TRY(auto xfrm, RequestSocket::open(NETLINK_XFRM));
  CGW_TRY(auto route, RequestSocket::open(NETLINK_ROUTE));
  CGW_TRY(auto events, xfrm::Events::open(nl_socket_get_local_port(xfrm.get())));
  if (auto done = take_esp_out_of_udp(udp4500); !done) return fail(std::move(done).error());
  // What is left without it is ESP in IPv6 itself, which is all there is without a NAT.
  if (udp4500_v6 >= 0 && kernel_has(xfrm::has_esp_in_udp_v6)) {
    if (auto done = take_esp_out_of_udp(udp4500_v6); !done) return fail(std::move(done).error());
  }
  return std::make_unique<XfrmPlane>(std::move(xfrm), std::move(route), std::move(events));
}

}  // namespace cgw::kernel
