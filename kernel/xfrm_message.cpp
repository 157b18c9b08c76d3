#include "kernel/xfrm_message.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <string_view>
#include <vector>

#include <linux/udp.h>
#include <netlink/attr.h>

#include "base/wire.hpp"

namespace cgw::kernel::xfrm {
namespace {

constexpr std::uint32_t kPriority = 1000;

Message message(std::uint16_t type, int flags = 0) {
  Message m(nlmsg_alloc());
  if (m) nlmsg_put(m.get(), NL_AUTO_PORT, NL_AUTO_SEQ, type, 0, flags);
  return m;
}

template <class T>
void append(const Message& m, const T& payload) {
  nlmsg_append(m.get(), const_cast<T*>(&payload), sizeof payload, NLMSG_ALIGNTO);
}

xfrm_address_t raw(const IpAddress& a) {
  xfrm_address_t out{};
  std::ranges::copy(a.bytes(), reinterpret_cast<std::uint8_t*>(&out));
  return out;
}

IpAddress cooked(const xfrm_address_t& a, int family) {
  const auto* p = reinterpret_cast<const std::uint8_t*>(&a);
  return IpAddress::from_bytes({p, family == AF_INET6 ? 16u : 4u}).value_or(IpAddress{});
}

std::uint16_t family_of(const IpAddress& a) {
  return a.is_v4() ? AF_INET : AF_INET6;
}

struct Ends {
  const Endpoint& from;
  const Endpoint& to;
};
Ends ends_of(const ipsec::ChildSa& sa, Direction d) {
  if (d == Direction::In) return {sa.remote, sa.local};
  return {sa.local, sa.remote};
}

// The prefix that a range is, or the whole family.
Prefix widened(const ipsec::AddressRange& r) {
  const Prefix all = Prefix::of(r.from, 0);
  if (r.from.family() != r.to.family()) return all;
  const auto from = r.from.bytes();
  const auto to = r.to.bytes();
  const auto bit = [](auto octets, unsigned i) { return (octets[i / 8] >> (7 - i % 8)) & 1; };
  const unsigned width = r.from.bits();
  unsigned length = 0;
  while (length < width && bit(from, length) == bit(to, length))
    ++length;
  for (unsigned i = length; i < width; ++i)
    if (bit(from, i) != 0 || bit(to, i) != 1) return all;
  return Prefix::of(r.from, static_cast<std::uint8_t>(length));
}

constexpr xfrm_lifetime_cfg kForever{.soft_byte_limit = XFRM_INF,
                                     .hard_byte_limit = XFRM_INF,
                                     .soft_packet_limit = XFRM_INF,
                                     .hard_packet_limit = XFRM_INF};

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

// Inbound: the window asked for. Outbound there is nothing to check; but with extended sequence numbers
// the kernel wants this attribute, and a window of at least 1, in both directions.
void put_replay(const Message& m, const ipsec::ChildSa& sa, Direction d) {
  if (d == Direction::Out && !sa.suite.esn) return;
  xfrm_replay_state_esn head{};
  head.replay_window = d == Direction::In ? std::clamp(sa.replay_window, 1u, 4096u) : 1;
  head.bmp_len = (head.replay_window + 31) / 32;
  const auto size = static_cast<int>(sizeof head + head.bmp_len * sizeof(std::uint32_t));
  nlattr* a = nla_reserve(m.get(), XFRMA_REPLAY_ESN_VAL, size);
  if (a == nullptr) return;
  std::memset(nla_data(a), 0, static_cast<std::size_t>(size));
  std::memcpy(nla_data(a), &head, sizeof head);
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

xfrm_selector selector(const Selectors& s, PolicyDirection d) {
  const Prefix& from = d == PolicyDirection::Out ? s.local : s.remote;
  const Prefix& to = d == PolicyDirection::Out ? s.remote : s.local;
  xfrm_selector out{};
  out.family = family_of(from.address);
  out.saddr = raw(from.address);
  out.daddr = raw(to.address);
  out.prefixlen_s = from.length;
  out.prefixlen_d = to.length;
  return out;
}

xfrm_userpolicy_info policy(const Selectors& s, PolicyDirection d) {
  xfrm_userpolicy_info p{};
  p.sel = selector(s, d);
  p.lft = kForever;
  p.priority = kPriority;
  p.dir = static_cast<std::uint8_t>(d);
  p.action = XFRM_POLICY_ALLOW;
  p.share = XFRM_SHARE_ANY;
  return p;
}

}  // namespace

SaName name_of(const ipsec::ChildSa& sa, Direction d) {
  if (d == Direction::In) return {sa.spi_in, sa.local.address};
  return {sa.spi_out, sa.remote.address};
}

Selectors selectors_of(const ipsec::ChildSa& sa) {
  return {widened(sa.local_ts), widened(sa.remote_ts)};
}

Message sa_message(SaRequest request, IfId id, const ipsec::ChildSa& sa, Direction d) {
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
  // AF_UNSPEC: the SA's own selector matches every inner family; the policies do the selecting.
  info.flags = static_cast<std::uint8_t>(XFRM_STATE_AF_UNSPEC | (sa.suite.esn ? XFRM_STATE_ESN : 0));
  info.lft = kForever;
  info.lft.hard_add_expires_seconds = static_cast<std::uint64_t>(std::max<Seconds::rep>(sa.hard_lifetime.count(), 0));
  append(m, info);
  put_algorithms(m, sa.suite, d == Direction::In ? sa.in : sa.out);
  if (sa.udp_encap) put_encapsulation(m, ends);
  nla_put_u32(m.get(), XFRMA_IF_ID, id.value());
  put_replay(m, sa, d);
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

Message allow_policy(IfId id, const ipsec::ChildSa& sa, PolicyDirection d) {
  Message m = message(XFRM_MSG_UPDPOLICY);
  if (!m) return m;
  append(m, policy(selectors_of(sa), d));
  const bool out = d == PolicyDirection::Out;
  const Ends ends = ends_of(sa, out ? Direction::Out : Direction::In);
  xfrm_user_tmpl t{};
  t.id.daddr = raw(ends.to.address);
  t.id.spi = out ? htonl(sa.spi_out.value()) : 0;
  t.id.proto = IPPROTO_ESP;
  t.saddr = raw(ends.from.address);
  t.family = family_of(ends.to.address);
  t.reqid = id.value();
  t.mode = XFRM_MODE_TUNNEL;
  t.aalgos = t.ealgos = t.calgos = ~0u;
  nla_put(m.get(), XFRMA_TMPL, sizeof t, &t);
  nla_put_u32(m.get(), XFRMA_IF_ID, id.value());
  return m;
}

Message block_policy(IfId id, const Selectors& s) {
  Message m = message(XFRM_MSG_UPDPOLICY);
  if (!m) return m;
  xfrm_userpolicy_info p = policy(s, PolicyDirection::Out);
  p.action = XFRM_POLICY_BLOCK;
  append(m, p);
  nla_put_u32(m.get(), XFRMA_IF_ID, id.value());
  return m;
}

Message delete_policy(IfId id, PolicyDirection d, const Selectors& s) {
  Message m = message(XFRM_MSG_DELPOLICY);
  if (!m) return m;
  xfrm_userpolicy_id p{};
  p.sel = selector(s, d);
  p.dir = static_cast<std::uint8_t>(d);
  append(m, p);
  nla_put_u32(m.get(), XFRMA_IF_ID, id.value());  // without it the kernel finds none (ENOENT)
  return m;
}

Message dump_policies() {
  return message(XFRM_MSG_GETPOLICY, NLM_F_DUMP);
}

bool read_sa(nlmsghdr* h, SaInfo& out) {
  if (h->nlmsg_type != XFRM_MSG_NEWSA || !nlmsg_valid_hdr(h, sizeof(xfrm_usersa_info))) return false;
  const auto* info = static_cast<const xfrm_usersa_info*>(nlmsg_data(h));
  if (info->id.proto != IPPROTO_ESP) return false;
  const nlattr* id = nlmsg_find_attr(h, sizeof *info, XFRMA_IF_ID);
  out = {.name = {ipsec::Spi{ntohl(info->id.spi)}, cooked(info->id.daddr, info->family)},
         .id = IfId{id != nullptr && nla_len(id) == 4 ? nla_get_u32(id) : 0},
         .reqid = info->reqid,
         .packets = info->curlft.packets,
         .octets = info->curlft.bytes,
         .replayed = info->stats.replay + info->stats.replay_window,
         .bad_icv = info->stats.integrity_failed};
  return true;
}

bool read_policy(nlmsghdr* h, PolicyInfo& out) {
  if (h->nlmsg_type != XFRM_MSG_NEWPOLICY || !nlmsg_valid_hdr(h, sizeof(xfrm_userpolicy_info))) return false;
  const auto* p = static_cast<const xfrm_userpolicy_info*>(nlmsg_data(h));
  if (p->dir > XFRM_POLICY_FWD) return false;  // a socket's own policy
  const nlattr* id = nlmsg_find_attr(h, sizeof *p, XFRMA_IF_ID);
  const auto direction = static_cast<PolicyDirection>(p->dir);
  const Prefix from = Prefix::of(cooked(p->sel.saddr, p->sel.family), p->sel.prefixlen_s);
  const Prefix to = Prefix::of(cooked(p->sel.daddr, p->sel.family), p->sel.prefixlen_d);
  const bool sends = direction == PolicyDirection::Out;
  out = {.id = IfId{id != nullptr && nla_len(id) == 4 ? nla_get_u32(id) : 0},
         .direction = direction,
         .selectors = {sends ? from : to, sends ? to : from}};
  return true;
}

}  // namespace cgw::kernel::xfrm
