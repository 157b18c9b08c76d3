#include "kernel/userspace_sender.hpp"

#include <sys/epoll.h>

#include <array>

#include "kernel/ecn.hpp"
#include "kernel/userspace_receiver.hpp"

namespace cgw::kernel::userspace {
namespace {

constexpr std::uint32_t kWake = 0;   // in epoll_event.data.u32; an if_id is never 0
constexpr std::size_t kReads = 128;  // from one TUN; then the other tunnels have their turn
constexpr std::size_t kAtOnce = 8;   // packets that are sealed together, if that may be early

}  // namespace

Sender::Sender(std::size_t most, UniqueFd wake, UniqueFd epoll, News& news)
    : wake_(std::move(wake)),
      epoll_(std::move(epoll)),
      news_(news),
      batch_(most) {
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
      // Before the rows are taken: one that comes after them wakes us again.
      if (id == kWake) clear_wake(wake_.get());
      refresh();
      if (id != kWake) {
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
  send(tunnel->second);
}

void Sender::take(const TunnelEntry& tunnel, Segments& segments) {
  Counters& counters = *tunnel.counters;
  if (!segments.ok()) return counters.drop(Drop::Malformed);
  const std::uint64_t packets = segments.left();
  if (!tunnel.out) return counters.drop(Drop::NoSa, packets);
  if (now_ >= tunnel.out->expires) return counters.drop(Drop::Expired, packets);
  if (!tunnel.out->inner.allows(segments.packet())) return counters.drop(Drop::OutsideSelectors, packets);
  place(tunnel, segments);
}

// Cut, with their checksums. A lane of several encrypts when it has a batch: it takes its numbers as late as can be.
// One that is alone does so while the processor's cache has the packets.
void Sender::place(const TunnelEntry& tunnel, Segments& segments) {
  const Outbound& out = *tunnel.out;
  const ipsec::EspSealer& sealer = out.sealing->sealers[tunnel.lane];
  const SendBatch::Way way{.socket = out.socket,
                           .local = out.local,
                           .remote = out.remote,
                           .traffic_class = traffic_class(segments.packet())};
  if (!batch_.has_room(segments.left())) send(tunnel);
  while (segments.more()) {
    const std::size_t inner = segments.size(), size = sealer.sealed_size(inner);
    if (size > SendBatch::kLargestTrain) return tunnel.counters->drop(Drop::TooBig, segments.left());
    auto room = batch_.place(size, inner, way);
    if (room.empty()) {
      send(tunnel);
      room = batch_.place(size, inner, way);
    }
    segments.write(room.data() + sealer.front());
    if (out.sealing->sealers.size() == 1 && batch_.unsealed() == kAtOnce) seal(tunnel);
  }
}

void Sender::seal(const TunnelEntry& tunnel) {
  if (batch_.unsealed() == 0) return;
  Sealing& sealing = *tunnel.out->sealing;
  const auto numbers = sealing.departures.take(tunnel.lane, sealing.numbers, batch_.unsealed());
  if (const auto n = batch_.seal(sealing.sealers[tunnel.lane], numbers); n > 0) tunnel.counters->drop(Drop::UsedUp, n);
  last_ = numbers.last();
}

void Sender::send(const TunnelEntry& tunnel) {
  if (batch_.empty()) return;
  Counters& counters = *tunnel.counters;
  Sealing& sealing = *tunnel.out->sealing;
  seal(tunnel);
  if (!batch_.empty()) {
    sealing.departures.wait(tunnel.lane, last_);
    const auto sent = batch_.send();
    Counters::add(counters.packets_out, sent.packets);
    Counters::add(counters.octets_out, sent.octets);
    if (sent.failed > 0) counters.drop(Drop::NotSent, sent.failed);
  }
  sealing.departures.hand_back(tunnel.lane);
  if (sealing.wears()) news_.ring();
}

}  // namespace cgw::kernel::userspace
