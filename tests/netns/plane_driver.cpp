// Drives one data plane by commands on standard input, without IKE: fixed keys, one tunnel. Two of them in two
// network namespaces, or one and iproute2, make a tunnel to test.
//
//   plane_driver PLANE INTERFACE IF_ID SIDE LOCAL REMOTE SUITE [encap] [inner6] [threads=N]
//
// PLANE kernel | userspace, SIDE a | b. inner6: the traffic selectors are ::/0. Commands, each answered by a line
// "ok ..." or "error ...":
//   ensure | expect G | in G | out G | move G ADDRESS PORT | port N (of the peer, from the next SA on) | remove G |
//   leftovers counters | events | clear-df | offload INTERFACE | verify | life SECONDS | window PACKETS | packets SOFT
//   HARD | octets SOFT HARD | remove-interface | capability | purge | quit
// G is the number of a Child SA. From a to b it has SPI 0xc0de0000 + 2 G, an encryption key of octets
// 0x10 + 2 G and an integrity key of octets 0x80 + 2 G; from b to a one more each; what is above 255 is added to the
// second octet. `move` sends Child SA G elsewhere. An IKE message received is reported as "ike FROM TO OCTETS", what
// the kernel plane tells by itself as "event ...". With addresses of IPv6 there is a second UDP socket.
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <vector>

#include <fmt/format.h>

#include "base/overload.hpp"
#include "kernel/data_plane.hpp"
#include "kernel/xfrm.hpp"

namespace {

using namespace cgw;

struct Tunnel {
  std::string interface;
  kernel::IfId id;
  bool is_a = true;
  IpAddress local, remote;
  ipsec::EspSuite suite;
  bool encap = false, inner6 = false;
  std::uint16_t port = 4500;
  Seconds life{3600};
  ipsec::Volume soft, hard;
  unsigned window = 1024;
};

SecretBytes filled(std::size_t octets, unsigned value) {
  SecretBytes out(octets);
  for (auto& b : out.mutable_view())
    b = static_cast<std::uint8_t>(value);
  if (octets > 1) out.mutable_view()[1] = static_cast<std::uint8_t>(out.view()[1] + (value >> 8));
  return out;
}

ipsec::EspKeys keys(const ipsec::EspSuite& s, unsigned number) {
  return {filled(ipsec::encr_key_octets(s.encr, s.key_bits), 0x10 + number),
          filled(ipsec::integ_key_octets(s.integ), 0x80 + number)};
}

ipsec::ChildSa child(const Tunnel& t, unsigned generation) {
  const unsigned from_a = 2 * generation, from_b = from_a + 1;
  const unsigned out = t.is_a ? from_a : from_b, in = t.is_a ? from_b : from_a;
  ipsec::ChildSa sa;
  sa.spi_in = ipsec::Spi{0xc0de0000 + in};
  sa.spi_out = ipsec::Spi{0xc0de0000 + out};
  sa.suite = t.suite;
  sa.in = keys(t.suite, in);
  sa.out = keys(t.suite, out);
  sa.local = {t.local, 4500};
  sa.remote = {t.remote, t.port};
  sa.udp_encap = t.encap;
  sa.hard_lifetime = t.life;
  sa.soft = t.soft;
  sa.hard = t.hard;
  sa.replay_window = t.window;
  sa.local_ts = sa.remote_ts = {IpAddress::v4(0), IpAddress::v4(0xffffffff)};
  if (t.inner6)
    sa.local_ts = sa.remote_ts = {IpAddress::parse("::").value(),
                                  IpAddress::parse("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff").value()};
  return sa;
}

template <class Address>
int bound_socket(int family, const Address& a) {
  const int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  if (family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&a), sizeof a) < 0) {
    std::perror("UDP port 4500");
    std::exit(1);
  }
  return fd;
}

int bound_socket_v4() {
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_port = htons(4500);
  return bound_socket(AF_INET, a);
}

int bound_socket_v6() {
  sockaddr_in6 a{};
  a.sin6_family = AF_INET6;
  a.sin6_port = htons(4500);
  return bound_socket(AF_INET6, a);
}

std::string words(const kernel::KernelResult<void>& r) {
  return r ? "ok" : "error " + r.error().to_string();
}

std::string words(const kernel::KernelResult<kernel::IfIndex>& r) {
  return r ? fmt::format("ok {}", r->value()) : "error " + r.error().to_string();
}

std::string words(const kernel::KernelResult<kernel::TunnelCounters>& r) {
  if (!r) return "error " + r.error().to_string();
  std::string out = fmt::format("ok in={} out={} octets_in={} octets_out={}", r->packets_in, r->packets_out,
                                r->octets_in, r->octets_out);
  for (const auto& [reason, n] : r->drops)
    out += fmt::format(" [{}]={}", reason, n);
  return out;
}

