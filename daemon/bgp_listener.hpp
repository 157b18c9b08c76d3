#pragma once
#include <functional>
#include <memory>
#include <string>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "base/ip.hpp"
#include "base/result.hpp"

namespace cgw {

boost::asio::ip::address to_asio(const IpAddress& a);
IpAddress to_ip(const boost::asio::ip::address& a);
// Never through another interface than this one; the text says why not. An empty name binds to none.
Result<void, std::string> bind_to_interface(int socket, const std::string& interface);

// Port 179 of one local address, on one interface or on all: hands over who calls. Knows no neighbor.
class BgpListener : public std::enable_shared_from_this<BgpListener> {
 public:
  using Tcp = boost::asio::ip::tcp;
  using Accepted = std::function<void(Tcp::socket)>;

  BgpListener(boost::asio::any_io_executor executor, IpAddress local, std::string interface, Accepted accepted);

  // Anew if it is open; the text says why not.
  Result<void, std::string> open();
  void close();
  bool is_open() const { return acceptor_.is_open(); }

 private:
  // `self` is a parameter because a coroutine's body may start after its caller has let go.
  boost::asio::awaitable<void> accept_loop(std::shared_ptr<BgpListener> self, unsigned generation);

  boost::asio::any_io_executor executor_;
  IpAddress local_;
  std::string interface_;
  Accepted accepted_;
  Tcp::acceptor acceptor_;
  unsigned generation_ = 0;  // retires the loop of an earlier socket
};

}  // namespace cgw
