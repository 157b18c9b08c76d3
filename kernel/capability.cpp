#include <net/if.h>
#include <netinet/in.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <openssl/rand.h>
#include <sys/ioctl.h>

#include "kernel/capability.hpp"
#include "kernel/data_plane.hpp"
#include "kernel/tun.hpp"
#include "kernel/tunnel_link.hpp"
#include "kernel/xfrm.hpp"
#include "kernel/xfrm_table.hpp"

namespace cgw::kernel {
namespace {

constexpr std::string_view kNotPermitted = "needs CAP_NET_ADMIN";

// What one trial found: usable, or what is missing ("CONFIG_X"), or what else is in the way.
struct Trial {
  bool usable = false;
  std::vector<std::string> missing;
  std::string obstacle;
};

std::uint32_t random_number() {
  std::uint32_t n = 0;
  RAND_bytes(reinterpret_cast<unsigned char*>(&n), sizeof n);
  return n;
}

// Ours by range, but far from the ids that tunnels get first.
IfId throw_away_id() {
  return IfId{0x0c67f000 + random_number() % 0xfff};
}

std::string throw_away_name() {
  return fmt::format("cgwp{:08x}", random_number());
}

Trial not_permitted() {
  return {.obstacle = std::string(kNotPermitted)};
}

bool is_permission(const KernelError& e) {
  return e.errnum == EPERM || e.errnum == EACCES;
}

ipsec::ChildSa throw_away_sa(const ipsec::EspSuite& suite) {
  ipsec::ChildSa sa;
  sa.suite = suite;
  sa.spi_out = ipsec::Spi{0xc0000000 | random_number()};
  sa.out.encr = SecretBytes(ipsec::encr_key_octets(suite.encr, suite.key_bits));
  sa.out.integ = SecretBytes(ipsec::integ_key_octets(suite.integ));
  for (SecretBytes* key : {&sa.out.encr, &sa.out.integ})
    RAND_bytes(key->mutable_view().data(), static_cast<int>(key->size()));
  sa.local.address = IpAddress::v4(0x7f000001);
  sa.remote.address = IpAddress::v4(0x7f000000 | (random_number() & 0xffffff));
  sa.hard_lifetime = Seconds{5};  // should this process die right here
  return sa;
}

KernelResult<void> try_sa(RequestSocket& socket, const ipsec::ChildSa& sa) {
  auto request = sa_message(xfrm::SaRequest::New, throw_away_id(), sa, xfrm::Direction::Out);
  auto added = socket.request(std::move(request), "XFRM_MSG_NEWSA of a trial SA");
  if (added) remove_sa(socket, name_of(sa, xfrm::Direction::Out));
  return added;
}

// The kernel looks for the algorithms first (ENOSYS), then for ESP itself.
bool lacks_esp(const KernelError& e) {
  return e.errnum == EPROTONOSUPPORT || e.detail.find("type not found") != std::string::npos;
}

Trial try_esp() {
  auto socket = RequestSocket::open(NETLINK_XFRM);
  if (!socket && is_permission(socket.error())) return not_permitted();
  if (!socket) return {.missing = {"CONFIG_XFRM_USER"}};
  const auto gcm = try_sa(*socket, throw_away_sa({}));
  if (gcm) return {.usable = true};
  if (is_permission(gcm.error())) return not_permitted();
  if (lacks_esp(gcm.error())) return {.missing = {"CONFIG_INET_ESP"}};
  if (gcm.error().errnum != ENOSYS) return {.obstacle = gcm.error().to_string()};
  const auto cbc = try_sa(*socket, throw_away_sa({.encr = ipsec::Encr::AesCbc, .integ = ipsec::Integ::HmacSha256_128}));
  if (!cbc && lacks_esp(cbc.error())) return {.missing = {"CONFIG_INET_ESP", "CONFIG_CRYPTO_GCM"}};
  return {.missing = {"CONFIG_CRYPTO_GCM"}};
}

Trial try_xfrm_interface(RequestSocket& route) {
  const std::string name = throw_away_name();
  const auto added = add_xfrm_link(route, name, throw_away_id());
  if (added) {
    remove_link(route, *added, name);
    return {.usable = true};
  }
  if (is_permission(added.error())) return not_permitted();
  if (added.error().errnum == EOPNOTSUPP) return {.missing = {"CONFIG_XFRM_INTERFACE"}};
  return {.obstacle = added.error().to_string()};
}

Trial try_tun() {
  const UniqueFd fd(open("/dev/net/tun", O_RDWR | O_CLOEXEC));
  if (fd.get() < 0) {
    const int error = errno;
    std::string why = fmt::format("/dev/net/tun: {}", std::strerror(error));
    if (error == ENOENT || error == ENODEV) why += " (CONFIG_TUN; in a container, the device must be passed in)";
    return {.obstacle = std::move(why)};
  }
  ifreq request{};
  throw_away_name().copy(request.ifr_name, IFNAMSIZ - 1);
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  if (ioctl(fd.get(), TUNSETIFF, &request) == 0) return {.usable = true};
  if (errno == EPERM) return {.obstacle = fmt::format("a TUN interface {}", kNotPermitted)};
  return {.obstacle = fmt::format("TUNSETIFF: {}", std::strerror(errno))};
}

bool has_nexthop_objects(RequestSocket& route) {
  Message m(nlmsg_alloc());
  nhmsg request{};
  if (!m || nlmsg_put(m.get(), NL_AUTO_PORT, NL_AUTO_SEQ, RTM_GETNEXTHOP, 0, NLM_F_DUMP) == nullptr ||
      nlmsg_append(m.get(), &request, sizeof request, NLMSG_ALIGNTO) < 0)
    return false;
  return route.request(std::move(m), "RTM_GETNEXTHOP").has_value();
}

std::string sum_up(const Trial& esp, const Trial& interface) {
  std::vector<std::string> missing, obstacles;
  for (const Trial* t : {&esp, &interface}) {
    missing.insert(missing.end(), t->missing.begin(), t->missing.end());
    if (!t->obstacle.empty() && (obstacles.empty() || obstacles.back() != t->obstacle))
      obstacles.push_back(t->obstacle);
  }
  std::string out = fmt::format("{}", fmt::join(missing, ", "));
  if (const auto last = out.rfind(", "); last != out.npos) out.replace(last, 2, " and ");
  if (!missing.empty()) out += missing.size() > 1 ? " are missing" : " is missing";
  for (const auto& o : obstacles)
    out += (out.empty() ? "" : "; ") + o;
  return out;
}

}  // namespace

Capability probe_capability() {
  Capability c;
  const Trial tun = try_tun();
  c.tun = tun.usable;
  c.why_not_userspace = tun.obstacle;
  auto route = RequestSocket::open(NETLINK_ROUTE);
  if (!route) {
    c.why_not_kernel = route.error().to_string();
    return c;
  }
  const Trial esp = try_esp();
  const Trial interface = try_xfrm_interface(*route);
  c.kernel_esp = esp.usable;
  c.xfrm_interface = interface.usable;
  c.nexthop_objects = has_nexthop_objects(*route);
  c.why_not_kernel = sum_up(esp, interface);
  return c;
}

// Each family's ESP is a module of its own.
std::string why_no_esp_over_ipv6() {
  auto socket = RequestSocket::open(NETLINK_XFRM);
  if (!socket) return socket.error().to_string();
  std::array<std::uint8_t, 16> to{0x20, 0x01, 0x0d, 0xb8};  // documentation (RFC 3849)
  RAND_bytes(to.data() + 8, 8);
  ipsec::ChildSa sa = throw_away_sa({});
  sa.local.address = *IpAddress::parse("::1");
  sa.remote.address = IpAddress::v6(to);
  const auto added = try_sa(*socket, sa);
  if (added) return {};
  return lacks_esp(added.error()) ? "CONFIG_INET6_ESP is missing" : added.error().to_string();
}

}  // namespace cgw::kernel
