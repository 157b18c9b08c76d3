#include <algorithm>
#include <cstring>

#include "kernel/userspace_packets.hpp"

namespace cgw::kernel::userspace {

ReceiveBatch::ReceiveBatch()
    : octets_(std::make_unique_for_overwrite<std::uint8_t[]>(kCount * kSlot)),
      parts_(kCount),
      names_(kCount),
      controls_(kCount),
      headers_(kCount) {
  for (std::size_t i = 0; i < kCount; ++i)
    parts_[i] = {.iov_base = octets_.get() + i * kSlot, .iov_len = kSlot};
}

std::size_t ReceiveBatch::receive(const EspSocket& socket) {
  for (std::size_t i = 0; i < kCount; ++i) {
    msghdr& h = headers_[i].msg_hdr;
    h = {};
    h.msg_name = &names_[i];
    h.msg_namelen = sizeof names_[i];
    h.msg_iov = &parts_[i];
    h.msg_iovlen = 1;
    h.msg_control = controls_[i].octets;
    h.msg_controllen = sizeof controls_[i].octets;
  }
  const int n = recvmmsg(socket.fd, headers_.data(), kCount, MSG_DONTWAIT, nullptr);
  return n < 0 ? 0 : static_cast<std::size_t>(n);
}

ReceiveBatch::Received ReceiveBatch::operator[](std::size_t i) const {
  auto* h = const_cast<msghdr*>(&headers_[i].msg_hdr);
  Received out{.octets = {octets_.get() + i * kSlot, headers_[i].msg_len},
               .step = headers_[i].msg_len,
               .from = from_socket_address(names_[i]),
               .truncated = (h->msg_flags & MSG_TRUNC) != 0};
  for (cmsghdr* c = CMSG_FIRSTHDR(h); c != nullptr; c = CMSG_NXTHDR(h, c)) {
    int number = 0;
    if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
      in_pktinfo info;
      std::memcpy(&info, CMSG_DATA(c), sizeof info);
      out.to = IpAddress::v4(ntohl(info.ipi_spec_dst.s_addr));
    } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
      sockaddr_in6 a{};
      a.sin6_family = AF_INET6;
      std::memcpy(&a.sin6_addr, CMSG_DATA(c), sizeof a.sin6_addr);
      sockaddr_storage s{};
      std::memcpy(&s, &a, sizeof a);
      out.to = from_socket_address(s).address;
    } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) {
      out.traffic_class = *CMSG_DATA(c);
    } else if (c->cmsg_len >= CMSG_LEN(sizeof number)) {
      std::memcpy(&number, CMSG_DATA(c), sizeof number);
      if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS)
        out.traffic_class = static_cast<std::uint8_t>(number);
      if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == kUdpGro && number > 0)
        out.step = static_cast<std::size_t>(number);
    }
  }
  return out;
}

}  // namespace cgw::kernel::userspace
