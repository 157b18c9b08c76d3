#pragma once
#include <array>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/overload.hpp"
#include "ipsec/peer.hpp"
#include "tests/support/sim_entropy.hpp"

namespace cgw::test {

inline ipsec::PeerConfig left_peer() {
  ipsec::PeerConfig c;
  c.local = *IpAddress::parse("198.51.100.2");
  c.remote = *IpAddress::parse("203.0.113.10");
  c.local_id = ipsec::Identity::of(c.local);
  c.remote_id = ipsec::Identity::of(c.remote);
  c.psk = SecretBytes(std::string_view("a.shared.Key"));
  return c;
}

inline ipsec::PeerConfig right_peer() {
  ipsec::PeerConfig c = left_peer();
  std::swap(c.local, c.remote);
  std::swap(c.local_id, c.remote_id);
  return c;
}

// Two IkePeers and what their data planes hold, with the traffic that always flows: after every step each end sends,
// and what it sends must be decryptable when it arrives, be that at once or a second later.
class IkePair {
 public:
  struct Message {
    int to = 0;
    ipsec::Received datagram;
  };

  IkePair(ipsec::PeerConfig a, ipsec::PeerConfig b, std::uint64_t seed)
      : ends_{End(std::move(a), seed * 2 + 1), End(std::move(b), seed * 2 + 2)} {}

  // Where the sent messages go; by default into in_flight.
  std::function<void(Message)> send = [this](Message m) { in_flight.push_back(std::move(m)); };
  std::deque<Message> in_flight;
  TimePoint now{};
  // Packets that were sent and could not be decrypted; words of the first.
  std::uint64_t undecryptable = 0;
  std::string first_undecryptable;
  bool traffic = false;

  ipsec::IkePeer& peer(int i) { return end(i).peer; }
  const std::set<ipsec::Spi>& inbound(int i) { return end(i).inbound; }
  std::optional<ipsec::Spi> outbound(int i) { return end(i).outbound; }
  std::uint32_t downs(int i) { return end(i).downs; }

  void step(int i, const ipsec::Event& event) {
    late_packets();
    End& e = end(i);
    for (const auto& action : e.peer.step(now, event))
      obey(i, e, action);
    if (traffic) packets();
  }
  void deliver(Message m) { step(m.to, std::move(m.datagram)); }

  std::optional<TimePoint> next_deadline() {
    std::optional<TimePoint> best;
    for (End& e : ends_) {
      const auto at = e.peer.next_deadline();
      if (at && (!best || *at < *best)) best = at;
    }
    return best;
  }
  // Everybody whose deadline is now.
  void tick() {
    for (const int i : {0, 1}) {
      if (end(i).peer.next_deadline() && *end(i).peer.next_deadline() <= now) step(i, ipsec::Tick{});
    }
  }
  // Each end sends with what the other receives on, and there is one pair of SAs and one IKE SA.
  bool settled() {
    for (const int i : {0, 1}) {
      if (peer(i).status().state != ipsec::PeerState::Established || inbound(i).size() != 1 || !outbound(i))
        return false;
      if (!inbound(1 - i).contains(*outbound(i))) return false;
    }
    return peer(0).status().spi_i == peer(1).status().spi_i && peer(0).status().spi_r == peer(1).status().spi_r &&
           peer(0).ike_sas() == 1 && peer(1).ike_sas() == 1;
  }
  // Steady traffic, as far as it gets through.
  void alive() {
    for (const int i : {0, 1}) {
      if (outbound(1 - i) && inbound(i).contains(*outbound(1 - i))) step(i, ipsec::EspSeen{});
    }
  }

 private:
  struct End {
    End(ipsec::PeerConfig c, std::uint64_t seed) : entropy(seed), peer(std::move(c), entropy) {}
    SimEntropy entropy;
    ipsec::IkePeer peer;
    std::set<ipsec::Spi> inbound;
    std::optional<ipsec::Spi> outbound;
    std::uint32_t downs = 0;
  };

  End& end(int i) { return ends_[static_cast<std::size_t>(i)]; }

  void obey(int i, End& e, const ipsec::Action& action) {
    const auto visitor = Overload{
        [&](const ipsec::SendDatagram& d) {
          send({1 - i, ipsec::Received{d.remote, d.local, d.message}});
        },
        [&](const ipsec::InstallInbound& a) { e.inbound.insert(a.sa.spi_in); },
        [&](const ipsec::UseOutbound& a) { e.outbound = a.sa.spi_out; },
        [&](const ipsec::RemoveChild& a) {
          e.inbound.erase(a.spi_in);
          if (e.outbound == a.spi_out) e.outbound.reset();
        },
        [&](const ipsec::Moved& m) { e.downs += m.from == ipsec::PeerState::Established ? 1 : 0; },
        [](const auto&) {},
    };
    std::visit(visitor, action);
  }

  void packets() {
    for (const int i : {0, 1}) {
      if (!outbound(i)) continue;
      arrives(1 - i, *outbound(i), "at once");
      late_.emplace_back(now + Millis{1000}, std::pair(1 - i, *outbound(i)));
    }
  }
  void late_packets() {
    for (; !late_.empty() && late_.front().first <= now; late_.pop_front())
      arrives(late_.front().second.first, late_.front().second.second, "a second later");
  }
  void arrives(int to, ipsec::Spi spi, std::string_view when) {
    if (inbound(to).contains(spi)) return;
    if (undecryptable++ == 0) {
      first_undecryptable = "sent to end " + std::to_string(to) + " with " + std::to_string(spi.value()) +
                            ", arriving " + std::string(when);
    }
  }

  std::array<End, 2> ends_;
  std::deque<std::pair<TimePoint, std::pair<int, ipsec::Spi>>> late_;
};

}  // namespace cgw::test
