// IKE_INTERMEDIATE (RFC 9242): additional key exchanges of a new IKE SA (RFC 9370 2.2.2), both roles.
#include <algorithm>

#include "ipsec/peer_impl.hpp"

namespace cgw::ipsec {

bool IkePeer::Impl::wants_intermediate() const {
  return std::ranges::any_of(config.ike, [](const IkeSuite& s) { return additional(s.more_ke, 0) != DhGroup::None; });
}

// What a peer without IKE_INTERMEDIATE can choose from.
IkeProposals IkePeer::Impl::acceptable_ike(bool peer_intermediate) const {
  IkeProposals out;
  std::ranges::copy_if(config.ike, std::back_inserter(out), [&](const IkeSuite& s) {
    return peer_intermediate || additional(s.more_ke, 0) == DhGroup::None;
  });
  return out;
}

/* IKE_INTERMEDIATE { KEi } --> ; after the last, IKE_AUTH */
void IkePeer::Impl::start_intermediate_or_auth(Context& cx, IkeSa& sa) {
  const DhGroup group = additional(sa.suite.more_ke, sa.intermediates);
  if (group == DhGroup::None) return start_auth(cx, sa);
  sa.state = IkeSa::State::AuthSent;
  sa.ke = entropy.new_key_exchange(group);
  const Payloads payloads{make_ke(*sa.ke)};
  authenticate_sent(sa, sa.header(Exchange::IkeIntermediate, false, sa.next_request), payloads);
  Request r;
  r.task.kind = TaskKind::Intermediate;
  send_request(cx, sa, Exchange::IkeIntermediate, std::move(r), payloads);
}

/* <-- IKE_INTERMEDIATE { KEr } */
void IkePeer::Impl::on_intermediate_response(Context& cx, IkeSa& sa, const Payloads& payloads) {
  if (const auto error = error_in(payloads)) return failed(cx, sa, explain(error->type, config), true);
  const auto ke = find_ke(payloads);
  if (!ke || ke->group != sa.ke->group())
    return failed(cx, sa, "the peer's answer to IKE_INTERMEDIATE is malformed", true);
  const auto secret = sa.ke->shared_secret(ke->value);
  if (!secret) return failed(cx, sa, "IKE_INTERMEDIATE from the peer holds " + secret.error(), true);
  sa.ke.reset();
  next_keys(cx, sa, secret->view());
  start_intermediate_or_auth(cx, sa);
}

/* --> IKE_INTERMEDIATE { KEi }   <-- IKE_INTERMEDIATE { KEr } */
void IkePeer::Impl::on_intermediate_request(Context& cx, IkeSa& sa, const Payloads& payloads) {
  const DhGroup group = additional(sa.suite.more_ke, sa.intermediates);
  const auto ke = find_ke(payloads);
  const auto answer = ke && group != DhGroup::None && ke->group == group
                          ? entropy.answer_key_exchange(group, ke->value)
                          : fail(std::string("no key exchange of the group that was agreed on"));
  if (!answer) {
    respond(cx, sa, {make_notify(NotifyType::InvalidSyntax)});
    return lost(cx, sa, "the peer's IKE_INTERMEDIATE holds " + answer.error());
  }
  const Payloads reply{make_ke(*answer)};
  authenticate_sent(sa, sa.header(Exchange::IkeIntermediate, true, sa.expected_request - 1), reply);
  respond(cx, sa, reply);
  next_keys(cx, sa, answer->secret.view());
}

// RFC 9370 2.2.2: SKEYSEED(n) = prf(SK_d(n-1), SK(n) | Ni | Nr), and all keys from it.
void IkePeer::Impl::next_keys(Context& cx, IkeSa& sa, Bytes secret) {
  const auto seed = skeyseed_rekey(sa.suite.prf, sa.keys.d.view(), secret, sa.ni, sa.nr);
  sa.keys = derive_ike_keys(sa.suite, seed.view(), sa.ni, sa.nr, sa.spi_i, sa.spi_r);
  sa.in_before = std::move(sa.in);
  make_ciphers(cx, sa);
  ++sa.intermediates;
}

void IkePeer::Impl::authenticate_sent(IkeSa& sa, const Header& h, const Payloads& payloads) {
  Buffer header, plain;
  write_header(h, header);
  const PayloadType first = write_chain(payloads, plain);
  authenticate_intermediate(sa, h.initiator, header, first, 0, plain);
}

void IkePeer::Impl::authenticate_received(IkeSa& sa, Bytes message, const Opened& opened) {
  authenticate_intermediate(sa, !sa.initiator, message.first(kHeaderOctets), opened.first, opened.reserved,
                            opened.plain);
}

// RFC 9242 3.3.2: IntAuth_n = prf(SK_p, IntAuth_(n-1) | A | P). A: the message as far as the header of its SK payload,
// both lengths without IV, padding and ICV; P: the payloads in it. With the keys that protect the message, and as if it
// had not been fragmented.
void IkePeer::Impl::authenticate_intermediate(IkeSa& sa, bool by_initiator, Bytes header, PayloadType first,
                                              std::uint8_t reserved, Bytes plain) {
  constexpr std::size_t kNextPayload = 16, kLength = 24;
  Buffer& chain = by_initiator ? sa.int_auth_i : sa.int_auth_r;
  Buffer octets = chain;
  const std::size_t at = octets.size();
  Writer w(octets);
  w.bytes(header.first(kLength));
  octets[at + kNextPayload] = static_cast<std::uint8_t>(PayloadType::Sk);
  w.u32(static_cast<std::uint32_t>(kHeaderOctets + kPayloadHeader + plain.size()));
  w.u8(static_cast<std::uint8_t>(first));
  w.u8(reserved);
  w.u16(static_cast<std::uint16_t>(kPayloadHeader + plain.size()));
  w.bytes(plain);
  chain = prf(sa.suite.prf, (by_initiator ? sa.keys.pi : sa.keys.pr).view(), octets);
}

// What AUTH signs besides, where there was an IKE_INTERMEDIATE: IntAuth_i | IntAuth_r | Message ID of IKE_AUTH.
Buffer intermediate_auth(const IkeSa& sa) {
  Buffer out;
  if (sa.intermediates == 0) return out;
  Writer w(out);
  w.bytes(sa.int_auth_i);
  w.bytes(sa.int_auth_r);
  w.u32(sa.intermediates + 1);
  return out;
}

}  // namespace cgw::ipsec