std::string capability() {
  const auto c = kernel::probe_capability();
  return fmt::format(
      "ok kernel_esp={} xfrm_interface={} tun={} nexthop_objects={} why_not_kernel='{}' why_not_userspace='{}'",
      c.kernel_esp, c.xfrm_interface, c.tun, c.nexthop_objects, c.why_not_kernel, c.why_not_userspace);
}

std::string purge() {
  const auto purged = kernel::purge_xfrm();
  if (!purged) return "error " + purged.error().to_string();
  return fmt::format("ok states={} policies={}", purged->states, purged->policies);
}

kernel::KernelResult<void> move(kernel::DataPlane& plane, const Tunnel& t, ipsec::ChildSa sa, std::istream& in) {
  std::string address;
  in >> address >> sa.remote.port;
  const auto parsed = IpAddress::parse(address);
  if (!parsed) return fail(kernel::KernelError{EINVAL, "move", parsed.error()});
  sa.remote.address = *parsed;
  return plane.use_outbound(t.id, sa);
}

std::string events(kernel::DataPlane& plane) {
  std::string out = "ok";
  for (const auto& event : plane.take_events()) {
    if (const auto* e = std::get_if<kernel::SaExpired>(&event))
      out += fmt::format(" [expired {:08x} {}]", e->spi.value(), e->hard ? "hard" : "soft");
    if (const auto* m = std::get_if<kernel::PeerMapped>(&event))
      out += fmt::format(" [mapped {:08x} {}]", m->spi.value(), m->remote.to_string());
  }
  return out;
}

std::string words(const kernel::PlaneEvent& event) {
  const auto visitor = Overload{
      [](const kernel::SaExpired& e) {
        return fmt::format("{} expired {:08x}", e.hard ? "hard" : "soft", e.spi.value());
      },
      [](const kernel::SaLost& e) { return fmt::format("lost {:08x}", e.spi.value()); },
      [](const kernel::PeerMapped& e) { return "mapped " + e.remote.to_string(); },
      [](const kernel::PlaneNote& e) { return "note " + e.note.text; },
  };
  return "event " + std::visit(visitor, event) + "\n";
}

// The userspace plane's wait for `events`.
void report_events(kernel::DataPlane& plane) {
  if (plane.name() != "kernel") return;
  for (const auto& e : plane.take_events())
    fmt::print("{}", words(e));
}

// What verify() reports comes before its answer.
std::string verify(kernel::DataPlane& plane) {
  const bool doubtful = plane.doubtful();
  const auto found = plane.verify();
  if (!found) return "error " + found.error().to_string();
  for (const auto& e : *found)
    fmt::print("{}", words(e));
  return fmt::format("ok {} {}", doubtful ? "doubtful" : "sure", found->size());
}

std::string settings(kernel::DataPlane& plane, const Tunnel& t, const kernel::SaSettings& s) {
  return plane.set_sa_settings(t.id, s) ? "ok" : "error this plane has no such choice";
}

std::string run(kernel::DataPlane& plane, Tunnel& t, const std::string& line) {
  std::istringstream in(line);
  std::string verb, word;
  in >> verb >> word;
  const unsigned generation = static_cast<unsigned>(std::strtoul(word.c_str(), nullptr, 10));
  if (verb == "port") return t.port = static_cast<std::uint16_t>(generation), "ok";
  if (verb == "life") return t.life = Seconds{generation}, "ok";
  if (verb == "window") return t.window = generation, "ok";
  if (verb == "packets") return in >> t.hard.packets, t.soft.packets = generation, "ok";
  if (verb == "octets") return in >> t.hard.octets, t.soft.octets = generation, "ok";
  if (verb == "verify") return verify(plane);
  if (verb == "clear-df") return settings(plane, t, {.clear_df = true});
  if (verb == "offload")
    return settings(plane, t, {.offload = kernel::IfIndex{static_cast<int>(if_nametoindex(word.c_str()))}});
  const auto sa = child(t, generation);
  if (verb == "ensure") return words(plane.ensure_interface(t.interface, t.id));
  if (verb == "expect")
    return words(plane.expect_inbound(t.id, {.spi = sa.spi_in, .local = sa.local, .udp_encap = sa.udp_encap}));
  if (verb == "in") return words(plane.install_inbound(t.id, sa));
  if (verb == "out") return words(plane.use_outbound(t.id, sa));
  if (verb == "move") return words(move(plane, t, sa, in));
  if (verb == "remove") return words(plane.remove_child(t.id, sa.spi_in, sa.spi_out));
  if (verb == "leftovers") return words(plane.remove_leftovers(t.id));
  if (verb == "remove-interface") return words(plane.remove_interface(t.interface, t.id));
  if (verb == "counters") return words(plane.counters(t.id));
  if (verb == "events") return events(plane);
  if (verb == "capability") return capability();
  if (verb == "purge") return purge();
  return "error unknown command: " + line;
}

