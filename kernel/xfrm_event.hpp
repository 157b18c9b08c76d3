#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "kernel/data_plane.hpp"
#include "kernel/xfrm_socket.hpp"

// What the kernel tells about XFRM by itself (the multicast groups of NETLINK_XFRM).
namespace cgw::kernel::xfrm {

// A packet met a policy of ours and there is no SA for it.
struct SaWanted {
  IfId id;
};
// Somebody else changed an SA or a policy that may be ours, or events were lost.
struct Changed {};
using Event = std::variant<SaExpired, PeerMapped, SaWanted, Changed>;

// nullopt: nothing of ours, or the echo of a request by own_port, the socket that we make changes with.
std::optional<Event> read_event(nlmsghdr* h, std::uint32_t own_port);

class Events {
 public:
  static KernelResult<Events> open(std::uint32_t own_port);
  int fd() const { return nl_socket_get_fd(socket_.get()); }
  // Never blocks. Many equal ones in a row are one.
  std::vector<Event> read();

 private:
  struct FreeSocket {
    void operator()(nl_sock* s) const { nl_socket_free(s); }
  };
  using Socket = std::unique_ptr<nl_sock, FreeSocket>;
  struct Storage {
    alignas(nlmsghdr) std::array<char, 32768> octets;
  };
  Events(Socket s, std::uint32_t own_port) : socket_(std::move(s)), own_port_(own_port) {}

  Socket socket_;
  std::uint32_t own_port_;
  std::unique_ptr<Storage> buffer_ = std::make_unique<Storage>();
};

}  // namespace cgw::kernel::xfrm
