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

std::optional<std::size_t> by_address(const IpAddress& a, std::span<const IkePeer* const> peers) {
  for (std::size_t i = 0; i < peers.size(); ++i) {
    if (peers[i] != nullptr && peers[i]->remote() == a) return i;
  }
  return std::nullopt;
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

Demux::Demux(Entropy& entropy, DemuxLimits limits)
    : limits_(limits),
      cookies_(entropy),
      demanded_(limits.cookies_per_second, limits.cookies_per_second),
      errors_(limits.errors_per_second, limits.errors_per_second) {}

Demux::Verdict Demux::ignore(std::string_view why) {
  ++drops_[why];
  return Ignore{why};
}

Demux::Verdict Demux::sort(TimePoint now, const Received& d, Peers peers) {
  const auto h = parse_header(d.message);
  if (!h || h->length != d.message.size()) return ignore("no IKE message");
  if (h->major < kMajor) return ignore("IKEv1");
  if (h->major > kMajor) {
    // RFC 7296 2.5: "MUST drop the message and SHOULD send an unauthenticated Notify message of type
    // INVALID_MAJOR_VERSION".
    if (h->response || !by_address(d.remote.address, peers) || !may_answer(now)) return ignore("unknown major version");
    return plain_answer(*h, d, make_notify(NotifyType::InvalidMajorVersion));
  }
  for (std::size_t i = 0; i < peers.size(); ++i) {
    if (peers[i] != nullptr && peers[i]->owns(h->spi_i, h->spi_r)) return Deliver{i};
  }
  const bool init = h->exchange == Exchange::IkeSaInit && !h->response && h->spi_r == 0 && h->spi_i != 0;
  return init ? sort_init(now, *h, d, peers) : sort_stray(now, *h, d, peers);
}

Demux::Verdict Demux::sort_init(TimePoint now, const Header& h, const Received& d, Peers peers) {
  const auto at = by_address(d.remote.address, peers);
  if (!at) return ignore("no tunnel has this outside address");
  const IkePeer& peer = *peers[*at];
  if (d.message.size() > kMaxInit) return ignore("an IKE_SA_INIT of more than 16384 octets");
  if (peer.repeats_init(d.message)) return Deliver{*at};

  std::size_t all = 0;
  for (const auto* p : peers)
    all += p != nullptr ? p->half_open() : 0;
  if (all >= limits_.half_open_all) return ignore("too many half-open IKE SAs");
  if (peer.half_open() >= limits_.cookie_at_peer || all >= limits_.cookie_at_all) {
    const auto payloads = payloads_of(h, d);
    const Payload* nonce = payloads ? find(*payloads, PayloadType::Nonce) : nullptr;
    if (nonce == nullptr) return ignore("no IKE message");
    const auto cookie = find_notify(*payloads, NotifyType::Cookie);
    if (!cookie || !cookies_.good(now, cookie->data, nonce->body, d.remote.address, h.spi_i)) {
      if (!demanded_.take(now)) return ignore("too many IKE_SA_INIT requests");
      return plain_answer(h, d,
                          make_notify(NotifyType::Cookie, cookies_.make(now, nonce->body, d.remote.address, h.spi_i)));
    }
  }
  auto& bucket = inits_.try_emplace(d.remote.address, limits_.inits_per_second, limits_.inits_per_second).first->second;
  if (!bucket.take(now)) return ignore("too many IKE_SA_INIT requests");
  return Deliver{*at};
}

// Of an IKE SA that nobody has (any more).
Demux::Verdict Demux::sort_stray(TimePoint now, const Header& h, const Received& d, Peers peers) {
  const auto at = by_address(d.remote.address, peers);
  if (!at) return ignore("no tunnel has this outside address");
  if (h.response || h.exchange == Exchange::IkeSaInit) return ignore("of an unknown IKE SA");
  if (h.exchange == Exchange::Informational && h.first == PayloadType::Notify) {
    // RFC 7296 1.5: INVALID_SPI outside of any IKE SA is never answered.
    const auto payloads = payloads_of(h, d);
    if (payloads && find_notify(*payloads, NotifyType::InvalidSpi))
      return Hint{*at, "the peer says INVALID_SPI, unauthenticated"};
    return ignore("of an unknown IKE SA");
  }
  if (!may_answer(now)) return ignore("of an unknown IKE SA");
  return plain_answer(h, d, make_notify(NotifyType::InvalidIkeSpi));
}

}  // namespace cgw::ipsec
