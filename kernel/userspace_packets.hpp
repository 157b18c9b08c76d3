#pragma once
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "ipsec/esp.hpp"
#include "kernel/userspace_socket.hpp"

// Datagrams in bulk: many calls' worth in one (recvmmsg, sendmmsg), and many equal ones as one (UDP_GRO,
// UDP_SEGMENT) where the kernel can. Each has addresses at both ends, DSCP and ECN.
namespace cgw::kernel::userspace {

// What one recvmmsg gave.
class ReceiveBatch {
 public:
  static constexpr std::size_t kCount = 16;
  static constexpr std::size_t kSlot = 65536;

  ReceiveBatch();
  ReceiveBatch(const ReceiveBatch&) = delete;
  ReceiveBatch& operator=(const ReceiveBatch&) = delete;

  // Number received; never blocks.
  std::size_t receive(const EspSocket& socket);

  struct Received {
    std::span<std::uint8_t> octets;  // one datagram, or several of `step` octets, the last of what is left
    std::size_t step = 0;
    Endpoint from;
    IpAddress to;
    std::uint8_t traffic_class = 0;
    bool truncated = false;
  };
  Received operator[](std::size_t i) const;

 private:
  std::unique_ptr<std::uint8_t[]> octets_;
  std::vector<iovec> parts_;
  std::vector<sockaddr_storage> names_;
  std::vector<Control> controls_;
  std::vector<mmsghdr> headers_;
};

// Datagrams to send, in trains: equal in size (the last may be shorter) and in all that the outer header says.
class SendBatch {
 public:
  static constexpr std::size_t kTrains = 64;
  static constexpr std::size_t kLongest = 64;          // UDP_MAX_SEGMENTS before Linux 6.9
  static constexpr std::size_t kLargestTrain = 65000;  // IP's 65535 without headers
  static constexpr std::size_t kRoom = 4 * kLargestTrain;
  static constexpr std::size_t kMost = 256;  // packets

  // most: packets, up to kMost.
  explicit SendBatch(std::size_t most = kMost);
  SendBatch(const SendBatch&) = delete;
  SendBatch& operator=(const SendBatch&) = delete;

  struct Way {
    const EspSocket* socket = nullptr;
    Endpoint local, remote;
    std::uint8_t traffic_class = 0;
    bool operator==(const Way&) const = default;
  };
  // Room for the next datagram; empty: send first. inner: octets of the packet that it carries.
  std::span<std::uint8_t> place(std::size_t size, std::size_t inner, const Way& way);
  // Seals what was placed since, with these numbers in a row. What there is no number for is not sent; how many that
  // are.
  std::size_t seal(ipsec::EspSealer& sealer, const ipsec::SequenceNumbers::Taken& numbers);
  std::size_t unsealed() const { return count_ - sealed_; }

  bool empty() const { return count_ == 0; }
  // For that many more packets, trains and octets aside.
  bool has_room(std::size_t n) const { return count_ + n <= most_; }
  struct Sent {
    std::uint64_t packets = 0, octets = 0, failed = 0;
  };
  // Sends all; waits a moment for room in the socket's buffer, then drops. Empty afterwards.
  Sent send();

 private:
  struct Train {
    Way way;
    std::size_t begin = 0, octets = 0, step = 0, packets = 0, inner = 0;
  };
  struct Packet {
    std::size_t begin = 0, size = 0, inner = 0;
  };
  void take_back();
  bool segments(const EspSocket& s) const { return s.segments && !refused_[s.v6 ? 1 : 0]; }
  bool joins(const Train& t, std::size_t size, const Way& way) const;
  void write_header(std::size_t i);
  void send_singly(std::size_t i, Sent& sent);

  std::unique_ptr<std::uint8_t[]> octets_;
  std::size_t most_, filled_ = 0, used_ = 0, count_ = 0, sealed_ = 0;
  std::array<bool, 2> refused_{};  // UDP_SEGMENT, by the interface, for IPv4 and IPv6
  std::vector<Packet> packets_;
  std::vector<Train> trains_;
  std::vector<iovec> parts_;
  std::vector<sockaddr_storage> names_;
  std::vector<Control> controls_;
  std::vector<mmsghdr> headers_;
};

}  // namespace cgw::kernel::userspace
