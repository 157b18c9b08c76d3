// Cutting super-packets from the TUN and putting packets for it together: each by known answers, both by each other.
#include <doctest/doctest.h>

#include <array>

#include "kernel/coalescing.hpp"
#include "kernel/inet_checksum.hpp"
#include "kernel/segmentation.hpp"
#include "packets.hpp"
#include "tests/unit/ipsec/octets.hpp"

namespace cgw::kernel::test {
namespace {

using cgw::test::octets;
using Packets = std::vector<Packet>;

Packets cut(const VnetHeader& header, Packet packet) {
  Packets out;
  Segments s(header, packet);
  REQUIRE(s.ok());
  for (std::size_t left = s.left(); s.more(); --left) {
    CHECK(s.left() == left);
    Packet& p = out.emplace_back(s.size());
    s.write(p.data());
  }
  CHECK(s.left() == 0);
  return out;
}

struct Write {
  VnetHeader header;
  Packet octets;
  std::size_t packets = 0;
};

Write flat(const Coalesced& c) {
  Write out{.header = c.header, .octets = {}, .packets = c.packets};
  for (const iovec& part : c.parts.subspan(1)) {
    const auto* p = static_cast<const std::uint8_t*>(part.iov_base);
    out.octets.insert(out.octets.end(), p, p + part.iov_len);
  }
  return out;
}

std::vector<Write> coalesce(Packets packets, Offloads offloads = {.tcp = true, .udp = true}) {
  std::vector<Write> out;
  Coalescer c;
  for (auto& p : packets) {
    const auto shape = Coalescer::look(p, offloads);
    if (c.add(p, shape)) continue;
    out.push_back(flat(c.finish()));
    REQUIRE(c.add(p, shape));
  }
  if (!c.empty()) out.push_back(flat(c.finish()));
  return out;
}

Packets cut(const std::vector<Write>& writes) {
  Packets out;
  for (const auto& w : writes) {
    const auto some = cut(w.header, w.octets);
    CHECK(some.size() == w.packets);
    out.insert(out.end(), some.begin(), some.end());
  }
  return out;
}

// How the kernel writes a checksum that it leaves to us.
void leave_checksum(Packet& p, bool tcp) {
  const std::size_t ip = ip_header(p);
  store_sum(&p[ip + (tcp ? 16 : 6)], inet_fold(pseudo_sum(p.data(), tcp ? 6 : 17, p.size() - ip)));
}

VnetHeader tso(std::size_t step) {
  return {.flags = VnetHeader::kNeedsChecksum,
          .gso_type = VnetHeader::kTcp4,
          .header_size = 52,
          .gso_size = static_cast<std::uint16_t>(step),
          .checksum_start = 20,
          .checksum_offset = 16};
}

constexpr const char* kSuper =
    "45020047ffff400040060000 0a000001c0000209 c00001bbfffffffc0102030480 99 01ff0000 0000 0101080a0000006400000032"
    "0102030405060708090a0b0c0d0e0f10111213";
constexpr const char* kSegments[] = {
    "4502003cffff400040066eb00a000001c0000209c00001bbfffffffc01020304809001ffd1c300000101080a00000064000000320102030405"
    "060"
    "708",
    "4502003c0000400040066eb00a000001c0000209c00001bb0000000401020304801001ffb21c00000101080a0000006400000032090a0b0c0d"
    "0e0"
    "f10",
    "450200370001400040066eb40a000001c0000209c00001bb0000000c01020304801901ffbe3200000101080a0000006400000032111213"};

}  // namespace

TEST_SUITE_BEGIN("kernel/offload");

TEST_CASE(
    "a super-packet's segments count on in sequence and identification; CWR is the first's, FIN and PSH the last's") {
  Packet super = octets(kSuper);
  super[20 + 13] = 0x99;  // CWR, ACK, PSH, FIN
  leave_checksum(super, true);
  const Packets out = cut(tso(8), super);
  REQUIRE(out.size() == 3);
  for (std::size_t i = 0; i < 3; ++i)
    CHECK(out[i] == octets(kSegments[i]));
}

TEST_CASE("the sum of any size from any address is RFC 1071's") {
  std::vector<std::uint8_t> octets(400);
  for (std::size_t i = 0; i < octets.size(); ++i)
    octets[i] = static_cast<std::uint8_t>(i * 151 + 255 - i / 3);
  for (std::size_t from = 0; from < 9; ++from) {
    for (std::size_t n = 0; n + from < octets.size(); ++n) {
      std::uint64_t sum = 0;
      for (std::size_t i = 0; i < n; i += 2)
        sum += load16(&octets[from + i]) & (i + 1 < n ? 0xffff : 0xff00);
      std::array<std::uint8_t, 2> made{};
      store_sum(made.data(), inet_fold(inet_sum(&octets[from], n)));
      REQUIRE(load16(made.data()) == inet_fold(sum));
    }
  }
}

TEST_CASE("a checksum left to us is completed, anything else passes as it is") {
  Flow tcp, udp{.tcp = false}, six{.v6 = true};
  for (Flow* f : {&tcp, &udp, &six}) {
    const Packet whole = next_packet(*f, 33);
    CHECK(cut(VnetHeader{}, whole) == Packets{whole});
    Packet left = whole;
    leave_checksum(left, f->tcp);
    const auto start = static_cast<std::uint16_t>(ip_header(whole));
    const VnetHeader h{.flags = VnetHeader::kNeedsChecksum,
                       .checksum_start = start,
                       .checksum_offset = static_cast<std::uint16_t>(f->tcp ? 16 : 6)};
    CHECK(cut(h, left) == Packets{whole});
  }
}

TEST_CASE("a header that contradicts its packet is refused, whatever the field") {
  Flow f;
  Packet p = next_packet(f, 100);
  const auto ok = [&](VnetHeader h) { return Segments(h, p).ok(); };
  CHECK(ok(tso(10)));
  CHECK(!ok(tso(0)));
  for (auto change : std::vector<void (*)(VnetHeader&)>{
           [](VnetHeader& h) { h.gso_type = 9; }, [](VnetHeader& h) { h.checksum_start = 0; },
           [](VnetHeader& h) { h.checksum_start = 24; }, [](VnetHeader& h) { h.checksum_start = 140; },
           [](VnetHeader& h) { h.checksum_start = 65535; }}) {
    VnetHeader h = tso(10);
    change(h);
    CHECK(!ok(h));
  }
  VnetHeader sum{.flags = VnetHeader::kNeedsChecksum, .checksum_start = 20, .checksum_offset = 16};
  CHECK(ok(sum));
  sum.checksum_offset = static_cast<std::uint16_t>(p.size() - 21);
  CHECK(!ok(sum));
  p[32] = 0x40;  // a TCP header of 16 octets
  CHECK(!ok(tso(10)));
  p[32] = 0xf0;
  p.resize(70);  // one that is longer than the packet
  CHECK(!ok(tso(10)));
  p.resize(0);
  CHECK(!ok(VnetHeader{}));
}

TEST_CASE("consecutive segments become one, whose pieces are what came") {
  for (const bool v6 : {false, true}) {
    for (const bool tcp : {true, false}) {
      CAPTURE(v6);
      CAPTURE(tcp);
      Flow f{.v6 = v6, .tcp = tcp};
      Packets in;
      for (int i = 0; i < 5; ++i)
        in.push_back(next_packet(f, i < 4 ? 1200 : 7));
      const auto out = coalesce(in);
      REQUIRE(out.size() == 1);
      CHECK(out[0].header.gso_type == (!tcp ? VnetHeader::kUdp : v6 ? VnetHeader::kTcp6 : VnetHeader::kTcp4));
      CHECK(out[0].header.gso_size == 1200);
      CHECK(out[0].packets == 5);
      CHECK(cut(out) == in);
    }
  }
}

struct Apart {
  const char* what;
  void (*change)(Packet&, Flow&);
};

TEST_CASE("what would be lost or hidden keeps packets apart") {
  const Apart rows[] = {
      {"a gap",
       [](Packet& p, Flow& f) {
         f.sequence += 1;
         p = next_packet(f, 100);
       }},
      {"another port",
       [](Packet& p, Flow&) {
         store16(&p[20], 4);
         complete(p);
       }},
      {"another address",
       [](Packet& p, Flow&) {
         p[15] = 9;
         complete(p);
       }},
      {"another acknowledgment",
       [](Packet& p, Flow&) {
         p[31] ^= 1;
         complete(p);
       }},
      {"another window",
       [](Packet& p, Flow&) {
         p[35] ^= 1;
         complete(p);
       }},
      {"another timestamp",
       [](Packet& p, Flow&) {
         p[47] ^= 1;
         complete(p);
       }},
      {"another TOS",
       [](Packet& p, Flow&) {
         p[1] = 3;
         complete(p);
       }},
      {"another TTL",
       [](Packet& p, Flow&) {
         p[8] = 9;
         complete(p);
       }},
      {"another identification",
       [](Packet& p, Flow&) {
         p[5] = 77;
         complete(p);
       }},
      {"a fragment",
       [](Packet& p, Flow&) {
         p[6] = 0x20;
         complete(p);
       }},
      {"SYN",
       [](Packet& p, Flow&) {
         p[33] |= 2;
         complete(p);
       }},
      {"FIN",
       [](Packet& p, Flow&) {
         p[33] |= 1;
         complete(p);
       }},
      {"CWR",
       [](Packet& p, Flow&) {
         p[33] |= 0x80;
         complete(p);
       }},
      {"URG",
       [](Packet& p, Flow&) {
         p[33] |= 0x20;
         complete(p);
       }},
      {"no payload",
       [](Packet& p, Flow&) {
         p.resize(52);
         complete(p);
       }},
      {"larger than the first",
       [](Packet& p, Flow&) {
         p.push_back(1);
         complete(p);
       }},
      {"a wrong TCP checksum", [](Packet& p, Flow&) { p.back() ^= 1; }},
      {"a wrong IP checksum", [](Packet& p, Flow&) { p[10] ^= 1; }},
  };
  for (const Apart& r : rows) {
    CAPTURE(r.what);
    Flow f;
    Packets in{next_packet(f, 100)};
    Flow ahead = f;
    in.push_back(next_packet(f, 100));
    CHECK(coalesce(in).size() == 1);
    r.change(in[1], ahead);
    const auto out = coalesce(in);
    REQUIRE(out.size() == 2);
    for (std::size_t i = 0; i < 2; ++i) {
      CHECK(out[i].octets == in[i]);
      CHECK(out[i].header.gso_type == VnetHeader::kNone);
    }
    std::swap(in[0], in[1]);
    CHECK(coalesce(in).size() == 2);
  }
}

TEST_CASE("PSH and a short segment end a super-packet, and so do 64 of them and 64 KiB") {
  Flow f;
  Packets in{next_packet(f, 100), next_packet(f, 100, 8), next_packet(f, 100), next_packet(f, 99), next_packet(f, 99)};
  auto out = coalesce(in);
  REQUIRE(out.size() == 3);
  CHECK(out[0].packets == 2);
  CHECK((out[0].octets[33] & 8) == 8);
  CHECK(out[1].packets == 2);
  CHECK(cut(out) == in);

  in.clear();
  for (int i = 0; i < 65; ++i)
    in.push_back(next_packet(f, 10));
  out = coalesce(in);
  REQUIRE(out.size() == 2);
  CHECK(out[0].packets == 64);
  in.clear();
  for (int i = 0; i < 8; ++i)
    in.push_back(next_packet(f, 9000));
  out = coalesce(in);
  REQUIRE(out.size() == 2);
  CHECK(out[0].packets == 7);
  CHECK(cut(out) == in);
}

TEST_CASE("an identification that stays the same is no obstacle where nothing may be fragmented [RFC 6864]") {
  Flow f{.tcp = false, .fixed_id = true};
  Packets in{next_packet(f, 100), next_packet(f, 100), next_packet(f, 100)};
  CHECK(coalesce(in).size() == 1);
  for (auto& p : in) {
    p[6] = 0;
    complete(p);
  }
  CHECK(coalesce(in).size() == 3);
}

TEST_CASE("without the kernel's offloads nothing is put together, and UDP without checksums never") {
  Flow t, u{.tcp = false};
  CHECK(coalesce({next_packet(t, 100), next_packet(t, 100)}, {}).size() == 2);
  Packets in{next_packet(u, 100), next_packet(u, 100)};
  CHECK(coalesce(in, {.tcp = true}).size() == 2);
  CHECK(coalesce(in).size() == 1);
  for (auto& p : in)
    store16(&p[26], 0);
  CHECK(coalesce(in).size() == 2);
}

TEST_CASE("truncated and garbled packets pass alone and untouched") {
  Flow f;
  const Packet p = next_packet(f, 60);
  for (std::size_t n = 0; n <= p.size(); ++n) {
    const Packet front(p.begin(), p.begin() + static_cast<std::ptrdiff_t>(n));
    const auto out = coalesce({front, front});
    REQUIRE(out.size() == 2);
    CHECK(out[1].octets == front);
  }
}

TEST_CASE("random traffic: what is put together, cut again, is what came, in its order") {
  std::mt19937 dice(4303);
  const auto roll = [&](unsigned n) { return static_cast<unsigned>(dice() % n); };
  for (int round = 0; round < 300; ++round) {
    std::vector<Flow> flows;
    for (unsigned i = 0; i <= roll(3); ++i)
      flows.push_back({.v6 = roll(2) == 0,
                       .tcp = roll(3) != 0,
                       .timestamps = roll(2) == 0,
                       .tos = static_cast<std::uint8_t>(roll(4)),
                       .source_port = static_cast<std::uint16_t>(1000 + i),
                       .id = static_cast<std::uint16_t>(roll(2) == 0 ? 65530 : 9),
                       .sequence = static_cast<std::uint32_t>(dice())});
    const std::size_t step = 1 + roll(1400);
    Packets in;
    Flow* f = flows.data();
    for (unsigned i = 0; i < 100; ++i) {
      if (roll(12) == 0) f = &flows[roll(static_cast<unsigned>(flows.size()))];
      if (roll(30) == 0) f->sequence += 1 + roll(3000), ++f->timestamp;
      in.push_back(next_packet(*f, roll(10) == 0 ? 1 + roll(static_cast<unsigned>(step)) : step,
                               f->tcp && roll(15) == 0 ? 8 : 0));
      if (roll(40) == 0) in.back()[ip_header(in.back()) + roll(8)] ^= 1;  // garbled on the way
    }
    const auto out = coalesce(in);
    CHECK(out.size() < in.size());
    for (const auto& w : out) {
      if (w.packets == 1) continue;
      for (const auto& p : cut(w.header, w.octets))
        REQUIRE(checksums_right(p));
    }
    REQUIRE(cut(out) == in);
  }
}

TEST_CASE("the quick checksum is the plain one, for every size") {
  std::mt19937 dice(1071);
  Packet data;
  for (int size = 0; size < 300; ++size) {
    std::uint8_t sum[2];
    store_checksum(sum, inet_sum(data.data(), data.size()));
    CHECK(load16(sum) == plain_checksum(data));
    data.push_back(static_cast<std::uint8_t>(size % 3 == 0 ? 0xff : dice()));
  }
}

TEST_SUITE_END();
}  // namespace cgw::kernel::test
