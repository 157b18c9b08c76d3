#pragma once
#include <memory>
#include <string>

#include "config/model.hpp"
#include "kernel/data_plane.hpp"

namespace cgw {

struct ChosenPlane {
  std::unique_ptr<kernel::DataPlane> plane;
  std::string reason;  // why this one, for the log and `show vpn`
};

// `auto`: the kernel's ESP when it has ESP and xfrm interfaces, else userspace; the reason names what is missing. ESP
// over IPv6 counts when a tunnel has an IPv6 outside address. udp4500, udp4500_v6: see kernel::make_xfrm_plane().
Result<ChosenPlane, std::string> choose_data_plane(const config::Config& config, int udp4500, int udp4500_v6);

}  // namespace cgw
