#include "daemon/bgp_listener.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace cgw {
namespace asio = boost::asio;
namespace {

constexpr auto kNoThrow = asio::as_tuple(asio::use_awaitable);
constexpr std::uint16_t kBgpPort = 179;

}  // namespace

asio::ip::address to_asio(const IpAddress& a) {
  if (a.is_v4()) return asio::ip::address_v4(a.v4_value());
  asio::ip::address_v6::bytes_type octets{};
  std::ranges::copy(a.bytes(), octets.begin());
  return asio::ip::address_v6(octets);
}

IpAddress to_ip(const asio::ip::address& a) {
  if (a.is_v4()) return IpAddress::v4(a.to_v4().to_uint());
  const auto octets = a.to_v6().to_bytes();
  return IpAddress::v6(octets);
}

Result<void, std::string> bind_to_interface(int socket, const std::string& interface) {
  if (interface.empty()) return {};
  const auto size = static_cast<socklen_t>(interface.size());
  if (::setsockopt(socket, SOL_SOCKET, SO_BINDTODEVICE, interface.c_str(), size) == 0) return {};
  return fail(fmt::format("{}: {}", interface, std::strerror(errno)));
}

BgpListener::BgpListener(asio::any_io_executor executor, IpAddress local, std::string interface, Accepted accepted)
    : executor_(executor),
      local_(local),
      interface_(std::move(interface)),
      accepted_(std::move(accepted)),
      acceptor_(executor) {}

Result<void, std::string> BgpListener::open() {
  close();
  boost::system::error_code ec;
  std::string why;
  acceptor_.open(local_.is_v4() ? Tcp::v4() : Tcp::v6(), ec);
  if (!ec) acceptor_.set_option(Tcp::acceptor::reuse_address(true), ec);
  if (!ec && !local_.is_v4()) acceptor_.set_option(asio::ip::v6_only(true), ec);
  if (!ec) {
    if (const auto bound = bind_to_interface(acceptor_.native_handle(), interface_); !bound) why = bound.error();
  }
  if (!ec && why.empty()) acceptor_.bind({to_asio(local_), kBgpPort}, ec);
  if (!ec && why.empty()) acceptor_.listen(8, ec);
  if (!ec && why.empty()) {
    asio::co_spawn(executor_, accept_loop(shared_from_this(), generation_), asio::detached);
    return {};
  }
  close();
  return fail(fmt::format("cannot listen on {} port 179: {}; the neighbor cannot open the session, cgwd still does",
                          local_.to_string(), ec ? ec.message() : why));
}

void BgpListener::close() {
  ++generation_;
  boost::system::error_code ignored;
  acceptor_.close(ignored);
}

asio::awaitable<void> BgpListener::accept_loop([[maybe_unused]] std::shared_ptr<BgpListener> self,
                                               unsigned generation) {
  while (generation == generation_) {
    Tcp::socket socket(executor_);
    auto [ec] = co_await acceptor_.async_accept(socket, kNoThrow);
    if (generation != generation_) co_return;
    if (!ec) accepted_(std::move(socket));
  }
}

}  // namespace cgw
