#include "kernel/userspace_packets.hpp"

#include <netinet/in.h>

#include <cstring>

namespace cgw::kernel::userspace {
namespace {

sockaddr_in socket_address(const Endpoint& e) {
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_port = htons(e.port);
  a.sin_addr.s_addr = htonl(e.address.v4_value());
  return a;
}

}  // namespace

DatagramBatch::DatagramBatch()
    : octets_(std::make_unique_for_overwrite<std::uint8_t[]>(kCount * kSlot)),
      parts_(kCount),
      names_(kCount),
      controls_(kCount),
      headers_(kCount) {}

void DatagramBatch::point_at(std::size_t i, std::size_t size) {
  parts_[i] = {.iov_base = slot_begin(i), .iov_len = size};
  msghdr& h = headers_[i].msg_hdr;
  h = {};
  h.msg_name = &names_[i];
  h.msg_namelen = sizeof(sockaddr_in);
  h.msg_iov = &parts_[i];
  h.msg_iovlen = 1;
  h.msg_control = controls_[i].octets;
  h.msg_controllen = sizeof controls_[i].octets;
}

std::size_t DatagramBatch::receive(int fd) {
  for (std::size_t i = 0; i < kCount; ++i)
    point_at(i, kSlot);
  const int n = recvmmsg(fd, headers_.data(), kCount, MSG_DONTWAIT, nullptr);
  return n < 0 ? 0 : static_cast<std::size_t>(n);
}

Endpoint DatagramBatch::from(std::size_t i) const {
  sockaddr_in a;
  std::memcpy(&a, &names_[i], sizeof a);
  return {IpAddress::v4(ntohl(a.sin_addr.s_addr)), ntohs(a.sin_port)};
}

IpAddress DatagramBatch::to(std::size_t i) const {
  auto* h = const_cast<msghdr*>(&headers_[i].msg_hdr);
  for (cmsghdr* c = CMSG_FIRSTHDR(h); c != nullptr; c = CMSG_NXTHDR(h, c)) {
    if (c->cmsg_level != IPPROTO_IP || c->cmsg_type != IP_PKTINFO) continue;
    in_pktinfo info;
    std::memcpy(&info, CMSG_DATA(c), sizeof info);
    return IpAddress::v4(ntohl(info.ipi_spec_dst.s_addr));
  }
  return {};
}

void DatagramBatch::add(std::size_t size, const IpAddress& source, const Endpoint& to) {
  point_at(used_, size);
  const sockaddr_in a = socket_address(to);
  std::memcpy(&names_[used_], &a, sizeof a);
  msghdr& h = headers_[used_].msg_hdr;
  h.msg_controllen = CMSG_SPACE(sizeof(in_pktinfo));
  cmsghdr* c = CMSG_FIRSTHDR(&h);
  c->cmsg_level = IPPROTO_IP;
  c->cmsg_type = IP_PKTINFO;
  c->cmsg_len = CMSG_LEN(sizeof(in_pktinfo));
  in_pktinfo info{};
  info.ipi_spec_dst.s_addr = htonl(source.v4_value());
  std::memcpy(CMSG_DATA(c), &info, sizeof info);
  ++used_;
}

int DatagramBatch::send(int fd, std::size_t first) {
  return sendmmsg(fd, headers_.data() + first, static_cast<unsigned>(used_ - first), MSG_DONTWAIT | MSG_NOSIGNAL);
}

}  // namespace cgw::kernel::userspace
