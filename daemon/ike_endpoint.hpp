#pragma once
#include <functional>
#include <string>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include "base/result.hpp"
#include "ipsec/peer.hpp"

namespace cgw {

// UDP ports 500 and 4500 of IPv4 and IPv6 (RFC 7296 2.23, RFC 3948): the non-ESP marker, the source address of answers,
// and the relay of a data plane that reads port 4500 itself. Knows nothing of IKE but its first octets.
class IkeEndpoint {
 public:
  using Receive = std::function<void(ipsec::Received)>;

  // The error is one line that names the port and what may hold it.
  static Result<IkeEndpoint, std::string> open(boost::asio::any_io_executor executor);

  // Port 4500, which a data plane may read; -1: the host has no IPv6.
  int nat_t_socket(Family family);
  // relay_fd: from DataPlane::ike_relay_fd(), which reads port 4500 of both families; -1: it is read here.
  void start(Receive receive, int relay_fd);

  // False when the kernel refused it (no route, interface down): the core's retransmission is the remedy.
  bool send(const ipsec::SendDatagram& d);
  bool send(const ipsec::SendNatKeepalive& k);

 private:
  using Descriptor = boost::asio::posix::stream_descriptor;
  struct Descriptors {
    explicit Descriptors(boost::asio::any_io_executor executor);
    Descriptor udp500, udp4500, udp500_v6, udp4500_v6, relay;
  };
  explicit IkeEndpoint(Descriptors fds) : fds_(std::move(fds)) {}
  int socket_for(const IpAddress& remote, bool nat_t);
  void wait(Descriptor& from, void (IkeEndpoint::*read)(int));
  void read_500(int fd);
  void read_4500(int fd);
  void read_relay(int fd);
  void read_socket(int fd, std::uint16_t port);

  Descriptors fds_;
  Receive receive_;
};

}  // namespace cgw
