#include "daemon/control_server.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include <fmt/format.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

namespace cgw {
namespace asio = boost::asio;
namespace {

constexpr auto kNoThrow = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kMaxRequest = 4096;
constexpr unsigned kMaxClients = 32;
constexpr auto kPatience = std::chrono::seconds(10);

bool somebody_answers(const std::string& path) {
  asio::io_context io;
  asio::local::stream_protocol::socket s(io);
  boost::system::error_code ec;
  s.connect(asio::local::stream_protocol::endpoint(path), ec);
  return !ec;
}

}  // namespace

ControlServer::ControlServer(asio::any_io_executor executor, Answer answer)
    : executor_(executor),
      answer_(std::move(answer)),
      acceptor_(executor) {}

Result<void, std::string> ControlServer::listen(const std::string& run_dir) {
  std::error_code dir_error;
  std::filesystem::create_directories(run_dir, dir_error);
  path_ = run_dir + "/cgwd.sock";
  if (dir_error) return fail(fmt::format("{}: {}", run_dir, dir_error.message()));
  if (path_.size() > 107) return fail(fmt::format("{}: longer than a socket's name may be (107 octets)", path_));
  if (somebody_answers(path_))
    return fail(fmt::format("{}: another cgwd is running; stop it or use another --run-dir", path_));
  unlink(path_.c_str());

  boost::system::error_code ec;
  acceptor_.open(Local(), ec);
  const mode_t mask = umask(0117);  // 0660 from the start
  if (!ec) acceptor_.bind(Local::endpoint(path_), ec);
  umask(mask);
  if (!ec) acceptor_.listen(16, ec);
  if (ec) return fail(fmt::format("{}: {}", path_, ec.message()));
  asio::co_spawn(executor_, accept_loop(), asio::detached);
  return {};
}

void ControlServer::stop() {
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  if (!path_.empty()) unlink(path_.c_str());
}

asio::awaitable<void> ControlServer::accept_loop() {
  while (acceptor_.is_open()) {
    Local::socket client(executor_);
    auto [ec] = co_await acceptor_.async_accept(client, kNoThrow);
    if (!acceptor_.is_open()) co_return;
    if (ec || clients_ >= kMaxClients) continue;
    asio::co_spawn(executor_, serve(std::move(client)), asio::detached);
  }
}

asio::awaitable<void> ControlServer::serve(Local::socket client) {
  ++clients_;
  asio::steady_timer patience(executor_, kPatience);
  patience.async_wait([&client](const boost::system::error_code& ec) {
    boost::system::error_code ignored;
    if (!ec) client.close(ignored);
  });
  std::string request;
  auto buffer = asio::dynamic_buffer(request, kMaxRequest);
  auto [ec, n] = co_await asio::async_read_until(client, buffer, '\n', kNoThrow);
  if (!ec) {
    const std::string reply = answer_(std::string_view(request).substr(0, n - 1)) + '\n';
    auto [write_ec, written] = co_await asio::async_write(client, asio::buffer(reply), kNoThrow);
    static_cast<void>(write_ec);
    static_cast<void>(written);
  }
  patience.cancel();
  --clients_;
}

}  // namespace cgw
