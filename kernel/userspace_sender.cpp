#include "kernel/userspace_sender.hpp"

#include <sys/epoll.h>

#include <array>

#include "kernel/ecn.hpp"
#include "kernel/userspace_receiver.hpp"

namespace cgw::kernel::userspace {
namespace {

constexpr std::uint32_t kWake = 0;   // in epoll_event.data.u32; an if_id is never 0
constexpr std::size_t kReads = 128;  // from one TUN; then the other tunnels have their turn

}  // namespace

Sender::Sender(UniqueFd wake, UniqueFd epoll, News& news)
    : wake_(std::move(wake)),
      epoll_(std::move(epoll)),
      news_(news) {
  epoll_event e{.events = EPOLLIN, .data = {.u32 = kWake}};
  epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &e);
}

void Sender::run(const std::stop_token& stop) {
  const std::stop_callback stopping(stop, [this] { wake_up(wake_.get()); });
  while (!stop.stop_requested()) {
    std::array<epoll_event, 32> ready;
    const int n = epoll_wait(epoll_.get(), ready.data(), static_cast<int>(ready.size()), -1);
    for (int i = 0; i < n && !stop.stop_requested(); ++i) {
      const std::uint32_t id = ready[static_cast<std::size_t>(i)].data.u32;
      refresh();
      if (id == kWake) {
        clear_wake(wake_.get());
      } else {
        now_ = Clock::now();
        serve(id);
      }
    }
  }
}

void Sender::refresh() {
  if (!inbox_.take(rows_)) return;
  for (auto& row : rows_) {
    const auto* const tunnel = std::get_if<TunnelRow>(&row);
    const auto id = tunnel != nullptr ? std::optional(tunnel->id) : std::nullopt;
    table_.put(std::move(row));
    if (id) watch(*id);
  }
  rows_.clear();
}

// The tunnel's TUN, if it has one, is in the epoll set, and no other for it.
void Sender::watch(std::uint32_t id) {
  const auto tunnel = table_.tunnels.find(id);
  const auto tun = tunnel != table_.tunnels.end() ? tunnel->second.tun : nullptr;
  const auto watched = watched_.find(id);
  if (watched != watched_.end() && watched->second == tun) return;
  if (watched != watched_.end()) {
    epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, watched->second->fd(), nullptr);
    watched_.erase(watched);
  }
  if (!tun) return;
  epoll_event e{.events = EPOLLIN, .data = {.u32 = id}};
  epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, tun->fd(), &e);
  watched_.emplace(id, tun);
}

void Sender::serve(std::uint32_t id) {
  const auto watched = watched_.find(id);
  const auto tunnel = table_.tunnels.find(id);
  if (watched == watched_.end() || tunnel == table_.tunnels.end()) return;
  for (std::size_t i = 0; i < kReads; ++i) {
    VnetHeader header;
    const auto size = watched->second->read(header, read_);
    if (!size) {
      epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, watched->second->fd(), nullptr);
      break;
    }
    if (*size == 0) break;
    Segments segments(header, std::span(read_).first(*size));
    take(tunnel->second, segments);
  }
  send(*tunnel->second.counters);
}

void Sender::take(const TunnelEntry& tunnel, Segments& segments) {
  Counters& counters = *tunnel.counters;
  if (!segments.ok()) return counters.drop(Drop::Malformed);
  const std::uint64_t packets = segments.left();
  if (!tunnel.out) return counters.drop(Drop::NoSa, packets);
  if (now_ >= tunnel.out->expires) return counters.drop(Drop::Expired, packets);
  if (!tunnel.out->inner.allows(segments.packet())) return counters.drop(Drop::OutsideSelectors, packets);
  seal(tunnel, segments);
  if (tunnel.out->sealing->wears()) news_.ring();
}

void Sender::seal(const TunnelEntry& tunnel, Segments& segments) {
  const Outbound& out = *tunnel.out;
  ipsec::EspSealer& sealer = out.sealing->sealer;
  const SendBatch::Way way{.socket = out.socket,
                           .local = out.local,
                           .remote = out.remote,
                           .traffic_class = traffic_class(segments.packet())};
  while (segments.more()) {
    if (sealer.used_up()) return tunnel.counters->drop(Drop::UsedUp, segments.left());
    const std::size_t inner = segments.size(), size = sealer.sealed_size(inner);
    if (size > SendBatch::kLargestTrain) return tunnel.counters->drop(Drop::TooBig, segments.left());
    auto room = batch_.place(size, inner, way);
    if (room.empty()) {
      send(*tunnel.counters);
      room = batch_.place(size, inner, way);
    }
    segments.write(room.data() + sealer.front());
    if (!sealer.seal_in_place(room, inner)) {
      batch_.take_back(size, inner);
      tunnel.counters->drop(Drop::UsedUp);
    }
  }
}

void Sender::send(Counters& counters) {
  if (batch_.empty()) return;
  const auto sent = batch_.send();
  Counters::add(counters.packets_out, sent.packets);
  Counters::add(counters.octets_out, sent.octets);
  if (sent.failed > 0) counters.drop(Drop::NotSent, sent.failed);
}

}  // namespace cgw::kernel::userspace
