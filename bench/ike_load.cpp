// The initiators of bench/ike: many IkePeers, each with an address of its own, against one responder. Prints one JSON
// object when all are established, or when no progress was made for too long.
//   ike_load RESPONDER FIRST COUNT IN-FLIGHT IKE-SUITE ESP-SUITE KEY [HOLD]
// HOLD: so many seconds they stay, each asking every two whether the responder is still there; "lost" counts those that
// took it for dead.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "ipsec/peer.hpp"

namespace {

using namespace cgw;

constexpr std::uint16_t kIke = 500, kNatT = 4500;
constexpr std::size_t kMarker = 4;
constexpr auto kPatience = std::chrono::seconds(30);

TimePoint now() {
  return std::chrono::steady_clock::now();
}

[[noreturn]] void die(const std::string& what) {
  fmt::print(stderr, "ike_load: {}: {}\n", what, std::strerror(errno));
  std::exit(1);
}

struct Settings {
  IpAddress responder, first;
  unsigned count = 0, in_flight = 0;
  ipsec::IkeSuite ike;
  ipsec::EspSuite esp;
  std::string key;
  Seconds hold{0};
};

// Both ports on every address: one socket each, the source address chosen for each datagram.
class Sockets {
 public:
  Sockets() : fds_{open(kIke), open(kNatT)} {}

  void send(const ipsec::SendDatagram& d) {
    const bool marked = d.local.port == kNatT;
    static constexpr std::array<std::uint8_t, kMarker> kZero{};
    std::array<iovec, 2> parts{{{const_cast<std::uint8_t*>(kZero.data()), kMarker},
                                {const_cast<std::uint8_t*>(d.message.data()), d.message.size()}}};
    sockaddr_in to = address(d.remote);
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(in_pktinfo))> control{};
    msghdr m{};
    m.msg_name = &to;
    m.msg_namelen = sizeof to;
    m.msg_iov = parts.data() + (marked ? 0 : 1);
    m.msg_iovlen = marked ? 2 : 1;
    m.msg_control = control.data();
    m.msg_controllen = control.size();
    cmsghdr* c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = IPPROTO_IP;
    c->cmsg_type = IP_PKTINFO;
    c->cmsg_len = CMSG_LEN(sizeof(in_pktinfo));
    in_pktinfo info{};
    info.ipi_spec_dst = address(d.local).sin_addr;
    std::memcpy(CMSG_DATA(c), &info, sizeof info);
    sendmsg(fds_[marked ? 1 : 0], &m, MSG_NOSIGNAL);
  }

  template <class Use>
  void receive(std::chrono::milliseconds wait, Use use) {
    std::array<pollfd, 2> ready{{{fds_[0], POLLIN, 0}, {fds_[1], POLLIN, 0}}};
    if (poll(ready.data(), ready.size(), static_cast<int>(wait.count())) <= 0) return;
    for (std::size_t i = 0; i < ready.size(); ++i) {
      if ((ready[i].revents & POLLIN) == 0) continue;
      while (auto e = read_one(fds_[i], i == 0 ? kIke : kNatT))
        use(std::move(*e));
    }
  }

 private:
  static int open(std::uint16_t port) {
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const int on = 1, room = 16 << 20;
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_port = htons(port);
    if (fd < 0 || setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on) < 0 ||
        bind(fd, reinterpret_cast<const sockaddr*>(&any), sizeof any) < 0) {
      die(fmt::format("UDP port {}", port));
    }
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
    return fd;
  }

  static sockaddr_in address(const Endpoint& e) {
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_port = htons(e.port);
    a.sin_addr.s_addr = htonl(e.address.v4_value());
    return a;
  }

  std::optional<ipsec::Received> read_one(int fd, std::uint16_t port) {
    sockaddr_in from{};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(in_pktinfo))> control{};
    iovec iov{buffer_.data(), buffer_.size()};
    msghdr m{};
    m.msg_name = &from;
    m.msg_namelen = sizeof from;
    m.msg_iov = &iov;
    m.msg_iovlen = 1;
    m.msg_control = control.data();
    m.msg_controllen = control.size();
    const ssize_t n = recvmsg(fd, &m, 0);
    if (n < 0) return std::nullopt;
    in_pktinfo info{};
    for (cmsghdr* c = CMSG_FIRSTHDR(&m); c != nullptr; c = CMSG_NXTHDR(&m, c)) {
      if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) std::memcpy(&info, CMSG_DATA(c), sizeof info);
    }
    const auto skip = static_cast<ssize_t>(port == kNatT ? kMarker : 0);
    ipsec::Received e{{IpAddress::v4(ntohl(info.ipi_addr.s_addr)), port},
                      {IpAddress::v4(ntohl(from.sin_addr.s_addr)), ntohs(from.sin_port)},
                      {}};
    if (n > skip) e.message.assign(buffer_.begin() + skip, buffer_.begin() + n);
    return e;
  }

  std::array<int, 2> fds_;
  std::array<std::uint8_t, 65535> buffer_;
};

class Load {
 public:
  explicit Load(const Settings& s) : settings_(s), peers_(s.count) {}

