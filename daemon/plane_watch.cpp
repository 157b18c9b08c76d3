#include "daemon/plane_watch.hpp"

#include <unistd.h>

namespace cgw {
namespace {

constexpr auto kSoon = std::chrono::milliseconds(100);  // more changes may follow the first
constexpr auto kAnyway = std::chrono::seconds(30);

}  // namespace

PlaneWatch::PlaneWatch(boost::asio::any_io_executor executor, kernel::DataPlane& plane)
    : plane_(plane),
      ready_(executor),
      verify_(executor) {}

void PlaneWatch::start(OnEvent on_event, OnError on_error) {
  on_event_ = std::move(on_event);
  on_error_ = std::move(on_error);
  const auto fd = plane_.event_fd();
  if (!fd) return;
  ready_.assign(dup(*fd));
  wait();
  arm();
}

void PlaneWatch::stop() {
  stopped_ = true;
  boost::system::error_code ignored;
  ready_.cancel(ignored);
  verify_.cancel();
}

void PlaneWatch::wait() {
  ready_.async_wait(boost::asio::posix::stream_descriptor::wait_read, [this](const boost::system::error_code& ec) {
    if (ec || stopped_) return;
    take();
    wait();
  });
}

void PlaneWatch::take() {
  if (stopped_ || !on_event_) return;
  for (const auto& e : plane_.take_events())
    on_event_(e);
  if (plane_.doubtful() && !soon_) arm();
}

void PlaneWatch::arm() {
  soon_ = plane_.doubtful();
  verify_.expires_after(soon_ ? std::chrono::steady_clock::duration(kSoon) : kAnyway);
  verify_.async_wait([this](const boost::system::error_code& ec) {
    if (!ec && !stopped_) verify();
  });
}

void PlaneWatch::verify() {
  const auto found = plane_.verify();
  if (!found) on_error_(found.error());
  for (const auto& e : found ? *found : std::vector<kernel::PlaneEvent>{})
    on_event_(e);
  arm();
}

}  // namespace cgw
