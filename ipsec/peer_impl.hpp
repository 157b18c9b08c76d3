#pragma once
#include <memory>
#include <vector>

#include "ipsec/create_child_sa.hpp"
#include "ipsec/ike_sa.hpp"
#include "ipsec/peer.hpp"
#include "ipsec/sa_payload.hpp"
#include "ipsec/ts_payload.hpp"

namespace cgw::ipsec {

// The state machine behind IkePeer. One file an exchange: sa_init.cpp with sa_init_answer.cpp, intermediate.cpp,
// auth.cpp, create_child_sa.cpp with rekey_child.cpp and rekey_ike.cpp, followup_ke.cpp, informational.cpp;
// auth_check.cpp proves who both are; arrival.cpp is for peers known by who they are, and tells whose SPIs are whose;
// liveness.cpp doubts and follows addresses; child.cpp installs and removes Child SAs; reauthentication.cpp makes both
// anew; requests.cpp sends, retransmits and dispatches; peer.cpp is the rest.
struct IkePeer::Impl {
  struct Context {
    TimePoint now;
    Actions out;
  };

  Impl(PeerConfig c, Entropy& e) : config(std::move(c)), entropy(e) {}
  ~Impl() { leave_spis(); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  // arrival.cpp
  void arrive(Context& cx, IkeSa& sa, const Payloads& auth);
  Actions adopt(TimePoint now, Arrival arrival);
  Actions refuse(TimePoint now, Arrival arrival);
  void enter_spis();
  void leave_spis();

  // peer.cpp
  Actions step(TimePoint now, const Event& event);
  std::optional<TimePoint> next_deadline() const;
  void on(Context& cx, const Start&);
  void on(Context& cx, const Stop& e);
  void on(Context& cx, const Received& e);
  void on(Context& cx, const Reestablish& e);
  void on(Context& cx, const EspSeen&);
  void on(Context& cx, const ChildExpiring& e);
  void on(Context& cx, const PeerMapped& e);
  void on(Context& cx, const Renew& e);
  void on(Context& cx, const Suspect& e);
  void on(Context& cx, const Refused&);
  void on(Context& cx, const Stray&) { stir(cx); }
  void on(Context& cx, const PathChanged& e);
  void on(Context& cx, const Debug& e) { static_cast<void>(cx), debug = e; }
  void on(Context& cx, const Tick&);
  void tick(Context& cx, IkeSa& sa);
  void finish(Context& cx);
  void refresh_status();
  void connect(Context& cx);
  void connect_after(Context& cx, bool refused);
  // The attempt or the SA is over; words for the status.
  void failed(Context& cx, IkeSa& sa, std::string why, bool refused);
  void say_failure(Context& cx, std::string_view what, std::string why);
  void drop(Context& cx, IkeSa& sa);
  // As drop, but the peer's last request is still answered when it comes again.
  void close(Context& cx, IkeSa& sa);
  // Both sides know that the IKE SA is gone: a new one after a pause.
  void lost(Context& cx, IkeSa& sa, std::string why);
  // DELETE, and a new IKE SA after a pause.
  void abandon(Context& cx, IkeSa& sa, std::string why);
  void settle_duplicates(Context& cx);
  IkeSa* current();
  IkeSa* find(std::uint64_t spi_i, std::uint64_t spi_r);
  Duration jittered(Duration d);
  // first, doubled n times up to max, less up to half.
  Duration backoff_of(unsigned n, Duration first, Duration max);

  // Of a message to or from `remote`; does nothing unless Debug asks for it.
  void trace(Context& cx, bool sent, const Endpoint& remote, const Header& h, const Payloads& payloads);

  // liveness.cpp
  void check(Context& cx, IkeSa& sa, Duration pause);
  void resend(Context& cx, IkeSa& sa);
  void stir(Context& cx);
  void begin_beside(Context& cx);
  void forget_beside(Context& cx);
  void on_unprotected(Context& cx, IkeSa& sa, const Header& h, const Received& e);
  void follow(Context& cx, IkeSa& sa, const Endpoint& remote);

  // requests.cpp
  void send_request(Context& cx, IkeSa& sa, Exchange e, Request r, const Payloads& payloads);
  void send_plain_request(Context& cx, IkeSa& sa, Request r, Buffer message);
  void send_datagrams(Context& cx, IkeSa& sa, const std::vector<Buffer>& datagrams);
  // To the request that came last.
  void respond(Context& cx, IkeSa& sa, const Payloads& payloads);
  // RFC 7296 2.21.3: fatal for the IKE SA.
  void refuse_as_malformed(Context& cx, IkeSa& sa);
  // How long an answer is awaited before the request is sent again; nothing: it was sent often enough.
  std::optional<Duration> patience(const Context& cx, const IkeSa& sa, const Request& r) const;
  void retransmit(Context& cx, IkeSa& sa);
  void doubted(Context& cx, IkeSa& sa, std::size_t unanswered);
  void queue(Context& cx, IkeSa& sa, Task t);
  void pump(Context& cx, IkeSa& sa);
  void on_protected(Context& cx, IkeSa& sa, const Received& e, const Header& h);
  void on_request(Context& cx, IkeSa& sa, const Header& h, const Payloads& payloads);
  void on_response(Context& cx, IkeSa& sa, const Payloads& payloads);
  Buffer next_iv(IkeSa& sa);

  // sa_init.cpp
  void start_init(Context& cx, IkeSa& sa);
  void send_init(Context& cx, IkeSa& sa, DhGroup group);
  void on_init_response(Context& cx, IkeSa& sa, const Header& h, const Received& e);
  bool init_refused(Context& cx, IkeSa& sa, const Payloads& payloads);
  void add_nat_detection(const IkeSa& sa, Payloads& payloads);
  void detect_nat(IkeSa& sa, const Payloads& payloads);
  void make_ciphers(Context& cx, IkeSa& sa);

  // sa_init_answer.cpp
  void on_init_request(Context& cx, const Header& h, const Received& e);
  bool repeat_init(Context& cx, Bytes message);
  Buffer answer_init(Context& cx, IkeSa& sa, const Payloads& payloads);
  void accept_init(Context& cx, IkeSa& sa, const Payloads& request, const Chosen<IkeSuite>& chosen,
                   const KeyExchangeAnswer& ours);
  void make_room(Context& cx, const IpAddress& from);
  void say_once(Context& cx, std::string text);

  // intermediate.cpp
  bool wants_intermediate() const;
  IkeProposals acceptable_ike(bool peer_intermediate) const;
  void start_intermediate_or_auth(Context& cx, IkeSa& sa);
  void on_intermediate_response(Context& cx, IkeSa& sa, const Payloads& payloads);
  void on_intermediate_request(Context& cx, IkeSa& sa, const Payloads& payloads);
  void next_keys(Context& cx, IkeSa& sa, Bytes secret);
  void authenticate_sent(IkeSa& sa, const Header& h, const Payloads& payloads);
  void authenticate_received(IkeSa& sa, Bytes message, const Opened& opened);
  void authenticate_intermediate(IkeSa& sa, bool by_initiator, Bytes header, PayloadType first, std::uint8_t reserved,
                                 Bytes plain);

  // followup_ke.cpp
  bool follow_up(Context& cx, IkeSa& sa, Request& r, const AdditionalKe& groups, const Payloads& answer);
  void send_followup(Context& cx, IkeSa& sa, Request r, const Payloads& before);
  void on_followup_response(Context& cx, IkeSa& sa, Request r, const Payloads& payloads);
  std::unique_ptr<FollowupAnswer> begin_answer(IkeSa& sa, DhGroup group, const std::optional<KeyExchangePayload>& ke);
  bool await_followups(Context& cx, IkeSa& sa, std::unique_ptr<FollowupAnswer>& made, const AdditionalKe& groups,
                       Payloads reply);
  void finish_answer(Context& cx, IkeSa& sa, const FollowupAnswer& made, const Payloads& reply);
  Payload next_link(Context& cx, FollowupAnswer& a);
  void on_followup_request(Context& cx, IkeSa& sa, const Payloads& payloads);

  // auth.cpp
  void start_auth(Context& cx, IkeSa& sa);
  void on_auth_response(Context& cx, IkeSa& sa, const Payloads& payloads);
  void on_auth_request(Context& cx, IkeSa& sa, const Payloads& payloads);
  std::optional<Child> first_child(Context& cx, const IkeSa& sa, const ChildParts& asked, Payloads& answer,
                                   std::string& without);
  void supersede(Context& cx, IkeSa& sa, bool forgotten);
  void established(Context& cx, IkeSa& sa);

  // auth_check.cpp
  struct Authenticated {
    std::string words;  // how, for `show vpn`
    std::optional<Certificate> certificate{};
    std::optional<SignatureScheme> scheme{};
  };
  void announce_authentication(const IkeSa& sa, Payloads& payloads) const;
  void read_announcement(IkeSa& sa, const Payloads& payloads) const;
  Buffer signed_octets(const IkeSa& sa, bool of_initiator, Bytes id) const;
  Result<Payload, std::string> own_auth(const IkeSa& sa, bool with_pss) const;
  void add_certificates(const CertRequest& wanted, Payloads& payloads) const;
  // Checks ID, certificates and AUTH of the other side; the error is the line to log.
  Result<Authenticated, std::string> authenticate(const Context& cx, const IkeSa& sa, const Payloads& payloads) const;
  Result<Authenticated, std::string> by_certificate(const Context& cx, const IkeSa& sa, const Payloads& payloads,
                                                    const AuthPayload& auth, Bytes octets) const;
  void remember(const Authenticated& who);
  void on(Context& cx, const WallClock& e);
  std::optional<WallTime> wall(TimePoint now) const;

  // create_child_sa.cpp
  void on_create_child_request(Context& cx, IkeSa& sa, const Payloads& payloads);
  void answer_create_child_sa(Context& cx, IkeSa& sa, const Payloads& payloads);
  void create_child_answered(Context& cx, IkeSa& sa, Request r, const Payloads& payloads);
  void established_childless(Context& cx, IkeSa& sa, const Notify& error);
  void create_child_refused(Context& cx, IkeSa& sa, const Request& r, const Notify& error);
  bool other_group(IkeSa& sa, const Request& r, const Notify& error);

  // rekey_child.cpp
  void start_create_child(Context& cx, IkeSa& sa, Task t);
  void answer_create_child(Context& cx, IkeSa& sa, const Parts& parts, Spi old);
  void on_create_child_response(Context& cx, IkeSa& sa, Request r, const Payloads& payloads);
  void child_answered(Context& cx, IkeSa& sa, Spi old, Child fresh, Buffer lowest);
  void child_created(Context& cx, IkeSa& sa, const Request& r, const Buffer& our_lowest, Child fresh);

  // rekey_ike.cpp
  void start_ike_rekey(Context& cx, IkeSa& sa);
  void answer_ike_rekey(Context& cx, IkeSa& sa, const Parts& parts);
  void on_ike_rekey_response(Context& cx, IkeSa& sa, Request r, const Payloads& payloads);
  IkeSa& add_successor(Context& cx, const IkeSa& old, std::unique_ptr<IkeSa> fresh);
  void inherit(Context& cx, IkeSa& old, IkeSa& fresh);
  void settle_ike_rekey(Context& cx, IkeSa& old, IkeSa& ours, IkeSa& theirs, bool ours_is_lowest);
  IkeSa* find_rival(const RivalRekey& rival);
  void used_by_peer(Context& cx, IkeSa& sa);
  bool follow_rival(Context& cx, IkeSa& old, const RivalRekey& rival);

  // reauthentication.cpp
  void start_reauthentication(Context& cx, IkeSa& old);
  void reauthenticated(Context& cx, IkeSa& fresh);
  void set_reauthentication(Context& cx, IkeSa& sa, const Payloads& payloads);

  // informational.cpp
  void on_informational_request(Context& cx, IkeSa& sa, const Payloads& payloads);
  void on_delete_ike(Context& cx, IkeSa& sa);
  void on_invalid_spi(Context& cx, IkeSa& sa, const Payloads& payloads);
  void on_delete_response(Context& cx, IkeSa& sa, const Request& r);

  // child.cpp
  Spi new_spi();
  // keys: of the exchange whose initiator we are, or not.
  Child make_child(Context& cx, const IkeSa& sa, const EspSuite& suite, Spi in, Spi out, ChildKeys keys,
                   bool we_initiated, AddressRange local_ts, AddressRange remote_ts);
  void expect_inbound(Context& cx, const IkeSa& sa, Spi spi);
  void install_inbound(Context& cx, const Child& c);
  void use_outbound(Context& cx, const Child& c);
  void remove_child(Context& cx, IkeSa& sa, Spi spi_in);
  void forget_children(Context& cx, IkeSa& sa);
  void release(Context& cx, const Lingering& old, IkeSa* successor);
  void replace_child(Context& cx, IkeSa& sa, Spi spi_in);
  void tick_children(Context& cx, IkeSa& sa);
  void flush_lingering(Context& cx, TimePoint until);
  void set_volume(ChildSa& sa);
  void child_lost(Context& cx, IkeSa& sa, std::string why);
  void await_child(Context& cx, IkeSa& sa, std::string why);

  void note(Context& cx, Level level, std::string text) { cx.out.push_back(Note{level, std::move(text)}); }

  PeerConfig config;
  Entropy& entropy;
  Debug debug;
  std::vector<std::unique_ptr<IkeSa>> sas;
  std::vector<Lingering> lingering;
  Spi sending{};  // spi_in of the Child SA that sends
  bool running = false;
  bool pss = true;  // the form of our RSA signatures (RFC 8247 3.2 prefers RSASSA-PSS)
  std::optional<Duration> wall_offset;
  std::optional<TimePoint> connect_at;
  Duration backoff{};
  std::optional<TimePoint> silent_since;  // no answer to IKE_SA_INIT, and nothing else that says that the peer is there
  std::optional<TimePoint> refused_at, stirred_at, beside_at;
  std::string moved_why;
  std::string said;       // the last failure that was logged, said once
  std::string said_init;  // of IKE_SA_INIT messages, which nobody authenticates
  PeerStatus status;
  PeerState reported = PeerState::Idle;

  std::optional<Arrival> arrival;
  std::shared_ptr<IkeSpis> spis;
  std::size_t number = 0;
  std::vector<std::uint64_t> entered;
  std::size_t entered_half_open = 0;
};

struct ArrivalState {
  std::unique_ptr<IkeSa> sa;
  Payloads auth;
};

// RFC 7296 2.16.
inline constexpr std::string_view kEap =
    "EAP, which cgwd does not do: set a pre-shared key or certificates for this connection on the peer";

// Words of an error notify for last_error, with what to look at.
std::string explain(NotifyType t, const PeerConfig& config);

}  // namespace cgw::ipsec
