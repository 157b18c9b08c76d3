#pragma once
#include <memory>
#include <optional>

#include "bgp/speaker.hpp"
#include "config/config.hpp"
#include "daemon/outer_paths.hpp"

// What configuration says of BGP neighbors, as the speaker takes it. Pure.
namespace cgw::neighbors {

bgp::Router router(const config::Config& c);

// All that neighbors have in common.
struct Common {
  const config::Config& config;
  std::shared_ptr<const bgp::policy::PolicySet> policy;
  std::shared_ptr<const OuterPaths> outer;
};

// The neighbor at the other end of a tunnel; none where routing is static or none is configured.
std::optional<bgp::NeighborConfig> of_tunnel(const Common& common, const config::Connection& c,
                                             const config::Tunnel& t);

}  // namespace cgw::neighbors
