#pragma once
#include <memory>
#include <stop_token>
#include <vector>

#include "kernel/userspace_packets.hpp"
#include "kernel/userspace_table.hpp"

namespace cgw::kernel::userspace {

// The thread that reads UDP port 4500: ESP goes through its SA to the tunnel's TUN, IKE to the relay.
class Receiver {
 public:
  // wake: an eventfd that becomes readable when there is a new table or the thread shall stop.
  Receiver(int udp, int relay, int wake, const Published& published)
      : udp_(udp),
        relay_(relay),
        wake_(wake),
        published_(published) {}

  void run(const std::stop_token& stop);

 private:
  void take(std::size_t i);
  void relay_ike(std::size_t i, Bytes message);
  void open_esp(std::size_t i, Bytes packet);
  void deliver(Inbound& sa, const TunnelEntry& tunnel, Bytes packet);

  int udp_, relay_, wake_;
  const Published& published_;
  std::shared_ptr<const Table> table_;
  std::uint64_t version_ = 0;
  Clock::time_point now_{};
  DatagramBatch batch_;
  std::vector<std::uint8_t> inner_ = std::vector<std::uint8_t>(DatagramBatch::kSlot);
};

// An eventfd made readable, and emptied again.
void wake_up(int fd);
void clear_wake(int fd);

}  // namespace cgw::kernel::userspace
