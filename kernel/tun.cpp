#include "kernel/tun.hpp"

#include <fcntl.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>

#include <linux/if_tun.h>

namespace cgw::kernel {
namespace {

constexpr const char* kDevice = "/dev/net/tun";

std::string explain(int error) {
  switch (error) {
    case EBUSY: return "another process uses this interface";
    case EINVAL: return "an interface of this name exists that is not a TUN: name the tunnel's interface otherwise";
    case EPERM: return "needs CAP_NET_ADMIN";
    default: return {};
  }
}

}  // namespace

UniqueFd::~UniqueFd() {
  if (fd_ >= 0) close(fd_);
}

KernelResult<Tun> Tun::open(const std::string& name) {
  if (name.empty() || name.size() >= IFNAMSIZ)
    return fail(KernelError{EINVAL, "TUN interface '" + name + "'", "not an interface name"});
  UniqueFd fd(::open(kDevice, O_RDWR | O_CLOEXEC | O_NONBLOCK));
  if (fd.get() < 0) return fail(KernelError{errno, kDevice, {}});
  ifreq request{};
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  if (ioctl(fd.get(), TUNSETIFF, &request) < 0) return fail(KernelError{errno, "TUNSETIFF " + name, explain(errno)});
  if (ioctl(fd.get(), TUNSETPERSIST, 1) < 0) return fail(KernelError{errno, "TUNSETPERSIST " + name, {}});
  const auto index = if_nametoindex(name.c_str());
  if (index == 0) return fail(KernelError{errno, "TUN interface " + name, "not there after TUNSETIFF"});
  return Tun(std::move(fd), IfIndex{static_cast<int>(index)});
}

KernelResult<std::size_t> Tun::read(std::span<std::uint8_t> out) const {
  const ssize_t n = ::read(fd_.get(), out.data(), out.size());
  if (n >= 0) return static_cast<std::size_t>(n);
  // EFAULT, EIO: the interface is down, and so is everything routed into it.
  if (errno == EAGAIN || errno == EINTR || errno == EFAULT || errno == EIO) return 0;
  return fail(KernelError{errno, "read from TUN interface", {}});
}

bool Tun::write(Bytes packet) const {
  return ::write(fd_.get(), packet.data(), packet.size()) >= 0;
}

}  // namespace cgw::kernel
