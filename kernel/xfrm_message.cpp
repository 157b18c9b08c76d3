#include "kernel/xfrm_message.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

#include <linux/udp.h>

#include "base/wire.hpp"
#include "kernel/xfrm_wire.hpp"

namespace cgw::kernel::xfrm {
namespace {

// linux/xfrm.h of Linux 6.10; Debian 12's ends before.
constexpr int kSaDirAttribute = 33;  // XFRMA_SA_DIR
constexpr std::uint8_t kSaDirIn = 1, kSaDirOut = 2;

// struct xfrm_algo* end in a flexible key: head, then the key.
template <class Head>
void put_algorithm(const Message& m, int attribute, Head head, std::string_view name, Bytes key) {
  name.copy(head.alg_name, sizeof head.alg_name - 1);
  head.alg_key_len = static_cast<unsigned>(key.size() * 8);
  nlattr* a = nla_reserve(m.get(), attribute, static_cast<int>(sizeof head + key.size()));
  if (a == nullptr) return;
  auto* at = static_cast<std::uint8_t*>(nla_data(a));
  std::memcpy(at, &head, sizeof head);
  std::ranges::copy(key, at + sizeof head);
}

std::string_view integrity_name(ipsec::Integ i) {
  switch (i) {
    case ipsec::Integ::None: return "";
    case ipsec::Integ::HmacSha1_96: return "hmac(sha1)";
    case ipsec::Integ::HmacSha256_128: return "hmac(sha256)";
    case ipsec::Integ::HmacSha384_192: return "hmac(sha384)";
    case ipsec::Integ::HmacSha512_256: return "hmac(sha512)";
  }
  return "";
}

void put_algorithms(const Message& m, const ipsec::EspSuite& suite, const ipsec::EspKeys& keys) {
  const auto icv_bits = static_cast<unsigned>(ipsec::icv_octets(suite.encr, suite.integ) * 8);
  const Bytes encr = keys.encr.view();
  switch (suite.encr) {
    case ipsec::Encr::AesGcm16: {
      xfrm_algo_aead head{};
      head.alg_icv_len = icv_bits;
      return put_algorithm(m, XFRMA_ALG_AEAD, head, "rfc4106(gcm(aes))", encr);
    }
    case ipsec::Encr::AesCbc: put_algorithm(m, XFRMA_ALG_CRYPT, xfrm_algo{}, "cbc(aes)", encr); break;
    case ipsec::Encr::Null_: put_algorithm(m, XFRMA_ALG_CRYPT, xfrm_algo{}, "ecb(cipher_null)", {}); break;
  }
  // Not XFRMA_ALG_AUTH: there the kernel truncates SHA-256 to 96 bits (a draft's length), RFC 4868 says 128.
  xfrm_algo_auth head{};
  head.alg_trunc_len = icv_bits;
  put_algorithm(m, XFRMA_ALG_AUTH_TRUNC, head, integrity_name(suite.integ), keys.integ.view());
}

void put_encapsulation(const Message& m, const Ends& ends) {
  xfrm_encap_tmpl e{};
  e.encap_type = UDP_ENCAP_ESPINUDP;
  e.encap_sport = htons(ends.from.port);
  e.encap_dport = htons(ends.to.port);
  nla_put(m.get(), XFRMA_ENCAP, sizeof e, &e);
}

xfrm_usersa_id id_of(const SaName& name) {
  xfrm_usersa_id id{};
  id.daddr = raw(name.destination);
  id.spi = htonl(name.spi.value());
  id.family = family_of(name.destination);
  id.proto = IPPROTO_ESP;
  return id;
}

// Inbound: the window asked for. Outbound there is nothing to check; but with extended sequence numbers the kernel
// wants this attribute in both directions, up to Linux 6.9 with a window of at least 1, from 6.10 on (where the SA
// says its direction) with none.
void put_replay(const Message& m, const ipsec::ChildSa& sa, Direction d, const SaOptions& options) {
  if (d == Direction::Out && !sa.suite.esn) return;
  xfrm_replay_state_esn head{};
  head.replay_window = d == Direction::In ? std::clamp(sa.replay_window, 1u, 4096u) : options.says_direction ? 0 : 1;
  head.bmp_len = (head.replay_window + 31) / 32;
  const auto size = static_cast<int>(sizeof head + head.bmp_len * sizeof(std::uint32_t));
  nlattr* a = nla_reserve(m.get(), XFRMA_REPLAY_ESN_VAL, size);
  if (a == nullptr) return;
  std::memset(nla_data(a), 0, static_cast<std::size_t>(size));
  std::memcpy(nla_data(a), &head, sizeof head);
}

void put_offload(const Message& m, const Ends& ends, Direction d, IfIndex device) {
  xfrm_user_offload o{};
  o.ifindex = device.value();
  o.flags = static_cast<std::uint8_t>((d == Direction::In ? XFRM_OFFLOAD_INBOUND : 0) |
                                      (ends.to.address.is_v4() ? 0 : XFRM_OFFLOAD_IPV6));
  nla_put(m.get(), XFRMA_OFFLOAD_DEV, sizeof o, &o);
}

std::uint8_t flags_of(const ipsec::ChildSa& sa, Direction d, const SaOptions& options) {
  // AF_UNSPEC: the SA's own selector matches every inner family; the policies do the selecting.
  unsigned flags = XFRM_STATE_AF_UNSPEC;
  if (sa.suite.esn) flags |= XFRM_STATE_ESN;
  if (options.clear_df && d == Direction::Out) flags |= XFRM_STATE_NOPMTUDISC;  // inbound: EINVAL from 6.10 on
  return static_cast<std::uint8_t>(flags);
}

// The core rekeys long before: the kernel's clock is for the case that it does not.
xfrm_lifetime_cfg lifetime_of(const ipsec::ChildSa& sa) {
  xfrm_lifetime_cfg out = kForever;
  const auto hard = static_cast<std::uint64_t>(std::max<Seconds::rep>(sa.hard_lifetime.count(), 0));
  out.soft_add_expires_seconds = hard - hard / 12;
  out.hard_add_expires_seconds = hard;
  const auto limit = [](std::uint64_t n) { return n == 0 ? XFRM_INF : n; };
  out.soft_packet_limit = limit(sa.soft.packets);
  out.soft_byte_limit = limit(sa.soft.octets);
  out.hard_packet_limit = limit(sa.hard.packets);
  out.hard_byte_limit = limit(sa.hard.octets);
  return out;
}

bool at_least(std::string_view release, unsigned wanted_major, unsigned wanted_minor) {
  unsigned major = 0, minor = 0;
  const char* end = release.data() + release.size();
  const auto first = std::from_chars(release.data(), end, major);
  if (first.ec != std::errc{} || first.ptr == end || *first.ptr != '.') return false;
  if (std::from_chars(first.ptr + 1, end, minor).ec != std::errc{}) return false;
  return major > wanted_major || (major == wanted_major && minor >= wanted_minor);
}

}  // namespace

Ends ends_of(const ipsec::ChildSa& sa, Direction d) {
  if (d == Direction::In) return {sa.remote, sa.local};
  return {sa.local, sa.remote};
}

SaName name_of(const ipsec::ChildSa& sa, Direction d) {
  if (d == Direction::In) return {sa.spi_in, sa.local.address};
  return {sa.spi_out, sa.remote.address};
}

bool has_sa_direction(std::string_view release) {
  return at_least(release, 6, 10);
}

bool has_esp_in_udp_v6(std::string_view release) {
  return at_least(release, 5, 8);
}

std::string_view why_not(const ipsec::ChildSa& sa, std::string_view release) {
  if (sa.udp_encap && !sa.remote.address.is_v4() && !has_esp_in_udp_v6(release))
    return "there is a NAT, and this kernel has no ESP in UDP over IPv6 (Linux 5.8 or newer is needed): 'data-plane "
           "userspace', or IPv4 outside";
  return {};
}

Message sa_message(SaRequest request, IfId id, const ipsec::ChildSa& sa, Direction d, const SaOptions& options) {
  Message m = message(static_cast<std::uint16_t>(request));
  if (!m) return m;
  const Ends ends = ends_of(sa, d);
  xfrm_usersa_info info{};
  info.saddr = raw(ends.from.address);
  info.id.daddr = raw(ends.to.address);
  info.id.spi = htonl(name_of(sa, d).spi.value());
  info.id.proto = IPPROTO_ESP;
  info.family = family_of(ends.to.address);
  info.mode = XFRM_MODE_TUNNEL;
  info.reqid = id.value();
  info.flags = flags_of(sa, d, options);
  info.lft = lifetime_of(sa);
  append(m, info);
  put_algorithms(m, sa.suite, d == Direction::In ? sa.in : sa.out);
  if (sa.udp_encap) put_encapsulation(m, ends);
  // A NAT's new mapping is told once a second at most, not with every packet (Linux 5.17; older ones take no notice).
  if (sa.udp_encap && d == Direction::In) nla_put_u32(m.get(), XFRMA_MTIMER_THRESH, 1);
  nla_put_u32(m.get(), XFRMA_IF_ID, id.value());
  put_replay(m, sa, d, options);
  if (options.says_direction) nla_put_u8(m.get(), kSaDirAttribute, d == Direction::In ? kSaDirIn : kSaDirOut);
  if (options.offload) put_offload(m, ends, d, *options.offload);
  return m;
}

Message delete_sa(const SaName& name) {
  Message m = message(XFRM_MSG_DELSA);
  if (m) append(m, id_of(name));
  return m;
}

Message get_sa(const SaName& name) {
  Message m = message(XFRM_MSG_GETSA);
  if (m) append(m, id_of(name));
  return m;
}

Message dump_sas() {
  return message(XFRM_MSG_GETSA, NLM_F_DUMP);
}

bool read_sa(nlmsghdr* h, SaInfo& out) {
  constexpr int kHeader = sizeof(xfrm_usersa_info);
  if (h->nlmsg_type != XFRM_MSG_NEWSA || !nlmsg_valid_hdr(h, kHeader)) return false;
  const auto* info = static_cast<const xfrm_usersa_info*>(nlmsg_data(h));
  if (info->id.proto != IPPROTO_ESP) return false;
  const auto has = [&](int attribute) { return nlmsg_find_attr(h, kHeader, attribute) != nullptr; };
  out = {.name = {ipsec::Spi{ntohl(info->id.spi)}, cooked(info->id.daddr, info->family)},
         .id = IfId{number(nlmsg_find_attr(h, kHeader, XFRMA_IF_ID))},
         .reqid = info->reqid,
         .larval = !has(XFRMA_ALG_AEAD) && !has(XFRMA_ALG_CRYPT),
         .offloaded = has(XFRMA_OFFLOAD_DEV),
         .packets = info->curlft.packets,
         .octets = info->curlft.bytes,
         .replayed = info->stats.replay + info->stats.replay_window,
         .bad_icv = info->stats.integrity_failed};
  return true;
}

}  // namespace cgw::kernel::xfrm
