#pragma once
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/ip.hpp"
#include "kernel/error.hpp"

// Interfaces, their addresses and settings, over libnl-route; and what the kernel tells about them.
namespace cgw::kernel {

struct LinkState {
  IfIndex index;
  std::string name;
  bool up = false;       // IFF_UP
  bool running = false;  // IFF_RUNNING: has carrier
  std::uint32_t mtu = 0;
};

class Links {
 public:
  static KernelResult<Links> open();
  ~Links();
  Links(Links&&) noexcept;
  Links& operator=(Links&&) noexcept;

  KernelResult<std::optional<LinkState>> find(const std::string& name);
  // Makes `address` the only IPv4 or global IPv6 address of the interface (with an IPv4 one, IPv6 ones are left alone),
  // sets MTU, rp_filter=2 (loose), no redirects sent, then up. What is already so is left alone.
  KernelResult<void> configure(IfIndex index, const InterfaceAddress& address, const IpAddress& peer,
                               std::uint32_t mtu);
  KernelResult<void> set_mtu(IfIndex index, std::uint32_t mtu);
  KernelResult<void> remove(const std::string& name);
  // Names of xfrm interfaces and persistent TUNs that carry our mark (link alias "cgwd IFID").
  KernelResult<std::vector<std::string>> ours();

  // The source address, interface and its MTU the kernel would use towards `remote`.
  struct Via {
    IpAddress source;
    IfIndex index;
    std::uint32_t mtu = 1500;
  };
  KernelResult<Via> route_to(const IpAddress& remote);

 private:
  struct Impl;
  explicit Links(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Link, address and route events. fd() becomes readable; read() never blocks.
class Monitor {
 public:
  struct LinkChanged {
    LinkState link;
    bool gone = false;
  };
  struct AddressChanged {
    IfIndex index;
  };
  struct RouteChanged {  // a route or nexthop of ours was removed or changed by somebody
  };
  struct Overrun {};  // ENOBUFS: events were lost, look at everything again
  using Event = std::variant<LinkChanged, AddressChanged, RouteChanged, Overrun>;

  static KernelResult<Monitor> open();
  ~Monitor();
  Monitor(Monitor&&) noexcept;
  Monitor& operator=(Monitor&&) noexcept;
  int fd() const;
  std::vector<Event> read();

 private:
  struct Impl;
  explicit Monitor(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace cgw::kernel
