#pragma once
#include <cstdint>
#include <span>
#include <string>

#include "base/wire.hpp"
#include "kernel/error.hpp"

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

// One end of a layer-3 TUN device: whole IP packets, no header. Never blocks. The interface is persistent: it
// stays, with its addresses and routes, when this process goes.
class Tun {
 public:
  // Creates the interface or takes over an unused TUN of this name.
  static KernelResult<Tun> open(const std::string& name);

  int fd() const { return fd_.get(); }
  IfIndex index() const { return index_; }
  // What the kernel routed into the interface: size, 0 when there is nothing; an error when the interface is
  // gone.
  KernelResult<std::size_t> read(std::span<std::uint8_t> out) const;
  // Hands the kernel a packet as if received on the interface. False: refused (interface down).
  bool write(Bytes packet) const;

 private:
  Tun(UniqueFd fd, IfIndex index) : fd_(std::move(fd)), index_(index) {}
  UniqueFd fd_;
  IfIndex index_;
};

}  // namespace cgw::kernel
