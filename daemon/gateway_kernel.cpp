// Between the gateway and the kernel: what is put there, what it refuses, what it tells.
#include <fmt/format.h>

#include "daemon/gateway.hpp"
#include "kernel/mss_clamp.hpp"

namespace cgw {
namespace {

constexpr auto kResyncDelay = std::chrono::milliseconds(100);

}  // namespace

void Gateway::interface_ready(Tunnel& t, const kernel::ExitState& exit) {
  if (stopping_) return;
  report(fib_.set_exit(t.setup().exit, exit));
  schedule_resync();
}

void Gateway::clamp_mss() {
  kernel::ClampedLinks links;
  for (const auto& t : tunnels_) {
    if (t->mtu() == 0) continue;
    links[t->setup().config.interface] = {.mss_v4 = ipsec::tunnel_mss(t->mtu(), false),
                                          .mss_v6 = ipsec::tunnel_mss(t->mtu(), true)};
  }
  const auto ok = kernel::set_mss_clamp(links, clamped_);
  clamped_ = ok ? std::move(links) : kernel::ClampedLinks{};
  if (!ok) {
    note(Level::Warning, "MSS clamp: " + ok.error().to_string() + "; large TCP segments may be lost in the tunnels");
  }
}

void Gateway::report(const kernel::FibErrors& errors) {
  constexpr std::size_t kShown = 5;
  for (std::size_t i = 0; i < errors.errors.size() && i < kShown; ++i) {
    note(Level::Error, "kernel: " + errors.errors[i].to_string());
  }
  if (errors.errors.size() > kShown) {
    note(Level::Error, fmt::format("kernel: {} more requests were refused", errors.errors.size() - kShown));
  }
  if (!errors.errors.empty()) schedule_resync();
}

void Gateway::wait_icmp() {
  icmp_ready_.async_wait(boost::asio::posix::stream_descriptor::wait_read, [this](const boost::system::error_code& ec) {
    if (ec || stopping_) return;
    for (const auto& reply : icmp_.read()) {
      const Tunnel* t = tunnel_of(rib::ExitId{reply.tunnel});
      const bool expected =
          t != nullptr && t->interface() == reply.interface && t->setup().config.vpn_gateway_inside == reply.from;
      if (expected) tunnels_[reply.tunnel - 1U]->probe_answered(reply.sequence);
    }
    for (const auto& address : icmp_.take_refusals()) {
      if (const auto peer = ike_peers_.at(address)) tunnels_[*peer]->refused();
    }
    wait_icmp();
  });
}

void Gateway::wait_monitor() {
  monitor_ready_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                            [this](const boost::system::error_code& ec) {
                              if (ec || stopping_) return;
                              for (const auto& e : monitor_.read())
                                kernel_event(e);
                              wait_monitor();
                            });
}

// The kernel drops nexthop objects and their routes with a link without telling: look again after each event.
void Gateway::kernel_event(const kernel::Monitor::Event& event) {
  if (const auto* l = std::get_if<kernel::Monitor::LinkChanged>(&event)) {
    for (const auto& t : tunnels_) {
      if (t->interface() != l->link.index) continue;
      t->link_changed(l->link, l->gone);
      schedule_resync();
    }
    return;
  }
  if (!std::holds_alternative<kernel::Monitor::AddressChanged>(event)) schedule_resync();
}

void Gateway::watch_plane() {
  const auto on_event = [this](const kernel::PlaneEvent& event) {
    const auto id = std::visit([](const auto& e) { return e.id; }, event);
    for (const auto& t : tunnels_) {
      if (t->setup().if_id == id) t->plane_event(event);
    }
  };
  plane_watch_.start(on_event,
                     [this](const kernel::KernelError& e) { note(Level::Error, "kernel: " + e.to_string()); });
}

void Gateway::schedule_resync() {
  if (resync_pending_ || stopping_) return;
  resync_pending_ = true;
  resync_.expires_after(kResyncDelay);
  resync_.async_wait([this](const boost::system::error_code& ec) {
    resync_pending_ = false;
    if (ec) return;
    const auto repaired = fib_.resync();
    if (!repaired) return note(Level::Error, "kernel: " + repaired.error().to_string());
    if (*repaired > 0)
      note(Level::Warning, fmt::format("kernel: {} routes or nexthops were gone or changed; repaired", *repaired));
  });
}

}  // namespace cgw
