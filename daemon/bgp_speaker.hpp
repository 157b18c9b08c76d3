#pragma once
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/steady_timer.hpp>

#include "bgp/speaker.hpp"
#include "daemon/bgp_listener.hpp"
#include "daemon/bgp_transport.hpp"

namespace cgw {

// The shell around bgp::Speaker: its neighbors' sockets, its one timer, and its work, a piece between two events of
// anything else, so that probes and IKE are never late.
class BgpSpeaker : public std::enable_shared_from_this<BgpSpeaker> {
 public:
  struct Observer {
    // Actions that are not about sockets.
    std::function<void(bgp::NeighborId, const bgp::NeighborAction&)> action;
    // There are changes: some of them are to be taken, the rest is for the next turn.
    std::function<void(bgp::Speaker&)> changes;
  };
  BgpSpeaker(boost::asio::any_io_executor executor, const bgp::Router& router, const bgp::DecisionOptions& options,
             Random& random, Observer observe);

  ~BgpSpeaker();
  BgpSpeaker(const BgpSpeaker&) = delete;
  BgpSpeaker& operator=(const BgpSpeaker&) = delete;

  bgp::NeighborId add(bgp::NeighborConfig config, BgpPath path);
  // Lets the neighbor call, anew where that was so already; the text says why not (the session still dials).
  Result<void, std::string> listen(bgp::NeighborId n);
  void interface_gone(bgp::NeighborId n);
  void configure(bgp::NeighborId n, bgp::NeighborConfig config);
  void clear(bgp::NeighborId n, bgp::Clear what);
  void dispatch(bgp::NeighborId n, bgp::Event event);
  void originate(const Prefix& p, const bgp::PathAttributes& a, const bgp::LocalValues& local);
  void set_usable(bgp::NeighborId n, bool usable);

  const bgp::Speaker& speaker() const { return speaker_; }
  const bgp::SessionStatus& status(bgp::NeighborId n) const { return speaker_.status(n); }
  // Says good-bye to everybody. Sockets closed, nothing is observed any more.
  void stop(const std::string& why);

 private:
  void run();
  void shut();
  void obey(bgp::SpeakerActions actions);
  void execute(bgp::SpeakerAction& a);
  void work_later();
  void arm();
  void accepted(BgpListener::Tcp::socket socket);

  boost::asio::any_io_executor executor_;
  bgp::Speaker speaker_;
  Observer observe_;
  boost::asio::steady_timer timer_;
  std::optional<TimePoint> armed_;
  std::map<bgp::NeighborId, std::shared_ptr<BgpTransport>> transports_;
  using ListenerKey = std::pair<IpAddress, std::string>;  // address and interface
  std::map<ListenerKey, std::shared_ptr<BgpListener>> listeners_;
  std::map<std::pair<IpAddress, IpAddress>, bgp::NeighborId> by_addresses_;  // local and remote
  std::deque<std::pair<bgp::NeighborId, bgp::Event>> inbox_;  // events raised while one is being handled wait here
  bool running_ = false;
  bool working_ = false;  // a turn is posted
  bool stopped_ = false;
};

}  // namespace cgw
