// Requests and responses of established keys: sending, retransmission, windows of one, dispatch (RFC 7296 2.1 to 2.3).
#include <algorithm>

#include <fmt/format.h>

#include "ipsec/describe.hpp"
#include "ipsec/peer_impl.hpp"

namespace cgw::ipsec {
namespace {

constexpr std::size_t kMaxTasks = 32;
constexpr Seconds kInitAttempt{30};      // with one SPI and one Diffie-Hellman
constexpr Seconds kRefusedFor{3};        // Linux tells one sender once a second
constexpr int kSilence = 300;            // this part of it is waited
constexpr std::size_t kBesideAfter = 3;  // times that a question was sent again: 0.7 s

bool deletes_ike(const Payloads& payloads) {
  return std::ranges::any_of(payloads, [](const Payload& p) {
    const auto d = p.type == PayloadType::Delete ? parse_delete(p.body) : std::nullopt;
    return d && d->ike;
  });
}

Exchange exchange_of(const Request& r) {
  if (r.followup) return Exchange::IkeFollowupKe;
  switch (r.task.kind) {
    case TaskKind::Init: return Exchange::IkeSaInit;
    case TaskKind::Intermediate: return Exchange::IkeIntermediate;
    case TaskKind::Auth: return Exchange::IkeAuth;
    case TaskKind::CreateChild:
    case TaskKind::RekeyChild:
    case TaskKind::RekeyIke: return Exchange::CreateChildSa;
    case TaskKind::Dpd:
    case TaskKind::DeleteChild:
    case TaskKind::DeleteIke: return Exchange::Informational;
  }
  return Exchange::Informational;
}

}  // namespace

// AES-GCM: a counter, never twice under one key (RFC 5282 3.1). CBC: unpredictable.
Buffer IkePeer::Impl::next_iv(IkeSa& sa) {
  Buffer iv;
  if (sa.suite.encr == Encr::AesGcm16) {
    const std::uint64_t n = ++sa.iv_counter;
    Writer w(iv);
    w.u32(static_cast<std::uint32_t>(n >> 32));
    w.u32(static_cast<std::uint32_t>(n));
    return iv;
  }
  iv.resize(sa.out->iv_size());
  entropy.fill(iv);
  return iv;
}

void IkePeer::Impl::send_datagrams(Context& cx, IkeSa& sa, const std::vector<Buffer>& datagrams) {
  for (const auto& d : datagrams)
    cx.out.push_back(SendDatagram{sa.local, sa.remote, d});
  sa.last_sent = cx.now;
}

void IkePeer::Impl::trace(Context& cx, bool sent, const Endpoint& remote, const Header& h, const Payloads& payloads) {
  if (!debug.messages) return;
  auto lines = describe(h, payloads);
  lines.front().insert(0, fmt::format("{} {} ", sent ? "->" : "<-", remote.to_string()));
  cx.out.push_back(Trace{std::move(lines)});
}

void IkePeer::Impl::send_request(Context& cx, IkeSa& sa, Exchange e, Request r, const Payloads& payloads) {
  r.id = sa.next_request++;
  trace(cx, true, sa.remote, sa.header(e, false, r.id), payloads);
  r.datagrams = protect(sa.header(e, false, r.id), payloads, *sa.out, sa.peer_fragments, [&] { return next_iv(sa); });
  r.next = cx.now + *patience(cx, sa, r);
  send_datagrams(cx, sa, r.datagrams);
  sa.request = std::move(r);
}

// RFC 7296 2.4: waits grow exponentially so as not to add to a congestion. One small datagram a second adds to none,
// and a peer that comes back has its tunnel again within it; with the silence the waits grow all the same.
std::optional<Duration> IkePeer::Impl::patience(const Context& cx, const IkeSa& sa, const Request& r) const {
  if (r.task.kind != TaskKind::Init) {
    const auto& waits = r.liveness ? config.liveness : config.retransmit;
    return r.sent < waits.size() ? std::optional<Duration>(waits[r.sent]) : std::nullopt;
  }
  if (sa.created + kInitAttempt <= cx.now) return std::nullopt;
  const Duration silence = silent_since ? cx.now - *silent_since : Duration{};
  const Duration pace = std::clamp<Duration>(silence / kSilence, config.init_pace, config.init_max);
  if (pace > config.init_pace) return pace;
  if (refused_at && *refused_at + kRefusedFor > cx.now) return config.init_refused;
  return r.sent == 0 ? pace / 2 : pace;
}

void IkePeer::Impl::send_plain_request(Context& cx, IkeSa& sa, Request r, Buffer message) {
  r.id = 0;
  r.datagrams = {std::move(message)};
  r.next = cx.now + patience(cx, sa, r).value_or(Duration{});
  sa.next_request = 1;
  send_datagrams(cx, sa, r.datagrams);
  sa.request = std::move(r);
}

void IkePeer::Impl::respond(Context& cx, IkeSa& sa, const Payloads& payloads) {
  const Header h = sa.header(sa.requested, true, sa.expected_request - 1);
  trace(cx, true, sa.remote, h, payloads);
  sa.last_response = protect(h, payloads, *sa.out, sa.peer_fragments, [&] { return next_iv(sa); });
  send_datagrams(cx, sa, sa.last_response);
}

// RFC 7296 2.21.3: "If a peer parsing a request notices that it is badly formatted (after it has passed the message
// authentication code checks and window checks) and it returns an INVALID_SYNTAX notification, then this error
// notification is considered fatal in both peers, meaning that the IKE SA is deleted without needing an explicit Delete
// payload."
void IkePeer::Impl::refuse_as_malformed(Context& cx, IkeSa& sa) {
  respond(cx, sa, {make_notify(NotifyType::InvalidSyntax)});
  lost(cx, sa, fmt::format("the peer's {} is malformed: INVALID_SYNTAX sent", to_string(sa.requested)));
}

void IkePeer::Impl::retransmit(Context& cx, IkeSa& sa) {
  Request& r = *sa.request;
  ++r.sent;
  const auto wait = patience(cx, sa, r);
  if (!wait) {
    if (sa.doing(TaskKind::RekeyIke) && r.rival) follow_rival(cx, sa, *r.rival);
    const bool up = sa.state == IkeSa::State::Established;
    if (sa.state == IkeSa::State::Deleting || sa.drop_at) return drop(cx, sa);
    return failed(cx, sa, fmt::format("{} does not answer{}", sa.remote.to_string(), up ? " (DPD)" : ""), false);
  }
  r.next = cx.now + *wait;
  if (debug.messages)
    cx.out.push_back(Trace{{fmt::format("-> {} request {} again ({})", sa.remote.to_string(), r.id, r.sent)}});
  send_datagrams(cx, sa, r.datagrams);
  if (r.liveness) doubted(cx, sa, r.sent);
}

// A question whether the peer is still there has no answer yet. When the peer has begun another IKE SA meanwhile, that
// one is sent with; else one is begun beside this one, so that a peer that has forgotten this one does not wait for us
// to be sure.
void IkePeer::Impl::doubted(Context& cx, IkeSa& sa, std::size_t unanswered) {
  IkeSa* newest = current();
  if (newest != nullptr && newest != &sa && sa.child_in(sending) != nullptr) use_outbound(cx, *newest->current());
  if (unanswered == kBesideAfter && newest == &sa) begin_beside(cx);
}

void IkePeer::Impl::queue(Context& cx, IkeSa& sa, Task t) {
  const auto same = [&](const Task& o) { return o.kind == t.kind && o.spi_in == t.spi_in; };
  if (std::ranges::any_of(sa.tasks, same) || sa.tasks.size() >= kMaxTasks) return;
  if (sa.request && same(sa.request->task)) return;
  sa.tasks.push_back(t);
  pump(cx, sa);
}

// Starts the next exchange when none is under way.
void IkePeer::Impl::pump(Context& cx, IkeSa& sa) {
  while (!sa.gone && !sa.request && !sa.tasks.empty()) {
    const Task t = sa.tasks.front();
    sa.tasks.erase(sa.tasks.begin());
    Request r;
    r.task = t;
    switch (t.kind) {
      case TaskKind::Init:
      case TaskKind::Intermediate:
      case TaskKind::Auth: break;
      case TaskKind::Dpd:
        r.liveness = true;
        send_request(cx, sa, Exchange::Informational, std::move(r), {});
        break;
      case TaskKind::CreateChild:
      case TaskKind::RekeyChild: start_create_child(cx, sa, t); break;
      case TaskKind::RekeyIke: start_ike_rekey(cx, sa); break;
      case TaskKind::DeleteChild:
        // The peer stops to receive on it when it has the DELETE.
        if (const Child* next = sa.current(); next != nullptr && sending == t.spi_in) use_outbound(cx, *next);
        send_request(cx, sa, Exchange::Informational, std::move(r), {make_delete_esp(t.spi_in.value())});
        break;
      case TaskKind::DeleteIke:
        sa.state = IkeSa::State::Deleting;
        send_request(cx, sa, Exchange::Informational, std::move(r), {make_delete_ike()});
        break;
    }
  }
}

void IkePeer::Impl::on_protected(Context& cx, IkeSa& sa, const Received& e, const Header& h) {
  if (!sa.in || h.initiator == sa.initiator) return;
  // Nothing but the expected request, a repetition of the last one, or the answer to ours is worth decrypting.
  const bool repeated = !h.response && sa.expected_request > 0 && h.message_id == sa.expected_request - 1;
  // An answer is of its request's exchange (RFC 7296 3.1); another's payloads mean something else.
  const bool answer = sa.request && sa.request->id == h.message_id && h.exchange == exchange_of(*sa.request);
  const bool expected = h.response ? answer : h.message_id == sa.expected_request;
  if (!repeated && (!expected || sa.state == IkeSa::State::Closed)) return;
  auto opened = unprotect(e.message, h, *sa.in);
  if (!opened && repeated && sa.in_before) opened = unprotect(e.message, h, *sa.in_before);
  if (!opened) {
    if (debug.messages)
      cx.out.push_back(Trace{{fmt::format("<- {} message {} does not decrypt", e.remote.to_string(), h.message_id)}});
    return;
  }
  sa.last_heard = cx.now;
  if (sa.usable()) forget_beside(cx);
  if (repeated) {
    if (opened->fragment <= 1) send_datagrams(cx, sa, sa.last_response);
    return;
  }
  if (sa.state == IkeSa::State::HalfOpen) {
    // RFC 7296 2.23: with a NAT on the way IKE_AUTH comes on port 4500, and all that follows goes there.
    sa.local = e.local;
    sa.remote = e.remote;
  }
  follow(cx, sa, e.remote);
  if (opened->total > 0) {
    opened = (h.response ? sa.responses : sa.requests).add(h.message_id, std::move(*opened));
    if (!opened) return;
  }
  auto chain = parse_chain(opened->first, opened->plain);
  if (chain) trace(cx, false, e.remote, h, chain->payloads);
  const bool sound = chain && !unknown_critical(chain->payloads);
  if (sound && h.exchange == Exchange::IkeIntermediate && !sa.established)
    authenticate_received(sa, e.message, *opened);
  if (h.response) {
    // RFC 7296 2.21: a malformed answer is no answer; retransmission ends it.
    if (sound) on_response(cx, sa, chain->payloads);
    return;
  }
  ++sa.expected_request;
  sa.requested = h.exchange;
  if (!chain) return refuse_as_malformed(cx, sa);
  if (const auto type = unknown_critical(chain->payloads)) {
    return respond(cx, sa, {make_notify(NotifyType::UnsupportedCriticalPayload, Buffer{*type})});
  }
  on_request(cx, sa, h, chain->payloads);
}

void IkePeer::Impl::on_request(Context& cx, IkeSa& sa, const Header& h, const Payloads& payloads) {
  const bool half_open = sa.state == IkeSa::State::HalfOpen;
  if (sa.undecided && !deletes_ike(payloads)) used_by_peer(cx, sa);
  switch (h.exchange) {
    case Exchange::IkeAuth:
      if (half_open && additional(sa.suite.more_ke, sa.intermediates) == DhGroup::None)
        return on_auth_request(cx, sa, payloads);
      break;
    case Exchange::CreateChildSa:
      if (!half_open) return on_create_child_request(cx, sa, payloads);
      break;
    case Exchange::Informational:
      if (!half_open) return on_informational_request(cx, sa, payloads);
      break;
    case Exchange::IkeIntermediate:
      if (half_open) return on_intermediate_request(cx, sa, payloads);
      break;
    case Exchange::IkeFollowupKe:
      if (!half_open) return on_followup_request(cx, sa, payloads);
      break;
    case Exchange::IkeSaInit: break;
  }
  refuse_as_malformed(cx, sa);
}

void IkePeer::Impl::on_response(Context& cx, IkeSa& sa, const Payloads& payloads) {
  Request r = std::move(*sa.request);
  sa.request.reset();
  sa.responses.clear();
  // RFC 7296 2.21.3: fatal in both peers.
  const auto error = error_in(payloads);
  if (sa.established && error && error->type == NotifyType::InvalidSyntax)
    return lost(cx, sa, "the peer calls our request malformed (INVALID_SYNTAX)");
  if (r.followup) return on_followup_response(cx, sa, std::move(r), payloads);
  switch (r.task.kind) {
    case TaskKind::Init: break;
    case TaskKind::Intermediate: return on_intermediate_response(cx, sa, payloads);
    case TaskKind::Auth: return on_auth_response(cx, sa, payloads);
    case TaskKind::Dpd: break;
    case TaskKind::CreateChild:
    case TaskKind::RekeyChild:
    case TaskKind::RekeyIke: return create_child_answered(cx, sa, std::move(r), payloads);
    case TaskKind::DeleteChild:
    case TaskKind::DeleteIke: return on_delete_response(cx, sa, r);
  }
  pump(cx, sa);
}

}  // namespace cgw::ipsec
