// What the gateway does for all peers' IKE: whose a datagram is, and when the way to them may be another.
#include <fmt/format.h>

#include "base/overload.hpp"
#include "daemon/gateway.hpp"

namespace cgw {
namespace {

constexpr auto kLookDelay = std::chrono::milliseconds(50);  // a renumbering is several events

}  // namespace

void Gateway::receive(ipsec::Received datagram) {
  if (stopping_) return;
  const auto visitor = Overload{
      [&](const ipsec::Demux::Deliver& d) { tunnels_[d.peer]->receive(std::move(datagram)); },
      [&](const ipsec::Demux::Answer& a) {
        ike_.send(a.datagram);
        if (a.from) tunnels_[*a.from]->stray();
      },
      [&](const ipsec::Demux::Hint& h) { tunnels_[h.peer]->hint(h.why); },
      [&](const ipsec::Demux::Ignore& i) {
        if (i.from) tunnels_[*i.from]->stray();
        if (demux_.drops().at(i.why) > 1) return;
        note(Level::Info, fmt::format("IKE from {} is ignored: {} (said once)", datagram.remote.to_string(), i.why));
      },
  };
  std::visit(visitor, demux_.sort(std::chrono::steady_clock::now(), datagram, ike_peers_));
}

void Gateway::debug_ike(bool on) {
  debug_ike_ = on;
  for (const auto& t : tunnels_)
    t->debug_ike(on);
  note(Level::Info, on ? "debug ike: every IKE message is logged from here on" : "debug ike: off");
}

Result<void, std::string> Gateway::rekey(std::string_view connection, unsigned number, ipsec::Renew::What what) {
  for (const auto& t : tunnels_) {
    const TunnelSetup& s = t->setup();
    if (s.connection != connection || s.config.number != number) continue;
    if (t->renew(what)) return {};
    return fail(fmt::format("% {} is not up: there are no keys to renew", t->name()));
  }
  return fail(fmt::format("% There is no tunnel {} of vpn connection {}", number, printable(connection)));
}

// Looked up once for all that happens within a moment.
void Gateway::wait_paths() {
  paths_ready_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                          [this](const boost::system::error_code& ec) {
                            if (ec || stopping_) return;
                            look_.expires_after(kLookDelay);
                            look_.async_wait([this](const boost::system::error_code& error) {
                              if (error || stopping_) return;
                              paths_.take();
                              for (const auto& t : tunnels_)
                                t->path_changed();
                              wait_paths();
                            });
                          });
}

}  // namespace cgw
