#include "ipsec/demux.hpp"

#include <algorithm>
#include <chrono>
#include <optional>

namespace cgw::ipsec {
namespace {

constexpr std::uint8_t kMajor = 2;
constexpr std::size_t kMaxInit = 16384;      // octets of an IKE_SA_INIT request
constexpr std::size_t kMaxStrangers = 1024;  // whose rate is known

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

double Bucket::filled(TimePoint now) const {
  const double seconds = std::chrono::duration<double>(now - at_).count();
  return std::min(most_, left_ + std::max(0.0, seconds) * per_second_);
}

bool Bucket::take(TimePoint now) {
  left_ = filled(now);
  at_ = now;
  if (left_ < 1) return false;
  left_ -= 1;
  return true;
}

Demux::Demux(Entropy& entropy, DemuxLimits limits)
    : limits_(limits),
      cookies_(entropy),
      demanded_(limits.cookies_per_second, limits.cookies_per_second),
      errors_(limits.errors_per_second, limits.errors_per_second),
      strangers_(limits.strangers_per_second, limits.strangers_per_second),
      strangers_errors_(limits.errors_per_second, limits.errors_per_second) {}

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
  if (const auto owner = peers.owner(*h, d.remote.address)) return Deliver{*owner};
  const bool init = h->exchange == Exchange::IkeSaInit && !h->response && h->spi_r == 0 && h->spi_i != 0;
  return init ? sort_init(now, *h, d, peers) : sort_stray(now, *h, d, peers);
}

Demux::Verdict Demux::sort_init(TimePoint now, const Header& h, const Received& d, const PeerTable& peers) {
  const auto known = peers.at(d.remote.address);
  const auto at = known ? known : peers.reception();
  if (!at) return ignore("no tunnel has this outside address");
  const IkePeer& peer = peers[*at];
  if (d.message.size() > kMaxInit) return ignore("an IKE_SA_INIT of more than 16384 octets");
  if (peer.repeats_init(d.message)) return Deliver{*at};

  const std::size_t all = peers.half_open();
  if (all >= limits_.half_open_all) return ignore("too many half-open IKE SAs");
  if (cookie_is_due(peers, *at)) {
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
  if (!admit(now, d.remote.address, !known)) return ignore("too many IKE_SA_INIT requests");
  return Deliver{*at};
}

bool Demux::cookie_is_due(const PeerTable& peers, std::size_t at) const {
  const std::size_t most = peers.reception() == at ? limits_.cookie_at_reception : limits_.cookie_at_peer;
  return peers[at].half_open() >= most || peers.half_open() >= limits_.cookie_at_all;
}

bool Demux::admit(TimePoint now, const IpAddress& from, bool stranger) {
  auto& buckets = stranger ? inits_of_strangers_ : inits_;
  // One that was left alone for a second is as good as new.
  if (stranger && buckets.size() >= kMaxStrangers)
    std::erase_if(buckets, [&](const auto& b) { return b.second.full(now); });
  if (stranger && buckets.size() >= kMaxStrangers) return false;
  auto& bucket = buckets.try_emplace(from, limits_.inits_per_second, limits_.inits_per_second).first->second;
  return bucket.take(now) && (!stranger || strangers_.take(now));
}

// Of an IKE SA that nobody has (any more).
Demux::Verdict Demux::sort_stray(TimePoint now, const Header& h, const Received& d, const PeerTable& peers) {
  const auto at = peers.at(d.remote.address);
  if (!at && !peers.reception()) return ignore("no tunnel has this outside address");
  if (h.response || h.exchange == Exchange::IkeSaInit) return ignore("of an unknown IKE SA", at);
  if (h.exchange == Exchange::Informational && h.first == PayloadType::Notify) {
    // RFC 7296 1.5: INVALID_SPI outside of any IKE SA is never answered.
    const auto payloads = payloads_of(h, d);
    if (at && payloads && find_notify(*payloads, NotifyType::InvalidSpi))
      return Hint{*at, "the peer says INVALID_SPI, unauthenticated"};
    return ignore("of an unknown IKE SA", at);
  }
  if (!(at ? errors_ : strangers_errors_).take(now)) return ignore("of an unknown IKE SA", at);
  return Answer{plain_answer(h, d, make_notify(NotifyType::InvalidIkeSpi)), at};
}

}  // namespace cgw::ipsec
