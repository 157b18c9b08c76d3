// Child SAs: made from an exchange, installed, replaced, removed.
#include <algorithm>

#include <fmt/format.h>

#include "ipsec/peer_impl.hpp"

namespace cgw::ipsec {
namespace {

constexpr std::uint32_t kFirstSpi = 0xc0000000, kSpiMask = 0x0fffffff;
constexpr Seconds kLinger{5};
constexpr std::uint64_t kLastSequence = 0xffffffff;  // without ESN

}  // namespace

// Unique among all Child SAs of this peer.
Spi IkePeer::Impl::new_spi() {
  while (true) {
    const Spi spi{kFirstSpi | (static_cast<std::uint32_t>(entropy.u64()) & kSpiMask)};
    const bool taken = std::ranges::any_of(sas, [&](const auto& sa) {
      return std::ranges::any_of(sa->children, [&](const Child& c) { return c.sa.spi_in == spi; });
    });
    if (!taken) return spi;
  }
}

Child IkePeer::Impl::make_child(Context& cx, const IkeSa& sa, const EspSuite& suite, Spi in, Spi out, ChildKeys keys,
                                bool we_initiated, AddressRange local_ts, AddressRange remote_ts) {
  Child c;
  c.sa.spi_in = in;
  c.sa.spi_out = out;
  c.sa.suite = suite;
  EspKeys from_initiator{std::move(keys.encr_i), std::move(keys.integ_i)};
  EspKeys from_responder{std::move(keys.encr_r), std::move(keys.integ_r)};
  c.sa.out = we_initiated ? std::move(from_initiator) : std::move(from_responder);
  c.sa.in = we_initiated ? std::move(from_responder) : std::move(from_initiator);
  c.sa.local = sa.local;
  c.sa.remote = sa.remote;
  c.sa.udp_encap = sa.encapsulated();
  c.sa.local_ts = local_ts;
  c.sa.remote_ts = remote_ts;
  c.sa.replay_window = config.replay_window;
  c.sa.hard_lifetime = config.child_lifetime;
  set_volume(c.sa);
  c.installed = cx.now;
  // 3000 of 3600 s, less up to a tenth: before AWS's margin of 270 to 540 s begins.
  c.rekey_at = cx.now + jittered(std::chrono::duration_cast<Duration>(config.child_lifetime) * 3000 / 3600);
  c.hard_at = cx.now + config.child_lifetime;
  return c;
}

void IkePeer::Impl::set_volume(ChildSa& sa) {
  const auto soft = [&](std::uint64_t at) {
    return at == 0 ? 0 : at - entropy.below(std::max<std::uint64_t>(at / 10, 1));
  };
  std::uint64_t packets = config.rekey_packets;
  // RFC 4303 3.3.3: "the sender MUST NOT send a packet on an SA if doing so would cause the sequence number to cycle".
  if (!sa.suite.esn) packets = packets == 0 ? kLastSequence / 4 * 3 : std::min(packets, kLastSequence / 4 * 3);
  sa.soft = {soft(packets), soft(config.rekey_octets)};
  sa.hard = {packets + packets / 4, config.rekey_octets + config.rekey_octets / 4};
}

void IkePeer::Impl::on(Context& cx, const ChildExpiring& e) {
  for (auto& sa : sas) {
    const auto it = std::ranges::find_if(sa->children,
                                         [&](const Child& c) { return c.sa.spi_in == e.spi || c.sa.spi_out == e.spi; });
    if (it == sa->children.end() || sa->gone) continue;
    if (!e.hard) {
      // One that is rekeyed already needs nothing.
      if (!it->replaced && sa->state == IkeSa::State::Established) it->rekey_at = std::min(it->rekey_at, cx.now);
    } else {
      it->hard_at = cx.now;
    }
    return tick(cx, *sa);
  }
}

void IkePeer::Impl::install_inbound(Context& cx, const Child& c) {
  cx.out.push_back(InstallInbound{c.sa});
}

void IkePeer::Impl::use_outbound(Context& cx, const Child& c) {
  cx.out.push_back(UseOutbound{c.sa});
}

void IkePeer::Impl::remove_child(Context& cx, IkeSa& sa, Spi spi_in) {
  const auto it = std::ranges::find_if(sa.children, [&](const Child& c) { return c.sa.spi_in == spi_in; });
  if (it == sa.children.end()) return;
  // Packets that the peer sent with it before it switched may still be on the way.
  const bool has_rival = sa.request && sa.request->rival && sa.request->task.spi_in == spi_in;
  if ((it->replaced || has_rival) && !it->deleted) {
    it->replaced = true;
    it->deleted = true;
    it->drop_at = cx.now + kLinger;
    it->hard_at = *it->drop_at;
    // Whoever answered the rekey sends with the new one only now: before, the peer might not have installed it yet.
    if (const Child* successor = sa.current()) use_outbound(cx, *successor);
    return;
  }
  cx.out.push_back(RemoveChild{it->sa.spi_in, it->sa.spi_out});
  sa.children.erase(it);
}

// The last Child SA went without a successor: an IKE SA alone carries nothing, so both are made anew at once.
void IkePeer::Impl::child_lost(Context& cx, IkeSa& sa, std::string why) {
  if (sa.current() != nullptr || sa.gone || sa.state != IkeSa::State::Established) return;
  moved_why = std::move(why);
  queue(cx, sa, {TaskKind::DeleteIke});
  connect_after(cx, false);
}

}  // namespace cgw::ipsec
