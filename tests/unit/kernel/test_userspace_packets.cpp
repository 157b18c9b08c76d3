// Trains of datagrams over the loopback interface.
#include <doctest/doctest.h>
#include <poll.h>
#include <unistd.h>

#include <numeric>

#include "kernel/inet_checksum.hpp"
#include "kernel/tun.hpp"
#include "kernel/userspace_packets.hpp"
#include "tests/support/esp_end.hpp"

namespace cgw::kernel::userspace {
namespace {

struct Port {
  UniqueFd fd;
  EspSocket socket;
  Endpoint local;
};

Port open_port(bool v6, bool offload) {
  Port p;
  p.fd = UniqueFd(::socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  p.local.address = *IpAddress::parse(v6 ? "::1" : "127.0.0.1");
  sockaddr_storage a{};
  socklen_t size = to_socket_address(p.local, v6, a);
  REQUIRE(bind(p.fd.get(), reinterpret_cast<const sockaddr*>(&a), size) == 0);
  REQUIRE(getsockname(p.fd.get(), reinterpret_cast<sockaddr*>(&a), &size) == 0);
  p.local = from_socket_address(a);
  p.socket = *prepare_socket(p.fd.get(), offload);
  return p;
}

struct Datagram {
  std::vector<std::uint8_t> octets;
  std::uint8_t traffic_class;
  bool operator==(const Datagram&) const = default;
};

std::vector<Datagram> receive(const Port& at, const Port& from, std::size_t expected) {
  std::vector<Datagram> out;
  ReceiveBatch batch;
  while (out.size() < expected) {
    pollfd ready{at.fd.get(), POLLIN, 0};
    if (poll(&ready, 1, 2000) <= 0) break;
    const std::size_t n = batch.receive(at.socket);
    for (std::size_t i = 0; i < n; ++i) {
      const auto r = batch[i];
      CHECK(r.from == from.local);
      CHECK(r.to == at.local.address);
      CHECK(!r.truncated);
      for (auto rest = r.octets; !rest.empty(); rest = rest.subspan(std::min(r.step, rest.size()))) {
        const auto one = rest.first(std::min(r.step, rest.size()));
        out.push_back({{one.begin(), one.end()}, r.traffic_class});
      }
    }
  }
  return out;
}

}  // namespace

TEST_SUITE_BEGIN("kernel/userspace_packets");

TEST_CASE("every datagram arrives as it was placed, with and without UDP_SEGMENT and UDP_GRO") {
  for (const bool v6 : {false, true}) {
    for (const bool offload : {true, false}) {
      CAPTURE(v6);
      CAPTURE(offload);
      const Port a = open_port(v6, offload), b = open_port(v6, offload);
      CHECK((!offload || a.socket.segments));
      SendBatch batch;
      std::vector<Datagram> sent;
      // Equal ones, a shorter one, equal ones again, another traffic class, a larger one.
      for (const auto& [size, tc] : {std::pair{1400, 0},
                                     {1400, 0},
                                     {1400, 0},
                                     {900, 0},
                                     {900, 0},
                                     {900, 0x2e << 2},
                                     {900, 0x2e << 2 | 1},
                                     {1000, 0},
                                     {999, 0},
                                     {1, 0},
                                     {1, 3}}) {
        const auto tclass = static_cast<std::uint8_t>(tc);
        const auto room =
            batch.place(static_cast<std::size_t>(size), 10,
                        {.socket = &a.socket, .local = a.local, .remote = b.local, .traffic_class = tclass});
        REQUIRE(room.size() == static_cast<std::size_t>(size));
        std::iota(room.begin(), room.end(), static_cast<std::uint8_t>(sent.size() * 16));
        sent.push_back({{room.begin(), room.end()}, tclass});
      }
      const auto done = batch.send();
      CHECK(done.packets == sent.size());
      CHECK(done.octets == 10 * sent.size());
      CHECK(done.failed == 0);
      CHECK(batch.empty());
      CHECK(receive(b, a, sent.size()) == sent);
    }
  }
}

TEST_CASE("a full batch says so: of octets, of packets") {
  const Port a = open_port(false, true), b = open_port(false, true);
  SendBatch batch, small(3);
  const SendBatch::Way way{.socket = &a.socket, .local = a.local, .remote = b.local};
  std::size_t placed = 0;
  for (; !batch.place(1400, 1, way).empty(); ++placed)
    ;
  CHECK(placed == SendBatch::kRoom / 1400);
  CHECK(batch.unsealed() == placed);
  CHECK(batch.send().packets == placed);
  CHECK(receive(b, a, placed).size() == placed);
  CHECK(small.has_room(3));
  CHECK(!small.has_room(4));
  for (int i = 0; i < 3; ++i)
    CHECK(!small.place(10, 1, way).empty());
  CHECK(small.place(10, 1, way).empty());
  CHECK(small.send().packets == 3);
  CHECK(small.has_room(3));
}

TEST_CASE("each packet is sealed with its number, and those without are not sent") {
  const Port a = open_port(false, true), b = open_port(false, true);
  const auto suite = *ipsec::parse_esp_suite("aes128gcm16");
  const ipsec::EspKeys keys{SecretBytes(20), SecretBytes(0)};
  ipsec::EspSealer sealer(suite, ipsec::Spi{0xc0000001}, keys);
  const SendBatch::Way way{.socket = &a.socket, .local = a.local, .remote = b.local};
  SendBatch batch;
  const auto place = [&](std::size_t inner) {
    const auto room = batch.place(sealer.sealed_size(inner), inner, way);
    std::ranges::fill(room, std::uint8_t{0x45});
    store16(room.data() + sealer.front() + 2, inner);
  };
  for (const std::size_t inner : {100U, 100U, 60U, 200U, 200U})
    place(inner);
  CHECK(batch.seal(sealer, {.first = 7, .count = 4}) == 1);
  CHECK(batch.send().packets == 4);
  test::OpeningEnd peer(suite, keys, 64);
  std::vector<std::size_t> sizes;
  for (auto& d : receive(b, a, 4)) {
    CHECK(load32(&d.octets[4]) == 7 + sizes.size());
    const auto inner = peer.open(d.octets);
    REQUIRE(inner);
    sizes.push_back(inner->size());
  }
  CHECK(sizes == std::vector<std::size_t>{100, 100, 60, 200});
  place(100);
  CHECK(batch.seal(sealer, {}) == 1);
  CHECK(batch.empty());
}

TEST_CASE("datagrams to where there is no way are counted as failed, one by one") {
  const Port a = open_port(false, true);
  SendBatch batch;
  const SendBatch::Way nowhere{
      .socket = &a.socket, .local = a.local, .remote = {*IpAddress::parse("255.255.255.255"), 9}};
  for (int i = 0; i < 3; ++i)
    batch.place(100, 1, nowhere);
  const auto done = batch.send();
  CHECK(done.packets == 0);
  CHECK(done.failed == 3);
}

TEST_SUITE_END();
}  // namespace cgw::kernel::userspace
