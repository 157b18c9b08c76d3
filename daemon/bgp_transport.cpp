#include "daemon/bgp_transport.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include <fmt/format.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "base/overload.hpp"

namespace cgw {
namespace asio = boost::asio;
namespace {

// Network failure is an ordinary outcome here, so every await yields [ec, ...] and nothing throws.
constexpr auto kNoThrow = asio::as_tuple(asio::use_awaitable);
constexpr std::uint16_t kBgpPort = 179;
constexpr std::size_t kReadSize = 65536;
// Past this the peer has stopped reading; what it is owed is bounded by the tables we announce.
constexpr std::size_t kMaxOutbox = 64U << 20;

asio::ip::address_v4 v4(const IpAddress& a) {
  return asio::ip::address_v4(a.v4_value());
}

}  // namespace

BgpTransport::BgpTransport(asio::any_io_executor executor, bgp::SessionConfig config, std::string interface,
                           Random& jitter, Observer observe)
    : executor_(executor),
      config_(config),
      interface_(std::move(interface)),
      session_(config, jitter),
      observe_(std::move(observe)),
      timer_(executor),
      acceptor_(executor),
      lines_{Line(executor), Line(executor)} {}

Result<void, std::string> BgpTransport::listen() {
  boost::system::error_code ec;
  stop_listening();
  acceptor_.open(Tcp::v4(), ec);
  if (!ec) acceptor_.set_option(Tcp::acceptor::reuse_address(true), ec);
  if (!ec && setsockopt(acceptor_.native_handle(), SOL_SOCKET, SO_BINDTODEVICE, interface_.c_str(),
                        static_cast<socklen_t>(interface_.size())) < 0) {
    ec.assign(errno, boost::system::system_category());
  }
  if (!ec) acceptor_.bind({v4(config_.local_address), kBgpPort}, ec);
  if (!ec) acceptor_.listen(8, ec);
  if (ec) {
    stop_listening();
    return fail(fmt::format("cannot listen on {} port 179: {}; the neighbor cannot open the session, cgwd still does",
                            config_.local_address.to_string(), ec.message()));
  }
  asio::co_spawn(executor_, accept_loop(shared_from_this(), acceptor_generation_), asio::detached);
  return {};
}

void BgpTransport::stop_listening() {
  ++acceptor_generation_;
  boost::system::error_code ignored;
  acceptor_.close(ignored);
}

void BgpTransport::interface_gone() {
  stop_listening();
  for (const auto id : {bgp::ConnectionId::Outgoing, bgp::ConnectionId::Incoming}) {
    if (!line(id).socket.is_open()) continue;
    close(id);
    dispatch(bgp::Disconnected{id, "interface " + interface_ + " was deleted"});
  }
}

// Run-to-completion: an action may raise an event, but never inside the step that caused it.
void BgpTransport::dispatch(bgp::RibsEvent event) {
  inbox_.push_back(std::move(event));
  if (dispatching_ || shut_) return;
  dispatching_ = true;
  while (!inbox_.empty() && !shut_) {
    const bgp::RibsEvent next = std::move(inbox_.front());
    inbox_.pop_front();
    const auto actions = session_.step(std::chrono::steady_clock::now(), next);
    for (const bgp::RibsAction& a : actions)
      execute(a);
  }
  dispatching_ = false;
  arm();
}

void BgpTransport::execute(const bgp::RibsAction& action) {
  const auto obey = Overload{
      [&](const bgp::Dial&) { dial(); },
      [&](const bgp::Close& c) { close(c.connection); },
      [&](const bgp::SendBytes& s) { send(s.connection, s.bytes); },
      [&](const auto&) { observe_(action); },
  };
  std::visit(obey, action);
}

void BgpTransport::dial() {
  Line& l = line(bgp::ConnectionId::Outgoing);
  close(bgp::ConnectionId::Outgoing);
  asio::co_spawn(executor_, connect_and_read(shared_from_this(), l.generation), asio::detached);
}

// Last words (a NOTIFICATION) go out as far as the kernel takes them now; a peer that has stopped reading does
// not get to delay us. If a write is under way they are lost: half a message is worse.
void BgpTransport::close(bgp::ConnectionId id) {
  Line& l = line(id);
  ++l.generation;
  boost::system::error_code ignored;
  if (l.socket.is_open()) {
    l.socket.non_blocking(true, ignored);
    if (!l.writing && !l.outbox.empty()) l.socket.write_some(asio::buffer(l.outbox), ignored);
    l.socket.close(ignored);
  }
  l.outbox.clear();
  l.writing = false;
}

void BgpTransport::send(bgp::ConnectionId id, const std::vector<std::uint8_t>& bytes) {
  Line& l = line(id);
  if (!l.socket.is_open()) return;
  if (l.outbox.size() + bytes.size() > kMaxOutbox) {
    inbox_.push_back(bgp::Disconnected{id, "the neighbor has stopped reading"});
    return close(id);
  }
  l.outbox.insert(l.outbox.end(), bytes.begin(), bytes.end());
  // Posted, so that all the messages of one step leave in one write.
  asio::post(executor_, [self = shared_from_this(), id] { self->flush(id); });
}

void BgpTransport::flush(bgp::ConnectionId id) {
  Line& l = line(id);
  if (l.writing || l.outbox.empty() || !l.socket.is_open()) return;
  asio::co_spawn(executor_, write_all(shared_from_this(), id, l.generation), asio::detached);
}

void BgpTransport::arm() {
  const auto at = session_.next_deadline();
  if (!at || shut_) {
    timer_.cancel();
    return;
  }
  timer_.expires_at(*at);
  timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& ec) {
    const auto self = weak.lock();
    if (!ec && self) self->dispatch(bgp::Tick{});
  });
}

