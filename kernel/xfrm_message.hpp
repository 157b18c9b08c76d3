#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

#include <linux/xfrm.h>

#include "base/ip.hpp"
#include "ipsec/child_sa.hpp"
#include "kernel/error.hpp"
#include "kernel/xfrm_socket.hpp"

// The XFRM netlink messages (linux/xfrm.h) about SAs that a tunnel needs, and what their answers say. Built on
// libnl-core alone: libnl-xfrm 3.7 knows no if_id. Nothing here talks to the kernel.
namespace cgw::kernel::xfrm {

enum class Direction : std::uint8_t { In, Out };
enum class SaRequest : std::uint16_t { New = XFRM_MSG_NEWSA, Update = XFRM_MSG_UPDSA };

// How the kernel finds an SA; if_id is not part of it.
struct SaName {
  ipsec::Spi spi;
  IpAddress destination;
  bool operator==(const SaName&) const = default;
};
SaName name_of(const ipsec::ChildSa& sa, Direction d);

// The outer addresses of one direction of an SA.
struct Ends {
  const Endpoint& from;
  const Endpoint& to;
};
Ends ends_of(const ipsec::ChildSa& sa, Direction d);

// Whether this kernel (uname -r) has XFRMA_SA_DIR. It must be asked of the release: kernels take attributes they do
// not know without a word.
bool has_sa_direction(std::string_view release);
// Whether it takes ESP out of UDP over IPv6 (Linux 5.8). An older one takes the socket option as well, and then reads
// IPv6 packets as IPv4 ones.
bool has_esp_in_udp_v6(std::string_view release);
// Why a kernel of this release cannot have such an SA; empty: it can.
std::string_view why_not(const ipsec::ChildSa& sa, std::string_view release);

struct SaOptions {
  bool says_direction = false;     // XFRMA_SA_DIR, Linux 6.10
  bool clear_df = false;           // outer packets may be fragmented on their way
  std::optional<IfIndex> offload;  // the interface that is to do the encryption (XFRMA_OFFLOAD_DEV)
};
Message sa_message(SaRequest request, IfId id, const ipsec::ChildSa& sa, Direction d, const SaOptions& options = {});
Message delete_sa(const SaName& name);
Message get_sa(const SaName& name);
Message dump_sas();

struct SaInfo {
  SaName name;
  IfId id;
  std::uint32_t reqid = 0;
  bool larval = false;  // without keys: the kernel keeps the place of an SA that it asked for
  bool offloaded = false;
  std::uint64_t packets = 0, octets = 0;
  std::uint64_t replayed = 0, bad_icv = 0;
};
// False when it is not that kind of message.
bool read_sa(nlmsghdr* h, SaInfo& out);

}  // namespace cgw::kernel::xfrm
