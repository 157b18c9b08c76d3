// The routing core on sockets, as little else as can be: what bench/bgp measures until the daemon itself runs on it.
//
//   bgp_host ADDRESS AS NEIGHBOR:AS...
//
// Accepts the neighbors' calls, agrees to everything, and on SIGTERM tells the worst delay of a 100 ms timer, and
// the longest turn of its loop in processor time, which a busy machine does not stretch.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "bench/bgp_table.hpp"
#include "bgp/framing.hpp"
#include "bgp/open.hpp"
#include "bgp/ribs.hpp"

using namespace cgw;
using namespace cgw::bgp;
using Clock = std::chrono::steady_clock;

namespace {

constexpr std::size_t kRoom = 256 << 10;
volatile sig_atomic_t stopped = 0;

[[noreturn]] void die(const char* what) {
  std::fprintf(stderr, "bgp_host: %s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

std::chrono::microseconds processor_time() {
  timespec t{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return std::chrono::seconds(t.tv_sec) + std::chrono::microseconds(t.tv_nsec / 1000);
}

struct Peer {
  NeighborId id;
  NeighborRoutes routes;
  UpdateContext context;
  int fd = -1;
  bool established = false;
  std::optional<Open> open;
  Framer framer;
  std::vector<std::uint8_t> out;
  std::size_t sent = 0;
};

class Host {
 public:
  Host(const IpAddress& own, Asn asn)
      : own_(own),
        asn_(asn),
        ribs_({asn, RouterId{own.v4_value()}, own.v4_value()}, {}, 4711) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const int one = 1;
    ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_port = htons(179);
    a.sin_addr.s_addr = htonl(own.v4_value());
    if (::bind(listener_, reinterpret_cast<const sockaddr*>(&a), sizeof a) != 0) die("bind");
    if (::listen(listener_, 16) != 0) die("listen");
  }
  void add(const IpAddress& address, Asn asn) {
    Peer& p = peers_[address.v4_value()];
    p.routes.address = address;
    p.routes.import.remote_as = asn;
    p.routes.export_rules.v4.local_as = asn_;
    p.routes.export_rules.v4.next_hop = own_;
    p.context.local_as = asn_;
    p.context.remote_as = asn;
    p.context.local_address = own_;
    p.id = ribs_.add_neighbor(p.routes);
  }
  void run() {
    auto probe = Clock::now() + Millis{100};
    for (auto before = processor_time(); stopped == 0;) {
      ribs_.work();
      const bool busy = feed() || ribs_.has_work();
      turn(busy ? 0 : 20);
      const auto used = processor_time();
      longest_ = std::max(longest_, used - std::exchange(before, used));
      const auto now = Clock::now();
      if (now < probe) continue;
      worst_ = std::max(worst_, std::chrono::duration_cast<std::chrono::microseconds>(now - probe));
      probe = now + Millis{100};
    }
    std::printf("worst delay of a 100 ms probe: %.1f ms; longest turn: %.1f ms of processor time\n",
                static_cast<double>(worst_.count()) / 1000, static_cast<double>(longest_.count()) / 1000);
  }

 private:
  bool feed() {
    bool more = false;
    for (auto& [address, p] : peers_) {
      if (!p.established || p.out.size() - p.sent >= kRoom || !ribs_.has_output(p.id)) continue;
      Output o = ribs_.output(p.id, kRoom - (p.out.size() - p.sent));
      p.out.erase(p.out.begin(), p.out.begin() + static_cast<std::ptrdiff_t>(std::exchange(p.sent, 0)));
      p.out.insert(p.out.end(), o.octets.begin(), o.octets.end());
      more |= ribs_.has_output(p.id) && p.out.size() < kRoom;
      write(p);
    }
    return more;
  }
  void turn(int timeout) {
    std::vector<pollfd> fds{{listener_, POLLIN, 0}};
    std::vector<Peer*> who{nullptr};
    for (auto& [address, p] : peers_) {
      if (p.fd < 0) continue;
      fds.push_back({p.fd, static_cast<short>(POLLIN | (p.sent < p.out.size() ? POLLOUT : 0)), 0});
      who.push_back(&p);
    }
    ::poll(fds.data(), fds.size(), timeout);
    if ((fds[0].revents & POLLIN) != 0) accept();
    for (std::size_t i = 1; i < fds.size(); ++i)
      if ((fds[i].revents & POLLOUT) != 0) write(*who[i]);
    // One neighbor a turn, each in its turn.
    for (std::size_t k = 0, n = fds.size() - 1; k < n; ++k) {
      const std::size_t i = 1 + (turn_ + k) % n;
      if ((fds[i].revents & (POLLIN | POLLHUP | POLLERR)) == 0 || who[i]->fd != fds[i].fd) continue;
      turn_ = i;
      return read(*who[i]);
    }
  }
  void accept() {
    sockaddr_in from{};
    socklen_t size = sizeof from;
    const int fd = ::accept4(listener_, reinterpret_cast<sockaddr*>(&from), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    const auto it = peers_.find(ntohl(from.sin_addr.s_addr));
    if (it == peers_.end()) {
      ::close(fd);
      return;
    }
    Peer& p = it->second;
    if (p.fd >= 0) close(p);
    const int one = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    p.fd = fd;
    p.out = bench::table_open(asn_, RouterId{own_.v4_value()});
    write(p);
  }
  void close(Peer& p) {
    ::close(p.fd);
    p.fd = -1;
    p.framer = Framer{};
    p.out.clear();
    p.sent = 0;
    if (std::exchange(p.established, false)) ribs_.down(p.id, Leftover::Gone);
  }
  void write(Peer& p) {
    const auto n = ::send(p.fd, p.out.data() + p.sent, p.out.size() - p.sent, MSG_NOSIGNAL);
    if (n > 0) p.sent += static_cast<std::size_t>(n);
  }
  void read(Peer& p) {
    static std::vector<std::uint8_t> buffer(32 << 10);
    const auto n = ::recv(p.fd, buffer.data(), buffer.size(), 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) return close(p);
    p.framer.push({buffer.data(), static_cast<std::size_t>(n)});
    for (auto f = p.framer.next(); p.fd >= 0 && f && *f; f = p.framer.next())
      take(p, **f);
  }
  void take(Peer& p, const Frame& f) {
    switch (f.type) {
      case MessageType::Open: {
        auto open = parse_open(f.body);
        if (!open) return close(p);
        p.open = *open;
        const auto keepalive = frame(MessageType::Keepalive, {});
        p.out.insert(p.out.end(), keepalive.begin(), keepalive.end());
        return write(p);
      }
      case MessageType::Keepalive:
        if (!p.open || std::exchange(p.established, true)) return;
        return ribs_.up(p.id, p.context, p.open->router_id);
      case MessageType::Update: {
        const auto u = parse_update(f.body, p.context);
        if (!u) return close(p);
        for (const Update& one : u->updates)
          ribs_.receive(p.id, one, Clock::now());
        return;
      }
      case MessageType::Notification: return close(p);
      case MessageType::RouteRefresh: return ribs_.refresh(p.id, Family::V4);
    }
  }

  IpAddress own_;
  Asn asn_;
  int listener_ = -1;
  Ribs ribs_;
  std::map<std::uint32_t, Peer> peers_;
  std::size_t turn_ = 0;
  std::chrono::microseconds worst_{}, longest_{};
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: bgp_host ADDRESS AS NEIGHBOR:AS...\n");
    return 2;
  }
  ::signal(SIGTERM, [](int) { stopped = 1; });
  Host host(IpAddress::parse(argv[1]).value(), Asn{static_cast<std::uint32_t>(std::strtoul(argv[2], nullptr, 10))});
  for (int i = 3; i < argc; ++i) {
    const std::string text = argv[i];
    const auto colon = text.find(':');
    host.add(IpAddress::parse(text.substr(0, colon)).value(),
             Asn{static_cast<std::uint32_t>(std::stoul(text.substr(colon + 1)))});
  }
  host.run();
  return 0;
}
