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

#include "daemon/bgp_listener.hpp"

namespace cgw {
namespace asio = boost::asio;
namespace {

// Network failure is an ordinary outcome here, so every await yields [ec, ...] and nothing throws.
constexpr auto kNoThrow = asio::as_tuple(asio::use_awaitable);
constexpr std::uint16_t kBgpPort = 179;
constexpr std::size_t kReadSize = 65536;
constexpr int kNetworkControl = 0xc0;  // CS6

}  // namespace

BgpTransport::BgpTransport(asio::any_io_executor executor, BgpPath path, Raise raise)
    : executor_(executor),
      path_(std::move(path)),
      raise_(std::move(raise)),
      lines_{Line(executor), Line(executor)} {}

void BgpTransport::raise(bgp::Event event) {
  if (!shut_) raise_(std::move(event));
}

void BgpTransport::interface_gone() {
  for (const auto id : {bgp::ConnectionId::Outgoing, bgp::ConnectionId::Incoming}) {
    if (!line(id).socket.is_open()) continue;
    close(id);
    raise(bgp::Disconnected{id, "interface " + path_.interface + " was deleted"});
  }
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

void BgpTransport::send(bgp::ConnectionId id, std::vector<std::uint8_t> octets) {
  Line& l = line(id);
  if (!l.socket.is_open()) return;
  if (l.outbox.empty()) {
    l.outbox = std::move(octets);
  } else {
    l.outbox.insert(l.outbox.end(), octets.begin(), octets.end());
  }
  // Posted, so that all the messages of one step leave in one write.
  if (!l.writing) asio::post(executor_, [self = shared_from_this(), id] { self->flush(id); });
}

void BgpTransport::flush(bgp::ConnectionId id) {
  Line& l = line(id);
  if (l.writing || l.outbox.empty() || !l.socket.is_open()) return;
  asio::co_spawn(executor_, write_all(shared_from_this(), id, l.generation), asio::detached);
}

void BgpTransport::shut() {
  shut_ = true;
  for (const auto id : {bgp::ConnectionId::Outgoing, bgp::ConnectionId::Incoming})
    close(id);
}

// The MSS follows from the interface's MTU.
Result<void, std::string> BgpTransport::prepare(Tcp::socket& socket) const {
  const bool v4 = path_.local.is_v4();
  const int ttl = path_.ttl;
  boost::system::error_code ec;
  socket.set_option(Tcp::no_delay(true), ec);
  const int fd = socket.native_handle();
  if (auto bound = bind_to_interface(fd, path_.interface); !bound) return bound;
  const auto set = [fd](int level, int name, int value) {
    return ::setsockopt(fd, level, name, &value, sizeof value) == 0;
  };
  const bool done = v4 ? set(IPPROTO_IP, IP_TTL, ttl) && set(IPPROTO_IP, IP_TOS, kNetworkControl)
                       : set(IPPROTO_IPV6, IPV6_UNICAST_HOPS, ttl) && set(IPPROTO_IPV6, IPV6_TCLASS, kNetworkControl);
  if (!done) return fail(std::string(std::strerror(errno)));
  return {};
}

asio::awaitable<void> BgpTransport::connect_and_read(Self self, unsigned generation) {
  constexpr auto kId = bgp::ConnectionId::Outgoing;
  Line& l = line(kId);
  if (generation != l.generation) co_return;
  boost::system::error_code ec;
  l.socket.open(path_.local.is_v4() ? Tcp::v4() : Tcp::v6(), ec);
  if (!ec) {
    if (const auto ok = prepare(l.socket); !ok) co_return raise(bgp::Disconnected{kId, ok.error()});
    l.socket.bind({to_asio(path_.local), 0}, ec);
  }
  if (ec) co_return raise(bgp::Disconnected{kId, ec.message()});

  const Tcp::endpoint peer(to_asio(path_.remote), kBgpPort);
  auto [connect_ec] = co_await l.socket.async_connect(peer, kNoThrow);
  if (generation != l.generation) co_return;
  if (connect_ec) co_return raise(bgp::Disconnected{kId, connect_ec.message()});
  raise(bgp::Connected{kId});
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
      co_return raise(bgp::Disconnected{id, why});
    }
    bgp::Received received{id, {buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(n)}};
    raise(std::move(received));
  }
}

asio::awaitable<void> BgpTransport::write_all([[maybe_unused]] Self self, bgp::ConnectionId id, unsigned generation) {
  Line& l = line(id);
  if (generation != l.generation || l.writing) co_return;
  l.writing = true;
  while (generation == l.generation && !l.outbox.empty()) {
    const auto batch = std::exchange(l.outbox, {});
    for (std::size_t done = 0; done < batch.size();) {
      auto [ec, n] = co_await l.socket.async_write_some(asio::buffer(batch) + done, kNoThrow);
      if (generation != l.generation) co_return;
      if (ec) {  // the reader sees the same failure and reports it
        l.writing = false;
        co_return;
      }
      done += n;
      raise(bgp::Written{id, batch.size() - done + l.outbox.size()});
      if (generation != l.generation) co_return;
    }
  }
  if (generation == l.generation) l.writing = false;
}

void BgpTransport::accept(Tcp::socket socket) {
  if (shut_ || !prepare(socket)) return;
  constexpr auto kId = bgp::ConnectionId::Incoming;
  Line& l = line(kId);
  // A second incoming connection: the neighbor has given the first one up.
  if (l.socket.is_open()) {
    close(kId);
    raise(bgp::Disconnected{kId, "the neighbor opened another connection"});
  }
  ++l.generation;
  l.socket = std::move(socket);
  const unsigned generation = l.generation;
  raise(bgp::Connected{kId});
  if (generation != l.generation || !l.socket.is_open()) return;
  asio::co_spawn(executor_, read(shared_from_this(), kId, generation), asio::detached);
}

}  // namespace cgw
