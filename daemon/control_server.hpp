#pragma once
#include <functional>
#include <string>
#include <string_view>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include "base/result.hpp"

namespace cgw {

// The shell's door: RUN_DIR/cgwd.sock, mode 0660. One request line in, one line of JSON out:
// {"code":0,"data":...} or {"code":1,"error":"% ..."}. A client that is slow or says too much is let go; the
// gateway never waits for one.
class ControlServer {
 public:
  // Answers a request with the line to send, without the line end.
  using Answer = std::function<std::string(std::string_view request)>;

  ControlServer(boost::asio::any_io_executor executor, Answer answer);
  // Takes the place of a socket nobody answers at; refuses when another cgwd does.
  Result<void, std::string> listen(const std::string& run_dir);
  void stop();

 private:
  using Local = boost::asio::local::stream_protocol;
  boost::asio::awaitable<void> accept_loop();
  boost::asio::awaitable<void> serve(Local::socket client);

  boost::asio::any_io_executor executor_;
  Answer answer_;
  Local::acceptor acceptor_;
  std::string path_;
  unsigned clients_ = 0;
};

}  // namespace cgw
