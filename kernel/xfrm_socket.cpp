#include "kernel/xfrm_socket.hpp"

#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <cstdlib>
#include <optional>

#include <linux/netlink.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <openssl/crypto.h>

namespace cgw::kernel {
namespace {

constexpr int kDumpChunk = 32768;          // the kernel's largest dump datagram
constexpr timeval kPatience{.tv_sec = 5};  // the kernel answers at once; anything else is a fault

struct WipeBuffer {
  int size = 0;
  void operator()(unsigned char* p) const {
    OPENSSL_cleanse(p, static_cast<std::size_t>(size));
    std::free(p);
  }
};

// The text of an extended acknowledgement (NLMSGERR_ATTR_MSG), behind the error and, unless capped, the
// request that it answers.
std::string extended_text(const nlmsghdr* h, const nlmsgerr* e) {
  if ((h->nlmsg_flags & NLM_F_ACK_TLVS) == 0) return {};
  std::size_t skip = sizeof(nlmsghdr) + sizeof(nlmsgerr);
  if ((h->nlmsg_flags & NLM_F_CAPPED) == 0 && e->msg.nlmsg_len > sizeof(nlmsghdr))
    skip += e->msg.nlmsg_len - sizeof(nlmsghdr);
  skip = NLMSG_ALIGN(skip);
  if (skip >= h->nlmsg_len) return {};
  auto* first = reinterpret_cast<nlattr*>(reinterpret_cast<char*>(const_cast<nlmsghdr*>(h)) + skip);
  const nlattr* text = nla_find(first, static_cast<int>(h->nlmsg_len - skip), NLMSGERR_ATTR_MSG);
  if (text == nullptr) return {};
  const std::string s(static_cast<const char*>(nla_data(text)), static_cast<std::size_t>(nla_len(text)));
  return s.substr(0, s.find('\0'));
}

std::optional<KernelError> error_in(const nlmsghdr* h, const std::string& what) {
  if (h->nlmsg_len < NLMSG_LENGTH(sizeof(nlmsgerr))) return KernelError{EPROTO, what, "short answer"};
  const auto* e = static_cast<const nlmsgerr*>(nlmsg_data(h));
  if (e->error == 0) return std::nullopt;
  return KernelError{-e->error, what, extended_text(h, e)};
}

}  // namespace

void WipeMessage::operator()(nl_msg* m) const {
  nlmsghdr* h = nlmsg_hdr(m);
  OPENSSL_cleanse(h, h->nlmsg_len);
  nlmsg_free(m);
}

KernelError libnl_error(int code, std::string what) {
  return {.errnum = EIO, .request = std::move(what), .detail = nl_geterror(code)};
}

KernelResult<RequestSocket> RequestSocket::open(int protocol) {
  const std::string what = protocol == NETLINK_XFRM ? "netlink socket for XFRM" : "netlink socket for routing";
  Socket s(nl_socket_alloc());
  if (!s) return fail(KernelError{ENOMEM, what, {}});
  errno = 0;
  if (const int r = nl_connect(s.get(), protocol); r < 0) {
    if (errno != 0) return fail(KernelError{errno, what, {}});
    return fail(libnl_error(r, what));
  }
  nl_socket_disable_msg_peek(s.get());
  nl_socket_set_msg_buf_size(s.get(), kDumpChunk);
  const int on = 1;
  const int fd = nl_socket_get_fd(s.get());
  // Both only improve error texts; kernels without them answer shorter.
  setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
  setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  return RequestSocket(std::move(s));
}

KernelResult<void> RequestSocket::request(Message message, const std::string& what, const OnReply& on_reply) {
  if (!message) return fail(KernelError{ENOMEM, what, {}});
  nlmsg_hdr(message.get())->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
  errno = 0;
  if (const int r = nl_send_auto(socket_.get(), message.get()); r < 0) {
    if (errno != 0) return fail(KernelError{errno, what, {}});
    return fail(libnl_error(r, what));
  }
  const std::uint32_t sequence = nlmsg_hdr(message.get())->nlmsg_seq;
  for (;;) {
    CGW_TRY(const Answer answer, receive(sequence, what, on_reply));
    if (answer == Answer::Done) return {};
  }
}

KernelResult<RequestSocket::Answer> RequestSocket::receive(std::uint32_t sequence, const std::string& what,
                                                           const OnReply& on_reply) {
  sockaddr_nl from{};
  unsigned char* raw = nullptr;
  int left = nl_recv(socket_.get(), &from, &raw, nullptr);
  if (left <= 0) return fail(left == 0 ? KernelError{ETIMEDOUT, what, "no answer"} : libnl_error(left, what));
  const std::unique_ptr<unsigned char, WipeBuffer> buffer(raw, WipeBuffer{left});
  for (auto* h = reinterpret_cast<nlmsghdr*>(raw); nlmsg_ok(h, left); h = nlmsg_next(h, &left)) {
    if (h->nlmsg_seq != sequence) continue;  // the late answer to a request that timed out
    if (h->nlmsg_type == NLMSG_DONE) return Answer::Done;
    if (h->nlmsg_type == NLMSG_ERROR) {
      if (auto e = error_in(h, what)) return fail(std::move(*e));
      return Answer::Done;
    }
    if (on_reply) on_reply(h);
  }
  return Answer::More;
}

}  // namespace cgw::kernel
