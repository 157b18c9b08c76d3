#include "kernel/userspace_receiver.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "kernel/data_plane.hpp"
#include "kernel/ecn.hpp"

namespace cgw::kernel::userspace {
namespace {

constexpr std::uint16_t kNatTPort = 4500;
constexpr std::uint8_t kKeepalive = 0xff;  // RFC 3948 2.3
constexpr std::size_t kMarker = 4;         // RFC 3948 2.2: zeroes where ESP has its SPI
constexpr int kBatches = 16;
constexpr std::size_t kMostHeld = 512;  // packets of SAs that are still negotiated

}  // namespace

void wake_up(int fd) {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto n = write(fd, &one, sizeof one);
}

void clear_wake(int fd) {
  std::uint64_t count = 0;
  [[maybe_unused]] const auto n = read(fd, &count, sizeof count);
}

void Receiver::run(const std::stop_token& stop) {
  const std::stop_callback stopping(stop, [this] { wake_up(wake_); });
  std::vector<pollfd> ready;
  for (const auto& s : sockets_)
    ready.push_back({s.fd, POLLIN, 0});
  ready.push_back({wake_, POLLIN, 0});
  while (!stop.stop_requested()) {
    if (poll(ready.data(), ready.size(), -1) < 0) continue;
    if (ready.back().revents != 0) {
      clear_wake(wake_);
      refresh();
    }
    for (std::size_t i = 0; i < sockets_.size(); ++i) {
      // Without poll() in between as long as there is something, but never long enough to miss the rest.
      for (int k = 0; k < kBatches && ready[i].revents != 0; ++k) {
        if (!drain(sockets_[i])) break;
      }
    }
  }
}

void Receiver::refresh() {
  if (!inbox_.take(rows_)) return;
  for (auto& row : rows_)
    table_.put(std::move(row));
  rows_.clear();
  if (!held_.empty()) take_held();
}

void Receiver::hold(const Received& r, std::span<std::uint8_t> packet) {
  if (held_.size() == kMostHeld) held_.erase(held_.begin());
  Received about = r;
  about.octets = {};
  held_.push_back({about, {packet.begin(), packet.end()}});
}

// What is still expected stays; the rest goes through its SA, or is counted as what it is.
void Receiver::take_held() {
  now_ = Clock::now();
  for (auto& h : std::exchange(held_, {}))
    open_esp(h.about, h.packet);
  finish();
}

// One batch; false: there was nothing.
bool Receiver::drain(const EspSocket& socket) {
  refresh();
  const std::size_t n = batch_.receive(socket);
  now_ = Clock::now();
  for (std::size_t i = 0; i < n; ++i) {
    const Received r = batch_[i];
    for (auto rest = r.octets; !rest.empty(); rest = rest.subspan(std::min(r.step, rest.size())))
      take(r, rest.first(std::min(r.step, rest.size())));
  }
  finish();
  return n > 0;
}

void Receiver::take(const Received& r, std::span<std::uint8_t> datagram) {
  if (datagram.size() == 1 && datagram[0] == kKeepalive) return;
  if (datagram.size() <= kMarker) return;
  if (std::ranges::all_of(datagram.first(kMarker), [](auto octet) { return octet == 0; }))
    return relay_ike(r, datagram.subspan(kMarker));
  open_esp(r, datagram);
}

// Never waits: when the control thread is too busy to read, IKE's retransmission makes good for the loss.
void Receiver::relay_ike(const Received& r, Bytes message) {
  RelayHeader header;
  header.family = r.from.address.is_v4() ? 4 : 6;
  std::ranges::copy(r.from.address.bytes(), header.from);
  std::ranges::copy(r.to.bytes(), header.to);
  header.from_port = r.from.port;
  header.to_port = kNatTPort;
  std::array<iovec, 2> parts{{{&header, sizeof header}, {const_cast<std::uint8_t*>(message.data()), message.size()}}};
  msghdr m{};
  m.msg_iov = parts.data();
  m.msg_iovlen = parts.size();
  sendmsg(relay_, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void Receiver::open_esp(const Received& r, std::span<std::uint8_t> packet) {
  Reader reader(packet);
  const std::uint32_t spi = reader.u32();
  const auto sa = table_.inbound.find(spi);
  if (sa == table_.inbound.end()) {
    if (table_.expected.contains(spi) && !r.truncated) return hold(r, packet);
    const auto peer = table_.peers.find(r.from.address);
    if (peer != table_.peers.end()) peer->second->drop(Drop::UnknownSpi);
    return;
  }
  const auto tunnel = table_.tunnels.find(sa->second->id.value());
  if (tunnel == table_.tunnels.end()) return;
  if (r.truncated) return tunnel->second.counters->drop(Drop::TooBig);
  deliver(sa->first, *sa->second, tunnel->second, r, packet);
}

void Receiver::deliver(std::uint32_t spi, Inbound& sa, const TunnelEntry& tunnel, const Received& r,
                       std::span<std::uint8_t> packet) {
  Counters& counters = *tunnel.counters;
  if (now_ >= sa.expires) return counters.drop(Drop::Expired);
  const auto inner = sa.opener.open(packet);
  if (!inner) return counters.drop(reason(inner.error()));
  if (sa.wears()) news_.ring();
  if (r.from != sa.remote) {
    sa.remote = r.from;
    news_.moved(sa.id, ipsec::Spi{spi}, r.from);
  }
  if (!sa.inner.allows(*inner)) return counters.drop(Drop::OutsideSelectors);
  if (!take_congestion(*inner, r.traffic_class)) return counters.drop(Drop::Congestion);
  if (!tunnel.tun) return counters.drop(Drop::InterfaceDown);
  hand_over(tunnel, *inner);
}

void Receiver::hand_over(const TunnelEntry& tunnel, std::span<std::uint8_t> inner) {
  if (coalescing_ != &tunnel) {
    finish();
    coalescing_ = &tunnel;
    coalescer_.set_offloads(tunnel.tun->offloads());
  }
  if (coalescer_.add(inner)) return;
  finish();
  coalescing_ = &tunnel;
  coalescer_.add(inner);
}

void Receiver::finish() {
  if (coalescing_ == nullptr) return;
  const Coalesced c = coalescer_.finish();
  Counters& counters = *coalescing_->counters;
  if (coalescing_->tun->write(c.header, c.parts)) {
    Counters::add(counters.packets_in, c.packets);
    Counters::add(counters.octets_in, c.octets);
  } else {
    counters.drop(Drop::InterfaceDown, c.packets);
  }
  coalescing_ = nullptr;
}

}  // namespace cgw::kernel::userspace
