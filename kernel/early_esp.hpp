#pragma once
#include <cstddef>

#include "ipsec/child_sa.hpp"
#include "kernel/error.hpp"
#include "kernel/tun.hpp"

namespace cgw::kernel {

// The packets of an SA that the kernel does not have yet. A raw socket gets a copy of what the kernel drops; once the
// SA is there, they are sent to ourselves, as they came.
class EarlyEsp {
 public:
  static KernelResult<EarlyEsp> open(const ipsec::InboundSpi& sa);
  ipsec::Spi spi() const { return sa_.spi; }
  // No more of them: the SA is there.
  void stop();
  // How many there were.
  std::size_t deliver();

 private:
  EarlyEsp(const ipsec::InboundSpi& sa, UniqueFd in, UniqueFd out)
      : sa_(sa),
        in_(std::move(in)),
        out_(std::move(out)) {}
  bool filter(bool take);
  bool send(Bytes packet) const;

  ipsec::InboundSpi sa_;
  UniqueFd in_, out_;
};

}  // namespace cgw::kernel
