#pragma once
#include <memory>
#include <stop_token>
#include <vector>

#include "kernel/coalescing.hpp"
#include "kernel/userspace_packets.hpp"
#include "kernel/userspace_table.hpp"

namespace cgw::kernel::userspace {

// The thread that reads UDP port 4500: ESP goes through its SA to the tunnel's TUN, IKE to the relay.
class Receiver {
 public:
  // wake: an eventfd that becomes readable when there is a new table or the thread shall stop.
  Receiver(std::vector<EspSocket> sockets, int relay, int wake, const Published& published, News& news)
      : sockets_(std::move(sockets)),
        relay_(relay),
        wake_(wake),
        published_(published),
        news_(news) {}

  void run(const std::stop_token& stop);

 private:
  using Received = ReceiveBatch::Received;
  bool drain(const EspSocket& socket);
  void take(const Received& r, std::span<std::uint8_t> datagram);
  void relay_ike(const Received& r, Bytes message);
  void open_esp(const Received& r, std::span<std::uint8_t> packet);
  void deliver(std::uint32_t spi, Inbound& sa, const TunnelEntry& tunnel, const Received& r,
               std::span<std::uint8_t> packet);
  void hand_over(const TunnelEntry& tunnel, std::span<std::uint8_t> inner);
  void finish();

  std::vector<EspSocket> sockets_;
  int relay_, wake_;
  const Published& published_;
  News& news_;
  std::shared_ptr<const Table> table_;
  std::uint64_t version_ = 0;
  Clock::time_point now_{};
  ReceiveBatch batch_;
  Coalescer coalescer_;
  const TunnelEntry* coalescing_ = nullptr;  // whose packets are in hand; within one batch, so of one table
};

// An eventfd made readable, and emptied again.
void wake_up(int fd);
void clear_wake(int fd);

}  // namespace cgw::kernel::userspace