void BgpTransport::shut() {
  shut_ = true;
  for (const auto id : {bgp::ConnectionId::Outgoing, bgp::ConnectionId::Incoming})
    close(id);
  stop_listening();
  timer_.cancel();
}

// TTL 1: the neighbor is at the other end of the tunnel. MSS follows from the interface's MTU.
Result<void, std::string> BgpTransport::prepare(Tcp::socket& socket) {
  const int ttl = 1;
  const int tos = 0xc0;  // CS6, network control
  boost::system::error_code ec;
  socket.set_option(Tcp::no_delay(true), ec);
  const int fd = socket.native_handle();
  if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface_.c_str(), static_cast<socklen_t>(interface_.size())) < 0 ||
      setsockopt(fd, IPPROTO_IP, IP_TTL, &ttl, sizeof ttl) < 0 ||
      setsockopt(fd, IPPROTO_IP, IP_TOS, &tos, sizeof tos) < 0) {
    return fail(fmt::format("{}: {}", interface_, std::strerror(errno)));
  }
  return {};
}

asio::awaitable<void> BgpTransport::connect_and_read(Self self, unsigned generation) {
  constexpr auto kId = bgp::ConnectionId::Outgoing;
  Line& l = line(kId);
  if (generation != l.generation) co_return;
  boost::system::error_code ec;
  l.socket.open(Tcp::v4(), ec);
  if (!ec) {
    if (const auto ok = prepare(l.socket); !ok) co_return dispatch(bgp::Disconnected{kId, ok.error()});
    l.socket.bind({v4(config_.local_address), 0}, ec);
  }
  if (ec) co_return dispatch(bgp::Disconnected{kId, ec.message()});

  const Tcp::endpoint peer(v4(config_.remote_address), kBgpPort);
  auto [connect_ec] = co_await l.socket.async_connect(peer, kNoThrow);
  if (generation != l.generation) co_return;
  if (connect_ec) co_return dispatch(bgp::Disconnected{kId, connect_ec.message()});
  dispatch(bgp::Connected{kId});
  if (generation != l.generation) co_return;
  co_await read(std::move(self), kId, generation);
}

asio::awaitable<void> BgpTransport::read([[maybe_unused]] Self self, bgp::ConnectionId id, unsigned generation) {
  Line& l = line(id);
  std::vector<std::uint8_t> buffer(kReadSize);
  while (generation == l.generation) {
    auto [ec, n] = co_await l.socket.async_read_some(asio::buffer(buffer), kNoThrow);
    if (generation != l.generation) co_return;
    if (ec) {
      // Ended by the neighbor: the socket goes with it.
      const std::string why = ec == asio::error::eof ? "the neighbor closed the connection" : ec.message();
      co_return dispatch(bgp::Disconnected{id, why});
    }
    bgp::Received received{id, {buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(n)}};
    dispatch(std::move(received));
  }
}

asio::awaitable<void> BgpTransport::write_all([[maybe_unused]] Self self, bgp::ConnectionId id, unsigned generation) {
  Line& l = line(id);
  if (generation != l.generation || l.writing) co_return;
  l.writing = true;
  while (generation == l.generation && !l.outbox.empty()) {
    const auto batch = std::exchange(l.outbox, {});
    auto [ec, n] = co_await asio::async_write(l.socket, asio::buffer(batch), kNoThrow);
    if (ec) break;  // the reader sees the same failure and reports it
    if (generation != l.generation) co_return;
    dispatch(bgp::Written{id, l.outbox.size()});
  }
  if (generation == l.generation) l.writing = false;
}

asio::awaitable<void> BgpTransport::accept_loop([[maybe_unused]] Self self, unsigned generation) {
  while (generation == acceptor_generation_) {
    Tcp::socket socket(executor_);
    auto [ec] = co_await acceptor_.async_accept(socket, kNoThrow);
    if (generation != acceptor_generation_) co_return;
    if (!ec) accepted(std::move(socket));
  }
}

void BgpTransport::accepted(Tcp::socket socket) {
  boost::system::error_code ec;
  const auto from = socket.remote_endpoint(ec);
  if (ec || from.address() != asio::ip::address(v4(config_.remote_address)) || !prepare(socket)) return;
  constexpr auto kId = bgp::ConnectionId::Incoming;
  Line& l = line(kId);
  // A second incoming connection: the neighbor has given the first one up.
  if (l.socket.is_open()) {
    close(kId);
    dispatch(bgp::Disconnected{kId, "the neighbor opened another connection"});
  }
  ++l.generation;
  l.socket = std::move(socket);
  const unsigned generation = l.generation;
  dispatch(bgp::Connected{kId});
  if (generation != l.generation || !l.socket.is_open()) return;
  asio::co_spawn(executor_, read(shared_from_this(), kId, generation), asio::detached);
}

}  // namespace cgw
