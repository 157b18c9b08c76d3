#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/steady_timer.hpp>

#include "base/note.hpp"
#include "config/model.hpp"
#include "daemon/bgp_speaker.hpp"
#include "daemon/ike_endpoint.hpp"
#include "daemon/key_log.hpp"
#include "daemon/log.hpp"
#include "health/probe.hpp"
#include "health/verdict.hpp"
#include "ipsec/peer.hpp"
#include "ipsec/volume_watch.hpp"
#include "kernel/data_plane.hpp"
#include "kernel/fib.hpp"
#include "kernel/icmp.hpp"
#include "kernel/links.hpp"
#include "rib/rib.hpp"

namespace cgw {

// What every tunnel works with; owned by the gateway, outlives the tunnels.
struct Equipment {
  boost::asio::any_io_executor executor;
  Log& log;
  ipsec::Entropy& entropy;
  IkeEndpoint& ike;
  kernel::DataPlane& plane;
  kernel::Links& links;
  kernel::IcmpEcho& icmp;
  KeyLog& key_log;
  BgpSpeaker& bgp;
};

struct TunnelSetup {
  std::string connection;  // id
  config::Tunnel config;
  rib::ExitId exit;
  kernel::IfId if_id;
  std::uint16_t probe_tag = 0;  // tells this tunnel's echo replies from another's
  SecretBytes psk;
  std::shared_ptr<const ipsec::Credentials> credentials;  // certificates instead of the key
  std::optional<bgp::NeighborId> neighbor;                // none: static routing, or no neighbor configured
};

// What the configuration asks for, or the default.
ipsec::IkeProposals ike_proposals(const config::Tunnel& t);

// One tunnel: its interface, IKE, probe and verdict, when its BGP session may run, and the events that pass between
// them. The interface is permanent: its life follows the configuration, never that of SAs.
class Tunnel : public std::enable_shared_from_this<Tunnel> {
 public:
  // What a tunnel tells the gateway.
  struct Observer {
    std::function<void(ipsec::IkePeer&)> ike_ready;  // it is there, for as long as the tunnel
    std::function<void(const kernel::ExitState&)> interface_ready;
    std::function<void(const health::Judgement& before)> judged;
    std::function<void()> transform_changed;  // MTU and MSS are new
  };

  Tunnel(Equipment equipment, TunnelSetup setup, Observer observer);

  void start();
  // Interface and kernel state stay. tell_peer: DELETE and NOTIFICATION are sent.
  void stop(bool tell_peer);

  void receive(ipsec::Received datagram);
  // It says that it is our peer.
  void adopt(ipsec::Arrival arrival);
  // An unauthenticated message has it that the peer lost its SAs.
  void hint(std::string why);
  // The peer's host says that nobody listens there.
  void refused();
  // The peer sent something that is of no IKE SA.
  void stray();
  // Every IKE message goes to the log in words, or no longer.
  void debug_ike(bool on);
  // New keys now; false: there is no tunnel to make them for.
  bool renew(ipsec::Renew::What what);
  void probe_answered(std::uint16_t sequence);
  // Its neighbor's session.
  void bgp_moved(const bgp::Moved& m);
  // Once a second: byte counters, proof of life for DPD.
  void poll();
  void link_changed(const kernel::LinkState& link, bool gone);
  // Routes or addresses of the host changed: the way to the peer is looked up again.
  void path_changed();
  void plane_event(const kernel::PlaneEvent& event);

  const TunnelSetup& setup() const { return setup_; }
  const std::string& name() const { return name_; }
  const health::Judgement& judgement() const { return health_.judgement(); }
  const health::Prober& prober() const { return prober_; }
  const ipsec::PeerStatus* ike() const { return ike_ ? &ike_->status() : nullptr; }
  const bgp::SessionStatus* bgp() const { return setup_.neighbor ? &equipment_.bgp.status(*setup_.neighbor) : nullptr; }
  const kernel::TunnelCounters& counters() const { return counters_; }
  // Packets that came in during the last poll interval, our own echo replies not counted.
  std::uint64_t forwarded_in() const { return forwarded_in_; }
  std::optional<kernel::IfIndex> interface() const { return interface_; }
  std::optional<IpAddress> local_address() const { return local_; }
  // The peer's address: as configured, or where it called from.
  std::optional<IpAddress> outside() const;
  std::uint32_t mtu() const { return mtu_; }

 private:
  Result<void, std::string> prepare_interface();
  Result<void, std::string> prepare_ike();
  void try_start();
  void step_ike(const ipsec::Event& event);
  void obey_all(const ipsec::Actions& actions);
  void obey(const ipsec::Action& action);
  void watch_calendar();
  void write_keys(const SecretBytes& row);
  void child_ready(const ipsec::ChildSa& sa);
  void ike_moved(const ipsec::Moved& m);
  void send_probes();
  void judge();
  void tick();
  void arm();
  std::uint32_t mtu_before_sa() const;
  void adopt_transform(const ipsec::ChildSa& sa);
  std::optional<kernel::TunnelCounters> take_counters();
  bool probe_is_dead() const;
  void doubt(std::string why);
  void choose_sa_settings();
  void follow_path_mtu();
  void follow_path_mtu(const IpAddress& outside);
  static std::uint32_t path_mtu(std::uint32_t reported, const IpAddress& outside);
  void note(Level level, std::string_view text) { equipment_.log.write(level, name_, text); }
  void complain(const kernel::KernelError& e);
  void say_once(std::string text);

  Equipment equipment_;
  TunnelSetup setup_;
  Observer observer_;
  std::string name_;
  boost::asio::steady_timer timer_;
  boost::asio::steady_timer retry_;  // of a start that failed: no route yet, no interface

  std::optional<kernel::IfIndex> interface_;
  std::optional<IpAddress> local_;
  kernel::IfIndex path_;  // by which the peer is reached
  std::uint32_t link_mtu_ = 1500, mtu_ = 0;
  bool link_up_ = false;
  bool leftovers_removed_ = false;
  bool stopped_ = false;
  std::string said_;
  bool path_lost_ = false;
  bool debug_ike_ = false;
  bool doubted_ = false;           // the probe is dead though IKE says that it is up
  unsigned unanswered_polls_ = 0;  // in which packets went out and none came in

  std::unique_ptr<ipsec::IkePeer> ike_;
  health::Prober prober_;
  health::TunnelHealth health_;
  kernel::TunnelCounters counters_;
  ipsec::VolumeWatch volume_;
  std::uint64_t forwarded_in_ = 0;
  std::optional<Seconds> wall_offset_;  // calendar less steady clock, as the core knows it
  ipsec::WallTime expiry_said_;
  std::uint64_t replies_ = 0, replies_polled_ = 0;
};

}  // namespace cgw
