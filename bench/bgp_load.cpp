// All feeders and the one sink of bench/bgp in one process: sessions to the speaker under test, a table sent at once by
// every feeder, and the time until the sink has been told all of it, has had all of it taken back, and so on.
//
//   bgp_load SPEAKER SPEAKER-AS SINK-ADDRESS FEEDERS PREFIXES PREFIXES-PER-SET PHASE...
//
// Feeder n calls from SINK-ADDRESS + n with AS 64600 + n, the sink with AS 64600. Phases, each until the sink has seen
// its end: load, withdraw, flap (all feeders' connections break), first (the moment of the
// first route). Prints one line a phase: name, seconds.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "bench/bgp_table.hpp"
#include "bgp/framing.hpp"
#include "bgp/open.hpp"
#include "bgp/prefix_table.hpp"

using namespace cgw;
using namespace cgw::bgp;
using Clock = std::chrono::steady_clock;

namespace {

[[noreturn]] void die(const char* what) {
  std::fprintf(stderr, "bgp_load: %s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

struct Peer {
  int fd = -1;
  std::uint32_t address = 0;
  Asn asn;
  bool established = false;
  Framer framer;
  std::vector<std::uint8_t> small;                  // OPEN, KEEPALIVE
  const std::vector<std::uint8_t>* blob = nullptr;  // the table, from `sent` on
  std::size_t sent = 0;
  std::vector<std::uint8_t> announce, withdraw;
};

sockaddr_in endpoint(std::uint32_t address, std::uint16_t port) {
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_port = htons(port);
  a.sin_addr.s_addr = htonl(address);
  return a;
}

class Load {
 public:
  Load(std::uint32_t speaker, Asn speaker_as) : speaker_(speaker), speaker_as_(speaker_as) {}

  void add(std::uint32_t address, Asn asn) {
    Peer& p = peers_.emplace_back();
    p.address = address;
    p.asn = asn;
  }
  void make_tables(const std::vector<Nlri>& prefixes, std::uint32_t per_set) {
    prefixes_ = prefixes.size();
    for (std::size_t i = 1; i < peers_.size(); ++i) {
      UpdateContext c;
      c.local_as = peers_[i].asn;
      c.local_address = IpAddress::v4(peers_[i].address);
      peers_[i].announce = bench::table_messages(prefixes, per_set, c);
      for (const auto& m : encode_withdraw(prefixes, Family::V4, c))
        peers_[i].withdraw.insert(peers_[i].withdraw.end(), m.begin(), m.end());
    }
  }
  void connect_all() {
    for (Peer& p : peers_)
      if (p.fd < 0) dial(p);
    const auto ready = [&] {
      for (const Peer& p : peers_)
        if (!p.established) return false;
      return true;
    };
    while (!ready())
      turn(1000);
    // The speaker's own first words (an End-of-RIB) are over when it is quiet for a while.
    for (int i = 0; i < 5; ++i)
      turn(100);
  }
  double phase(const std::string& name) {
    first_.reset();
    const auto start = Clock::now();
    for (std::size_t i = 1; i < peers_.size(); ++i) {
      Peer& p = peers_[i];
      if (name == "flap") {
        ::close(p.fd);
        p.fd = -1;
        p.blob = nullptr;
      } else {
        p.blob = name == "withdraw" ? &p.withdraw : &p.announce;
        p.sent = 0;
      }
    }
    const std::size_t wanted = name == "load" ? prefixes_ : 0;
    while (known_.size() != wanted)
      turn(1000);
    return std::chrono::duration<double>(Clock::now() - start).count();
  }
  // From the start of the phase to its first route; the caller has noted the start.
  std::optional<Clock::time_point> first() const { return first_; }
  std::uint64_t updates() const { return updates_; }

 private:
  void dial(Peer& p) {
    p.fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int one = 1;
    ::setsockopt(p.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    const auto from = endpoint(p.address, 0), to = endpoint(speaker_, 179);
    if (::bind(p.fd, reinterpret_cast<const sockaddr*>(&from), sizeof from) != 0) die("bind");
    for (int attempt = 0; ::connect(p.fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0; ++attempt) {
      if (attempt > 200) die("connect");
      ::usleep(100000);
    }
    ::fcntl(p.fd, F_SETFL, O_NONBLOCK);
    p.small = bench::table_open(p.asn, RouterId{p.address});
    p.framer = Framer{};
    p.established = false;
  }
  void turn(int timeout) {
    std::vector<pollfd> fds;
    std::vector<std::size_t> index;
    for (std::size_t i = 0; i < peers_.size(); ++i) {
      Peer& p = peers_[i];
      if (p.fd < 0) continue;
      const bool writes = !p.small.empty() || (p.blob != nullptr && p.sent < p.blob->size());
      fds.push_back({p.fd, static_cast<short>(POLLIN | (writes ? POLLOUT : 0)), 0});
      index.push_back(i);
    }
    ::poll(fds.data(), fds.size(), timeout);
    for (std::size_t k = 0; k < fds.size(); ++k) {
      if ((fds[k].revents & POLLOUT) != 0) write(peers_[index[k]]);
      if ((fds[k].revents & (POLLIN | POLLHUP | POLLERR)) != 0) read(peers_[index[k]], index[k] == 0);
    }
  }
  void write(Peer& p) {
    if (!p.small.empty()) {
      const auto n = ::send(p.fd, p.small.data(), p.small.size(), MSG_NOSIGNAL);
      if (n > 0) p.small.erase(p.small.begin(), p.small.begin() + n);
      if (!p.small.empty()) return;
    }
    if (p.blob == nullptr) return;
    const std::size_t left = std::min<std::size_t>(p.blob->size() - p.sent, 1 << 18);
    const auto n = ::send(p.fd, p.blob->data() + p.sent, left, MSG_NOSIGNAL);
    if (n > 0) p.sent += static_cast<std::size_t>(n);
  }
  void read(Peer& p, bool sink) {
    static std::vector<std::uint8_t> buffer(1 << 18);
    const auto n = ::recv(p.fd, buffer.data(), buffer.size(), 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) {
      // The speaker may refuse at first: call again.
      if (p.established) die("the speaker has closed a session");
      ::close(p.fd);
      ::usleep(200000);
      return dial(p);
    }
    p.framer.push({buffer.data(), static_cast<std::size_t>(n)});
    for (auto f = p.framer.next(); f && *f; f = p.framer.next())
      take(p, **f, sink);
  }
  void take(Peer& p, const Frame& f, bool sink) {
    switch (f.type) {
      case MessageType::Open: {
        const auto keepalive = frame(MessageType::Keepalive, {});
        p.small.insert(p.small.end(), keepalive.begin(), keepalive.end());
        return;
      }
      case MessageType::Keepalive: p.established = true; return;
      case MessageType::Notification:
        std::fprintf(stderr, "bgp_load: NOTIFICATION %d/%d\n", f.body[0], f.body[1]);
        return;
      case MessageType::Update:
        if (sink) count(f.body);
        return;
      case MessageType::RouteRefresh: return;
    }
  }
  // What the sink knows: only the fields that name prefixes are read, to cost little.
  void count(Bytes body) {
    ++updates_;
    Reader r(body);
    std::vector<Nlri> gone, here;
    const Bytes withdrawn = r.bytes(r.u16());
    r.bytes(r.u16());
    read(withdrawn, [&](const Prefix& p) {
      if (const auto id = known_.find(p)) known_.erase(*id);
    });
    read(r.rest(), [&](const Prefix& p) {
      known_.insert(p);
      if (!first_) first_ = Clock::now();
    });
  }
  template <class F>
  static void read(Bytes field, F each) {
    Reader r(field);
    while (r.more()) {
      const std::uint8_t length = r.u8();
      std::uint32_t v = 0;
      int shift = 24;
      for (const std::uint8_t b : r.bytes((length + 7U) / 8U)) {
        v |= static_cast<std::uint32_t>(b) << shift;
        shift -= 8;
      }
      each(Prefix{IpAddress::v4(v), length});
    }
  }

  std::uint32_t speaker_;
  Asn speaker_as_;
  std::vector<Peer> peers_;  // the sink first
  std::size_t prefixes_ = 0;
  PrefixTable known_{Family::V4, 1};
  std::optional<Clock::time_point> first_;
  std::uint64_t updates_ = 0;
};

std::uint32_t number(const char* text) {
  return static_cast<std::uint32_t>(std::strtoul(text, nullptr, 10));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 8) {
    std::fprintf(stderr,
                 "usage: bgp_load SPEAKER SPEAKER-AS SINK-ADDRESS FEEDERS PREFIXES PREFIXES-PER-SET PHASE...\n");
    return 2;
  }
  const auto speaker = IpAddress::parse(argv[1]), sink = IpAddress::parse(argv[3]);
  if (!speaker || !sink) die("an address");
  Load load(speaker->v4_value(), Asn{number(argv[2])});
  const std::uint32_t feeders = number(argv[4]);
  for (std::uint32_t i = 0; i <= feeders; ++i)
    load.add(sink->v4_value() + i, Asn{64600 + i});
  load.make_tables(bench::table_prefixes(number(argv[5])), number(argv[6]));
  load.connect_all();
  std::printf("ready\n");
  std::fflush(stdout);
  for (int i = 7; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "wait") {  // for who reads /proc of the speaker, or gives a command
      std::string line;
      std::printf("waiting\n");
      std::fflush(stdout);
      if (std::getchar() == EOF) return 0;
      continue;
    }
    const auto start = Clock::now();
    const double seconds = load.phase(name);
    const double first = load.first() ? std::chrono::duration<double>(*load.first() - start).count() : 0;
    std::printf("%s %.3f %.3f %llu\n", name.c_str(), seconds, first, static_cast<unsigned long long>(load.updates()));
    std::fflush(stdout);
    if (name == "flap" && i + 1 < argc) load.connect_all();
  }
  return 0;
}
