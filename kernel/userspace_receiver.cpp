#include "kernel/userspace_receiver.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "kernel/data_plane.hpp"

namespace cgw::kernel::userspace {
namespace {

constexpr std::uint16_t kNatTPort = 4500;
constexpr std::uint8_t kKeepalive = 0xff;  // RFC 3948 2.3
constexpr std::size_t kMarker = 4;         // RFC 3948 2.2: zeroes where ESP has its SPI

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
  while (!stop.stop_requested()) {
    std::array<pollfd, 2> ready{{{udp_, POLLIN, 0}, {wake_, POLLIN, 0}}};
    if (poll(ready.data(), ready.size(), -1) < 0) continue;
    if (ready[1].revents != 0) clear_wake(wake_);
    published_.refresh(table_, version_);
    if (ready[0].revents == 0) continue;
    const std::size_t n = batch_.receive(udp_);
    now_ = Clock::now();
    for (std::size_t i = 0; i < n; ++i)
      take(i);
  }
}

void Receiver::take(std::size_t i) {
  const Bytes datagram = batch_.datagram(i);
  if (datagram.size() == 1 && datagram[0] == kKeepalive) return;
  if (datagram.size() <= kMarker) return;
  if (std::ranges::all_of(datagram.first(kMarker), [](auto octet) { return octet == 0; }))
    return relay_ike(i, datagram.subspan(kMarker));
  open_esp(i, datagram);
}

// Never waits: when the control thread is too busy to read, IKE's retransmission makes good for the loss.
void Receiver::relay_ike(std::size_t i, Bytes message) {
  const Endpoint from = batch_.from(i);
  RelayHeader header;
  std::ranges::copy(from.address.bytes(), header.from);
  std::ranges::copy(batch_.to(i).bytes(), header.to);
  header.from_port = from.port;
  header.to_port = kNatTPort;
  std::array<iovec, 2> parts{{{&header, sizeof header}, {const_cast<std::uint8_t*>(message.data()), message.size()}}};
  msghdr m{};
  m.msg_iov = parts.data();
  m.msg_iovlen = parts.size();
  sendmsg(relay_, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void Receiver::open_esp(std::size_t i, Bytes packet) {
  Reader r(packet);
  const auto sa = table_->inbound.find(r.u32());
  if (sa == table_->inbound.end()) {
    const auto peer = table_->peers.find(batch_.from(i).address);
    if (peer != table_->peers.end()) peer->second->drop(Drop::UnknownSpi);
    return;
  }
  const auto tunnel = table_->tunnels.find(sa->second->id.value());
  if (tunnel == table_->tunnels.end()) return;
  if (batch_.truncated(i)) return tunnel->second.counters->drop(Drop::TooBig);
  deliver(*sa->second, tunnel->second, packet);
}

void Receiver::deliver(Inbound& sa, const TunnelEntry& tunnel, Bytes packet) {
  Counters& counters = *tunnel.counters;
  if (now_ >= sa.expires) return counters.drop(Drop::Expired);
  const auto size = sa.opener.open(packet, inner_);
  if (!size) return counters.drop(reason(size.error()));
  const Bytes inner = Bytes(inner_).first(*size);
  if (!sa.inner.allows(inner)) return counters.drop(Drop::OutsideSelectors);
  if (!tunnel.tun || !tunnel.tun->write(inner)) return counters.drop(Drop::InterfaceDown);
  Counters::add(counters.packets_in, 1);
  Counters::add(counters.octets_in, inner.size());
}

}  // namespace cgw::kernel::userspace
