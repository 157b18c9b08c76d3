#pragma once
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include "base/note_limit.hpp"
#include "daemon/load.hpp"
#include "daemon/neighbors.hpp"
#include "daemon/plane_watch.hpp"
#include "daemon/tunnel.hpp"
#include "ipsec/demux.hpp"
#include "kernel/mss_clamp.hpp"
#include "kernel/path_watch.hpp"

namespace cgw {

// The joint of the house: tunnels report verdicts and routes, the RIB decides, the plan goes to the kernel, and
// each tunnel's neighbor is told what it should know. One thread, the io_context's.
class Gateway {
 public:
  struct Change {  // the last move of traffic, for `show vpn`
    TimePoint at;
    std::string text;
  };

  // Opens sockets and netlink, chooses the data plane. The error is one line with the remedy.
  static Result<std::unique_ptr<Gateway>, std::string> open(boost::asio::any_io_executor executor, Log& log,
                                                            Loaded loaded);
  // Before start(): where the keys of IKE SAs go.
  void set_key_log(KeyLog log) { key_log_ = std::move(log); }
  void start();
  void stop();
  void debug_ike(bool on);
  Result<void, std::string> rekey(std::string_view connection, unsigned number, ipsec::Renew::What what);

  // Read-only, for the state tree.
  const config::Config& config() const { return loaded_.config; }
  const bgp::policy::PolicySet& policy() const { return *loaded_.policy; }
  const std::vector<std::shared_ptr<Tunnel>>& tunnels() const { return tunnels_; }
  const bgp::Speaker& bgp() const { return bgp_->speaker(); }
  const rib::Rib& rib() const { return rib_; }
  const kernel::Fib& fib() const { return fib_; }
  // Datagrams on the IKE ports that no IKE SA was told of, by reason.
  const std::map<std::string_view, std::uint64_t>& ike_drops() const { return demux_.drops(); }
  std::string_view plane_name() const { return plane_->name(); }
  std::optional<unsigned> plane_threads() const { return plane_->threads(); }
  const std::string& plane_reason() const { return plane_reason_; }
  const std::optional<Change>& last_change() const { return last_change_; }
  const Tunnel* tunnel_of(rib::ExitId exit) const;
  const Tunnel* tunnel_of(bgp::NeighborId n) const;
  // Whether the plan sends anything into this tunnel now.
  bool active(rib::ExitId exit) const;

 private:
  struct Parts {
    IkeEndpoint ike;
    std::unique_ptr<kernel::DataPlane> plane;
    std::string plane_reason;
    kernel::Links links;
    kernel::Monitor monitor;
    kernel::PathWatch paths;
    kernel::Fib fib;
    kernel::IcmpEcho icmp;
  };
  Gateway(boost::asio::any_io_executor executor, Log& log, Loaded loaded, Parts parts);

  void make_tunnels();
  std::optional<bgp::NeighborId> add_neighbor(const config::Connection& c, const config::Tunnel& t);
  void add_static_routes();

  void interface_ready(Tunnel& t, const kernel::ExitState& exit);
  void judged(Tunnel& t, const health::Judgement& before);
  void clamp_mss();
  void on_bgp(bgp::NeighborId n, const bgp::NeighborAction& action);
  void learn(bgp::Speaker& speaker);
  void tell_if_unusable(const bgp::Speaker& speaker, const Prefix& prefix);
  void tell_unusable();
  void settle_end_of_rib();

  void announce_within(const std::string& connection);
  std::uint32_t announced_med(const Tunnel& t) const;
  void publish();
  std::string names(const std::set<rib::ExitId>& exits) const;
  std::string why_moved(const std::set<rib::ExitId>& before, const rib::PlanChanges& changes) const;
  void report(const kernel::FibErrors& errors);
  std::set<rib::ExitId> active_exits() const;
  void follow_the_peer();

  void wait_icmp();
  void wait_monitor();
  void wait_paths();
  void kernel_event(const kernel::Monitor::Event& event);
  void schedule_resync();
  void watch_plane();
  void arm_poll();
  void receive(ipsec::Received datagram);
  void open_reception();
  void receive_stranger(const ipsec::Received& datagram);
  void tick_reception();
  void carry_out(const ipsec::Actions& actions);
  void note(Level level, std::string_view text) { log_.write(level, "cgwd", text); }

  boost::asio::any_io_executor executor_;
  Log& log_;
  Loaded loaded_;
  ipsec::OpenSslEntropy entropy_;
  ipsec::Demux demux_;
  ipsec::PeerTable ike_peers_;  // by the tunnels' place in tunnels_
  IkeEndpoint ike_;
  KeyLog key_log_;
  std::unique_ptr<kernel::DataPlane> plane_;
  std::string plane_reason_;
  kernel::Links links_;
  kernel::ClampedLinks clamped_;  // as set last
  kernel::Monitor monitor_;
  kernel::PathWatch paths_;
  kernel::Fib fib_;
  kernel::IcmpEcho icmp_;
  boost::asio::posix::stream_descriptor icmp_ready_, monitor_ready_, paths_ready_;
  PlaneWatch plane_watch_;
  boost::asio::steady_timer poll_, resync_, sweep_, look_;

  rib::Rib rib_;
  std::shared_ptr<const OuterPaths> outer_;
  std::shared_ptr<BgpSpeaker> bgp_;
  std::map<bgp::NeighborId, std::size_t> tunnel_of_;  // by the tunnels' place in tunnels_
  std::vector<std::shared_ptr<Tunnel>> tunnels_;      // ExitId n is tunnels_[n-1]
  // For tunnels without an outside address: answers, and finds out whose peer it is.
  std::unique_ptr<ipsec::IkePeer> reception_;
  std::vector<std::pair<ipsec::Identity, std::size_t>> known_by_identity_;
  std::set<rib::ExitId> active_;
  std::set<rib::ExitId> end_of_rib_;
  bool end_of_rib_pending_ = false;  // one has come, and what came before it is not all in the RIB
  std::optional<Change> last_change_;
  NoteLimit unusable_;  // routes that cover an outside address
  bool debug_ike_ = false;
  bool swept_ = false;
  bool resync_pending_ = false;
  bool stopping_ = false;
};

}  // namespace cgw
