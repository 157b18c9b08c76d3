#pragma once
#include <optional>
#include <string>

#include "kernel/error.hpp"
#include "kernel/xfrm_socket.hpp"

// A tunnel's interface as both data planes see it: looked up, marked as ours, removed.
namespace cgw::kernel {

struct TunnelLink {
  IfIndex index;
  std::string kind;  // "xfrm", "tun", "" (physical), ...
  std::string alias;
  std::optional<IfId> if_id;  // of an xfrm interface
};

// "cgwd IFID": the alias by which we know our interfaces again.
std::string tunnel_mark(IfId id);
bool has_tunnel_mark(const std::string& alias);

KernelResult<std::optional<TunnelLink>> find_link(RequestSocket& route, const std::string& name);
KernelResult<void> mark_link(RequestSocket& route, IfIndex index, IfId id);
// An interface that is gone already is no error.
KernelResult<void> remove_link(RequestSocket& route, IfIndex index, const std::string& name);
KernelResult<IfIndex> add_xfrm_link(RequestSocket& route, const std::string& name, IfId id);

}  // namespace cgw::kernel
