#include "kernel/tun.hpp"

#include <fcntl.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include <linux/if_tun.h>

namespace cgw::kernel {
namespace {

constexpr const char* kDevice = "/dev/net/tun";
constexpr int kQueue = 1000;  // packets, of up to 64 KiB each
// TUN_F_USO4, TUN_F_USO6: Linux 6.2, newer than Debian 12's header.
constexpr unsigned kTcp = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN, kUdp = 0x20 | 0x40;

Offloads enable(int fd, Offloads wanted) {
  if (wanted.tcp && wanted.udp && ioctl(fd, TUNSETOFFLOAD, kTcp | kUdp) == 0) return wanted;
  if (wanted.tcp && ioctl(fd, TUNSETOFFLOAD, kTcp) == 0) return {.tcp = true};
  ioctl(fd, TUNSETOFFLOAD, 0);  // an adopted interface may have had them
  return {};
}

// Room for a burst while the sender is busy. What is there works without.
void widen_queue(const std::string& name) {
  const UniqueFd any(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  request.ifr_qlen = kQueue;
  ioctl(any.get(), SIOCSIFTXQLEN, &request);
}

std::string explain(int error) {
  switch (error) {
    case EBUSY: return "another process uses this interface";
    case EINVAL:
      return "an interface of this name exists that is no TUN of this kind: name the tunnel's interface otherwise";
    case EPERM: return "needs CAP_NET_ADMIN";
    default: return {};
  }
}

}  // namespace

UniqueFd::~UniqueFd() {
  if (fd_ >= 0) close(fd_);
}

KernelResult<Tun> Tun::open(const std::string& name, Offloads wanted, bool one_of_many) {
  if (name.empty() || name.size() >= IFNAMSIZ)
    return fail(KernelError{EINVAL, "TUN interface '" + name + "'", "not an interface name"});
  UniqueFd fd(::open(kDevice, O_RDWR | O_CLOEXEC | O_NONBLOCK));
  if (fd.get() < 0) return fail(KernelError{errno, kDevice, {}});
  ifreq request{};
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  request.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR;
  if (one_of_many) request.ifr_flags |= IFF_MULTI_QUEUE;
  if (ioctl(fd.get(), TUNSETIFF, &request) < 0) return fail(KernelError{errno, "TUNSETIFF " + name, explain(errno)});
  if (ioctl(fd.get(), TUNSETPERSIST, 1) < 0) return fail(KernelError{errno, "TUNSETPERSIST " + name, {}});
  const auto index = if_nametoindex(name.c_str());
  if (index == 0) return fail(KernelError{errno, "TUN interface " + name, "not there after TUNSETIFF"});
  widen_queue(name);
  const Offloads offloads = enable(fd.get(), wanted);
  return Tun(std::move(fd), IfIndex{static_cast<int>(index)}, offloads);
}

KernelResult<TunQueues> TunQueues::open(const std::string& name, Offloads wanted, std::size_t readers) {
  TunQueues out;
  const bool many = readers > 1;
  for (std::size_t i = 0; i < readers + (many ? 1 : 0); ++i) {
    CGW_TRY(Tun queue, Tun::open(name, wanted, many));
    out.readers.push_back(std::make_shared<const Tun>(std::move(queue)));
  }
  out.writer = out.readers.back();
  if (!many) return out;
  out.readers.pop_back();
  ifreq request{};
  request.ifr_flags = IFF_DETACH_QUEUE;
  if (ioctl(out.writer->fd(), TUNSETQUEUE, &request) < 0)
    return fail(KernelError{errno, "TUNSETQUEUE " + name, "needs a kernel with TUN devices of many queues"});
  return out;
}

KernelResult<std::size_t> Tun::read(VnetHeader& header, std::span<std::uint8_t> out) const {
  std::array<iovec, 2> parts{{{&header, sizeof header}, {out.data(), out.size()}}};
  const ssize_t n = readv(fd_.get(), parts.data(), parts.size());
  if (n >= 0) return static_cast<std::size_t>(n) > sizeof header ? static_cast<std::size_t>(n) - sizeof header : 0;
  // EFAULT, EIO: the interface is down, and so is everything routed into it.
  if (errno == EAGAIN || errno == EINTR || errno == EFAULT || errno == EIO) return 0;
  return fail(KernelError{errno, "read from TUN interface", {}});
}

bool Tun::write(const VnetHeader& header, std::span<iovec> parts) const {
  parts[0] = {.iov_base = const_cast<VnetHeader*>(&header), .iov_len = sizeof header};
  return writev(fd_.get(), parts.data(), static_cast<int>(parts.size())) >= 0;
}

}  // namespace cgw::kernel
