#pragma once
#include <map>
#include <memory>
#include <stop_token>
#include <vector>

#include "kernel/userspace_packets.hpp"
#include "kernel/userspace_table.hpp"

namespace cgw::kernel::userspace {

// The thread that reads every tunnel's TUN and sends what the kernel routed there as ESP in UDP.
class Sender {
 public:
  // wake: see Receiver.
  Sender(int udp, int wake, UniqueFd epoll, const Published& published);

  void run(const std::stop_token& stop);

 private:
  void watch_tuns();
  void forget(std::uint32_t id);
  void serve(std::uint32_t id);
  void seal(const TunnelEntry& tunnel, Bytes inner);
  void flush(Counters& counters, const std::stop_token& stop);

  int udp_, wake_;
  UniqueFd epoll_;
  const Published& published_;
  std::shared_ptr<const Table> table_;
  std::uint64_t version_ = 0;
  Clock::time_point now_{};
  // Tuns in the epoll set. One whose interface is gone stays here, out of the set, until it is replaced.
  std::map<std::uint32_t, std::shared_ptr<const Tun>> watched_;
  DatagramBatch batch_;
  std::vector<std::uint64_t> sizes_;  // of the inner packets in the batch
  std::vector<std::uint8_t> inner_ = std::vector<std::uint8_t>(DatagramBatch::kSlot);
};

}  // namespace cgw::kernel::userspace
