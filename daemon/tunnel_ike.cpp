// A tunnel's IKE: what the peer is told from the configuration, what its actions do, and the doubts and changes of path
// that go into it.
#include <utility>

#include <fmt/format.h>

#include "base/overload.hpp"
#include "daemon/credentials.hpp"
#include "daemon/tunnel.hpp"
#include "ipsec/mtu.hpp"

namespace cgw {
namespace {

TimePoint now() {
  return std::chrono::steady_clock::now();
}

// Proposals were checked when the configuration was read.
template <class Suite, class Parse>
std::vector<Suite> suites(const std::vector<std::string>& texts, std::vector<Suite> defaults, Parse parse) {
  if (texts.empty()) return defaults;
  std::vector<Suite> out;
  for (const auto& text : texts) {
    if (auto suite = parse(text)) out.push_back(*suite);
  }
  return out;
}

}  // namespace

ipsec::IkeProposals ike_proposals(const config::Tunnel& t) {
  return suites(t.ike_proposals, ipsec::default_ike_proposals(), ipsec::parse_ike_suite);
}

namespace {

ipsec::PeerConfig peer_config(const TunnelSetup& s, const IpAddress& local, bool force_encap) {
  const config::Tunnel& t = s.config;
  ipsec::PeerConfig c;
  c.local = local;
  c.remote = t.vpn_gateway_outside.value_or(IpAddress{});
  c.local_id = local_identity(t, s.credentials.get(), local);
  c.remote_id = remote_identity(t);
  c.psk = s.psk;
  c.credentials = s.credentials;
  c.ike = ike_proposals(t);
  c.esp = suites(t.esp_proposals, ipsec::default_esp_proposals(), ipsec::parse_esp_suite);
  c.force_encap = force_encap;
  c.inside = t.customer_gateway_inside->address.family();
  c.initiate = t.initiate;
  c.replay_window = t.replay_window;
  c.ike_lifetime = t.ike_lifetime;
  c.child_lifetime = t.child_lifetime;
  c.reauth_time = t.reauth_time;
  c.rekey_packets = t.rekey_packets;
  c.rekey_octets = t.rekey_bytes;
  c.dpd_interval = t.dpd_interval;
  return c;
}

}  // namespace

std::uint32_t Tunnel::mtu_before_sa() const {
  const auto suite =
      suites(setup_.config.esp_proposals, ipsec::default_esp_proposals(), ipsec::parse_esp_suite).front();
  // Of unknown family, the one that leaves less.
  const auto& outside = setup_.config.vpn_gateway_outside;
  return ipsec::tunnel_mtu(link_mtu_, !outside || !outside->is_v4(), true, suite);
}

std::optional<IpAddress> Tunnel::outside() const {
  if (setup_.config.vpn_gateway_outside || !ike_ || !ike_->status().child) return setup_.config.vpn_gateway_outside;
  return ike_->status().child->remote.address;
}

Result<void, std::string> Tunnel::prepare_ike() {
  const config::Tunnel& t = setup_.config;
  if (t.shutdown) return {};
  local_ = t.local_address;
  if (t.vpn_gateway_outside) {
    const auto via = equipment_.links.route_to(*t.vpn_gateway_outside);
    if (!via) {
      return fail(fmt::format("no way to {}: {}; trying again every second", t.vpn_gateway_outside->to_string(),
                              via.error().to_string()));
    }
    if (!local_) local_ = via->source;
    link_mtu_ = path_mtu(via->mtu, *t.vpn_gateway_outside);
    path_ = via->index;
  }
  choose_sa_settings();
  ike_ = std::make_unique<ipsec::IkePeer>(
      peer_config(setup_, local_.value_or(IpAddress{}), equipment_.plane.needs_udp_encap()), equipment_.entropy);
  observer_.ike_ready(*ike_);
  watch_calendar();
  debug_ike(debug_ike_);
  step_ike(ipsec::Start{});
  return {};
}

void Tunnel::hint(std::string why) {
  if (ike_ && !stopped_) step_ike(ipsec::Suspect{.why = std::move(why), .hint = true});
}

void Tunnel::refused() {
  if (ike_ && !stopped_) step_ike(ipsec::Refused{});
}

void Tunnel::stray() {
  if (ike_ && !stopped_) step_ike(ipsec::Stray{});
}

bool Tunnel::renew(ipsec::Renew::What what) {
  if (!ike_ || stopped_ || ike_->status().state != ipsec::PeerState::Established) return false;
  step_ike(ipsec::Renew{what});
  return true;
}

void Tunnel::debug_ike(bool on) {
  debug_ike_ = on;
  if (ike_ && !stopped_) step_ike(ipsec::Debug{.messages = on, .keys = equipment_.key_log.enabled()});
}

void Tunnel::write_keys(const SecretBytes& row) {
  const bool done = equipment_.key_log.write(row);
  note(Level::Warning, fmt::format("the keys of a new IKE SA {} to {} (--ike-keys-file): whoever reads it can read "
                                   "this tunnel",
                                   done ? "were written" : "could not be written", equipment_.key_log.path()));
}

void Tunnel::step_ike(const ipsec::Event& event) {
  obey_all(ike_->step(now(), event));
}

void Tunnel::adopt(ipsec::Arrival arrival) {
  if (ike_ && !stopped_) obey_all(ike_->adopt(now(), std::move(arrival)));
}

void Tunnel::obey_all(const ipsec::Actions& actions) {
  for (const auto& action : actions)
    obey(action);
  arm();
}

void Tunnel::obey(const ipsec::Action& action) {
  const auto visitor = Overload{
      [&](const ipsec::SendDatagram& d) {
        if (!equipment_.ike.send(d)) note(Level::Debug, "IKE datagram not sent: no route or interface down");
      },
      [&](const ipsec::SendNatKeepalive& k) { equipment_.ike.send(k); },
      [&](const ipsec::ExpectInbound& e) {
        // Without it the first packets may be lost, as they are with others.
        if (const auto ok = equipment_.plane.expect_inbound(setup_.if_id, e.sa); !ok)
          note(Level::Debug, ok.error().to_string());
      },
      [&](const ipsec::InstallInbound& i) {
        if (const auto ok = equipment_.plane.install_inbound(setup_.if_id, i.sa); !ok) complain(ok.error());
      },
      [&](const ipsec::UseOutbound& u) {
        if (const auto ok = equipment_.plane.use_outbound(setup_.if_id, u.sa); !ok) complain(ok.error());
        volume_.start(u.sa, {counters_.packets_in, counters_.octets_in}, {counters_.packets_out, counters_.octets_out});
        child_ready(u.sa);
      },
      [&](const ipsec::RemoveChild& r) {
        const auto ok = equipment_.plane.remove_child(setup_.if_id, r.spi_in, r.spi_out);
        if (!ok) complain(ok.error());
      },
      [&](const ipsec::Moved& m) { ike_moved(m); },
      [&](const Note& n) { note(n.level, n.text); },
      [&](const ipsec::Trace& t) {
        for (const auto& line : t.lines)
          equipment_.log.trace(name_, &line == &t.lines.front() ? line : "     " + line);
      },
      [&](const ipsec::DecryptionKeys& k) { write_keys(k.row); },
  };
  std::visit(visitor, action);
}

void Tunnel::child_ready(const ipsec::ChildSa& sa) {
  if (setup_.config.vpn_gateway_any) {
    local_ = sa.local.address;
    if (const auto via = equipment_.links.route_to(sa.remote.address))
      link_mtu_ = path_mtu(via->mtu, sa.remote.address);
  }
  adopt_transform(sa);
  if (!leftovers_removed_) {
    leftovers_removed_ = true;
    if (const auto ok = equipment_.plane.remove_leftovers(setup_.if_id); !ok) complain(ok.error());
  }
}

// MTU and MSS follow from what was negotiated (AWS names no PMTUD, so nothing else would tell).
void Tunnel::adopt_transform(const ipsec::ChildSa& sa) {
  const auto fits = ipsec::tunnel_mtu(link_mtu_, !sa.remote.address.is_v4(), sa.udp_encap, sa.suite);
  const bool inner_v6 = !setup_.config.customer_gateway_inside->address.is_v4();
  const auto mtu = setup_.config.mtu.value_or(ipsec::at_least_every_links(fits, inner_v6));
  if (mtu == mtu_ || !interface_) return;
  mtu_ = mtu;
  if (const auto ok = equipment_.links.set_mtu(*interface_, mtu); !ok) complain(ok.error());
  observer_.transform_changed();
}

// IKE believes in a tunnel through which nothing comes back: the peer may have been replaced.
bool Tunnel::probe_is_dead() const {
  return health_.judgement().verdict == health::Verdict::Down && ike_ &&
         ike_->status().state == ipsec::PeerState::Established && prober_.ever_answered() &&
         prober_.missed_in_a_row() > 0;
}

// What came in before the doubt is no proof against it.
void Tunnel::doubt(std::string why) {
  take_counters();
  note(Level::Debug, "is the peer still there? " + why);
  step_ike(ipsec::Suspect{.why = std::move(why)});
}

void Tunnel::path_changed() {
  if (!ike_ || stopped_) return;
  const config::Tunnel& t = setup_.config;
  // Who called us calls again.
  if (!t.vpn_gateway_outside) return follow_path_mtu();
  const auto via = equipment_.links.route_to(*t.vpn_gateway_outside);
  if (!via) {
    if (!std::exchange(path_lost_, true)) {
      note(Level::Warning,
           fmt::format("no way to {} any more: {}", t.vpn_gateway_outside->to_string(), via.error().to_string()));
    }
    return;
  }
  const bool back = std::exchange(path_lost_, false);
  const IpAddress local = t.local_address.value_or(via->source);
  const bool another = std::exchange(path_, via->index) != via->index;
  const auto path_mtu_now = path_mtu(via->mtu, *t.vpn_gateway_outside);
  if (std::exchange(link_mtu_, path_mtu_now) != path_mtu_now && ike_->status().child)
    adopt_transform(*ike_->status().child);
  if (!back && !another && local == local_) return;
  local_ = local;
  step_ike(ipsec::PathChanged{.local = local, .local_id = local_identity(t, setup_.credentials.get(), local)});
}

}  // namespace cgw
