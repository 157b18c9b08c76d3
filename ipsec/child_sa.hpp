#pragma once
#include <cstdint>

#include "base/ip.hpp"
#include "base/secret.hpp"
#include "base/strong.hpp"
#include "base/time.hpp"
#include "ipsec/algorithms.hpp"

namespace cgw::ipsec {

// SPI of an ESP SA, host byte order; 1..255 are reserved (RFC 4303 2.1).
using Spi = Strong<struct SpiTag, std::uint32_t>;

// Inclusive address range of a traffic selector; any protocol, any port.
struct AddressRange {
  IpAddress from, to;
  bool operator==(const AddressRange&) const = default;
};

// encr holds the key, and for AES-GCM the 4-octet salt behind it (RFC 4106 8.1), as XFRM wants it.
struct EspKeys {
  SecretBytes encr;
  SecretBytes integ;  // empty for AEAD
};

// What one direction of an SA may carry; 0: no limit.
struct Volume {
  std::uint64_t packets = 0, octets = 0;
  bool operator==(const Volume&) const = default;
};

// Where packets of an inbound SA will come, before it is negotiated to its end.
struct InboundSpi {
  Spi spi;
  Endpoint local;
  bool udp_encap = false;
};

// A negotiated pair of ESP SAs: all that a data plane needs to install it.
struct ChildSa {
  Spi spi_in;   // chosen by us: what the peer writes on packets to us
  Spi spi_out;  // chosen by the peer
  EspSuite suite;
  EspKeys in, out;
  Endpoint local, remote;  // outer; the ports matter only with udp_encap
  bool udp_encap = false;
  AddressRange local_ts, remote_ts;
  std::uint32_t replay_window = 1024;  // packets
  Seconds hard_lifetime{3600};         // the data plane's backstop; the core rekeys before
  // Past them the data plane says ChildExpiring, once each. Nothing may be sent past hard.
  Volume soft, hard;
};

}  // namespace cgw::ipsec
