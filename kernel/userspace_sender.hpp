#pragma once
#include <map>
#include <memory>
#include <stop_token>
#include <vector>

#include "kernel/segmentation.hpp"
#include "kernel/userspace_packets.hpp"
#include "kernel/userspace_table.hpp"

namespace cgw::kernel::userspace {

// A thread that reads TUNs and sends what the kernel routed there as ESP in UDP. A tunnel has one sender, or several,
// with a queue of its TUN each: the kernel gives one queue all packets of a flow, so that their order is one thread's.
class Sender {
 public:
  // most: packets that it takes numbers for at a time. wake: see Receiver.
  Sender(std::size_t most, UniqueFd wake, UniqueFd epoll, News& news);

  void run(const std::stop_token& stop);
  int wake_fd() const { return wake_.get(); }
  // For the tunnels that are this one's.
  Inbox& inbox() { return inbox_; }

 private:
  void refresh();
  void watch(std::uint32_t id);
  void serve(std::uint32_t id);
  void take(const TunnelEntry& tunnel, Segments& segments);
  void place(const TunnelEntry& tunnel, Segments& segments);
  void seal(const TunnelEntry& tunnel);
  void send(const TunnelEntry& tunnel);

  UniqueFd wake_, epoll_;
  News& news_;
  Inbox inbox_;
  std::vector<Row> rows_;
  Table table_;
  Clock::time_point now_{};
  // Tuns in the epoll set. One whose interface is gone stays here, out of the set, until it is replaced.
  std::map<std::uint32_t, std::shared_ptr<const Tun>> watched_;
  SendBatch batch_;
  std::uint64_t last_ = 0;  // number in the batch
  std::vector<std::uint8_t> read_ = std::vector<std::uint8_t>(Tun::kLargest);
};

}  // namespace cgw::kernel::userspace
