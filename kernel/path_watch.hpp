#pragma once
#include <memory>

#include "kernel/error.hpp"

namespace cgw::kernel {

// Rings when a link, an address, a policy rule or a route that is not cgwd's changes: the way to a peer may be another.
// It says no more than that, so a full table inserted by another daemon costs nothing but the ringing.
class PathWatch {
 public:
  static KernelResult<PathWatch> open();
  ~PathWatch();
  PathWatch(PathWatch&&) noexcept;
  PathWatch& operator=(PathWatch&&) noexcept;
  int fd() const;  // readable: something changed
  // Whether anything changed since the last call; never blocks, and leaves what comes in faster for the next time.
  bool take();

 private:
  struct Impl;
  explicit PathWatch(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace cgw::kernel