void report_relayed(int relay) {
  std::vector<std::uint8_t> buffer(70000);
  const ssize_t n = recv(relay, buffer.data(), buffer.size(), MSG_DONTWAIT);
  kernel::RelayHeader h;
  if (n < static_cast<ssize_t>(sizeof h)) return;
  std::memcpy(&h, buffer.data(), sizeof h);
  const std::size_t width = h.family == 6 ? 16 : 4;
  const Endpoint from{IpAddress::from_bytes(std::span(h.from).first(width)).value(), h.from_port};
  const Endpoint to{IpAddress::from_bytes(std::span(h.to).first(width)).value(), h.to_port};
  fmt::print("ike {} {} {}\n", from.to_string(), to.to_string(), n - static_cast<ssize_t>(sizeof h));
}

// The kernel plane leaves IKE on the socket, marker in front (RFC 3948 2.2).
void report_received(int udp) {
  std::vector<std::uint8_t> buffer(70000);
  const ssize_t n = recv(udp, buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (n > 4) fmt::print("ike on-the-socket {}\n", n - 4);
}

void serve(kernel::DataPlane& plane, Tunnel& t, int udp) {
  const auto relay = plane.ike_relay_fd();
  const int events = plane.name() == "kernel" ? plane.event_fd().value_or(-1) : -1;
  std::string line;
  for (;;) {
    pollfd fds[3] = {{STDIN_FILENO, POLLIN, 0}, {relay.value_or(udp), POLLIN, 0}, {events, POLLIN, 0}};
    if (poll(fds, 3, -1) < 0) continue;
    if (fds[2].revents != 0) report_events(plane);
    if ((fds[1].revents & POLLIN) != 0) relay ? report_relayed(*relay) : report_received(udp);
    if (fds[0].revents != 0) {
      char c = 0;
      if (read(STDIN_FILENO, &c, 1) != 1) return;
      if (c != '\n') {
        line += c;
        continue;
      }
      if (line == "quit") return;
      const std::string answer = run(plane, t, line);
      report_events(plane);
      fmt::print("{}\n", answer);
      line.clear();
    }
    std::fflush(stdout);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 8) {
    fmt::print(stderr,
               "usage: plane_driver PLANE INTERFACE IF_ID SIDE LOCAL REMOTE SUITE [encap] [inner6] [threads=N]\n");
    return 2;
  }
  const auto suite = ipsec::parse_esp_suite(argv[7]);
  const auto local = IpAddress::parse(argv[5]), remote = IpAddress::parse(argv[6]);
  if (!suite || !local || !remote) {
    fmt::print(stderr, "plane_driver: bad suite or address\n");
    return 2;
  }
  const auto has = [&](std::string_view word) { return std::find(argv + 8, argv + argc, word) != argv + argc; };
  Tunnel t{.interface = argv[2],
           .id = kernel::IfId{static_cast<std::uint32_t>(std::stoul(argv[3], nullptr, 0))},
           .is_a = std::string_view(argv[4]) == "a",
           .local = *local,
           .remote = *remote,
           .suite = *suite,
           .encap = has("encap"),
           .inner6 = has("inner6")};
  const bool in_kernel = std::string_view(argv[1]) == "kernel";
  // The kernel plane has one socket, of the outer family.
  const int udp6 = local->is_v4() ? -1 : bound_socket_v6();
  const int udp = in_kernel && udp6 >= 0 ? udp6 : bound_socket_v4();
  if (const auto exempt = kernel::exempt_from_ipsec(udp); !exempt) {
    fmt::print("error {}\n", exempt.error().to_string());
    return 1;
  }
  unsigned threads = 1;
  for (int i = 8; i < argc; ++i) {
    if (std::string_view(argv[i]).starts_with("threads=")) threads = static_cast<unsigned>(std::atoi(argv[i] + 8));
  }
  auto plane = in_kernel ? kernel::make_xfrm_plane(udp) : kernel::make_userspace_plane(udp, udp6, threads);
  if (!plane) {
    fmt::print("error {}\n", plane.error().to_string());
    return 1;
  }
  fmt::print("ok {}\n", (*plane)->name());
  std::fflush(stdout);
  serve(**plane, t, udp);
}
