#pragma once
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "ipsec/cookie.hpp"
#include "ipsec/payload.hpp"
#include "ipsec/peer.hpp"
#include "ipsec/peer_table.hpp"

// What comes to UDP 500 and 4500: whose it is, and what is answered before any peer spends state or a Diffie-Hellman
// on it (RFC 7296 1.5, 2.5, 2.6). Pure. For senders it holds a bucket for each configured address, and where strangers
// are answered for some hundreds of theirs.
namespace cgw::ipsec {

// Tokens that come back with time.
class Bucket {
 public:
  Bucket(unsigned per_second, unsigned most) : per_second_(per_second), most_(most), left_(most) {}
  bool take(TimePoint now);
  bool full(TimePoint now) const { return filled(now) >= most_; }

 private:
  double filled(TimePoint now) const;

  double per_second_, most_, left_;
  TimePoint at_{};
};

struct DemuxLimits {
  std::size_t cookie_at_peer = 2;       // half-open IKE SAs with one peer, from which on a COOKIE is demanded of it
  std::size_t cookie_at_all = 32;       // and with all of them
  std::size_t half_open_all = 256;      // no more than these, COOKIE or not
  std::size_t cookie_at_reception = 8;  // and with those whose address no peer has
  unsigned strangers_per_second = 100;  // IKE_SA_INIT accepted from them, in all
  unsigned inits_per_second = 10;       // accepted from one address, each of which costs a Diffie-Hellman
  unsigned cookies_per_second = 200;    // demanded, in all
  unsigned errors_per_second = 10;      // INVALID_IKE_SPI and INVALID_MAJOR_VERSION, in all
};

class Demux {
 public:
  explicit Demux(Entropy& entropy, DemuxLimits limits = {});

  struct Deliver {
    std::size_t peer;  // its number
  };
  struct Hint {  // nobody vouches for it
    std::size_t peer;
    std::string why;
  };
  struct Ignore {
    std::string_view why;             // one of a few; also in drops()
    std::optional<std::size_t> from;  // at least the address is this peer's: it is there
  };
  struct Answer {
    SendDatagram datagram;
    std::optional<std::size_t> from;
  };
  using Verdict = std::variant<Deliver, Answer, Hint, Ignore>;

  Verdict sort(TimePoint now, const Received& d, const PeerTable& peers);
  const std::map<std::string_view, std::uint64_t>& drops() const { return drops_; }

 private:
  Verdict sort_init(TimePoint now, const Header& h, const Received& d, const PeerTable& peers);
  Verdict sort_stray(TimePoint now, const Header& h, const Received& d, const PeerTable& peers);
  Verdict ignore(std::string_view why, std::optional<std::size_t> from = std::nullopt);
  bool may_answer(TimePoint now) { return errors_.take(now); }
  bool cookie_is_due(const PeerTable& peers, std::size_t at) const;
  bool admit(TimePoint now, const IpAddress& from, bool stranger);

  DemuxLimits limits_;
  CookieJar cookies_;
  Bucket demanded_, errors_, strangers_, strangers_errors_;
  std::map<IpAddress, Bucket> inits_;  // of configured addresses
  std::map<IpAddress, Bucket> inits_of_strangers_;
  std::map<std::string_view, std::uint64_t> drops_;
};

}  // namespace cgw::ipsec
