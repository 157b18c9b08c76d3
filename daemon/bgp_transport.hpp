#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "bgp/session.hpp"

namespace cgw {

// Between which addresses a neighbor's connections run, and how.
struct BgpPath {
  IpAddress local, remote;
  std::string interface;  // never through another one; empty: as routing has it
  std::uint8_t ttl = 1;   // of what we send
  bool operator==(const BgpPath&) const = default;
};

// The TCP connections of one neighbor: turns what happens to sockets into a session's events, and does what its actions
// say of sockets. Decides nothing.
class BgpTransport : public std::enable_shared_from_this<BgpTransport> {
 public:
  using Tcp = boost::asio::ip::tcp;
  using Raise = std::function<void(bgp::Event)>;

  BgpTransport(boost::asio::any_io_executor executor, BgpPath path, Raise raise);

  const BgpPath& path() const { return path_; }
  void dial();
  void close(bgp::ConnectionId id);
  void send(bgp::ConnectionId id, std::vector<std::uint8_t> octets);
  // The neighbor has called.
  void accept(Tcp::socket socket);
  // The interface was deleted. Its sockets stay bound to what is no more, also when one of its name is made again.
  void interface_gone();
  // Sockets closed, coroutines end; nothing is raised any more.
  void shut();

 private:
  // The two connections of RFC 4271 6.8. A generation retires coroutines of an earlier socket.
  struct Line {
    explicit Line(boost::asio::any_io_executor ex) : socket(std::move(ex)) {}
    Tcp::socket socket;
    std::vector<std::uint8_t> outbox;
    bool writing = false;
    unsigned generation = 0;
  };

  Line& line(bgp::ConnectionId id) { return lines_[static_cast<std::size_t>(id)]; }
  void raise(bgp::Event event);
  void flush(bgp::ConnectionId id);
  Result<void, std::string> prepare(Tcp::socket& socket) const;

  // `self` is a parameter because a coroutine's body may start after its caller has let go.
  using Self = std::shared_ptr<BgpTransport>;
  boost::asio::awaitable<void> connect_and_read(Self self, unsigned generation);
  boost::asio::awaitable<void> read(Self self, bgp::ConnectionId id, unsigned generation);
  boost::asio::awaitable<void> write_all(Self self, bgp::ConnectionId id, unsigned generation);

  boost::asio::any_io_executor executor_;
  BgpPath path_;
  Raise raise_;
  std::array<Line, 2> lines_;
  bool shut_ = false;
};

}  // namespace cgw
