#pragma once
#include <memory>
#include <mutex>
#include <stop_token>
#include <vector>

#include "kernel/coalescing.hpp"
#include "kernel/userspace_packets.hpp"
#include "kernel/userspace_table.hpp"

namespace cgw::kernel::userspace {

// Reads UDP port 4500: ESP goes through its SA to the tunnel's TUN, IKE to the relay. By one thread, or by several in
// turn: who has the lock reads a batch, finds its SAs and draws a ticket; he decrypts while the next one reads; and
// delivers when it is his turn. What comes in one socket is one flow to the kernel, which no option would spread.
class Receiver {
 public:
  // lanes: threads that will run(). wake: an eventfd that becomes readable when there are rows to take or the threads
  // shall stop.
  Receiver(std::vector<EspSocket> sockets, int relay, int wake, News& news, std::size_t lanes);

  // stop is asked of all threads before one of them is waited for.
  void run(const std::stop_token& stop, std::size_t lane);
  Inbox& inbox() { return inbox_; }

 private:
  using Received = ReceiveBatch::Received;
  struct Held {
    Received about;  // without its octets, which are here:
    std::vector<std::uint8_t> packet;
  };
  // What packets of one SA need, kept while the table may change.
  struct Use {
    std::uint32_t spi = 0;
    std::shared_ptr<Inbound> sa;
    std::shared_ptr<const Tun> tun;
    std::shared_ptr<Counters> counters;
  };
  struct Job {
    std::span<std::uint8_t> packet;  // ESP; then what is inside
    std::uint32_t use = 0, message = 0;
    bool authentic = false;
    std::optional<Drop> drop;
    std::uint64_t sequence = 0;
    Coalescer::Shape shape;
  };
  struct Lane {
    std::size_t number = 0;
    std::uint64_t ticket = 0;
    Clock::time_point now{};
    ReceiveBatch batch;
    std::vector<Held> held;  // of SAs that were negotiated and are there now
    std::vector<Received> messages;
    std::vector<Use> uses;
    std::vector<Job> jobs;
  };

  // With the lock: userspace_receiver.cpp.
  bool read(Lane& lane, const std::stop_token& stop);
  bool receive(Lane& lane);
  void wait();
  void refresh(Lane& lane);
  void hold(const Received& r, std::span<std::uint8_t> packet);
  void take(Lane& lane, std::span<std::uint8_t> datagram);
  void relay_ike(const Received& r, Bytes message);
  void take_esp(Lane& lane, std::span<std::uint8_t> packet);
  std::optional<std::uint32_t> use(Lane& lane, std::uint32_t spi);

  // Without it, and in turn: userspace_delivery.cpp.
  void work(Lane& lane);
  static void open(Lane& lane, Job& job);
  void deliver(Lane& lane, const Job& job);
  void hand_over(const Use& use, const Job& job);
  void finish();

  struct Source {
    EspSocket socket;
    bool ready = true;  // the last batch from it was not empty
  };
  std::vector<Source> sources_;
  int relay_, wake_;
  News& news_;
  Inbox inbox_;
  std::vector<std::unique_ptr<Lane>> lanes_;

  std::mutex reading_;
  std::vector<Row> rows_;
  Table table_;
  std::vector<Held> held_;
  std::size_t next_source_ = 0;
  std::uint64_t next_ticket_ = 0;

  Turns turns_;
  Coalescer coalescer_;
  const Use* coalescing_ = nullptr;  // whose packets are in hand; within one turn
};

// An eventfd made readable, and emptied again.
void wake_up(int fd);
void clear_wake(int fd);

}  // namespace cgw::kernel::userspace
