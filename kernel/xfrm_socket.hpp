#pragma once
#include <functional>
#include <memory>
#include <string>

#include <netlink/msg.h>
#include <netlink/socket.h>

#include "kernel/error.hpp"

namespace cgw::kernel {

// Frees a netlink message and wipes it first: XFRM messages carry keys.
struct WipeMessage {
  void operator()(nl_msg* m) const;
};
using Message = std::unique_ptr<nl_msg, WipeMessage>;

// Asks the kernel and waits for its answer, one request at a time. Unlike libnl's own receive loop it
// keeps the kernel's errno and extended acknowledgement, and leaves no copy of a key behind.
class RequestSocket {
 public:
  // NETLINK_XFRM or NETLINK_ROUTE
  static KernelResult<RequestSocket> open(int protocol);

  using OnReply = std::function<void(nlmsghdr*)>;
  // what: the request in words, for the error. on_reply sees every message of the answer or dump.
  KernelResult<void> request(Message message, const std::string& what, const OnReply& on_reply = {});

  nl_sock* get() const { return socket_.get(); }

 private:
  struct FreeSocket {
    void operator()(nl_sock* s) const { nl_socket_free(s); }
  };
  enum class Answer : std::uint8_t { More, Done };
  using Socket = std::unique_ptr<nl_sock, FreeSocket>;

  explicit RequestSocket(Socket s) : socket_(std::move(s)) {}
  KernelResult<Answer> receive(std::uint32_t sequence, const std::string& what, const OnReply& on_reply);

  Socket socket_;
};

// libnl's own errors (out of memory, bad attribute) as a KernelError.
KernelError libnl_error(int code, std::string what);

}  // namespace cgw::kernel
