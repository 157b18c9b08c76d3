// The speaker on sockets, as little else as can be: bgp::Speaker without a daemon, for bench/bgp and tests/netns.
//
//   bgp_host ADDRESS[,IPV6] AS NEIGHBOR... [NETWORK...]      (their words: bench/bgp_host_words.hpp)
//
// On standard input: 'status N' of the N-th neighbor, 'routes', 'refresh N', 'clear N', 'stop N TEXT'; the first two
// answer with a line of JSON. On SIGTERM it tells the worst delay of a 100 ms timer, and the longest turn of its loop
// in processor time, which a busy machine does not stretch.
#include <fcntl.h>
#include <netinet/in.h>
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
#include <optional>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "bench/bgp_host_words.hpp"

using namespace cgw;
using namespace cgw::bgp;
using Clock = std::chrono::steady_clock;

namespace {

constexpr std::uint16_t kBgpPort = 179;
volatile sig_atomic_t stopped = 0;

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "bgp_host: %s\n", what.c_str());
  std::exit(1);
}

std::chrono::microseconds processor_time() {
  timespec t{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return std::chrono::seconds(t.tv_sec) + std::chrono::microseconds(t.tv_nsec / 1000);
}

class SystemRandom : public Random {
 public:
  void fill(std::span<std::uint8_t> out) override {
    for (auto& octet : out)
      octet = static_cast<std::uint8_t>(device_());
  }

 private:
  std::random_device device_;
};

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

Address socket_address(const IpAddress& a, std::uint16_t port) {
  Address out;
  if (a.is_v4()) {
    auto& to = reinterpret_cast<sockaddr_in&>(out.storage);
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    std::memcpy(&to.sin_addr, a.bytes().data(), 4);
    out.size = sizeof to;
  } else {
    auto& to = reinterpret_cast<sockaddr_in6&>(out.storage);
    to.sin6_family = AF_INET6;
    to.sin6_port = htons(port);
    std::memcpy(&to.sin6_addr, a.bytes().data(), 16);
    out.size = sizeof to;
  }
  return out;
}

std::optional<IpAddress> ip_of(const sockaddr_storage& from) {
  const auto* v4 = reinterpret_cast<const sockaddr_in*>(&from);
  const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&from);
  const auto* octets = from.ss_family == AF_INET ? reinterpret_cast<const std::uint8_t*>(&v4->sin_addr)
                                                 : reinterpret_cast<const std::uint8_t*>(&v6->sin6_addr);
  const auto found = IpAddress::from_bytes({octets, from.ss_family == AF_INET ? 4U : 16U});
  return found ? std::optional(*found) : std::nullopt;
}

