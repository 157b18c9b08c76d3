#pragma once
#include <cstdint>
#include <optional>

#include <linux/xfrm.h>

#include "base/ip.hpp"
#include "ipsec/child_sa.hpp"
#include "kernel/error.hpp"
#include "kernel/xfrm_socket.hpp"

// Policies as values: what is wanted and what the kernel has compare by ==. Nothing here talks to the kernel.
namespace cgw::kernel::xfrm {

enum class PolicyDirection : std::uint8_t {
  In = XFRM_POLICY_IN,
  Out = XFRM_POLICY_OUT,
  Forward = XFRM_POLICY_FWD,
};

// What the policies match: the traffic selectors where they are a prefix, else everything of their
// family (only what is routed into the tunnel's interface meets these policies at all).
struct Selectors {
  Prefix local, remote;
  bool operator==(const Selectors&) const = default;
};
Selectors selectors_of(const ipsec::ChildSa& sa);

// The SA that a packet must have come by, or has to go by. spi 0: any of this reqid.
struct Template {
  IpAddress from, to;
  ipsec::Spi spi;
  std::uint32_t reqid = 0;
  bool operator==(const Template&) const = default;
};

struct Policy {
  IfId id;
  PolicyDirection direction = PolicyDirection::Out;
  Selectors selectors;
  std::optional<Template> through;  // none: what matches is dropped
  std::uint32_t priority = 1000;
  bool in_clear = false;  // somebody's: what matches passes without IPsec
  bool operator==(const Policy&) const = default;
  // The kernel holds one policy of these; another takes its place.
  bool same_place(const Policy& p) const { return id == p.id && direction == p.direction && selectors == p.selectors; }
};

// The outbound one is pinned to spi_out: replacing it is what switches from one outbound SA to the next, atomically.
Policy allow_policy(IfId id, const ipsec::ChildSa& sa, PolicyDirection d);
// What the interface sends is dropped.
Policy block_policy(IfId id, const Selectors& s);

// Creates the policy or replaces the one in its place.
Message put_policy(const Policy& p);
Message delete_policy(const Policy& p);
Message dump_policies();
// False when it is not that kind of message, or a socket's own policy.
bool read_policy(nlmsghdr* h, Policy& out);

}  // namespace cgw::kernel::xfrm
