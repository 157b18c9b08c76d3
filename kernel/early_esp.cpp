#include "kernel/early_esp.hpp"

#include <netinet/in.h>
#include <netinet/ip6.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <span>
#include <vector>

#include <linux/filter.h>

#include "kernel/data_plane.hpp"

namespace cgw::kernel {
namespace {

constexpr std::uint16_t kNatTPort = 4500;
constexpr std::size_t kMost = 4096;  // packets; the socket's buffer holds fewer
constexpr std::size_t kLargest = 65535;
constexpr std::uint32_t kUdpHeader = 8;
constexpr std::uint16_t kEqual = BPF_JMP | BPF_JEQ | BPF_K;

KernelError refused(const char* what) {
  return {errno, what, {}};
}

bool attach(int fd, std::span<sock_filter> program) {
  const sock_fprog f{static_cast<unsigned short>(program.size()), program.data()};
  return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &f, sizeof f) == 0;
}

// X is where the transport header begins: behind the IP header in a raw socket of IPv4, at once in one of IPv6.
sock_filter find_transport(bool v4) {
  if (v4) return BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0);
  return BPF_STMT(BPF_LDX | BPF_IMM, 0);
}

}  // namespace

bool EarlyEsp::filter(bool take) {
  const std::uint32_t verdict = take ? 0xffffffff : 0;
  std::array<sock_filter, 7> in_udp = {{
      find_transport(sa_.local.address.is_v4()),
      BPF_STMT(BPF_LD | BPF_H | BPF_IND, 2),  // destination port
      BPF_JUMP(kEqual, kNatTPort, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_IND, kUdpHeader),
      BPF_JUMP(kEqual, sa_.spi.value(), 0, 1),
      BPF_STMT(BPF_RET | BPF_K, verdict),
      BPF_STMT(BPF_RET | BPF_K, 0),
  }};
  std::array<sock_filter, 5> plain = {{
      find_transport(sa_.local.address.is_v4()),
      BPF_STMT(BPF_LD | BPF_W | BPF_IND, 0),
      BPF_JUMP(kEqual, sa_.spi.value(), 0, 1),
      BPF_STMT(BPF_RET | BPF_K, verdict),
      BPF_STMT(BPF_RET | BPF_K, 0),
  }};
  return sa_.udp_encap ? attach(in_.get(), in_udp) : attach(in_.get(), plain);
}

KernelResult<EarlyEsp> EarlyEsp::open(const ipsec::InboundSpi& sa) {
  const int family = sa.local.address.is_v4() ? AF_INET : AF_INET6;
  constexpr int kType = SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC;
  UniqueFd in(socket(family, kType, sa.udp_encap ? IPPROTO_UDP : IPPROTO_ESP));
  UniqueFd out(socket(family, kType, IPPROTO_RAW));  // the IP header is ours
  if (in.get() < 0 || out.get() < 0) return fail(refused("raw socket for early ESP"));
  for (const int fd : {in.get(), out.get()})
    if (auto exempt = exempt_from_ipsec(fd); !exempt) return fail(std::move(exempt).error());
  const int room = 4 << 20;
  if (setsockopt(in.get(), SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room) < 0)
    setsockopt(in.get(), SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
  EarlyEsp early(sa, std::move(in), std::move(out));
  if (!early.filter(true)) return fail(refused("SO_ATTACH_FILTER on the raw socket for early ESP"));
  // What came before the filter was there.
  std::array<std::uint8_t, 1> octet;
  while (recv(early.in_.get(), octet.data(), octet.size(), 0) >= 0) {
  }
  return early;
}

void EarlyEsp::stop() {
  filter(false);
}

std::size_t EarlyEsp::deliver() {
  std::size_t n = 0;
  const bool v4 = sa_.local.address.is_v4();
  const std::size_t head = v4 ? 0 : sizeof(ip6_hdr);
  std::vector<std::uint8_t> packet(head + kLargest);
  while (n < kMost) {
    sockaddr_in6 from{};
    iovec part{packet.data() + head, kLargest};
    msghdr m{};
    m.msg_name = &from;
    m.msg_namelen = sizeof from;
    m.msg_iov = &part;
    m.msg_iovlen = 1;
    const ssize_t got = recvmsg(in_.get(), &m, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return n;
    if (!v4) {
      ip6_hdr h{};
      h.ip6_flow = htonl(6U << 28);
      h.ip6_plen = htons(static_cast<std::uint16_t>(got));
      h.ip6_nxt = sa_.udp_encap ? IPPROTO_UDP : IPPROTO_ESP;
      h.ip6_hlim = 64;
      h.ip6_src = from.sin6_addr;
      std::memcpy(&h.ip6_dst, sa_.local.address.bytes().data(), sizeof h.ip6_dst);
      std::memcpy(packet.data(), &h, sizeof h);
    }
    if (send(Bytes(packet).first(head + static_cast<std::size_t>(got)))) ++n;
  }
  return n;
}

bool EarlyEsp::send(Bytes packet) const {
  sockaddr_storage to{};
  if (sa_.local.address.is_v4()) {
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_addr.s_addr = htonl(sa_.local.address.v4_value());
    std::memcpy(&to, &a, sizeof a);
  } else {
    sockaddr_in6 a{};
    a.sin6_family = AF_INET6;
    std::memcpy(&a.sin6_addr, sa_.local.address.bytes().data(), sizeof a.sin6_addr);
    std::memcpy(&to, &a, sizeof a);
  }
  const socklen_t size = sa_.local.address.is_v4() ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  return sendto(out_.get(), packet.data(), packet.size(), 0, reinterpret_cast<const sockaddr*>(&to), size) >= 0;
}

}  // namespace cgw::kernel
