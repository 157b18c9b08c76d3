#pragma once
#include <functional>
#include <string>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include "kernel/data_plane.hpp"

namespace cgw {

// Hears what the data plane tells by itself, and has it compare the kernel's SAs and policies with what they should be:
// soon after somebody changed them, and every half minute in any case. A plane without events is left alone.
class PlaneWatch {
 public:
  using OnEvent = std::function<void(const kernel::PlaneEvent&)>;
  using OnError = std::function<void(const kernel::KernelError&)>;

  // The plane outlives the watch.
  PlaneWatch(boost::asio::any_io_executor executor, kernel::DataPlane& plane);
  void start(OnEvent on_event, OnError on_error);
  void stop();
  // Events that no descriptor announces. Called once a second.
  void take();

 private:
  void wait();
  void arm();
  void verify();

  kernel::DataPlane& plane_;
  OnEvent on_event_;
  OnError on_error_;
  boost::asio::posix::stream_descriptor ready_;
  boost::asio::steady_timer verify_;
  bool soon_ = false;  // verify_ is armed for a doubt
  bool stopped_ = false;
};

}  // namespace cgw
