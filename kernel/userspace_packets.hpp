#pragma once
#include <sys/socket.h>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/ip.hpp"
#include "base/wire.hpp"

namespace cgw::kernel::userspace {

// Buffers for recvmmsg(2) and sendmmsg(2) with addresses at both ends of each datagram (IP_PKTINFO). IPv4 only.
class DatagramBatch {
 public:
  static constexpr std::size_t kCount = 64;
  // An ESP packet around the largest inner MTU (9216); not a power of two, which would map all slots onto
  // the same cache lines.
  static constexpr std::size_t kSlot = 9536;

  DatagramBatch();
  DatagramBatch(const DatagramBatch&) = delete;
  DatagramBatch& operator=(const DatagramBatch&) = delete;

  // Number received; never blocks.
  std::size_t receive(int fd);
  Bytes datagram(std::size_t i) const { return {slot_begin(i), headers_[i].msg_len}; }
  bool truncated(std::size_t i) const { return (headers_[i].msg_hdr.msg_flags & MSG_TRUNC) != 0; }
  Endpoint from(std::size_t i) const;
  IpAddress to(std::size_t i) const;

  // Room for the next datagram to send.
  std::span<std::uint8_t> slot() { return {slot_begin(used_), kSlot}; }
  // The slot holds `size` octets for `to`, which leave with this source address.
  void add(std::size_t size, const IpAddress& source, const Endpoint& to);
  std::size_t size() const { return used_; }
  bool full() const { return used_ == kCount; }
  void clear() { used_ = 0; }
  // Sends from the `first` datagram on: number sent, or -1 and errno about that first one.
  int send(int fd, std::size_t first);

 private:
  struct alignas(cmsghdr) Control {
    unsigned char octets[64];
  };
  std::uint8_t* slot_begin(std::size_t i) const { return octets_.get() + i * kSlot; }
  void point_at(std::size_t i, std::size_t size);

  std::unique_ptr<std::uint8_t[]> octets_;
  std::vector<iovec> parts_;
  std::vector<sockaddr_storage> names_;
  std::vector<Control> controls_;
  std::vector<mmsghdr> headers_;
  std::size_t used_ = 0;
};

}  // namespace cgw::kernel::userspace
