#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "kernel/userspace_packets.hpp"

namespace cgw::kernel::userspace {
namespace {

constexpr int kPatienceMs = 100;  // for room in the socket's send buffer

// After a call that sent nothing: try again?
bool again(int fd) {
  if (errno == EINTR) return true;
  pollfd writable{fd, POLLOUT, 0};
  return errno == EAGAIN && poll(&writable, 1, kPatienceMs) > 0;
}

// UDP_SEGMENT cannot be had on this way: EIO, an interface without checksum offload; EINVAL, a train of packets that
// have to be fragmented.
bool not_as_a_train(int error) {
  return error == EIO || error == EINVAL || error == EMSGSIZE || error == EOPNOTSUPP;
}

}  // namespace

SendBatch::SendBatch(std::size_t most)
    : octets_(std::make_unique_for_overwrite<std::uint8_t[]>(kRoom)),
      most_(std::min(most, kMost)),
      packets_(most_),
      trains_(kTrains),
      parts_(kTrains),
      names_(kTrains),
      controls_(kTrains),
      headers_(kTrains) {}

bool SendBatch::joins(const Train& t, std::size_t size, const Way& way) const {
  return segments(*way.socket) && size <= t.step && t.octets == t.packets * t.step && t.packets < kLongest &&
         t.octets + size <= kLargestTrain && t.way == way;
}

std::span<std::uint8_t> SendBatch::place(std::size_t size, std::size_t inner, const Way& way) {
  if (filled_ + size > kRoom || count_ == most_) return {};
  if (used_ == 0 || !joins(trains_[used_ - 1], size, way)) {
    if (used_ == kTrains) return {};
    trains_[used_++] = {.way = way, .begin = filled_, .step = size};
  }
  Train& t = trains_[used_ - 1];
  const std::span out(octets_.get() + filled_, size);
  packets_[count_++] = {.begin = filled_, .size = size, .inner = inner};
  ++t.packets;
  t.octets += size;
  t.inner += inner;
  filled_ += size;
  return out;
}

std::size_t SendBatch::seal(ipsec::EspSealer& sealer, const ipsec::SequenceNumbers::Taken& numbers) {
  const std::size_t end = sealed_ + std::min<std::size_t>(unsealed(), numbers.count);
  for (std::uint64_t number = numbers.first; sealed_ < end; ++sealed_, ++number) {
    const Packet& p = packets_[sealed_];
    if (!sealer.seal_in_place({octets_.get() + p.begin, p.size}, p.inner, number)) break;
  }
  const std::size_t rest = unsealed();
  while (unsealed() > 0)
    take_back();
  return rest;
}

void SendBatch::take_back() {
  const Packet& p = packets_[--count_];
  Train& t = trains_[used_ - 1];
  filled_ -= p.size;
  t.octets -= p.size;
  t.inner -= p.inner;
  if (--t.packets == 0) --used_;
}

void SendBatch::write_header(std::size_t i) {
  const Train& t = trains_[i];
  parts_[i] = {.iov_base = octets_.get() + t.begin, .iov_len = t.octets};
  msghdr& h = headers_[i].msg_hdr;
  h = {};
  h.msg_name = &names_[i];
  h.msg_namelen = to_socket_address(t.way.remote, t.way.socket->v6, names_[i]);
  h.msg_iov = &parts_[i];
  h.msg_iovlen = 1;
  add_source(h, controls_[i], t.way.local.address);
  if (const int tc = t.way.traffic_class; tc != 0) {
    add_control(h, controls_[i], t.way.socket->v6 ? IPPROTO_IPV6 : IPPROTO_IP, t.way.socket->v6 ? IPV6_TCLASS : IP_TOS,
                &tc, sizeof tc);
  }
  if (t.packets > 1) {
    const auto step = static_cast<std::uint16_t>(t.step);
    add_control(h, controls_[i], IPPROTO_UDP, kUdpSegment, &step, sizeof step);
  }
}

SendBatch::Sent SendBatch::send() {
  Sent sent;
  for (std::size_t i = 0; i < used_; ++i)
    write_header(i);
  for (std::size_t done = 0; done < used_;) {
    const EspSocket* const socket = trains_[done].way.socket;
    std::size_t end = done + 1;
    while (end < used_ && trains_[end].way.socket == socket)
      ++end;
    const int n =
        sendmmsg(socket->fd, headers_.data() + done, static_cast<unsigned>(end - done), MSG_DONTWAIT | MSG_NOSIGNAL);
    for (int i = 0; i < n; ++i, ++done) {
      sent.packets += trains_[done].packets;
      sent.octets += trains_[done].inner;
    }
    if (n > 0) continue;
    Train& t = trains_[done];
    if (t.packets > 1 && not_as_a_train(errno)) {
      if (errno == EIO) refused_[socket->v6 ? 1 : 0] = true;
      send_singly(done, sent);
    } else if (again(socket->fd)) {
      continue;
    } else {
      sent.failed += t.packets;
    }
    ++done;
  }
  filled_ = used_ = count_ = sealed_ = 0;
  return sent;
}

void SendBatch::send_singly(std::size_t i, Sent& sent) {
  const Train& t = trains_[i];
  msghdr& h = headers_[i].msg_hdr;
  h.msg_controllen -= CMSG_SPACE(sizeof(std::uint16_t));  // the segment size, added last
  for (std::size_t k = 0; k < t.packets; ++k) {
    parts_[i] = {.iov_base = octets_.get() + t.begin + k * t.step, .iov_len = std::min(t.step, t.octets - k * t.step)};
    ssize_t n = 0;
    do {
      n = sendmsg(t.way.socket->fd, &h, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (n < 0 && again(t.way.socket->fd));
    if (n < 0) {
      ++sent.failed;
      continue;
    }
    ++sent.packets;
    sent.octets += t.inner / t.packets;
  }
}

}  // namespace cgw::kernel::userspace
