#pragma once
#include <string>

namespace cgw::kernel {

// Empty: the kernel takes ESP SAs between IPv6 addresses; else what is missing ("CONFIG_INET6_ESP is missing"). For a
// kernel whose ESP between IPv4 addresses was found usable by probe_capability().
std::string why_no_esp_over_ipv6();

}  // namespace cgw::kernel
