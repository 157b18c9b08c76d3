// Child SAs: made from an exchange, installed, replaced, removed.
#include <algorithm>

#include <fmt/format.h>

#include "ipsec/peer_impl.hpp"

namespace cgw::ipsec {
namespace {

constexpr std::uint32_t kFirstSpi = 0xc0000000, kSpiMask = 0x0fffffff;
constexpr Seconds kLinger{5};
constexpr Seconds kAwaitDelete{30};                  // of a replaced Child SA that the peer should delete
constexpr Seconds kAwaitChild{30};                   // from a peer that is the one to initiate
constexpr std::uint64_t kLastSequence = 0xffffffff;  // without ESN

}  // namespace

// Unique among all Child SAs of this peer.
Spi IkePeer::Impl::new_spi() {
  while (true) {
    const Spi spi{kFirstSpi | (static_cast<std::uint32_t>(entropy.u64()) & kSpiMask)};
    const auto of_child = [&](const Child& c) { return c.sa.spi_in == spi; };
    const auto of_request = [&](const auto& sa) {
      return (sa->request && sa->request->new_spi == spi) || (sa->answering && sa->answering->spi_in == spi);
    };
    const auto of_sa = [&](const auto& sa) { return of_request(sa) || std::ranges::any_of(sa->children, of_child); };
    const bool taken = std::ranges::any_of(sas, of_sa) ||
                       std::ranges::any_of(lingering, [&](const Lingering& l) { return l.spi_in == spi; });
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

void IkePeer::Impl::expect_inbound(Context& cx, const IkeSa& sa, Spi spi) {
  cx.out.push_back(ExpectInbound{{.spi = spi, .local = sa.local, .udp_encap = sa.encapsulated()}});
}

void IkePeer::Impl::install_inbound(Context& cx, const Child& c) {
  cx.out.push_back(InstallInbound{c.sa});
}

void IkePeer::Impl::use_outbound(Context& cx, const Child& c) {
  cx.out.push_back(UseOutbound{c.sa});
  sending = c.sa.spi_in;
}

// A newer one is there. Should the peer not delete it, we do.
void IkePeer::Impl::replace_child(Context& cx, IkeSa& sa, Spi spi_in) {
  Child* c = sa.child_in(spi_in);
  if (c == nullptr || c->replaced) return;
  c->replaced = true;
  c->drop_at = cx.now + kAwaitDelete;
}

void IkePeer::Impl::remove_child(Context& cx, IkeSa& sa, Spi spi_in) {
  const auto it = std::ranges::find_if(sa.children, [&](const Child& c) { return c.sa.spi_in == spi_in; });
  if (it == sa.children.end()) return;
  const Lingering old{it->sa.spi_in, it->sa.spi_out, cx.now + kLinger};
  sa.children.erase(it);
  release(cx, old, sa.current() != nullptr ? &sa : current());
}

void IkePeer::Impl::forget_children(Context& cx, IkeSa& sa) {
  for (const Child& c : std::exchange(sa.children, {}))
    release(cx, {c.sa.spi_in, c.sa.spi_out, cx.now + kLinger}, current());
}

// What sent with it sends with the successor from here on; the peer may have sent with it until now.
void IkePeer::Impl::release(Context& cx, const Lingering& old, IkeSa* successor) {
  const bool sent = sending == old.spi_in;
  if (sent) sending = {};
  if (successor == nullptr) {
    cx.out.push_back(RemoveChild{old.spi_in, old.spi_out});
    return;
  }
  // Whoever answered a rekey sends with the new one only now: before, the peer might not have installed it yet.
  if (sent) use_outbound(cx, *successor->current());
  lingering.push_back(old);
}

void IkePeer::Impl::flush_lingering(Context& cx, TimePoint until) {
  std::erase_if(lingering, [&](const Lingering& l) {
    if (l.until > until) return false;
    cx.out.push_back(RemoveChild{l.spi_in, l.spi_out});
    return true;
  });
}

void IkePeer::Impl::tick_children(Context& cx, IkeSa& sa) {
  std::vector<Spi> expired;
  for (Child& c : sa.children) {
    if (c.hard_at <= cx.now) {
      expired.push_back(c.sa.spi_in);
    } else if (c.replaced && c.drop_at && *c.drop_at <= cx.now) {
      c.drop_at.reset();
      queue(cx, sa, {TaskKind::DeleteChild, c.sa.spi_in});
    } else if (!c.replaced && c.rekey_at <= cx.now) {
      c.rekey_at = c.hard_at;
      queue(cx, sa, {TaskKind::RekeyChild, c.sa.spi_in});
    }
  }
  for (const Spi spi : expired) {
    remove_child(cx, sa, spi);
    queue(cx, sa, {TaskKind::DeleteChild, spi});
    child_lost(cx, sa, "the Child SA's lifetime is over");
  }
  if (sa.create_child_at && *sa.create_child_at <= cx.now) {
    sa.create_child_at.reset();
    if (!config.initiate) return abandon(cx, sa, "the peer makes no Child SA");
    queue(cx, sa, {TaskKind::CreateChild});
  }
  pump(cx, sa);
}

// The IKE SA is up and has no Child SA.
void IkePeer::Impl::await_child(Context& cx, IkeSa& sa, std::string why) {
  sa.create_child_at = cx.now + kAwaitChild;
  status.last_error = std::move(why);
  if (status.last_error != said) note(cx, Level::Warning, said = status.last_error);
}

// The last Child SA went without a successor. An IKE SA alone carries nothing: whoever initiates asks for a new one.
void IkePeer::Impl::child_lost(Context& cx, IkeSa& sa, std::string why) {
  if (!sa.usable() || sa.current() != nullptr) return;
  moved_why = std::move(why);
  if (current() != nullptr) return queue(cx, sa, {TaskKind::DeleteIke});
  if (config.initiate) return queue(cx, sa, {TaskKind::CreateChild});
  sa.create_child_at = cx.now + kAwaitChild;
}

}  // namespace cgw::ipsec
