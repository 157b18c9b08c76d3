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
  // wake: an eventfd that becomes readable when there are rows to take or the thread shall stop.
  Receiver(std::vector<EspSocket> sockets, int relay, int wake, News& news)
      : sockets_(std::move(sockets)),
        relay_(relay),
        wake_(wake),
        news_(news) {}

  void run(const std::stop_token& stop);
  Inbox& inbox() { return inbox_; }

 private:
  using Received = ReceiveBatch::Received;
  void refresh();
  bool drain(const EspSocket& socket);
  void take(const Received& r, std::span<std::uint8_t> datagram);
  void relay_ike(const Received& r, Bytes message);
  void hold(const Received& r, std::span<std::uint8_t> packet);
  void take_held();
  void open_esp(const Received& r, std::span<std::uint8_t> packet);
  void deliver(std::uint32_t spi, Inbound& sa, const TunnelEntry& tunnel, const Received& r,
               std::span<std::uint8_t> packet);
  void hand_over(const TunnelEntry& tunnel, std::span<std::uint8_t> inner);
  void finish();

  std::vector<EspSocket> sockets_;
  int relay_, wake_;
  News& news_;
  Inbox inbox_;
  std::vector<Row> rows_;
  Table table_;
  struct Held {
    Received about;  // without its octets, which are here:
    std::vector<std::uint8_t> packet;
  };
  std::vector<Held> held_;
  Clock::time_point now_{};
  ReceiveBatch batch_;
  Coalescer coalescer_;
  const TunnelEntry* coalescing_ = nullptr;  // whose packets are in hand; within one batch, in which the table stays
};

// An eventfd made readable, and emptied again.
void wake_up(int fd);
void clear_wake(int fd);

}  // namespace cgw::kernel::userspace
