// CREATE_CHILD_SA (RFC 7296 1.3): what both kinds share, who may begin one when, and refusals.
#include "ipsec/create_child_sa.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "ipsec/peer_impl.hpp"

namespace cgw::ipsec {
namespace {

constexpr std::size_t kMinNonce = 16, kMaxNonce = 256;
constexpr Seconds kRetryRekey{4}, kRetryRekeyMax{32};
constexpr unsigned kMaxRefusals = 5;  // of a new Child SA, before the IKE SA goes
constexpr unsigned kMaxGroupChanges = 2;
constexpr unsigned kMaxForgotten = 3;
// RFC 7296 2.25: "several minutes".
constexpr Seconds kBusyTooLong{180};
// What a peer rekeys and does not delete stays a while: the next may wait for that.
constexpr std::size_t kMaxChildren = 8, kMaxIkeSas = 8;

}  // namespace

std::optional<Parts> parse_parts(const Payloads& payloads) {
  const auto* sa = find(payloads, PayloadType::Sa);
  const auto* nonce = find(payloads, PayloadType::Nonce);
  if (sa == nullptr || nonce == nullptr || nonce->body.size() < kMinNonce || nonce->body.size() > kMaxNonce)
    return std::nullopt;
  Parts out;
  auto proposals = parse_sa(sa->body);
  if (!proposals) return std::nullopt;
  out.proposals = std::move(*proposals);
  out.nonce = nonce->body;
  if (const auto* ke = find(payloads, PayloadType::Ke)) {
    out.ke = parse_ke(ke->body);
    if (!out.ke) return std::nullopt;
  }
  for (auto [type, to] : {std::pair{PayloadType::TsI, &out.ts_i}, std::pair{PayloadType::TsR, &out.ts_r}}) {
    const auto* ts = find(payloads, type);
    if (ts == nullptr) continue;
    auto ranges = parse_ts(ts->body);
    if (!ranges) return std::nullopt;
    *to = std::move(*ranges);
  }
  return out;
}

std::optional<ChildParts> parse_child_parts(const Payloads& payloads) {
  const auto* sa = find(payloads, PayloadType::Sa);
  const auto* ts_i = find(payloads, PayloadType::TsI);
  const auto* ts_r = find(payloads, PayloadType::TsR);
  if (sa == nullptr || ts_i == nullptr || ts_r == nullptr) return std::nullopt;
  auto proposals = parse_sa(sa->body);
  auto initiators = parse_ts(ts_i->body), responders = parse_ts(ts_r->body);
  if (!proposals || !initiators || !responders) return std::nullopt;
  return ChildParts{std::move(*proposals), std::move(*initiators), std::move(*responders)};
}

std::optional<Notify> error_in(const Payloads& payloads) {
  for (auto& n : notifies(payloads)) {
    if (is_error(n.type)) return std::move(n);
  }
  return std::nullopt;
}

std::optional<KeyExchangePayload> find_ke(const Payloads& payloads) {
  const auto* p = find(payloads, PayloadType::Ke);
  return p != nullptr ? parse_ke(p->body) : std::nullopt;
}

Payload invalid_ke(DhGroup group) {
  Buffer b;
  Writer(b).u16(static_cast<std::uint16_t>(group));
  return make_notify(NotifyType::InvalidKePayload, b);
}

Buffer ike_spi_octets(std::uint64_t spi) {
  Buffer b;
  Writer w(b);
  w.u32(static_cast<std::uint32_t>(spi >> 32));
  w.u32(static_cast<std::uint32_t>(spi));
  return b;
}

std::uint64_t read_ike_spi(Bytes octets) {
  Reader r(octets);
  const std::uint64_t spi = r.u64();
  return r.done() ? spi : 0;
}

Spi read_spi(Bytes octets) {
  Reader r(octets);
  const Spi spi{r.u32()};
  return r.done() ? spi : Spi{};
}

// RFC 7296 2.8.1: "'Lowest' means an octet-by-octet comparison (instead of, for instance, comparing the nonces as large
// integers). In other words, start by comparing the first octet; if they're equal, move to the next octet, and so on.
// If you reach the end of one nonce, that nonce is the lower one."
bool is_lower(Bytes a, Bytes b) {
  return std::ranges::lexicographical_compare(a, b);
}

Buffer lowest_nonce(Bytes a, Bytes b) {
  const Bytes lower = is_lower(b, a) ? b : a;
  return {lower.begin(), lower.end()};
}

// RFC 7296 1.2: "If creating the Child SA during the IKE_AUTH exchange fails for some reason, the IKE SA is still
// created as usual." Another is asked for by CREATE_CHILD_SA, after a pause.
void IkePeer::Impl::established_childless(Context& cx, IkeSa& sa, const Notify& error) {
  sa.authenticated_by_us = true;
  established(cx, sa);
  Request refused;
  refused.task.kind = TaskKind::CreateChild;
  create_child_refused(cx, sa, refused, error);
}

void IkePeer::Impl::on_create_child_request(Context& cx, IkeSa& sa, const Payloads& payloads) {
  sa.answering.reset();  // one that the peer has not followed up
  answer_create_child_sa(cx, sa, payloads);
  if (sa.answering) sa.answering->request = payloads;
}

// Of one with additional key exchanges again when the last is there: what was right at first may not be any more.
void IkePeer::Impl::answer_create_child_sa(Context& cx, IkeSa& sa, const Payloads& payloads) {
  const auto answer = [&](NotifyType t) { respond(cx, sa, {make_notify(t)}); };
  // RFC 7296 2.25.2: "If a peer receives a request to rekey an IKE SA that it is currently trying to close, it SHOULD
  // reply with TEMPORARY_FAILURE." One that has been rekeyed is such a one (2.8.2), and so is one that is redundant.
  const bool crowded = sa.children.size() >= kMaxChildren || sas.size() >= kMaxIkeSas;
  if (!sa.usable() || crowded) return answer(NotifyType::TemporaryFailure);
  const auto parts = parse_parts(payloads);
  if (!parts) return refuse_as_malformed(cx, sa);
  const bool second_rival = sa.request && sa.request->rival;
  if (parts->proposals.front().protocol == SaProtocol::Ike) {
    // RFC 7296 2.25.1: "If a peer receives a request to rekey the IKE SA, and it is currently creating, rekeying, or
    // closing a Child SA of that IKE SA, it SHOULD reply with TEMPORARY_FAILURE."
    const bool child_exchange =
        sa.doing(TaskKind::CreateChild) || sa.doing(TaskKind::RekeyChild) || sa.doing(TaskKind::DeleteChild);
    if (child_exchange || second_rival) return answer(NotifyType::TemporaryFailure);
    return answer_ike_rekey(cx, sa, *parts);
  }
  // RFC 7296 2.25.2: "If a peer receives a request to create or rekey a Child SA when it is currently rekeying the IKE
  // SA, it SHOULD reply with TEMPORARY_FAILURE."
  if (sa.doing(TaskKind::RekeyIke)) return answer(NotifyType::TemporaryFailure);
  const auto rekey = find_notify(payloads, NotifyType::RekeySa);
  if (!rekey) {
    // One pair of SAs a tunnel (RFC 7296 1.3: "a minimal implementation ... NO_ADDITIONAL_SAS").
    if (sa.current() != nullptr) return answer(NotifyType::NoAdditionalSas);
    return second_rival ? answer(NotifyType::TemporaryFailure) : answer_create_child(cx, sa, *parts, Spi{});
  }
  Child* old = sa.child_out(read_spi(rekey->spi));
  if (old == nullptr) {
    // RFC 7296 2.25: "The SA that the initiator attempted to rekey is indicated by the SPI field in the Notify payload,
    // which is copied from the SPI field in the REKEY_SA notification."
    respond(cx, sa, {make_notify(NotifyType::ChildSaNotFound, {}, rekey->protocol, rekey->spi)});
    return;
  }
  // RFC 7296 2.25.1: "If a peer receives a request to rekey a Child SA that it is currently trying to close, it SHOULD
  // reply with TEMPORARY_FAILURE."
  if (old->replaced || sa.doing(TaskKind::DeleteChild, old->sa.spi_in) || second_rival)
    return answer(NotifyType::TemporaryFailure);
  answer_create_child(cx, sa, *parts, old->sa.spi_in);
}

// RFC 7296 1.3: the peer "SHOULD indicate its preferred group in the INVALID_KE_PAYLOAD"; asked again once with it.
bool IkePeer::Impl::other_group(IkeSa& sa, const Request& r, const Notify& error) {
  Reader data(error.data);
  const auto wanted = DhGroup{data.u16()};
  if (!data.done() || !r.ke || r.ke->group() == wanted) return false;
  if (r.task.kind == TaskKind::RekeyIke) {
    if (sa.ike_group == wanted || std::ranges::find(config.ike, wanted, &IkeSuite::dh) == config.ike.end())
      return false;
    sa.ike_group = wanted;
    return true;
  }
  if (sa.child_group == wanted || std::ranges::find(config.esp, wanted, &EspSuite::dh) == config.esp.end())
    return false;
  sa.child_group = wanted;
  return true;
}

void IkePeer::Impl::create_child_answered(Context& cx, IkeSa& sa, Request r, const Payloads& payloads) {
  if (r.task.kind == TaskKind::RekeyIke) return on_ike_rekey_response(cx, sa, std::move(r), payloads);
  on_create_child_response(cx, sa, std::move(r), payloads);
  pump(cx, sa);
}

void IkePeer::Impl::create_child_refused(Context& cx, IkeSa& sa, const Request& r, const Notify& error) {
  // At once, but not for ever: a peer may change its mind each time.
  const bool learned = error.type == NotifyType::InvalidKePayload && other_group(sa, r, error);
  if (learned && sa.refusals++ < kMaxGroupChanges) return queue(cx, sa, r.task);
  Child* child = sa.child_in(r.task.spi_in);
  if (error.type == NotifyType::TemporaryFailure) {
    // RFC 7296 2.25: "If a peer continues to receive TEMPORARY_FAILURE on the same IKE SA after several minutes, it
    // SHOULD conclude that the state information is out of sync and close the IKE SA."
    if (!sa.busy_since) sa.busy_since = cx.now;
    if (cx.now - *sa.busy_since >= kBusyTooLong)
      return abandon(cx, sa, "the peer answers nothing but TEMPORARY_FAILURE");
  } else if (error.type == NotifyType::StateNotFound && ++sa.forgotten >= kMaxForgotten) {
    // RFC 9370 2.2.4: after several retries "it MUST treat this situation as a fatal error and delete the IKE SA".
    return abandon(cx, sa, "the peer forgets rekeys between their exchanges (STATE_NOT_FOUND)");
  } else {
    sa.busy_since.reset();
    status.last_error = (r.task.kind == TaskKind::CreateChild ? "Child SA: " : "rekey: ") + explain(error.type, config);
    if (status.last_error != said) note(cx, Level::Warning, said = status.last_error);
  }
  // A peer that makes no second SA (RFC 7296 1.3, 4) gets a new first one beside it, and keeps what it has until then.
  const bool rekey = r.task.kind == TaskKind::RekeyIke || r.task.kind == TaskKind::RekeyChild;
  if (rekey && error.type == NotifyType::NoAdditionalSas && config.initiate) return start_reauthentication(cx, sa);
  // RFC 7296 2.25: "it MUST NOT immediately retry the operation".
  const auto wait = backoff_of(sa.refusals++, kRetryRekey, kRetryRekeyMax);
  switch (r.task.kind) {
    case TaskKind::RekeyIke: sa.rekey_at = cx.now + wait; break;
    case TaskKind::RekeyChild:
      if (child == nullptr) break;
      if (error.type == NotifyType::ChildSaNotFound) {
        // RFC 7296 2.25: "SHOULD silently delete the Child SA (if it still exists) and send a request to create a new
        // Child SA from scratch".
        remove_child(cx, sa, r.task.spi_in);
        child_lost(cx, sa, "the peer has lost the Child SA (CHILD_SA_NOT_FOUND)");
      } else {
        child->rekey_at = cx.now + wait;
      }
      break;
    case TaskKind::CreateChild: {
      const bool never = error.type == NotifyType::NoAdditionalSas || sa.refusals >= kMaxRefusals;
      if (never && error.type != NotifyType::TemporaryFailure) return abandon(cx, sa, status.last_error);
      sa.create_child_at = cx.now + wait;
      break;
    }
    case TaskKind::Init:
    case TaskKind::Intermediate:
    case TaskKind::Auth:
    case TaskKind::Dpd:
    case TaskKind::DeleteChild:
    case TaskKind::DeleteIke: break;
  }
}

}  // namespace cgw::ipsec
