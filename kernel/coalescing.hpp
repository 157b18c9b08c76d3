#pragma once
#include <sys/uio.h>

#include <array>
#include <cstdint>
#include <span>

#include "base/wire.hpp"
#include "kernel/vnet_header.hpp"

namespace cgw::kernel {

// One write to the TUN: parts[0] is left free for the header.
struct Coalesced {
  VnetHeader header;
  std::span<iovec> parts;
  std::size_t packets = 0, octets = 0;  // of the packets that it is made of
};

// Puts consecutive packets of one TCP or UDP flow together, so that the kernel handles many as one. Order is kept:
// a packet that does not fit the one in hand ends that. Nothing is put together whose checksums are wrong, which is
// fragmented, or of which a header field would be lost.
class Coalescer {
 public:
  static constexpr std::size_t kMaxPackets = 64;

  // What can be joined, and how.
  struct Shape {
    bool joinable = false, tcp = false, ends = false;
    std::uint16_t l4 = 0, headers = 0, payload = 0;
    std::uint32_t sequence = 0;
  };
  // Reads the packet, all of it: its checksums. offloads: the TUN's. Needs no order, and no Coalescer.
  static Shape look(Bytes packet, Offloads offloads);

  // True: taken. False: what is in hand must be delivered first (finish(), then add() again, which takes it).
  // packet: an IP packet of just its size, which stays where it is until finish(), and is written to; its shape.
  bool add(std::span<std::uint8_t> packet, const Shape& s);
  // What is in hand, for one write; nothing in hand: no packets. The parts are valid until the next add().
  Coalesced finish();
  bool empty() const { return packets_ == 0; }

 private:
  bool fits(std::span<const std::uint8_t> packet, const Shape& s) const;
  bool id_fits(std::span<const std::uint8_t> packet) const;
  void begin(std::span<std::uint8_t> packet, const Shape& s);
  void join(std::span<std::uint8_t> packet, const Shape& s);
  void complete_headers();

  std::array<iovec, kMaxPackets + 1> parts_{};
  std::span<std::uint8_t> first_;
  std::size_t packets_ = 0, payload_ = 0, gso_size_ = 0, octets_ = 0;
  bool open_ = false;
  Shape shape_;
  int id_step_ = -1;  // -1: not known yet
};

}  // namespace cgw::kernel
