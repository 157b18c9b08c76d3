#include "kernel/xfrm_policy.hpp"

#include "kernel/xfrm_message.hpp"
#include "kernel/xfrm_wire.hpp"

namespace cgw::kernel::xfrm {
namespace {

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

Template read_template(const xfrm_user_tmpl& t) {
  return {.from = cooked(t.saddr, t.family),
          .to = cooked(t.id.daddr, t.family),
          .spi = ipsec::Spi{ntohl(t.id.spi)},
          .reqid = t.reqid};
}

void put_template(const Message& m, const Template& through) {
  xfrm_user_tmpl t{};
  t.id.daddr = raw(through.to);
  t.id.spi = htonl(through.spi.value());
  t.id.proto = IPPROTO_ESP;
  t.saddr = raw(through.from);
  t.family = family_of(through.to);
  t.reqid = through.reqid;
  t.mode = XFRM_MODE_TUNNEL;
  t.aalgos = t.ealgos = t.calgos = ~0u;
  nla_put(m.get(), XFRMA_TMPL, sizeof t, &t);
}

}  // namespace

Selectors selectors_of(const ipsec::ChildSa& sa) {
  return {widened(sa.local_ts), widened(sa.remote_ts)};
}

Policy allow_policy(IfId id, const ipsec::ChildSa& sa, PolicyDirection d) {
  const bool out = d == PolicyDirection::Out;
  const Ends ends = ends_of(sa, out ? Direction::Out : Direction::In);
  return {.id = id,
          .direction = d,
          .selectors = selectors_of(sa),
          .through = Template{.from = ends.from.address,
                              .to = ends.to.address,
                              .spi = out ? sa.spi_out : ipsec::Spi{},
                              .reqid = id.value()}};
}

Policy block_policy(IfId id, const Selectors& s) {
  return {.id = id, .direction = PolicyDirection::Out, .selectors = s, .through = std::nullopt};
}

Message put_policy(const Policy& p) {
  Message m = message(XFRM_MSG_UPDPOLICY);
  if (!m) return m;
  xfrm_userpolicy_info info{};
  info.sel = selector(p.selectors, p.direction);
  info.lft = kForever;
  info.priority = p.priority;
  info.dir = static_cast<std::uint8_t>(p.direction);
  info.action = p.through ? XFRM_POLICY_ALLOW : XFRM_POLICY_BLOCK;
  info.share = XFRM_SHARE_ANY;
  append(m, info);
  if (p.through) put_template(m, *p.through);
  nla_put_u32(m.get(), XFRMA_IF_ID, p.id.value());
  return m;
}

Message delete_policy(const Policy& p) {
  Message m = message(XFRM_MSG_DELPOLICY);
  if (!m) return m;
  xfrm_userpolicy_id id{};
  id.sel = selector(p.selectors, p.direction);
  id.dir = static_cast<std::uint8_t>(p.direction);
  append(m, id);
  nla_put_u32(m.get(), XFRMA_IF_ID, p.id.value());  // without it the kernel finds none (ENOENT)
  return m;
}

Message dump_policies() {
  return message(XFRM_MSG_GETPOLICY, NLM_F_DUMP);
}

bool read_policy(nlmsghdr* h, Policy& out) {
  constexpr int kHeader = sizeof(xfrm_userpolicy_info);
  if (h->nlmsg_type != XFRM_MSG_NEWPOLICY || !nlmsg_valid_hdr(h, kHeader)) return false;
  const auto* p = static_cast<const xfrm_userpolicy_info*>(nlmsg_data(h));
  if (p->dir > XFRM_POLICY_FWD) return false;
  const auto direction = static_cast<PolicyDirection>(p->dir);
  const Prefix from = Prefix::of(cooked(p->sel.saddr, p->sel.family), p->sel.prefixlen_s);
  const Prefix to = Prefix::of(cooked(p->sel.daddr, p->sel.family), p->sel.prefixlen_d);
  const bool sends = direction == PolicyDirection::Out;
  out = {.id = IfId{number(nlmsg_find_attr(h, kHeader, XFRMA_IF_ID))},
         .direction = direction,
         .selectors = {sends ? from : to, sends ? to : from},
         .through = std::nullopt,
         .priority = p->priority,
         .in_clear = false};
  const nlattr* t = nlmsg_find_attr(h, kHeader, XFRMA_TMPL);
  if (p->action == XFRM_POLICY_ALLOW && t != nullptr && nla_len(t) >= static_cast<int>(sizeof(xfrm_user_tmpl)))
    out.through = read_template(*static_cast<const xfrm_user_tmpl*>(nla_data(t)));
  out.in_clear = p->action == XFRM_POLICY_ALLOW && !out.through;
  return true;
}

}  // namespace cgw::kernel::xfrm
