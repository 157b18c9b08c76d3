#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/ip.hpp"
#include "base/note.hpp"
#include "base/secret.hpp"
#include "base/time.hpp"
#include "ipsec/child_sa.hpp"
#include "ipsec/crypto.hpp"
#include "ipsec/identity.hpp"
#include "ipsec/trust.hpp"

// IKEv2 towards one peer (RFC 7296): everything between "keep a Child SA up" and the datagrams.
// Pure: events and time in, actions out. One IkePeer a tunnel; it may hold several IKE SAs for a
// while (rekey, both sides initiating), exactly one of which is current.
namespace cgw::ipsec {

struct PeerConfig {
  IpAddress local;   // source of our datagrams
  IpAddress remote;  // the peer's outside address; unspecified: it is known by who it is, and is not called
  Identity local_id;
  Identity remote_id;
  // This one answers peers of unknown address until they have said who they are, and hands them over: see Arrival.
  bool reception = false;
  // By which both sides authenticate: certificates when there are credentials, the shared key otherwise.
  SecretBytes psk;
  std::shared_ptr<const Credentials> credentials;
  IkeProposals ike = default_ike_proposals();
  EspProposals esp = default_esp_proposals();
  // Make the peer believe in a NAT (a NAT_DETECTION_SOURCE_IP that cannot match), so that ESP comes
  // in UDP: what the userspace data plane needs.
  bool force_encap = false;
  Family inside = Family::V4;  // what the traffic selectors cover; AWS's connections carry one family each
  bool initiate = true;        // false: wait for the peer
  std::uint32_t replay_window = 1024;
  Seconds ike_lifetime{28800};   // hard; rekeyed at 28000 s less up to 10 % jitter, in proportion
  Seconds child_lifetime{3600};  // hard; rekeyed at 3000 s less up to 10 % jitter, in proportion
  // Rekeyed when one direction has carried this much, less up to 10 % jitter; over a quarter later. 0: not by volume.
  // Without ESN the sequence number ends an SA at 2^32 - 1 packets (RFC 4303 3.3.3): 3e9 leave time for a rekey.
  std::uint64_t rekey_packets = 3'000'000'000;
  std::uint64_t rekey_octets = 0;
  // The peer is authenticated anew after so long: a new IKE SA beside the old one, make before break. 0: never.
  Seconds reauth_time{0};
  Seconds dpd_interval{10};  // of silence before an empty INFORMATIONAL asks
  // A request is sent again after these waits; after the last the peer counts as dead (RFC 7296 2.4: the waits grow
  // exponentially). liveness: of a request that asks whether the peer is still there.
  std::vector<Millis> retransmit{Millis{500}, Millis{1000}, Millis{2000}, Millis{4000}};
  std::vector<Millis> liveness{Millis{100}, Millis{200}, Millis{400}, Millis{800}, Millis{1600}};
  // IKE_SA_INIT, which costs little, is sent again at this pace while there is no tunnel; a silence of more than 300
  // times that long makes the waits longer, up to init_max. init_refused: while the peer's host says that nobody
  // listens.
  Millis init_pace{1000}, init_max{4000}, init_refused{200};
  Millis retry_first{250};  // pause before the next attempt: doubles, with jitter, to retry_max
  Millis retry_max{10000};
  Seconds nat_keepalive{20};
};

// ---- events
struct Start {};
// Take all SAs down. tell_peer: with DELETE, sent once, not awaited.
struct Stop {
  bool tell_peer = true;
};
struct Received {
  Endpoint local, remote;
  Buffer message;  // an IKE message; on port 4500 the non-ESP marker is already gone
};
// The data path is known to be dead or the operator asks: forget the SAs (DELETE is tried once) and
// initiate anew at once.
struct Reestablish {
  std::string why;
};
// Inbound ESP of the current Child SA was seen since the last report: proof of life for DPD.
struct EspSeen {};
// The Child SA with this SPI, of either direction, has used up its soft volume or lifetime: rekey it; or its hard one:
// it is over.
struct ChildExpiring {
  Spi spi;
  bool hard = false;
};
// Authentic ESP of this inbound SA comes from there: a NAT in front of the peer may have a new mapping (RFC 7296 2.23).
struct PeerMapped {
  Spi spi_in;
  Endpoint remote;
};
// The operator asks for new keys, or for an answer.
struct Renew {
  enum class What : std::uint8_t { IkeSa, ChildSa, Authentication, Liveness };
  What what = What::IkeSa;
};
// What the calendar says now; the core counts on from there. Told at the start and whenever the host's clock was set:
// without it no certificate is valid.
struct WallClock {
  WallTime time;
};
// Doubt that the peer still has our SAs: it is asked at once, by the quicker retransmission (RFC 7296 2.4).
struct Suspect {
  std::string why;
  bool hint = false;  // from a message nobody authenticated: asked rarely (RFC 7296 2.21.4)
};
// The peer's host says that nobody listens there (ICMP port unreachable; anybody can write it): IKE is about to start
// there, or has ended.
struct Refused {};
// A datagram from the peer's address that is of no IKE SA we know: it is there.
struct Stray {};
// The way to the peer is another. From a new source address everything is made anew; from the same one what is under
// way is sent again at once.
struct PathChanged {
  IpAddress local;
  Identity local_id;
};
// Whether messages are traced, and keys handed out.
struct Debug {
  bool messages = false, keys = false;
};
struct Tick {};
using Event = std::variant<Start, Stop, Received, Reestablish, EspSeen, ChildExpiring, PeerMapped, WallClock, Renew,
                           Suspect, Refused, Stray, PathChanged, Debug, Tick>;

// ---- actions, to be carried out in this order
struct SendDatagram {
  Endpoint local, remote;  // local port 500 or 4500; on 4500 the shell puts the non-ESP marker in front
  Buffer message;
};
// The peer may send to this SPI before its answer is read: hold what comes until InstallInbound. RFC 7296 2.8: "the
// responder MAY begin sending on an SA as soon as it sends its response to the CREATE_CHILD_SA request. However, there
// are some situations where this could result in packets unnecessarily being dropped". One at a time: the next replaces
// it.
struct ExpectInbound {
  InboundSpi sa;
};
// Accept packets on spi_in. Comes before anything that lets the peer use it.
struct InstallInbound {
  ChildSa sa;
};
// Send with this SA from now on. Its InstallInbound came before. Again for the one in use: the peer's port is another.
struct UseOutbound {
  ChildSa sa;
};
// Forget both directions.
struct RemoveChild {
  Spi spi_in, spi_out;
};
struct SendNatKeepalive {
  Endpoint local, remote;  // one octet 0xff (RFC 3948 2.3)
};
enum class PeerState : std::uint8_t { Idle, Connecting, Established };
std::string_view to_string(PeerState s);
// Of the peer as a whole; Established: an IKE SA and an installed Child SA.
struct Moved {
  PeerState from, to;
  std::string why;
};
// A message in words, a line a payload; only while Debug asks for it.
struct Trace {
  std::vector<std::string> lines;
};
// A row for Wireshark that decrypts this IKE SA; only while Debug asks for it.
struct DecryptionKeys {
  SecretBytes row;
};
using Action = std::variant<SendDatagram, ExpectInbound, InstallInbound, UseOutbound, RemoveChild, SendNatKeepalive,
                            Moved, Note, Trace, DecryptionKeys>;
using Actions = std::vector<Action>;

// What `show vpn` tells; a copy, taken after a step.
struct PeerStatus {
  PeerState state = PeerState::Idle;
  std::uint64_t spi_i = 0, spi_r = 0;
  bool initiator = false;
  std::optional<IkeSuite> ike_suite;
  std::optional<TimePoint> ike_established;
  std::optional<TimePoint> ike_rekey_at, reauthentication_at;
  std::optional<ChildSa> child;  // current; without keys (in/out are empty)
  std::optional<TimePoint> child_installed;
  std::optional<TimePoint> child_rekey_at;
  bool nat_local = false, nat_remote = false;
  std::string authentication;    // how the peer proved who it is: "certificate, RSA-2048, RSASSA-PSS with SHA2-256"
  std::string peer_certificate;  // its subject
  std::optional<WallTime> peer_certificate_expires;
  std::string last_error;  // words of the last failed attempt; empty since the last success
  std::uint32_t ike_rekeys = 0, child_rekeys = 0, attempts = 0;
};

// SPIs of ours, to the number of the peer whose IKE SA it is. The peers keep it.
struct IkeSpis {
  std::map<std::uint64_t, std::size_t> owner;
  std::size_t half_open = 0;  // IKE SAs of all of them
};

// An IKE SA of the reception's whose peer has said, in IKE_AUTH, who it is; nothing of that is proved yet.
struct ArrivalState;
struct Arrival {
  Identity who;
  Endpoint from;
  std::shared_ptr<ArrivalState> state;
};

class IkePeer {
 public:
  // entropy outlives the peer.
  IkePeer(PeerConfig config, Entropy& entropy);
  ~IkePeer();
  IkePeer(const IkePeer&) = delete;
  IkePeer& operator=(const IkePeer&) = delete;

  Actions step(TimePoint now, const Event& event);
  // Of the reception, after a step: whoever has said who it is goes to the peer of that name, which then sees to its
  // IKE_AUTH, or is refused.
  std::optional<Arrival> take_arrival();
  Actions adopt(TimePoint now, Arrival arrival);
  Actions refuse(TimePoint now, Arrival arrival);
  std::optional<TimePoint> next_deadline() const;
  const PeerStatus& status() const;
  // Whether a datagram that carries these SPIs (header fields) belongs to one of our IKE SAs.
  bool owns(std::uint64_t spi_i, std::uint64_t spi_r) const;
  // IKE SAs there are, in whatever state.
  std::size_t ike_sas() const;
  const IpAddress& remote() const;  // the configured one
  std::size_t half_open() const;    // IKE SAs that the peer began and has not authenticated
  // Where the SPIs of its IKE SAs are entered from now on, under `number`. nullptr: nowhere.
  void enter_spis(std::shared_ptr<IkeSpis> spis, std::size_t number);
  // An IKE_SA_INIT request that was answered already: the same answer follows (RFC 7296 2.1).
  bool repeats_init(Bytes message) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace cgw::ipsec
