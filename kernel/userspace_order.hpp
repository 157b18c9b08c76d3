#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "ipsec/esp.hpp"

// How several threads work for one SA without a lock: each has a lane of its own, a number from 0 on.
namespace cgw::kernel::userspace {

// Outbound: each lane takes the sequence numbers of a batch, seals it and sends it. Lanes send at the same time, but
// never so that a number leaves `distance` or more behind one that left before: a thread that loses its processor
// between taking and sending makes the others wait, and not the peer's replay window drop its packets.
class Departures {
 public:
  Departures(std::size_t lanes, std::uint64_t distance) : distance_(distance), lanes_(lanes) {}

  // The lane has no numbers that it did not hand back. What it gets may be none; hand back all the same.
  ipsec::SequenceNumbers::Taken take(std::size_t lane, ipsec::SequenceNumbers& numbers, std::uint64_t n);
  // May a packet with this number leave, as far as other lanes are concerned?
  bool may_leave(std::size_t lane, std::uint64_t last) const;
  void wait(std::size_t lane, std::uint64_t last) const;
  // What was taken has left, or never will.
  void hand_back(std::size_t lane);

 private:
  static constexpr std::uint64_t kNone = std::numeric_limits<std::uint64_t>::max();
  struct alignas(64) Lane {
    std::atomic<std::uint64_t> oldest = kNone;  // no number below this one is taken and still here
  };
  bool far_behind(std::uint64_t oldest, std::uint64_t last) const {
    return oldest < last && last - oldest >= distance_;
  }
  std::uint64_t distance_;
  std::vector<Lane> lanes_;
};

// Inbound: who takes a batch from the socket draws a ticket, decrypts, and waits for its turn to deliver. So packets
// go on in the order in which they came, and what belongs to the order (replay windows, the packets in hand for the
// TUN) is always one thread's.
class Turns {
 public:
  bool is(std::uint64_t ticket) const { return now_.load(std::memory_order_acquire) == ticket; }
  void wait(std::uint64_t ticket) const;
  // The turn of this ticket is over.
  void pass(std::uint64_t ticket);

 private:
  alignas(64) std::atomic<std::uint64_t> now_ = 0;
};

}  // namespace cgw::kernel::userspace
