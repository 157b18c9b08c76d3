#include "cli/client.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <fmt/format.h>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>

#include "cli/exit_status.hpp"

namespace cgw::cli {
namespace {

constexpr timeval kPatience{.tv_sec = 15, .tv_usec = 0};

Result<int, ClientError> connect_to(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return fail(ClientError{kUnreachable, fmt::format("% {}: the name is too long for a socket", path)});
  std::memcpy(address.sun_path, path.c_str(), path.size());
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return fail(ClientError{kUnreachable, fmt::format("% {}", std::strerror(errno))});
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
  const int error = errno;
  close(fd);
  if (error == EACCES || error == EPERM)
    return fail(ClientError{kNotPermitted, fmt::format("% {}: {}: run cgwsh as root", path, std::strerror(error))});
  return fail(ClientError{
      kUnreachable,
      fmt::format("% cgwd does not answer at {}: {}; is it running (systemctl status cgwd), and is --run-dir its own?",
                  path, std::strerror(error))});
}

Result<std::string, ClientError> converse(int fd, const std::string& line) {
  const auto broken = [] {
    return fail(ClientError{kUnreachable, fmt::format("% cgwd went away: {}", std::strerror(errno))});
  };
  if (send(fd, line.data(), line.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(line.size())) return broken();
  std::string reply;
  char buffer[65536];
  ssize_t n = 0;
  while ((n = recv(fd, buffer, sizeof buffer, 0)) > 0)
    reply.append(buffer, static_cast<std::size_t>(n));
  if (n < 0) return broken();
  return reply;
}

}  // namespace

Result<boost::json::value, ClientError> ask(const std::string& run_dir, const std::string& request) {
  CGW_TRY(const int fd, connect_to(run_dir + "/cgwd.sock"));
  const auto reply = converse(fd, request + "\n");
  close(fd);
  if (!reply) return fail(reply.error());
  boost::system::error_code ec;
  boost::json::value answer = boost::json::parse(*reply, ec);
  if (ec || !answer.is_object() || !answer.as_object().contains("code")) {
    return fail(ClientError{kUnreachable, "% cgwd's answer is not what this cgwsh expects: are both of one version?"});
  }
  auto& o = answer.as_object();
  if (o["code"] != 0) {
    const auto* text = o.if_contains("error");
    return fail(
        ClientError{kCommandError, text != nullptr && text->is_string() ? std::string(text->as_string()) : "% failed"});
  }
  return o["data"];
}

}  // namespace cgw::cli
