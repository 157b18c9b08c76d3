#include "tests/support/ike_rival.hpp"

#include <algorithm>
#include <stdexcept>

namespace cgw::test {
namespace {

using namespace cgw::ipsec;

const IpAddress kPeer = IpAddress::v4(0xc000020a), kRival = IpAddress::v4(0xcb00710a);
constexpr std::uint32_t kSpi = 0xc0de0001;
constexpr std::uint8_t kSharedKey = 2;

PeerConfig peer_config(IkeRival::Role role, const IkeSuite& suite) {
  PeerConfig c;
  c.local = kPeer;
  c.remote = kRival;
  c.local_id = Identity::of(kPeer);
  c.remote_id = Identity::of(kRival);
  c.psk = SecretBytes(std::string_view("the.shared_key"));
  c.ike = {suite};
  c.initiate = role == IkeRival::Role::Responder;
  return c;
}

Buffer octets_of(std::uint64_t v) {
  Buffer b;
  for (int shift = 56; shift >= 0; shift -= 8)
    b.push_back(static_cast<std::uint8_t>(v >> shift));
  return b;
}

}  // namespace

IkeRival::IkeRival(Role role, const char* ike_suite)
    : role_(role),
      suite_(*parse_ike_suite(ike_suite)),
      config_(peer_config(role, suite_)),
      peer_(config_, entropy_),
      ke_(std::make_unique<SimKeyExchange>(suite_.dh, 99)) {
  (role == Role::Initiator ? spi_i_ : spi_r_) = 0x1122334455667788;
  (role == Role::Initiator ? ni_ : nr_) = Buffer(32, 0x5a);
}

void IkeRival::step(const Event& e) {
  auto done = peer_.step(now, e);
  largest_step = std::max(largest_step, done.size());
  actions.insert(actions.end(), std::make_move_iterator(done.begin()), std::make_move_iterator(done.end()));
}

void IkeRival::deliver(Buffer message) {
  step(Received{{kPeer, 500}, {kRival, 500}, std::move(message)});
}

bool IkeRival::pass(Duration d) {
  const TimePoint until = now + d;
  TimePoint last{};
  for (int same = 0; peer_.next_deadline() && *peer_.next_deadline() <= until;) {
    now = std::max(now, *peer_.next_deadline());
    same = now == last ? same + 1 : 0;
    if (same > 20) return false;
    last = now;
    step(Tick{});
  }
  now = until;
  return true;
}

void IkeRival::begin() {
  step(Start{});
  if (role_ == Role::Responder) take_init(*last_datagram());
}

Payloads IkeRival::init_payloads() const {
  return {make_sa({proposal_of(suite_, 1, {})}),
          make_ke(*ke_),
          {PayloadType::Nonce, false, role_ == Role::Initiator ? ni_ : nr_}};
}

void IkeRival::init() {
  Buffer chain;
  const PayloadType first = write_chain(init_payloads(), chain);
  const Buffer message = plain(Exchange::IkeSaInit, role_ == Role::Responder, 0, first, chain);
  if (role_ == Role::Responder) {
    init_response_ = message;
    deliver(message);
  } else {
    init_request_ = message;
    deliver(message);
    take_init(*last_datagram());
    next_id_ = 1;
  }
}

// The peer's half of IKE_SA_INIT; with it the rival has everything.
void IkeRival::take_init(const Buffer& message) {
  const auto h = parse_header(message);
  const auto chain = parse_chain(h->first, Bytes(message).subspan(kHeaderOctets));
  const auto ke = parse_ke(ipsec::find(chain->payloads, PayloadType::Ke)->body);
  const Buffer nonce = ipsec::find(chain->payloads, PayloadType::Nonce)->body;
  if (role_ == Role::Responder) {
    spi_i_ = h->spi_i;
    ni_ = nonce;
    init_request_ = message;
  } else {
    spi_r_ = h->spi_r;
    nr_ = nonce;
    init_response_ = message;
  }
  const auto shared = ke_->shared_secret(ke->value);
  if (!shared) throw std::logic_error("the peer's public value: " + shared.error());
  const auto seed = skeyseed_initial(suite_.prf, ni_, nr_, shared->view());
  keys_ = derive_ike_keys(suite_, seed.view(), ni_, nr_, spi_i_, spi_r_);
  auto of_i = make_sk_cipher(suite_, keys_.ei.view(), keys_.ai.view());
  auto of_r = make_sk_cipher(suite_, keys_.er.view(), keys_.ar.view());
  out_ = std::move(role_ == Role::Initiator ? of_i : of_r);
  in_ = std::move(role_ == Role::Initiator ? of_r : of_i);
}

Buffer IkeRival::auth_value(bool of_initiator, const Identity& id) const {
  const Buffer maced = prf(suite_.prf, (of_initiator ? keys_.pi : keys_.pr).view(), id_body(id));
  Buffer octets = of_initiator ? init_request_ : init_response_;
  const Buffer& nonce = of_initiator ? nr_ : ni_;
  octets.insert(octets.end(), nonce.begin(), nonce.end());
  octets.insert(octets.end(), maced.begin(), maced.end());
  return psk_auth(suite_.prf, config_.psk.view(), octets);
}

Payloads IkeRival::honest_auth() const {
  const bool initiator = role_ == Role::Initiator;
  Payload auth{PayloadType::Auth, false, {kSharedKey, 0, 0, 0}};
  const Buffer value = auth_value(initiator, config_.remote_id);
  auth.body.insert(auth.body.end(), value.begin(), value.end());
  return {{initiator ? PayloadType::IdI : PayloadType::IdR, false, id_body(config_.remote_id)},
          auth,
          make_sa({proposal_of(config_.esp.front(), 1, Spi{kSpi}, WithDh::No)}),
          make_ts(PayloadType::TsI, any_address(Family::V4)),
          make_ts(PayloadType::TsR, any_address(Family::V4))};
}

void IkeRival::auth() {
  if (role_ == Role::Responder) {
    deliver(sealed(Exchange::IkeAuth, true, 1, honest_auth()));
  } else {
    request(Exchange::IkeAuth, honest_auth());
  }
  if (peer_.status().state != PeerState::Established) throw std::logic_error("the peer is not established");
}

Payloads IkeRival::honest_child_rekey() const {
  const auto& child = peer_.status().child;
  // What the rival receives on: the peer's outbound SPI.
  const Buffer spi = octets_of(child ? child->spi_out.value() : 0);
  const SimKeyExchange ke(config_.esp.front().dh, 5);
  return {make_notify(NotifyType::RekeySa, {}, static_cast<std::uint8_t>(SaProtocol::Esp), Bytes(spi).last(4)),
          make_sa({proposal_of(config_.esp.front(), 1, Spi{kSpi + next_id_ + 1}, WithDh::Yes)}),
          {PayloadType::Nonce, false, Buffer(32, static_cast<std::uint8_t>(next_id_))},
          make_ke(ke),
          make_ts(PayloadType::TsI, any_address(Family::V4)),
          make_ts(PayloadType::TsR, any_address(Family::V4))};
}

Payloads IkeRival::honest_ike_rekey() const {
  const SimKeyExchange ke(suite_.dh, 6);
  return {make_sa({proposal_of(suite_, 1, octets_of(0x99aabbccddee0000 + next_id_))}),
          {PayloadType::Nonce, false, Buffer(32, 0x77)},
          make_ke(ke)};
}

Header IkeRival::header(Exchange e, bool response, std::uint32_t id) const {
  // An initiator of IKE_SA_INIT does not know the responder's SPI yet.
  const bool first = e == Exchange::IkeSaInit && role_ == Role::Initiator && !response;
  return {.spi_i = spi_i_,
          .spi_r = first ? 0 : spi_r_,
          .exchange = e,
          .initiator = role_ == Role::Initiator,
          .response = response,
          .message_id = id};
}

Buffer IkeRival::plain(Exchange e, bool response, std::uint32_t id, PayloadType first, Bytes chain) const {
  Header h = header(e, response, id);
  h.first = first;
  h.length = static_cast<std::uint32_t>(kHeaderOctets + chain.size());
  Buffer out;
  write_header(h, out);
  out.insert(out.end(), chain.begin(), chain.end());
  return out;
}

Buffer IkeRival::sealed(Exchange e, bool response, std::uint32_t id, PayloadType first, Bytes chain,
                        std::optional<std::pair<std::uint16_t, std::uint16_t>> fragment) {
  Buffer fields, iv = octets_of(++iv_);
  if (fragment) {
    Writer w(fields);
    w.u16(fragment->first);
    w.u16(fragment->second);
  }
  iv.resize(out_->iv_size(), 0x33);
  return seal_message(header(e, response, id), fragment ? PayloadType::Skf : PayloadType::Sk, first, fields, chain,
                      *out_, iv);
}

Buffer IkeRival::sealed(Exchange e, bool response, std::uint32_t id, const Payloads& payloads) {
  Buffer chain;
  const PayloadType first = write_chain(payloads, chain);
  return sealed(e, response, id, first, chain);
}

void IkeRival::request(Exchange e, const Payloads& payloads) {
  deliver(sealed(e, false, next_id_++, payloads));
}

const Buffer* IkeRival::last_datagram() const {
  for (auto it = actions.rbegin(); it != actions.rend(); ++it) {
    if (const auto* d = std::get_if<SendDatagram>(&*it)) return &d->message;
  }
  return nullptr;
}

std::vector<IkeRival::Heard> IkeRival::heard() const {
  std::vector<Heard> out;
  for (const auto& a : actions) {
    const auto* d = std::get_if<SendDatagram>(&a);
    const auto h = d != nullptr ? parse_header(d->message) : std::nullopt;
    if (!h) continue;
    if (h->exchange == Exchange::IkeSaInit) {
      if (auto chain = parse_chain(h->first, Bytes(d->message).subspan(kHeaderOctets)))
        out.push_back({*h, std::move(chain->payloads)});
    } else if (in_ != nullptr) {
      const auto opened = unprotect(d->message, *h, *in_);
      if (!opened) continue;
      if (auto chain = parse_chain(opened->first, opened->plain)) out.push_back({*h, std::move(chain->payloads)});
    }
  }
  return out;
}

std::optional<IkeRival::Heard> IkeRival::last() const {
  auto all = heard();
  return all.empty() ? std::nullopt : std::optional(std::move(all.back()));
}

bool IkeRival::answered_with(NotifyType t) const {
  const auto h = last();
  return h && h->header.response && find_notify(h->payloads, t).has_value();
}

std::uint32_t IkeRival::peers_id() const {
  for (auto it = actions.rbegin(); it != actions.rend(); ++it) {
    const auto* d = std::get_if<SendDatagram>(&*it);
    const auto h = d != nullptr ? parse_header(d->message) : std::nullopt;
    if (h && !h->response) return h->message_id;
  }
  return 0;
}

}  // namespace cgw::test
