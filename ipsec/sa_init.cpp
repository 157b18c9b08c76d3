// IKE_SA_INIT (RFC 7296 1.2, 2.6, 2.7, 2.23): ours, and what both roles share.
#include "ipsec/sa_init.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "ipsec/describe.hpp"
#include "ipsec/peer_impl.hpp"

namespace cgw::ipsec {
namespace {

constexpr std::uint16_t kIkePort = 500, kNatTPort = 4500;
constexpr std::size_t kMinNonce = 16, kMaxNonce = 256;
constexpr unsigned kMaxInitRetries = 3;
constexpr std::size_t kMaxCookie = 64;

// RFC 7296 2.23: SHA-1 of SPIs, address and port.
Buffer nat_hash(std::uint64_t spi_i, std::uint64_t spi_r, const Endpoint& e) {
  Buffer b;
  Writer w(b);
  for (const std::uint64_t spi : {spi_i, spi_r}) {
    w.u32(static_cast<std::uint32_t>(spi >> 32));
    w.u32(static_cast<std::uint32_t>(spi));
  }
  w.bytes(e.address.bytes());
  w.u16(e.port);
  return sha1(b);
}

}  // namespace

Buffer plain_message(Header h, const Payloads& payloads) {
  Buffer chain, message;
  h.first = write_chain(payloads, chain);
  h.length = static_cast<std::uint32_t>(kHeaderOctets + chain.size());
  write_header(h, message);
  message.insert(message.end(), chain.begin(), chain.end());
  return message;
}

std::optional<InitParts> parse_init(const Payloads& payloads) {
  const auto* sa = find(payloads, PayloadType::Sa);
  const auto* nonce = find(payloads, PayloadType::Nonce);
  const auto ke = find_ke(payloads);
  if (sa == nullptr || nonce == nullptr || !ke) return std::nullopt;
  if (nonce->body.size() < kMinNonce || nonce->body.size() > kMaxNonce) return std::nullopt;
  auto proposals = parse_sa(sa->body);
  if (!proposals) return std::nullopt;
  return InitParts{.proposals = std::move(*proposals),
                   .ke = *ke,
                   .nonce = nonce->body,
                   .intermediate = find_notify(payloads, NotifyType::IntermediateExchangeSupported).has_value()};
}

void IkePeer::Impl::start_init(Context& cx, IkeSa& sa) {
  sa.initiator = true;
  sa.spi_i = entropy.u64() | 1;  // never 0
  sa.local = {config.local, kIkePort};
  sa.remote = {config.remote, kIkePort};
  sa.forced_encap = config.force_encap;
  sa.ni.resize(kNonceOctets);
  entropy.fill(sa.ni);
  if (!silent_since) silent_since = cx.now;
  ++status.attempts;
  send_init(cx, sa, config.ike.front().dh);
}

/* IKE_SA_INIT { [N(COOKIE)], SAi1, KEi, Ni, N(NATD_S), N(NATD_D), N(FRAG_SUP), [N(INTERMEDIATE)] } --> */
void IkePeer::Impl::send_init(Context& cx, IkeSa& sa, DhGroup group) {
  if (!sa.ke || sa.ke->group() != group) sa.ke = entropy.new_key_exchange(group);
  Payloads payloads;
  if (!sa.cookie.empty()) payloads.push_back(make_notify(NotifyType::Cookie, sa.cookie));
  payloads.push_back(offer(config.ike, Bytes{}));
  payloads.push_back(make_ke(*sa.ke));
  payloads.push_back({PayloadType::Nonce, false, sa.ni});
  add_nat_detection(sa, payloads);
  payloads.push_back(make_notify(NotifyType::FragmentationSupported));
  announce_authentication(sa, payloads);
  if (wants_intermediate()) payloads.push_back(make_notify(NotifyType::IntermediateExchangeSupported));

  const Header h = sa.header(Exchange::IkeSaInit, false, 0);
  trace(cx, true, sa.remote, h, payloads);
  sa.init_request = plain_message(h, payloads);
  Request r;
  r.task.kind = TaskKind::Init;
  send_plain_request(cx, sa, std::move(r), sa.init_request);
}

void IkePeer::Impl::add_nat_detection(const IkeSa& sa, Payloads& payloads) {
  Buffer source = nat_hash(sa.spi_i, sa.spi_r, sa.local);
  // A hash that cannot match: the peer sees a NAT in front of us and encapsulates ESP in UDP.
  if (config.force_encap) source[0] ^= 0xff;
  payloads.push_back(make_notify(NotifyType::NatDetectionSourceIp, source));
  payloads.push_back(make_notify(NotifyType::NatDetectionDestinationIp, nat_hash(sa.spi_i, sa.spi_r, sa.remote)));
}

void IkePeer::Impl::detect_nat(IkeSa& sa, const Payloads& payloads) {
  const Buffer theirs = nat_hash(sa.spi_i, sa.spi_r, sa.remote), ours = nat_hash(sa.spi_i, sa.spi_r, sa.local);
  bool told = false, remote_matches = false, local_matches = false;
  for (const auto& n : notifies(payloads)) {
    if (n.type == NotifyType::NatDetectionSourceIp) {
      told = true;
      remote_matches = remote_matches || n.data == theirs;
    } else if (n.type == NotifyType::NatDetectionDestinationIp) {
      local_matches = local_matches || n.data == ours;
    }
  }
  // A peer that tells nothing has no NAT traversal.
  sa.nat_remote = told && !remote_matches;
  sa.nat_local = told && !local_matches;
  sa.forced_encap = config.force_encap && told;
  sa.peer_fragments = find_notify(payloads, NotifyType::FragmentationSupported).has_value();
}

void IkePeer::Impl::make_ciphers(Context& cx, IkeSa& sa) {
  const IkeKeys& k = sa.keys;
  if (debug.keys) cx.out.push_back(DecryptionKeys{decryption_table_row(sa.spi_i, sa.spi_r, sa.suite, k)});
  sa.out = sa.initiator ? make_sk_cipher(sa.suite, k.ei.view(), k.ai.view())
                        : make_sk_cipher(sa.suite, k.er.view(), k.ar.view());
  sa.in = sa.initiator ? make_sk_cipher(sa.suite, k.er.view(), k.ar.view())
                       : make_sk_cipher(sa.suite, k.ei.view(), k.ai.view());
}

// COOKIE and INVALID_KE_PAYLOAD are answered; other refusals are remembered, not believed: they are not authenticated
// (RFC 7296 2.21.1), so a real answer may still come.
bool IkePeer::Impl::init_refused(Context& cx, IkeSa& sa, const Payloads& payloads) {
  if (const auto cookie = find_notify(payloads, NotifyType::Cookie)) {
    const bool usable = !cookie->data.empty() && cookie->data.size() <= kMaxCookie && sa.init_retries < kMaxInitRetries;
    if (!usable) return true;
    ++sa.init_retries;
    sa.cookie = cookie->data;
    send_init(cx, sa, sa.ke->group());
    return true;
  }
  if (const auto invalid = find_notify(payloads, NotifyType::InvalidKePayload)) {
    Reader r(invalid->data);
    const auto group = DhGroup{r.u16()};
    const auto ours = [&](const IkeSuite& s) { return s.dh == group; };
    if (!r.done() || sa.init_retries >= kMaxInitRetries || group == sa.ke->group()) return true;
    if (std::ranges::none_of(config.ike, ours)) {
      status.last_error =
          "the peer wants Diffie-Hellman group " + std::string(to_string(group)) + ", which no 'ike proposal' has";
      return true;
    }
    ++sa.init_retries;
    send_init(cx, sa, group);
    return true;
  }
  if (find_notify(payloads, NotifyType::Redirect)) {
    // RFC 5685 3: only for those who said REDIRECT_SUPPORTED. We go where the configuration says.
    say_once(cx, "the peer redirects us to another gateway (REDIRECT), which we did not offer to follow: ignored");
    return true;
  }
  for (const auto& n : notifies(payloads)) {
    if (!is_error(n.type)) continue;
    status.last_error = explain(n.type, config);
    if (status.last_error != said) note(cx, Level::Warning, said = status.last_error);
    // Nothing else will come from a peer that has no proposal in common: try again after a pause.
    if (n.type == NotifyType::NoProposalChosen) failed(cx, sa, status.last_error, true);
    return true;
  }
  return false;
}

/* <-- IKE_SA_INIT { SAr1, KEr, Nr, N(NATD_S), N(NATD_D), N(FRAG_SUP) } */
void IkePeer::Impl::on_init_response(Context& cx, IkeSa& sa, const Header& h, const Received& e) {
  if (sa.state != IkeSa::State::InitSent || !h.response || h.initiator) return;
  const auto chain = parse_chain(h.first, Bytes(e.message).subspan(kHeaderOctets));
  if (!chain) return;
  const Payloads& payloads = chain->payloads;
  trace(cx, false, e.remote, h, payloads);
  if (unknown_critical(payloads)) return;
  if (init_refused(cx, sa, payloads)) return;

  const auto init = h.spi_r != 0 ? parse_init(payloads) : std::nullopt;
  if (!init || !single(init->proposals)) return;
  const auto chosen = choose(init->proposals, acceptable_ike(init->intermediate));
  if (!chosen || chosen->suite.dh != init->ke.group || init->ke.group != sa.ke->group()) return;
  const auto shared = sa.ke->shared_secret(init->ke.value);
  if (!shared) return note(cx, Level::Warning, "IKE_SA_INIT from the peer holds " + shared.error());

  silent_since.reset();
  sa.spi_r = h.spi_r;
  sa.nr = init->nonce;
  sa.suite = chosen->suite;
  sa.local = {e.local.address, sa.local.port};
  sa.init_response = e.message;
  const auto seed = skeyseed_initial(sa.suite.prf, sa.ni, sa.nr, shared->view());
  sa.keys = derive_ike_keys(sa.suite, seed.view(), sa.ni, sa.nr, sa.spi_i, sa.spi_r);
  make_ciphers(cx, sa);
  detect_nat(sa, payloads);
  read_announcement(sa, payloads);
  if (sa.encapsulated()) {
    sa.local.port = kNatTPort;
    sa.remote.port = kNatTPort;
  }
  sa.ke.reset();
  sa.request.reset();
  sa.last_heard = cx.now;
  start_intermediate_or_auth(cx, sa);
}

}  // namespace cgw::ipsec
