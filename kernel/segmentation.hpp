#pragma once
#include <cstdint>
#include <span>

#include "kernel/vnet_header.hpp"

namespace cgw::kernel {

// What one read from a TUN gave, as the packets that go on the wire: TCP and UDP super-packets are cut as
// gso_size says, and checksums left to us are made.
class Segments {
 public:
  // packet: behind the header; written to.
  Segments(const VnetHeader& header, std::span<std::uint8_t> packet);

  // False: the header and the packet contradict each other.
  bool ok() const { return ok_; }
  bool more() const { return ok_ && (whole_ ? at_ == 0 : at_ < payload_.size()); }
  std::size_t left() const;
  std::span<const std::uint8_t> packet() const { return packet_; }
  // Of the next packet.
  std::size_t size() const;
  // Writes the next packet, size() octets, and goes on to the one behind it.
  void write(std::uint8_t* out);

 private:
  bool begin_cutting(const VnetHeader& header);
  void write_ip(std::uint8_t* out, std::size_t payload);
  void write_tcp(std::uint8_t* out, std::size_t payload);
  void write_udp(std::uint8_t* out, std::size_t payload);

  std::span<std::uint8_t> packet_, payload_;
  bool ok_ = true, whole_ = true, tcp_ = false;
  std::size_t l4_ = 0, headers_ = 0, step_ = 0, at_ = 0;
  std::uint16_t number_ = 0;
};

}  // namespace cgw::kernel