int open_socket(const IpAddress& own) {
  const int fd = ::socket(own.is_v4() ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const int one = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (!own.is_v4()) ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
  return fd;
}

// RFC 2385.
void set_key(int fd, const IpAddress& neighbor, const std::string& key) {
  tcp_md5sig option{};
  option.tcpm_addr = socket_address(neighbor, 0).storage;
  option.tcpm_keylen = static_cast<std::uint16_t>(std::min<std::size_t>(key.size(), TCP_MD5SIG_MAXKEYLEN));
  std::memcpy(option.tcpm_key, key.data(), option.tcpm_keylen);
  if (::setsockopt(fd, IPPROTO_TCP, TCP_MD5SIG, &option, sizeof option) != 0) die("TCP_MD5SIG");
}

struct Line {
  int fd = -1;
  bool connecting = false;
  std::vector<std::uint8_t> out;
  std::size_t sent = 0;
};

struct Peer {
  NeighborId id;
  IpAddress address, own;
  std::string md5;
  std::array<Line, 2> lines;  // by ConnectionId
  Line& line(ConnectionId c) { return lines[static_cast<std::size_t>(c)]; }
};

class Host {
 public:
  explicit Host(const bench::HostSelf& self)
      : self_(self),
        speaker_({self.asn, RouterId{self.address.v4_value()}, self.address.v4_value()}, {}, random_) {
    listen(self.address);
    if (self.v6) listen(*self.v6);
  }
  void add(bench::HostNeighbor n) {
    Peer p{.address = n.config.session.remote_address, .own = n.config.session.local_address, .md5 = n.md5};
    for (const int fd : listeners_) {
      if (!p.md5.empty() && is_v4(fd) == p.address.is_v4()) set_key(fd, p.address, p.md5);
    }
    p.id = speaker_.add(std::move(n.config));
    const NeighborId id = peers_.emplace_back(std::move(p)).id;
    obey(speaker_.step(Clock::now(), id, Start{}));
  }
  void originate(const Prefix& p, const PathAttributes& a) { speaker_.originate(p, a, {}, Clock::now()); }
  void run() {
    auto probe = Clock::now() + Millis{100};
    for (auto before = processor_time(); stopped == 0;) {
      if (speaker_.has_work()) obey(speaker_.work(Clock::now()));
      turn(speaker_.has_work() ? 0 : 20);
      const auto used = processor_time();
      longest_ = std::max(longest_, used - std::exchange(before, used));
      const auto now = Clock::now();
      if (now < probe) continue;
      worst_ = std::max(worst_, std::chrono::duration_cast<std::chrono::microseconds>(now - probe));
      probe = now + Millis{100};
      obey(speaker_.tick(now));
    }
    std::printf("worst delay of a 100 ms probe: %.1f ms; longest turn: %.1f ms of processor time\n",
                static_cast<double>(worst_.count()) / 1000, static_cast<double>(longest_.count()) / 1000);
  }

 private:
  static bool is_v4(int fd) {
    sockaddr_storage own{};
    socklen_t size = sizeof own;
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&own), &size);
    return own.ss_family == AF_INET;
  }
  Peer& peer(NeighborId n) { return peers_[n.value() - 1U]; }
  void event(Peer& p, const Event& e) { obey(speaker_.step(Clock::now(), p.id, e)); }

  void listen(const IpAddress& own) {
    const int fd = open_socket(own);
    const Address a = socket_address(own, kBgpPort);
    if (::bind(fd, a.get(), a.size) != 0) die("bind: " + std::string(std::strerror(errno)));
    if (::listen(fd, 64) != 0) die("listen");
    listeners_.push_back(fd);
  }
  void obey(SpeakerActions actions) {
    for (auto& [n, action] : actions) {
      Peer& p = peer(n);
      if (auto* bytes = std::get_if<SendBytes>(&action)) {
        Line& l = p.line(bytes->connection);
        l.out.erase(l.out.begin(), l.out.begin() + static_cast<std::ptrdiff_t>(std::exchange(l.sent, 0)));
        l.out.insert(l.out.end(), bytes->bytes.begin(), bytes->bytes.end());
        write(l);
        taken_.emplace_back(n, bytes->connection);
      } else if (const auto* end = std::get_if<Close>(&action)) {
        close(p.line(end->connection));
      } else if (std::get_if<Dial>(&action) != nullptr) {
        dial(p);
      } else if (const auto* note = std::get_if<Note>(&action)) {
        std::fprintf(stderr, "%s: %s\n", p.address.to_string().c_str(), note->text.c_str());
      } else if (const auto* moved = std::get_if<Moved>(&action)) {
        if (moved->to == State::Established || moved->from == State::Established)
          std::fprintf(stderr, "%s: %s\n", p.address.to_string().c_str(), moved->why.c_str());
      }
    }
  }
  void dial(Peer& p) {
    Line& l = p.line(ConnectionId::Outgoing);
    close(l);
    l.fd = open_socket(p.own);
    if (!p.md5.empty()) set_key(l.fd, p.address, p.md5);
    const Address own = socket_address(p.own, 0), to = socket_address(p.address, kBgpPort);
    l.connecting = true;
    if (::bind(l.fd, own.get(), own.size) == 0 && (::connect(l.fd, to.get(), to.size) == 0 || errno == EINPROGRESS))
      return;
    close(l);
    refused_.push_back(p.id);
  }
  void turn(int timeout) {
    std::vector<pollfd> fds{{STDIN_FILENO, static_cast<short>(input_ended_ ? 0 : POLLIN), 0}};
    for (const int fd : listeners_)
      fds.push_back({fd, POLLIN, 0});
    const std::size_t fixed = fds.size();
    std::vector<std::pair<Peer*, ConnectionId>> who(fixed);
    for (Peer& p : peers_) {
      for (const auto c : {ConnectionId::Outgoing, ConnectionId::Incoming}) {
        const Line& l = p.line(c);
        if (l.fd < 0) continue;
        fds.push_back({l.fd, static_cast<short>(POLLIN | (l.connecting || l.sent < l.out.size() ? POLLOUT : 0)), 0});
        who.emplace_back(&p, c);
      }
    }
    ::poll(fds.data(), fds.size(), taken_.empty() && refused_.empty() ? timeout : 0);
    for (const auto n : std::exchange(refused_, {}))
      event(peer(n), Disconnected{ConnectionId::Outgoing, "cannot connect"});
    for (const auto& [n, c] : std::exchange(taken_, {})) {
      const Line& l = peer(n).line(c);
      if (l.fd >= 0) event(peer(n), Written{c, l.out.size() - l.sent});
    }
    if (fds[0].revents != 0) commands();
    for (std::size_t i = 1; i < fixed; ++i)
      if (fds[i].revents != 0) accept(fds[i].fd);
    for (std::size_t i = fixed; i < fds.size(); ++i) {
      if ((fds[i].revents & POLLOUT) != 0 && who[i].first->line(who[i].second).fd == fds[i].fd)
        writable(*who[i].first, who[i].second);
    }
    // One connection a turn, each in its turn.
    for (std::size_t k = 0, n = fds.size() - fixed; k < n; ++k) {
      const std::size_t i = fixed + (turn_ + k) % n;
      const auto [p, c] = who[i];
      if ((fds[i].revents & (POLLIN | POLLHUP | POLLERR)) == 0 || p->line(c).fd != fds[i].fd) continue;
      turn_ = i - fixed + 1;
      return read(*p, c);
    }
  }
  void accept(int listener) {
    sockaddr_storage from{};
    socklen_t size = sizeof from;
    const int fd = ::accept4(listener, reinterpret_cast<sockaddr*>(&from), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    const auto address = ip_of(from);
    for (Peer& p : peers_) {
      Line& l = p.line(ConnectionId::Incoming);
      if (!address || p.address != *address || l.fd >= 0) continue;
      const int one = 1;
      ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
      l.fd = fd;
      return event(p, Connected{ConnectionId::Incoming});
    }
    ::close(fd);
  }
  static void close(Line& l) {
    if (l.fd >= 0) ::close(l.fd);
    l = Line{};
  }
  static void write(Line& l) {
    if (l.fd < 0) return;
    const auto n = ::send(l.fd, l.out.data() + l.sent, l.out.size() - l.sent, MSG_NOSIGNAL);
    if (n > 0) l.sent += static_cast<std::size_t>(n);
  }
  void writable(Peer& p, ConnectionId c) {
    Line& l = p.line(c);
    if (l.connecting) {
      int error = 0;
      socklen_t size = sizeof error;
      ::getsockopt(l.fd, SOL_SOCKET, SO_ERROR, &error, &size);
      l.connecting = false;
      if (error == 0) return event(p, Connected{c});
      close(l);
      return event(p, Disconnected{c, std::strerror(error)});
    }
    write(l);
    event(p, Written{c, l.out.size() - l.sent});
  }
  void read(Peer& p, ConnectionId c) {
    static std::vector<std::uint8_t> buffer(32 << 10);
    Line& l = p.line(c);
    const auto n = ::recv(l.fd, buffer.data(), buffer.size(), 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) {
      close(l);
      return event(p, Disconnected{c, "closed"});
    }
    event(p, Received{c, {buffer.begin(), buffer.begin() + n}});
  }
  void commands() {
    char buffer[512];
    const auto n = ::read(STDIN_FILENO, buffer, sizeof buffer);
    if (n <= 0) {
      input_ended_ = true;
      return;
    }
    input_.append(buffer, static_cast<std::size_t>(n));
    for (auto at = input_.find('\n'); at != std::string::npos; at = input_.find('\n')) {
      command(input_.substr(0, at));
      input_.erase(0, at + 1);
    }
  }
  void command(const std::string& text) {
    std::istringstream words(text);
    std::string what, rest;
    std::uint16_t number = 0;
    words >> what >> number;
    std::getline(words >> std::ws, rest);
    if (what == "routes") return answer(bench::host_routes(speaker_));
    if (number < 1 || number > peers_.size()) return;
    const NeighborId n{number};
    if (what == "status") answer(bench::host_status(speaker_, n));
    if (what == "refresh") event(peer(n), RequestRefresh{Family::V4});
    if (what == "clear") obey(speaker_.clear(Clock::now(), n, Clear::Hard));
    if (what == "stop") event(peer(n), Stop{.cease_subcode = 2, .why = "stopped", .communication = rest});
  }
  static void answer(const std::string& line) {
    std::printf("%s\n", line.c_str());
    std::fflush(stdout);
  }

  bench::HostSelf self_;
  SystemRandom random_;
  Speaker speaker_;
  std::vector<int> listeners_;
  std::vector<Peer> peers_;  // by NeighborId - 1
  // What happened while an action was obeyed: told in the next turn.
  std::vector<NeighborId> refused_;
  std::vector<std::pair<NeighborId, ConnectionId>> taken_;
  std::string input_;
  bool input_ended_ = false;
  std::size_t turn_ = 0;
  std::chrono::microseconds worst_{}, longest_{};
};

template <class T>
T or_die(Result<T, std::string> r) {
  if (!r) die(r.error());
  return std::move(*r);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) die("usage: bgp_host ADDRESS[,IPV6] AS NEIGHBOR... [NETWORK...]");
  ::signal(SIGTERM, [](int) { stopped = 1; });
  const std::string own = argv[1];
  const auto comma = own.find(',');
  bench::HostSelf self{.address = or_die(IpAddress::parse(own.substr(0, comma))),
                       .v6 = std::nullopt,
                       .asn = Asn{static_cast<std::uint32_t>(std::strtoul(argv[2], nullptr, 10))}};
  if (comma != std::string::npos) self.v6 = or_die(IpAddress::parse(own.substr(comma + 1)));
  Host host(self);
  for (int i = 3; i < argc; ++i) {
    const std::string text = argv[i];
    if (text.substr(0, text.find(',')).find('/') == std::string::npos) {
      host.add(or_die(bench::host_neighbor(self, text)));
    } else {
      const auto [prefix, attributes] = or_die(bench::host_network(self, text));
      host.originate(prefix, attributes);
    }
  }
  host.run();
  return 0;
}
