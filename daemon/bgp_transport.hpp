#pragma once
#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include "bgp/session_ribs.hpp"

namespace cgw {

// TCP around one bgp::SessionRibs: turns sockets and time into its events and its actions into socket calls.
// Decides nothing. Bound to the tunnel's interface and inside address, so that the session never leaves
// through anything else.
class BgpTransport : public std::enable_shared_from_this<BgpTransport> {
 public:
  // Actions that are not about sockets.
  using Observer = std::function<void(const bgp::RibsAction&)>;

  BgpTransport(boost::asio::any_io_executor executor, bgp::SessionConfig config, std::string interface, Random& jitter,
               Observer observe);

  // Opens the listener on the inside address, anew if there is one; the text says why not (the session still dials).
  Result<void, std::string> listen();
  // The interface was deleted. Its sockets stay bound to what is no more, also when one of its name is made again.
  void interface_gone();
  void dispatch(bgp::RibsEvent event);
  const bgp::SessionRibs& session() const { return session_; }
  const bgp::SessionConfig& config() const { return config_; }
  // Sockets closed, coroutines end; nothing is observed any more.
  void shut();

 private:
  using Tcp = boost::asio::ip::tcp;
  // The two connections of RFC 4271 6.8. A generation retires coroutines of an earlier socket.
  struct Line {
    explicit Line(boost::asio::any_io_executor ex) : socket(std::move(ex)) {}
    Tcp::socket socket;
    std::vector<std::uint8_t> outbox;
    bool writing = false;
    unsigned generation = 0;
  };

  Line& line(bgp::ConnectionId id) { return lines_[static_cast<std::size_t>(id)]; }
  void execute(const bgp::RibsAction& action);
  void dial();
  void close(bgp::ConnectionId id);
  void send(bgp::ConnectionId id, const std::vector<std::uint8_t>& bytes);
  void flush(bgp::ConnectionId id);
  void accepted(Tcp::socket socket);
  void stop_listening();
  void arm();
  Result<void, std::string> prepare(Tcp::socket& socket);

  // `self` is a parameter because a coroutine's body may start after its caller has let go.
  using Self = std::shared_ptr<BgpTransport>;
  boost::asio::awaitable<void> connect_and_read(Self self, unsigned generation);
  boost::asio::awaitable<void> read(Self self, bgp::ConnectionId id, unsigned generation);
  boost::asio::awaitable<void> write_all(Self self, bgp::ConnectionId id, unsigned generation);
  boost::asio::awaitable<void> accept_loop(Self self, unsigned generation);

  boost::asio::any_io_executor executor_;
  bgp::SessionConfig config_;
  std::string interface_;
  bgp::SessionRibs session_;
  Observer observe_;
  boost::asio::steady_timer timer_;
  Tcp::acceptor acceptor_;
  unsigned acceptor_generation_ = 0;
  std::array<Line, 2> lines_;
  std::deque<bgp::RibsEvent> inbox_;  // events raised while one is being handled wait here
  bool dispatching_ = false;
  bool shut_ = false;
};

}  // namespace cgw
