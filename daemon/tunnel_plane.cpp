// What a tunnel makes of its data plane's news, and of the way that its outer packets take.
#include <algorithm>

#include <fmt/format.h>

#include "base/overload.hpp"
#include "daemon/tunnel.hpp"

namespace cgw {
namespace {

// What every host must take in one piece (RFC 791 3.2), and what every IPv6 path must carry (RFC 8200 5). A forged ICMP
// message cannot push a tunnel below.
constexpr std::uint32_t kLeastPathV4 = 576, kLeastPathV6 = 1280;

}  // namespace

void Tunnel::plane_event(const kernel::PlaneEvent& event) {
  if (stopped_) return;
  const auto visitor = Overload{
      [&](const kernel::SaExpired& e) {
        note(Level::Debug, fmt::format("data plane: SA {:08x} {}", e.spi.value(), e.hard ? "is over" : "ends soon"));
        if (ike_) step_ike(ipsec::ChildExpiring{.spi = e.spi, .hard = e.hard});
      },
      [&](const kernel::SaLost& e) {
        note(Level::Warning,
             fmt::format("kernel: SA {:08x} was removed by somebody; negotiating another", e.spi.value()));
        if (ike_) step_ike(ipsec::ChildExpiring{.spi = e.spi, .hard = false});
      },
      [&](const kernel::PeerMapped& e) {
        if (ike_) step_ike(ipsec::PeerMapped{.spi_in = e.spi, .remote = e.remote});
      },
      [&](const kernel::PlaneNote& n) { note(n.note.level, n.note.text); },
  };
  std::visit(visitor, event);
}

void Tunnel::choose_sa_settings() {
  const config::Tunnel& t = setup_.config;
  kernel::SaSettings s{.clear_df = t.df == config::Df::Clear, .offload = std::nullopt};
  if (t.hw_offload && t.vpn_gateway_outside) {
    if (const auto via = equipment_.links.route_to(*t.vpn_gateway_outside)) s.offload = via->index;
  }
  const bool taken = equipment_.plane.set_sa_settings(setup_.if_id, s);
  if (!taken && s != kernel::SaSettings{})
    note(Level::Warning, "df and hw-offload are the kernel data plane's; this one has no such choice");
}

// ICMP "fragmentation needed" about our outer packets makes the kernel remember a smaller MTU for the peer, for
// net.ipv4.route.mtu_expires (10 minutes); then it tries again, and so do we.
void Tunnel::follow_path_mtu() {
  const auto to = outside();
  if (to && ike_ && ike_->status().child) follow_path_mtu(*to);
}

void Tunnel::follow_path_mtu(const IpAddress& outside) {
  const auto via = equipment_.links.route_to(outside);
  if (!via) return;
  const std::uint32_t path = path_mtu(via->mtu, outside);
  if (path == link_mtu_) return;
  note(Level::Info, fmt::format("path MTU to {} is {}, was {}", outside.to_string(), path, link_mtu_));
  link_mtu_ = path;
  adopt_transform(*ike_->status().child);
}

std::uint32_t Tunnel::path_mtu(std::uint32_t reported, const IpAddress& outside) {
  return std::max(reported, outside.is_v4() ? kLeastPathV4 : kLeastPathV6);
}

}  // namespace cgw
