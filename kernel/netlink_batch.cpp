#include "kernel/netlink_batch.hpp"

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>

#include <linux/netlink.h>
#include <netlink/attr.h>
#include <netlink/netlink.h>

namespace cgw::kernel {
namespace {

constexpr int kAnswerBuffer = 2 << 20;  // 256 refusals, each a few hundred octets of kernel memory
constexpr int kDumpAttempts = 5;

int send_all(int fd, std::span<const Message> messages) {
  std::array<iovec, kBatchSize> parts;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    nlmsghdr* h = nlmsg_hdr(messages[i].get());
    parts[i] = {.iov_base = h, .iov_len = NLMSG_ALIGN(h->nlmsg_len)};
  }
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  msghdr m{};
  m.msg_name = &kernel;
  m.msg_namelen = sizeof kernel;
  m.msg_iov = parts.data();
  m.msg_iovlen = messages.size();
  return ::sendmsg(fd, &m, 0) < 0 ? errno : 0;
}

// NLMSGERR_ATTR_MSG. With NETLINK_CAP_ACK the refused request's header is all that stands before it; an
// acknowledgement of success never carries more.
std::string kernels_words(const nlmsghdr* h, const nlmsgerr* e) {
  if ((h->nlmsg_flags & NLM_F_ACK_TLVS) == 0) return {};
  std::size_t skip = NLMSG_LENGTH(sizeof(nlmsgerr));
  if ((h->nlmsg_flags & NLM_F_CAPPED) == 0 && e->msg.nlmsg_len > sizeof(nlmsghdr))
    skip += NLMSG_ALIGN(e->msg.nlmsg_len) - sizeof(nlmsghdr);
  if (skip >= h->nlmsg_len) return {};
  const auto* first = reinterpret_cast<const nlattr*>(reinterpret_cast<const char*>(h) + skip);
  const nlattr* a = nla_find(first, static_cast<int>(h->nlmsg_len - skip), NLMSGERR_ATTR_MSG);
  if (a == nullptr || nla_len(a) <= 0) return {};
  const std::string s(static_cast<const char*>(nla_data(a)), static_cast<std::size_t>(nla_len(a)));
  return s.substr(0, s.find('\0'));
}

struct Answers {
  std::uint32_t first, last;  // sequence numbers; they may wrap
  std::vector<Refusal> refused;
  bool done = false;

  void take(const nlmsghdr* h) {
    if (h->nlmsg_type != NLMSG_ERROR || h->nlmsg_len < NLMSG_LENGTH(sizeof(nlmsgerr))) return;
    const std::size_t index = h->nlmsg_seq - first;
    if (index > last - first) return;  // the late answer to something that timed out
    const auto* e = static_cast<const nlmsgerr*>(nlmsg_data(h));
    if (e->error != 0) refused.push_back({index, -e->error, kernels_words(h, e)});
    done = h->nlmsg_seq == last;
  }
};

}  // namespace

KernelResult<RequestSocket> open_batch_socket() {
  auto socket = RequestSocket::open(NETLINK_ROUTE);
  if (!socket) return socket;
  const int fd = nl_socket_get_fd(socket->get());
  const int on = 1;
  // Kernels before 4.20 dump everything; what is not ours is skipped here as well.
  setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof on);
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &kAnswerBuffer, sizeof kAnswerBuffer) < 0)
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &kAnswerBuffer, sizeof kAnswerBuffer);
  setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &kAnswerBuffer, sizeof kAnswerBuffer);
  return socket;
}

KernelResult<std::vector<Refusal>> send_batch(RequestSocket& socket, std::span<const Message> messages) {
  const std::string what = "netlink batch";
  if (messages.empty()) return std::vector<Refusal>{};
  if (messages.size() > kBatchSize) return fail(KernelError{E2BIG, what, {}});
  Answers answers{};
  for (std::size_t i = 0; i < messages.size(); ++i) {
    nlmsghdr* h = nlmsg_hdr(messages[i].get());
    h->nlmsg_seq = nl_socket_use_seq(socket.get());
    h->nlmsg_pid = nl_socket_get_local_port(socket.get());
    h->nlmsg_flags = static_cast<std::uint16_t>(h->nlmsg_flags | NLM_F_REQUEST);
    if (i == 0) answers.first = h->nlmsg_seq;
    answers.last = h->nlmsg_seq;
  }
  nlmsg_hdr(messages.back().get())->nlmsg_flags |= NLM_F_ACK;
  const int fd = nl_socket_get_fd(socket.get());
  if (const int e = send_all(fd, messages); e != 0) return fail(KernelError{e, what, {}});
  alignas(nlmsghdr) std::array<char, 32768> buffer;
  while (!answers.done) {
    const ssize_t n = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return fail(KernelError{n == 0 ? EPIPE : errno, what, "no answer from the kernel"});
    int left = static_cast<int>(n);
    for (auto* h = reinterpret_cast<nlmsghdr*>(buffer.data()); nlmsg_ok(h, left); h = nlmsg_next(h, &left))
      answers.take(h);
  }
  return std::move(answers.refused);
}

KernelResult<void> consistent_dump(RequestSocket& socket, Message (*build)(int), int argument, const std::string& what,
                                   const std::function<void()>& restart, const RequestSocket::OnReply& on_reply) {
  for (int attempt = 0; attempt < kDumpAttempts; ++attempt) {
    restart();
    bool interrupted = false;
    auto done = socket.request(build(argument), what, [&](nlmsghdr* h) {
      interrupted = interrupted || (h->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
      on_reply(h);
    });
    if (!done) return done;
    if (!interrupted) return {};
  }
  return fail(KernelError{EAGAIN, what, "somebody keeps changing it"});
}

}  // namespace cgw::kernel
