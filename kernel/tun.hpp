#pragma once
#include <sys/uio.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/wire.hpp"
#include "kernel/error.hpp"
#include "kernel/vnet_header.hpp"

namespace cgw::kernel {

// A file descriptor with one owner.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& o) noexcept : fd_(std::exchange(o.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& o) noexcept {
    std::swap(fd_, o.fd_);
    return *this;
  }
  ~UniqueFd();
  int get() const { return fd_; }

 private:
  int fd_ = -1;
};

// One queue of a layer-3 TUN device: IP packets behind a VnetHeader. Never blocks. The interface is persistent: it
// stays, with its addresses and routes, when this process goes.
class Tun {
 public:
  // Largest packet of one read: a super-packet of 64 KiB and its headers.
  static constexpr std::size_t kLargest = 65536 + 128;

  // Creates the interface or takes over an unused TUN of this name. wanted: what to offload if the kernel can.
  static KernelResult<Tun> open(const std::string& name, Offloads wanted) { return open(name, wanted, false); }

  int fd() const { return fd_.get(); }
  IfIndex index() const { return index_; }
  Offloads offloads() const { return offloads_; }
  // What the kernel routed into the interface: size, 0 when there is nothing; an error when the interface is
  // gone. One packet, or many in one as the header says.
  KernelResult<std::size_t> read(VnetHeader& header, std::span<std::uint8_t> out) const;
  // Hands the kernel packets as if received on the interface; parts[0] is for the header. False: refused
  // (interface down). Any thread may.
  bool write(const VnetHeader& header, std::span<iovec> parts) const;

 private:
  friend struct TunQueues;
  static KernelResult<Tun> open(const std::string& name, Offloads wanted, bool one_of_many);
  Tun(UniqueFd fd, IfIndex index, Offloads offloads) : fd_(std::move(fd)), index_(index), offloads_(offloads) {}
  UniqueFd fd_;
  IfIndex index_;
  Offloads offloads_;
};

// A TUN device with several queues to read from. The kernel keeps a flow on one of them, by its hash.
struct TunQueues {
  std::vector<std::shared_ptr<const Tun>> readers;
  // What is written through a queue draws the answers of its flow there; not so this one, which gets nothing to read.
  std::shared_ptr<const Tun> writer;

  // As Tun::open(). EINVAL: there is a TUN of this name, with many queues where we want one or the other way round.
  static KernelResult<TunQueues> open(const std::string& name, Offloads wanted, std::size_t readers);
};

}  // namespace cgw::kernel
