#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "base/ip.hpp"
#include "base/time.hpp"
#include "kernel/error.hpp"

namespace cgw::kernel {

// ICMP echo through named interfaces, all on one socket. send() pins the packet to the interface whatever
// the routes say. And what other hosts' ICMP says of our IKE and ESP.
class IcmpEcho {
 public:
  static KernelResult<IcmpEcho> open();
  ~IcmpEcho();
  IcmpEcho(IcmpEcho&&) noexcept;
  IcmpEcho& operator=(IcmpEcho&&) noexcept;

  int fd() const;
  // tunnel: comes back in Reply; sequence likewise. An error such as ENETDOWN is evidence too.
  KernelResult<void> send(IfIndex interface, const IpAddress& source, const IpAddress& target, std::uint16_t tunnel,
                          std::uint16_t sequence);
  struct Reply {
    std::uint16_t tunnel, sequence;
    IpAddress from;
    IfIndex interface;
  };
  std::vector<Reply> read();  // never blocks
  // Addresses whose hosts said, among what read() met, that nobody is there for our IKE or ESP; once each.
  std::vector<IpAddress> take_refusals();

 private:
  struct Impl;
  explicit IcmpEcho(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace cgw::kernel
