// A numbered packet stream, and what became of it.
//
//   pps send RATE PORT ADDRESS...   UDP packets at RATE a second, to the addresses in turn, until stdin ends;
//                                   packets that come back (pps echo) are counted as in recv
//   pps recv PORT                   counts
//   pps echo PORT                   counts, and sends each packet back
//
// A line on stdin asks for a report: one JSON line over the packets since the report before. `gap_ms` is the
// longest time without a delivery, on the sender's clock: from the sending of the last packet delivered
// before the hole to that of the first one after it; the receiver's own scheduling is not in it.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace {

std::int64_t now_ns() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

struct Packet {
  std::uint64_t number;
  std::int64_t sent_ns;
  std::array<char, 48> padding;
};

// Which numbers of a stream arrived, since the last report.
class Ledger {
 public:
  void add(const Packet& p) {
    if (p.number < base_) {
      ++late_;  // belongs to a report already given
      return;
    }
    const auto at = static_cast<std::size_t>(p.number - base_);
    if (at > kMost) return;
    if (at >= sent_.size()) sent_.resize(at + 1, 0);
    if (sent_[at] != 0) {
      ++duplicates_;
      return;
    }
    sent_[at] = p.sent_ns;
    ++received_;
  }

  std::string report() {
    std::size_t lost = 0;
    std::size_t run = 0;
    std::size_t longest_run = 0;
    std::int64_t gap = 0;
    std::int64_t before = last_sent_;
    for (const auto sent : sent_) {
      if (sent == 0) {
        ++lost;
        longest_run = std::max(longest_run, ++run);
        continue;
      }
      if (before != 0) gap = std::max(gap, sent - before);
      before = sent;
      run = 0;
    }
    std::array<char, 256> line{};
    std::snprintf(
        line.data(), line.size(),
        R"({"received": %zu, "lost": %zu, "longest_run": %zu, "gap_ms": %.2f, "duplicates": %zu, "late": %zu})",
        received_, lost, longest_run, static_cast<double>(gap) / 1e6, duplicates_, late_);
    base_ += sent_.size();
    sent_.clear();
    last_sent_ = before;
    received_ = duplicates_ = late_ = 0;
    return line.data();
  }

 private:
  static constexpr std::size_t kMost = 50'000'000;
  std::uint64_t base_ = 0;
  std::deque<std::int64_t> sent_;  // sending times by number - base_; 0: not here
  std::int64_t last_sent_ = 0;     // of the last packet delivered before this report's first
  std::size_t received_ = 0, duplicates_ = 0, late_ = 0;
};

// A request on stdin; false when stdin has ended.
bool answer_stdin(Ledger& ledger) {
  std::array<char, 256> text{};
  const auto count = ::read(STDIN_FILENO, text.data(), text.size());
  if (count <= 0) return false;
  const auto lines = std::count(text.begin(), text.begin() + count, '\n');
  for (long i = 0; i < lines; ++i)
    std::puts(ledger.report().c_str());
  std::fflush(stdout);
  return true;
}

void drain(int socket, Ledger& ledger, bool echo) {
  for (;;) {
    Packet p{};
    sockaddr_in from{};
    socklen_t length = sizeof from;
    const auto got = ::recvfrom(socket, &p, sizeof p, MSG_DONTWAIT, reinterpret_cast<sockaddr*>(&from), &length);
    if (got < 0 && errno != EINTR && errno != ECONNREFUSED) return;
    if (got != static_cast<ssize_t>(sizeof p)) continue;
    ledger.add(p);
    if (echo) ::sendto(socket, &p, sizeof p, MSG_DONTWAIT, reinterpret_cast<sockaddr*>(&from), length);
  }
}

int open_socket(std::uint16_t port) {
  const int socket = ::socket(AF_INET, SOCK_DGRAM, 0);
  const int size = 8 << 20;
  ::setsockopt(socket, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
  sockaddr_in here{};
  here.sin_family = AF_INET;
  here.sin_port = htons(port);
  if (::bind(socket, reinterpret_cast<const sockaddr*>(&here), sizeof here) != 0) {
    std::perror("pps: bind");
    std::exit(1);
  }
  return socket;
}

int receive(std::uint16_t port, bool echo) {
  Ledger ledger;
  std::array<pollfd, 2> waits{pollfd{open_socket(port), POLLIN, 0}, pollfd{STDIN_FILENO, POLLIN, 0}};
  for (;;) {
    if (::poll(waits.data(), waits.size(), -1) < 0 && errno != EINTR) return 1;
    if (waits[0].revents != 0) drain(waits[0].fd, ledger, echo);
    if (waits[1].revents != 0 && !answer_stdin(ledger)) return 0;
  }
}

int send(double rate, std::uint16_t port, const std::vector<std::string_view>& addresses) {
  std::vector<sockaddr_in> to;
  for (const auto text : addresses) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    if (::inet_pton(AF_INET, std::string(text).c_str(), &address.sin_addr) != 1) {
      std::fprintf(stderr, "pps: %s is no IPv4 address\n", std::string(text).c_str());
      return 2;
    }
    to.push_back(address);
  }
  Ledger ledger;
  std::array<pollfd, 2> waits{pollfd{open_socket(0), POLLIN, 0}, pollfd{STDIN_FILENO, POLLIN, 0}};
  const auto step = static_cast<std::int64_t>(1e9 / rate);
  std::int64_t due = now_ns();
  for (std::uint64_t number = 0;;) {
    const auto left = due - now_ns();
    if (left <= 0) {
      Packet p{number, now_ns(), {}};
      const auto& address = to[number % to.size()];
      ::sendto(waits[0].fd, &p, sizeof p, MSG_DONTWAIT, reinterpret_cast<const sockaddr*>(&address), sizeof address);
      ++number;
      due += step;
      continue;
    }
    const timespec wait{0, static_cast<long>(left)};
    if (::ppoll(waits.data(), waits.size(), &wait, nullptr) < 0 && errno != EINTR) return 1;
    if (waits[0].revents != 0) drain(waits[0].fd, ledger, false);
    if (waits[1].revents != 0 && !answer_stdin(ledger)) return 0;
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string_view> words(argv + 1, argv + argc);
  const auto port = [&](std::size_t i) { return static_cast<std::uint16_t>(std::atoi(words[i].data())); };
  if (words.size() == 2 && words[0] == "recv") return receive(port(1), false);
  if (words.size() == 2 && words[0] == "echo") return receive(port(1), true);
  if (words.size() >= 4 && words[0] == "send")
    return send(std::atof(words[1].data()), port(2), {words.begin() + 3, words.end()});
  std::fputs("usage: pps send RATE PORT ADDRESS... | recv PORT | echo PORT\n", stderr);
  return 2;
}