  bool run() {
    began_ = progress_ = now();
    for (unsigned i = 0; i < std::min(settings_.in_flight, settings_.count); ++i)
      start_next();
    while (established_ < settings_.count && now() - progress_ < kPatience) {
      sockets_.receive(std::chrono::milliseconds(20), [this](ipsec::Received e) { deliver(std::move(e)); });
      tick();
    }
    took_ = now() - began_;
    hold_until(now() + settings_.hold);
    return established_ == settings_.count && lost_ == 0;
  }

  void report() const {
    rusage u{};
    getrusage(RUSAGE_SELF, &u);
    const auto seconds = [](const timeval& t) {
      return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
    };
    fmt::print(
        "{{\"established\": {}, \"seconds\": {:.6f}, \"cpu\": {:.6f}, \"retransmitted\": {}, \"lost\": {}, \"error\": "
        "\"{}\"}}\n",
        established_, std::chrono::duration<double>(took_).count(), seconds(u.ru_utime) + seconds(u.ru_stime), again_,
        lost_, error_);
  }

 private:
  void hold_until(TimePoint end) {
    again_ = sent_ - 2 * std::uint64_t{established_};
    while (now() < end) {
      sockets_.receive(std::chrono::milliseconds(20), [this](ipsec::Received e) { deliver(std::move(e)); });
      tick();
    }
  }

  void start_next() {
    const unsigned i = started_++;
    ipsec::PeerConfig c;
    c.local = IpAddress::v4(settings_.first.v4_value() + i);
    c.remote = settings_.responder;
    c.local_id = ipsec::Identity::of(c.local);
    c.remote_id = ipsec::Identity::of(c.remote);
    c.psk = SecretBytes(settings_.key);
    c.ike = {settings_.ike};
    c.esp = {settings_.esp};
    c.force_encap = true;
    c.dpd_interval = settings_.hold > Seconds{0} ? Seconds{2} : Seconds{86400};
    c.nat_keepalive = Seconds{86400};
    // A responder that saturates its core is slow, not dead. Who stays asks as cgwd does.
    c.retransmit = {Millis{4000}, Millis{8000}, Millis{16000}};
    c.init_pace = c.init_max = Millis{8000};
    peers_[i] = std::make_unique<ipsec::IkePeer>(std::move(c), entropy_);
    step(i, ipsec::Start{});
  }

  void deliver(ipsec::Received e) {
    const std::uint64_t i = std::uint64_t{e.local.address.v4_value()} - settings_.first.v4_value();
    if (i < peers_.size() && peers_[i]) step(static_cast<unsigned>(i), e);
  }

  void step(unsigned i, const ipsec::Event& event) {
    const bool was = peers_[i]->status().state == ipsec::PeerState::Established;
    for (const auto& action : peers_[i]->step(now(), event)) {
      const auto* d = std::get_if<ipsec::SendDatagram>(&action);
      if (d == nullptr) continue;
      ++sent_;
      sockets_.send(*d);
    }
    if (!peers_[i]->status().last_error.empty()) error_ = peers_[i]->status().last_error;
    const bool is = peers_[i]->status().state == ipsec::PeerState::Established;
    if (was && !is) ++lost_;
    if (was || !is || lost_ > 0) return;
    ++established_;
    progress_ = now();
    if (started_ < settings_.count) start_next();
  }

  // Retransmissions: a look at all that wait, now and then.
  void tick() {
    const TimePoint at = now();
    if (at < next_tick_) return;
    next_tick_ = at + std::chrono::milliseconds(settings_.hold > Seconds{0} ? 20 : 500);
    for (unsigned i = 0; i < started_; ++i) {
      const auto deadline = peers_[i]->next_deadline();
      if (deadline && *deadline <= at) step(i, ipsec::Tick{});
    }
  }

  Settings settings_;
  ipsec::OpenSslEntropy entropy_;
  Sockets sockets_;
  std::vector<std::unique_ptr<ipsec::IkePeer>> peers_;
  unsigned started_ = 0, established_ = 0, lost_ = 0;
  std::uint64_t sent_ = 0, again_ = 0;
  TimePoint began_, progress_, next_tick_{};
  Duration took_{};
  std::string error_;
};

std::optional<Settings> read(std::span<char*> words) {
  if (words.size() != 8 && words.size() != 9) return std::nullopt;
  const auto responder = IpAddress::parse(words[1]), first = IpAddress::parse(words[2]);
  const auto ike = ipsec::parse_ike_suite(words[5]);
  const auto esp = ipsec::parse_esp_suite(words[6]);
  if (!responder || !first || !ike || !esp) return std::nullopt;
  Settings s{.responder = *responder, .first = *first, .ike = *ike, .esp = *esp, .key = words[7]};
  s.count = static_cast<unsigned>(std::atoi(words[3]));
  s.in_flight = static_cast<unsigned>(std::atoi(words[4]));
  if (words.size() == 9) s.hold = Seconds{std::atoi(words[8])};
  return s;
}

}  // namespace

int main(int argc, char** argv) {
  const auto settings = read({argv, static_cast<std::size_t>(argc)});
  if (!settings) {
    fmt::print(stderr, "usage: ike_load RESPONDER FIRST COUNT IN-FLIGHT IKE-SUITE ESP-SUITE KEY [HOLD]\n");
    return 2;
  }
  Load load(*settings);
  const bool all = load.run();
  load.report();
  return all ? 0 : 1;
}
