#include "ipsec/demux.hpp"

#include <algorithm>
#include <chrono>
#include <optional>

namespace cgw::ipsec {
namespace {

constexpr std::uint8_t kMajor = 2;
constexpr std::size_t kMaxInit = 16384;  // octets of an IKE_SA_INIT request

// RFC 7296 1.5: to where it came from, with the same SPIs and Message ID, as a response in nobody's name.
SendDatagram plain_answer(const Header& h, const Received& d, const Payload& payload) {
  Header out = h;
  out.major = kMajor;
  out.minor = 0;
  out.initiator = !h.initiator;
  out.response = true;
  Buffer chain;
  out.first = write_chain({payload}, chain);
  out.length = static_cast<std::uint32_t>(kHeaderOctets + chain.size());
  SendDatagram answer{d.local, d.remote, {}};
  write_header(out, answer.message);
  answer.message.insert(answer.message.end(), chain.begin(), chain.end());
  return answer;
}

std::optional<Payloads> payloads_of(const Header& h, const Received& d) {
  auto chain = parse_chain(h.first, Bytes(d.message).subspan(kHeaderOctets));
  if (!chain) return std::nullopt;
  return std::move(chain->payloads);
}

}  // namespace

bool Bucket::take(TimePoint now) {
  const double seconds = std::chrono::duration<double>(now - at_).count();
  left_ = std::min(most_, left_ + std::max(0.0, seconds) * per_second_);
  at_ = now;
  if (left_ < 1) return false;
  left_ -= 1;
  return true;
}

void PeerTable::set(std::size_t number, const IkePeer* peer) {
  if (number >= peers_.size()) peers_.resize(number + 1);
  if (peers_[number] != nullptr) by_address_.erase({peers_[number]->remote(), number});
  peers_[number] = peer;
  if (peer != nullptr) by_address_.emplace(peer->remote(), number);
}

std::optional<std::size_t> PeerTable::at(const IpAddress& address) const {
  const auto first = by_address_.lower_bound({address, 0});
  if (first == by_address_.end() || first->first != address) return std::nullopt;
  return first->second;
}

std::optional<std::size_t> PeerTable::owner(std::uint64_t spi_i, std::uint64_t spi_r, const IpAddress& from) const {
  for (auto i = by_address_.lower_bound({from, 0}); i != by_address_.end() && i->first == from; ++i) {
    if (peers_[i->second]->owns(spi_i, spi_r)) return i->second;
  }
  if (spi_r == 0) return std::nullopt;  // the first exchange: from there or from nobody
  for (std::size_t i = 0; i < peers_.size(); ++i) {
    if (peers_[i] != nullptr && peers_[i]->owns(spi_i, spi_r)) return i;
  }
  return std::nullopt;
}

std::size_t PeerTable::half_open() const {
  std::size_t all = 0;
  for (const auto* p : peers_)
    all += p != nullptr ? p->half_open() : 0;
  return all;
}

Demux::Demux(Entropy& entropy, DemuxLimits limits)
    : limits_(limits),
      cookies_(entropy),
      demanded_(limits.cookies_per_second, limits.cookies_per_second),
      errors_(limits.errors_per_second, limits.errors_per_second) {}

Demux::Verdict Demux::ignore(std::string_view why, std::optional<std::size_t> from) {
  ++drops_[why];
  return Ignore{why, from};
}

Demux::Verdict Demux::sort(TimePoint now, const Received& d, const PeerTable& peers) {
  const auto h = parse_header(d.message);
  if (!h || h->length != d.message.size()) return ignore("no IKE message");
  if (h->major < kMajor) return ignore("IKEv1");
  if (h->major > kMajor) {
    // RFC 7296 2.5: "MUST drop the message and SHOULD send an unauthenticated Notify message of type
    // INVALID_MAJOR_VERSION".
    if (h->response || !peers.at(d.remote.address) || !may_answer(now)) return ignore("unknown major version");
    return Answer{plain_answer(*h, d, make_notify(NotifyType::InvalidMajorVersion)), std::nullopt};
  }
  if (const auto owner = peers.owner(h->spi_i, h->spi_r, d.remote.address)) return Deliver{*owner};
  const bool init = h->exchange == Exchange::IkeSaInit && !h->response && h->spi_r == 0 && h->spi_i != 0;
  return init ? sort_init(now, *h, d, peers) : sort_stray(now, *h, d, peers);
}

Demux::Verdict Demux::sort_init(TimePoint now, const Header& h, const Received& d, const PeerTable& peers) {
  const auto at = peers.at(d.remote.address);
  if (!at) return ignore("no tunnel has this outside address");
  const IkePeer& peer = peers[*at];
  if (d.message.size() > kMaxInit) return ignore("an IKE_SA_INIT of more than 16384 octets");
  if (peer.repeats_init(d.message)) return Deliver{*at};

  const std::size_t all = peers.half_open();
  if (all >= limits_.half_open_all) return ignore("too many half-open IKE SAs");
  if (peer.half_open() >= limits_.cookie_at_peer || all >= limits_.cookie_at_all) {
    const auto payloads = payloads_of(h, d);
    const Payload* nonce = payloads ? find(*payloads, PayloadType::Nonce) : nullptr;
    if (nonce == nullptr) return ignore("no IKE message");
    const auto cookie = find_notify(*payloads, NotifyType::Cookie);
    if (!cookie || !cookies_.good(now, cookie->data, nonce->body, d.remote.address, h.spi_i)) {
      if (!demanded_.take(now)) return ignore("too many IKE_SA_INIT requests");
      Payload fresh = make_notify(NotifyType::Cookie, cookies_.make(now, nonce->body, d.remote.address, h.spi_i));
      return Answer{plain_answer(h, d, fresh), std::nullopt};
    }
  }
  auto& bucket = inits_.try_emplace(d.remote.address, limits_.inits_per_second, limits_.inits_per_second).first->second;
  if (!bucket.take(now)) return ignore("too many IKE_SA_INIT requests");
  return Deliver{*at};
}

// Of an IKE SA that nobody has (any more).
Demux::Verdict Demux::sort_stray(TimePoint now, const Header& h, const Received& d, const PeerTable& peers) {
  const auto at = peers.at(d.remote.address);
  if (!at) return ignore("no tunnel has this outside address");
  if (h.response || h.exchange == Exchange::IkeSaInit) return ignore("of an unknown IKE SA", at);
  if (h.exchange == Exchange::Informational && h.first == PayloadType::Notify) {
    // RFC 7296 1.5: INVALID_SPI outside of any IKE SA is never answered.
    const auto payloads = payloads_of(h, d);
    if (payloads && find_notify(*payloads, NotifyType::InvalidSpi))
      return Hint{*at, "the peer says INVALID_SPI, unauthenticated"};
    return ignore("of an unknown IKE SA", at);
  }
  if (!may_answer(now)) return ignore("of an unknown IKE SA", at);
  return Answer{plain_answer(h, d, make_notify(NotifyType::InvalidIkeSpi)), at};
}

}  // namespace cgw::ipsec
