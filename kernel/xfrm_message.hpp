#pragma once
#include <cstdint>
#include <string>

#include <linux/xfrm.h>

#include "base/ip.hpp"
#include "ipsec/child_sa.hpp"
#include "kernel/error.hpp"
#include "kernel/xfrm_socket.hpp"

// The XFRM netlink messages (linux/xfrm.h) that a tunnel needs, and what its answers say. Built on
// libnl-core alone: libnl-xfrm 3.7 knows no if_id. Nothing here talks to the kernel.
namespace cgw::kernel::xfrm {

enum class Direction : std::uint8_t { In, Out };
enum class SaRequest : std::uint16_t { New = XFRM_MSG_NEWSA, Update = XFRM_MSG_UPDSA };
enum class PolicyDirection : std::uint8_t {
  In = XFRM_POLICY_IN,
  Out = XFRM_POLICY_OUT,
  Forward = XFRM_POLICY_FWD,
};

// How the kernel finds an SA; if_id is not part of it.
struct SaName {
  ipsec::Spi spi;
  IpAddress destination;
};
SaName name_of(const ipsec::ChildSa& sa, Direction d);

// What the policies match: the traffic selectors where they are a prefix, else everything of their
// family (only what is routed into the tunnel's interface meets these policies at all).
struct Selectors {
  Prefix local, remote;
  bool operator==(const Selectors&) const = default;
};
Selectors selectors_of(const ipsec::ChildSa& sa);

Message sa_message(SaRequest request, IfId id, const ipsec::ChildSa& sa, Direction d);
Message delete_sa(const SaName& name);
Message get_sa(const SaName& name);
Message dump_sas();

// Creates the policy or replaces it in place. The outbound one is pinned to spi_out: replacing it is what
// switches from one outbound SA to the next, atomically.
Message allow_policy(IfId id, const ipsec::ChildSa& sa, PolicyDirection d);
// What the interface sends is dropped.
Message block_policy(IfId id, const Selectors& s);
Message delete_policy(IfId id, PolicyDirection d, const Selectors& s);
Message dump_policies();

struct SaInfo {
  SaName name;
  IfId id;
  std::uint32_t reqid = 0;
  std::uint64_t packets = 0, octets = 0;
  std::uint64_t replayed = 0, bad_icv = 0;
};
struct PolicyInfo {
  IfId id;
  PolicyDirection direction;
  Selectors selectors;
};
// False when it is not that kind of message.
bool read_sa(nlmsghdr* h, SaInfo& out);
bool read_policy(nlmsghdr* h, PolicyInfo& out);

}  // namespace cgw::kernel::xfrm
