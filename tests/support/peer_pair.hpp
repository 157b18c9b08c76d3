#pragma once
#include <array>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

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

// The other end, which waits.
inline ipsec::PeerConfig right_peer() {
  ipsec::PeerConfig c = left_peer();
  std::swap(c.local, c.remote);
  std::swap(c.local_id, c.remote_id);
  c.initiate = false;
  return c;
}

// Two peers on a clock of their own and a wire without delay that can be cut, or changed on the way.
class PeerPair {
 public:
  struct Sent {
    TimePoint at;
    int from;
    ipsec::Received as_received;
  };

  explicit PeerPair(ipsec::PeerConfig a = left_peer(), ipsec::PeerConfig b = right_peer())
      : configs_{std::move(a), std::move(b)} {
    for (int i : {0, 1})
      replace(i);
  }

  // A new process at this end, which knows nothing.
  void replace(int i) {
    const auto n = static_cast<std::size_t>(i);
    entropy_[n] = std::make_unique<SimEntropy>(++seed_);
    peers_[n] = std::make_unique<ipsec::IkePeer>(configs_[n], *entropy_[n]);
    actions[n].clear();
  }
  // Who waits first.
  void start() {
    for (const bool initiates : {false, true}) {
      for (int i : {0, 1}) {
        if (configs_[static_cast<std::size_t>(i)].initiate == initiates) step(i, ipsec::Start{});
      }
    }
  }
  ipsec::IkePeer& peer(int i) { return *peers_[static_cast<std::size_t>(i)]; }
  const ipsec::PeerStatus& status(int i) { return peer(i).status(); }
  bool up(int i) { return status(i).state == ipsec::PeerState::Established; }
  TimePoint now() const { return now_; }

  void step(int i, const ipsec::Event& e) {
    perform(i, e);
    while (!wire_.empty()) {
      auto [to, message] = std::move(wire_.front());
      wire_.pop_front();
      perform(to, message);
    }
  }
  void run_for(Duration span) {
    const TimePoint until = now_ + span;
    while (true) {
      std::optional<TimePoint> next;
      int who = 0;
      for (int i : {0, 1}) {
        const auto at = peer(i).next_deadline();
        if (at && (!next || *at < *next)) next = at, who = i;
      }
      if (!next || *next > until) break;
      now_ = std::max(now_, *next);
      step(who, ipsec::Tick{});
    }
    now_ = until;
  }

  template <class Action>
  std::vector<Action> of(int i) const {
    std::vector<Action> out;
    for (const auto& a : actions[static_cast<std::size_t>(i)]) {
      if (const auto* one = std::get_if<Action>(&a)) out.push_back(*one);
    }
    return out;
  }
  bool noted(int i, std::string_view text) const {
    for (const auto& n : of<Note>(i)) {
      if (n.text.find(text) != std::string::npos) return true;
    }
    return false;
  }

  std::array<ipsec::Actions, 2> actions;  // all of each end, but datagrams
  std::vector<Sent> sent;
  std::array<bool, 2> cut{};  // what this end sends is lost
  // Changes a datagram on the way (a NAT); the argument is what the other end will see.
  std::function<void(int from, ipsec::Received&)> on_the_way;

 private:
  void perform(int i, const ipsec::Event& e) {
    for (auto& a : peer(i).step(now_, e)) {
      if (const auto* d = std::get_if<ipsec::SendDatagram>(&a)) {
        ipsec::Received r{.local = d->remote, .remote = d->local, .message = d->message};
        if (on_the_way) on_the_way(i, r);
        sent.push_back({now_, i, r});
        if (!cut[static_cast<std::size_t>(i)]) wire_.emplace_back(1 - i, std::move(r));
      } else {
        actions[static_cast<std::size_t>(i)].push_back(std::move(a));
      }
    }
  }

  std::array<ipsec::PeerConfig, 2> configs_;
  std::array<std::unique_ptr<SimEntropy>, 2> entropy_;
  std::array<std::unique_ptr<ipsec::IkePeer>, 2> peers_;
  std::deque<std::pair<int, ipsec::Received>> wire_;
  TimePoint now_{};
  std::uint64_t seed_ = 100;
};

}  // namespace cgw::test
