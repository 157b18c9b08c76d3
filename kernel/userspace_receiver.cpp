#include "kernel/userspace_receiver.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

#include "kernel/data_plane.hpp"

namespace cgw::kernel::userspace {
namespace {

constexpr std::uint16_t kNatTPort = 4500;
constexpr std::uint8_t kKeepalive = 0xff;  // RFC 3948 2.3
constexpr std::size_t kMarker = 4;         // RFC 3948 2.2: zeroes where ESP has its SPI
constexpr std::size_t kMostHeld = 512;     // packets of SAs that are still negotiated

}  // namespace

void wake_up(int fd) {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto n = write(fd, &one, sizeof one);
}

void clear_wake(int fd) {
  std::uint64_t count = 0;
  [[maybe_unused]] const auto n = ::read(fd, &count, sizeof count);
}

Receiver::Receiver(std::vector<EspSocket> sockets, int relay, int wake, News& news, std::size_t lanes)
    : relay_(relay),
      wake_(wake),
      news_(news) {
  for (const auto& s : sockets)
    sources_.push_back({.socket = s});
  for (std::size_t i = 0; i < lanes; ++i) {
    lanes_.push_back(std::make_unique<Lane>());
    lanes_.back()->number = i;
  }
}

void Receiver::run(const std::stop_token& stop, std::size_t lane) {
  const std::stop_callback stopping(stop, [this] { wake_up(wake_); });
  while (read(*lanes_[lane], stop))
    work(*lanes_[lane]);
}

// A batch with something to decrypt; false: stop.
bool Receiver::read(Lane& lane, const std::stop_token& stop) {
  lane.jobs.clear();
  lane.uses.clear();  // while we wait for the lock we keep no SA and no TUN
  const std::lock_guard lock(reading_);
  while (!stop.stop_requested()) {
    lane.uses.clear();
    lane.messages.clear();
    lane.held.clear();
    refresh(lane);
    if (!receive(lane) && lane.jobs.empty()) wait();
    if (lane.jobs.empty()) continue;
    lane.ticket = next_ticket_++;
    return true;
  }
  return false;
}

// From the sockets in turn; false: there was nothing.
bool Receiver::receive(Lane& lane) {
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    Source& source = sources_[next_source_++ % sources_.size()];
    if (!source.ready) continue;
    const std::size_t n = lane.batch.receive(source.socket);
    source.ready = n > 0;
    lane.now = Clock::now();
    for (std::size_t k = 0; k < n; ++k) {
      const Received& r = lane.messages.emplace_back(lane.batch[k]);
      for (auto rest = r.octets; !rest.empty(); rest = rest.subspan(std::min(r.step, rest.size())))
        take(lane, rest.first(std::min(r.step, rest.size())));
    }
    if (n > 0) return true;
  }
  return false;
}

void Receiver::wait() {
  std::array<pollfd, 4> ready{};
  std::size_t n = 0;
  for (const auto& s : sources_)
    ready.at(n++) = {s.socket.fd, POLLIN, 0};
  ready.at(n++) = {wake_, POLLIN, 0};
  if (poll(ready.data(), n, -1) < 0) return;
  if (ready.at(n - 1).revents != 0) clear_wake(wake_);
  for (std::size_t i = 0; i < sources_.size(); ++i)
    sources_[i].ready = ready.at(i).revents != 0;
}

void Receiver::refresh(Lane& lane) {
  if (!inbox_.take(rows_)) return;
  for (auto& row : rows_)
    table_.put(std::move(row));
  rows_.clear();
  // What is still expected stays; the rest goes through its SA, or is counted as what it is.
  lane.held = std::exchange(held_, {});
  lane.now = Clock::now();
  for (auto& h : lane.held) {
    lane.messages.push_back(h.about);
    take_esp(lane, h.packet);
  }
}

void Receiver::hold(const Received& r, std::span<std::uint8_t> packet) {
  if (held_.size() == kMostHeld) held_.erase(held_.begin());
  Received about = r;
  about.octets = {};
  held_.push_back({about, {packet.begin(), packet.end()}});
}

// A datagram of the last message.
void Receiver::take(Lane& lane, std::span<std::uint8_t> datagram) {
  if (datagram.size() == 1 && datagram[0] == kKeepalive) return;
  if (datagram.size() <= kMarker) return;
  if (std::ranges::all_of(datagram.first(kMarker), [](auto octet) { return octet == 0; }))
    return relay_ike(lane.messages.back(), datagram.subspan(kMarker));
  take_esp(lane, datagram);
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

void Receiver::take_esp(Lane& lane, std::span<std::uint8_t> packet) {
  const Received& r = lane.messages.back();
  Reader reader(packet);
  const std::uint32_t spi = reader.u32();
  const auto found = use(lane, spi);
  if (!found) {
    if (table_.expected.contains(spi) && !r.truncated) return hold(r, packet);
    const auto peer = table_.peers.find(r.from.address);
    if (peer != table_.peers.end()) peer->second->drop(Drop::UnknownSpi);
    return;
  }
  const Use& its = lane.uses[*found];
  if (!its.counters) return;
  if (r.truncated) return its.counters->drop(Drop::TooBig);
  const auto message = static_cast<std::uint32_t>(lane.messages.size() - 1);
  lane.jobs.push_back({.packet = packet, .use = *found, .message = message});
}

// Packets of one SA mostly come together.
std::optional<std::uint32_t> Receiver::use(Lane& lane, std::uint32_t spi) {
  if (lane.uses.empty() || lane.uses.back().spi != spi) {
    const auto sa = table_.inbound.find(spi);
    if (sa == table_.inbound.end()) return std::nullopt;
    Use& made = lane.uses.emplace_back(Use{.spi = spi, .sa = sa->second, .tun = {}, .counters = {}});
    const auto tunnel = table_.tunnels.find(sa->second->id.value());
    if (tunnel != table_.tunnels.end())
      std::tie(made.tun, made.counters) = std::tie(tunnel->second.tun, tunnel->second.counters);
  }
  return static_cast<std::uint32_t>(lane.uses.size() - 1);
}

}  // namespace cgw::kernel::userspace
