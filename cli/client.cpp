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

// One question to the daemon at `path`.
class Conversation {
 public:
  Conversation(std::string path, std::chrono::milliseconds patience) : path_(std::move(path)), patience_(patience) {}
  ~Conversation() {
    if (fd_ >= 0) close(fd_);
  }
  Conversation(const Conversation&) = delete;
  Conversation& operator=(const Conversation&) = delete;

  Result<std::string, ClientError> ask(const std::string& line) {
    CGW_TRY([[maybe_unused]] const Connected connected, connect_to());
    if (send(fd_, line.data(), line.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(line.size())) return broken();
    std::string reply;
    char buffer[65536];
    ssize_t n = 0;
    while ((n = recv(fd_, buffer, sizeof buffer, 0)) > 0)
      reply.append(buffer, static_cast<std::size_t>(n));
    if (n < 0) return broken();
    if (reply.empty()) {
      return fail(ClientError{
          kUnreachable, fmt::format("% cgwd at {} hung up without an answer: it is stopping, or has too many callers; "
                                    "try again",
                                    path_)});
    }
    return reply;
  }

 private:
  struct Connected {};

  Result<Connected, ClientError> connect_to() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path_.size() >= sizeof address.sun_path)
      return fail(ClientError{kUnreachable, fmt::format("% {}: the name is too long for a socket", path_)});
    std::memcpy(address.sun_path, path_.c_str(), path_.size());
    fd_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd_ < 0) return fail(ClientError{kUnreachable, fmt::format("% {}", std::strerror(errno))});
    // The kernel applies them to connect() too, when the daemon does not accept.
    const timeval limit{.tv_sec = patience_.count() / 1000, .tv_usec = patience_.count() % 1000 * 1000};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return Connected{};
    if (errno == EAGAIN || errno == EINTR) return broken();
    const std::string says = std::strerror(errno);
    if (errno == EACCES || errno == EPERM)
      return fail(ClientError{kNotPermitted, fmt::format("% {}: {}: run cgwsh as root", path_, says)});
    return fail(ClientError{kUnreachable, fmt::format("% cgwd does not answer at {}: {}; is it running (systemctl "
                                                      "status cgwd), and is --run-dir its own?",
                                                      path_, says)});
  }

  std::unexpected<ClientError> broken() const {
    if (errno == EINTR) return fail(ClientError{kUnreachable, "% interrupted"});
    if (errno != EAGAIN && errno != EWOULDBLOCK)
      return fail(ClientError{kUnreachable, fmt::format("% cgwd at {} went away: {}", path_, std::strerror(errno))});
    return fail(ClientError{
        kUnreachable,
        fmt::format(
            "% cgwd at {} has not answered for {} s: it hangs or is very busy; see its log (journalctl -u cgwd)", path_,
            std::chrono::duration<double>(patience_).count())});
  }

  std::string path_;
  std::chrono::milliseconds patience_;
  int fd_ = -1;
};

}  // namespace

Result<boost::json::value, ClientError> ask(const std::string& run_dir, const std::string& request,
                                            std::chrono::milliseconds patience) {
  CGW_TRY(const std::string reply, Conversation(run_dir + "/cgwd.sock", patience).ask(request + "\n"));
  boost::system::error_code ec;
  boost::json::value answer = boost::json::parse(reply, ec);
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
