// What the gateway does for all peers' IKE: whose a datagram is, and when the way to them may be another.
#include <fmt/format.h>

#include "base/overload.hpp"
#include "daemon/credentials.hpp"
#include "daemon/gateway.hpp"

namespace cgw {
namespace {

constexpr auto kLookDelay = std::chrono::milliseconds(50);  // a renumbering is several events

}  // namespace

void Gateway::receive(ipsec::Received datagram) {
  if (stopping_) return;
  const auto visitor = Overload{
      [&](const ipsec::Demux::Deliver& d) {
        if (d.peer == tunnels_.size()) return receive_stranger(datagram);
        tunnels_[d.peer]->receive(std::move(datagram));
      },
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

// IKE_SA_INIT is answered before it is known for which of these tunnels: by what they all have.
void Gateway::open_reception() {
  std::vector<ipsec::Certificate> anchors;
  ipsec::PeerConfig c;
  std::shared_ptr<ipsec::Credentials> credentials;
  for (std::size_t i = 0; i < tunnels_.size(); ++i) {
    const TunnelSetup& s = tunnels_[i]->setup();
    if (!s.config.vpn_gateway_any || s.config.shutdown) continue;
    if (known_by_identity_.empty()) c.ike = ike_proposals(s.config);
    known_by_identity_.emplace_back(remote_identity(s.config), i);
    if (!s.credentials) continue;
    if (!credentials) credentials = std::make_shared<ipsec::Credentials>(*s.credentials);
    for (const auto& a : s.credentials->trust.anchors())
      anchors.push_back(a);
  }
  if (known_by_identity_.empty()) return;
  // What it announces: the CAs of all of them. It verifies nothing.
  if (credentials) credentials->trust = ipsec::Trust(std::move(anchors), {});
  c.credentials = std::move(credentials);
  c.reception = true;
  c.initiate = false;
  c.force_encap = plane_->needs_udp_encap();
  reception_ = std::make_unique<ipsec::IkePeer>(std::move(c), entropy_);
  carry_out(reception_->step(std::chrono::steady_clock::now(), ipsec::Start{}));
  ike_peers_.set_reception(tunnels_.size(), reception_.get());
}

void Gateway::receive_stranger(const ipsec::Received& datagram) {
  const auto now = std::chrono::steady_clock::now();
  carry_out(reception_->step(now, datagram));
  auto arrival = reception_->take_arrival();
  if (!arrival) return;
  for (const auto& [who, tunnel] : known_by_identity_) {
    if (ipsec::same(who, arrival->who)) return tunnels_[tunnel]->adopt(std::move(*arrival));
  }
  carry_out(reception_->refuse(now, std::move(*arrival)));
}

void Gateway::tick_reception() {
  const auto now = std::chrono::steady_clock::now();
  if (reception_ && reception_->next_deadline() && *reception_->next_deadline() <= now)
    carry_out(reception_->step(now, ipsec::Tick{}));
}

void Gateway::carry_out(const ipsec::Actions& actions) {
  const auto visitor = Overload{
      [&](const ipsec::SendDatagram& d) { ike_.send(d); },
      [&](const Note& n) { note(n.level, n.text); },
      [&](const ipsec::Trace& t) {
        for (const auto& line : t.lines)
          log_.trace("cgwd", &line == &t.lines.front() ? line : "     " + line);
      },
      [](const auto&) {},
  };
  for (const auto& a : actions)
    std::visit(visitor, a);
}

void Gateway::debug_ike(bool on) {
  debug_ike_ = on;
  for (const auto& t : tunnels_)
    t->debug_ike(on);
  if (reception_) carry_out(reception_->step(std::chrono::steady_clock::now(), ipsec::Debug{.messages = on}));
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
