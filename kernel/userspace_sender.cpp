#include "kernel/userspace_sender.hpp"

#include <poll.h>
#include <sys/epoll.h>

#include <array>
#include <cerrno>
#include <numeric>

#include "kernel/userspace_receiver.hpp"

namespace cgw::kernel::userspace {
namespace {

constexpr int kPatienceMs = 100;    // for room in the socket's send buffer
constexpr std::uint32_t kWake = 0;  // in epoll_event.data.u32; an if_id is never 0
constexpr std::size_t kLargestInner = DatagramBatch::kSlot - ipsec::EspSealer::kMaxOverhead;

}  // namespace

Sender::Sender(int udp, int wake, UniqueFd epoll, const Published& published)
    : udp_(udp),
      wake_(wake),
      epoll_(std::move(epoll)),
      published_(published) {
  epoll_event e{.events = EPOLLIN, .data = {.u32 = kWake}};
  epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_, &e);
  sizes_.reserve(DatagramBatch::kCount);
}

void Sender::run(const std::stop_token& stop) {
  const std::stop_callback stopping(stop, [this] { wake_up(wake_); });
  while (!stop.stop_requested()) {
    std::array<epoll_event, 32> ready;
    const int n = epoll_wait(epoll_.get(), ready.data(), static_cast<int>(ready.size()), -1);
    now_ = Clock::now();
    for (int i = 0; i < n; ++i) {
      const std::uint32_t id = ready[static_cast<std::size_t>(i)].data.u32;
      const auto before = version_;
      published_.refresh(table_, version_);
      if (before != version_) watch_tuns();
      if (id == kWake) {
        clear_wake(wake_);
        continue;
      }
      serve(id);
      const auto tunnel = table_->tunnels.find(id);
      if (tunnel != table_->tunnels.end()) flush(*tunnel->second.counters, stop);
    }
  }
}

void Sender::watch_tuns() {
  std::vector<std::uint32_t> stale;
  for (const auto& [id, tun] : watched_) {
    const auto tunnel = table_->tunnels.find(id);
    if (tunnel == table_->tunnels.end() || tunnel->second.tun != tun) stale.push_back(id);
  }
  for (const auto id : stale) {
    forget(id);
    watched_.erase(id);
  }
  for (const auto& [id, tunnel] : table_->tunnels) {
    if (!tunnel.tun || watched_.contains(id)) continue;
    epoll_event e{.events = EPOLLIN, .data = {.u32 = id}};
    epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, tunnel.tun->fd(), &e);
    watched_.emplace(id, tunnel.tun);
  }
}

void Sender::forget(std::uint32_t id) {
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, watched_.at(id)->fd(), nullptr);
}

// One batch, then the other tunnels have their turn.
void Sender::serve(std::uint32_t id) {
  batch_.clear();
  sizes_.clear();
  const auto watched = watched_.find(id);
  const auto tunnel = table_->tunnels.find(id);
  if (watched == watched_.end() || tunnel == table_->tunnels.end()) return;
  for (std::size_t i = 0; i < DatagramBatch::kCount; ++i) {
    const auto size = watched->second->read(inner_);
    if (!size) return forget(id);
    if (*size == 0) return;
    seal(tunnel->second, Bytes(inner_).first(*size));
  }
}

void Sender::seal(const TunnelEntry& tunnel, Bytes inner) {
  Counters& counters = *tunnel.counters;
  if (!tunnel.out) return counters.drop(Drop::NoSa);
  const Outbound& out = *tunnel.out;
  if (now_ >= out.expires) return counters.drop(Drop::Expired);
  if (inner.size() > kLargestInner) return counters.drop(Drop::TooBig);
  if (!out.inner.allows(inner)) return counters.drop(Drop::OutsideSelectors);
  const std::size_t size = out.sealer->seal(inner, batch_.slot());
  if (size == 0) return counters.drop(Drop::UsedUp);
  batch_.add(size, out.local.address, out.remote);
  sizes_.push_back(inner.size());
}

void Sender::flush(Counters& counters, const std::stop_token& stop) {
  std::size_t done = 0;
  while (done < batch_.size() && !stop.stop_requested()) {
    const int n = batch_.send(udp_, done);
    if (n > 0) {
      const auto first = sizes_.begin() + static_cast<std::ptrdiff_t>(done);
      Counters::add(counters.packets_out, static_cast<std::uint64_t>(n));
      Counters::add(counters.octets_out, std::accumulate(first, first + n, std::uint64_t{0}));
      done += static_cast<std::size_t>(n);
    } else if (errno == EINTR) {
      continue;
    } else {
      pollfd writable{udp_, POLLOUT, 0};
      if (errno == EAGAIN && poll(&writable, 1, kPatienceMs) > 0) continue;
      counters.drop(Drop::NotSent);
      ++done;
    }
  }
}

}  // namespace cgw::kernel::userspace
