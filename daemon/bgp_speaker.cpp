#include "daemon/bgp_speaker.hpp"

#include <boost/asio/post.hpp>

#include "base/overload.hpp"

namespace cgw {
namespace asio = boost::asio;
namespace {

TimePoint now() {
  return std::chrono::steady_clock::now();
}

}  // namespace

BgpSpeaker::BgpSpeaker(asio::any_io_executor executor, const bgp::Router& router, const bgp::DecisionOptions& options,
                       Random& random, Observer observe)
    : executor_(executor),
      speaker_(router, options, random),
      observe_(std::move(observe)),
      timer_(executor) {
  speaker_.follow_changes();
}

bgp::NeighborId BgpSpeaker::add(bgp::NeighborConfig config, BgpPath path) {
  const bgp::NeighborId n = speaker_.add(std::move(config));
  by_addresses_[{path.local, path.remote}] = n;
  transports_[n] = std::make_shared<BgpTransport>(executor_, std::move(path),
                                                  [this, n](bgp::Event e) { dispatch(n, std::move(e)); });
  return n;
}

Result<void, std::string> BgpSpeaker::listen(bgp::NeighborId n) {
  const BgpPath& path = transports_.at(n)->path();
  auto& listener = listeners_[{path.local, path.interface}];
  if (!listener) {
    listener = std::make_shared<BgpListener>(executor_, path.local, path.interface,
                                             [this](BgpListener::Tcp::socket s) { accepted(std::move(s)); });
  } else if (listener->is_open() && path.interface.empty()) {
    return {};
  }
  return listener->open();
}

void BgpSpeaker::accepted(BgpListener::Tcp::socket socket) {
  boost::system::error_code ec, local_ec;
  const auto from = socket.remote_endpoint(ec), to = socket.local_endpoint(local_ec);
  if (ec || local_ec) return;
  const auto n = by_addresses_.find({to_ip(to.address()), to_ip(from.address())});
  if (n != by_addresses_.end()) transports_.at(n->second)->accept(std::move(socket));
}

void BgpSpeaker::interface_gone(bgp::NeighborId n) {
  const auto& transport = transports_.at(n);
  const auto listener = listeners_.find({transport->path().local, transport->path().interface});
  if (listener != listeners_.end()) listener->second->close();
  transport->interface_gone();
}

void BgpSpeaker::configure(bgp::NeighborId n, bgp::NeighborConfig config) {
  obey(speaker_.configure(now(), n, std::move(config)));
  run();
}

void BgpSpeaker::clear(bgp::NeighborId n, bgp::Clear what) {
  obey(speaker_.clear(now(), n, what));
  run();
}

void BgpSpeaker::originate(const Prefix& p, const bgp::PathAttributes& a, const bgp::LocalValues& local) {
  speaker_.originate(p, a, local, now());
  run();
}

void BgpSpeaker::set_usable(bgp::NeighborId n, bool usable) {
  speaker_.set_usable(n, usable);
  run();
}

void BgpSpeaker::dispatch(bgp::NeighborId n, bgp::Event event) {
  inbox_.emplace_back(n, std::move(event));
  run();
}

// Run-to-completion: an action may raise an event, but never inside the step that caused it.
void BgpSpeaker::run() {
  if (running_ || stopped_) return;
  running_ = true;
  while (!inbox_.empty() && !stopped_) {
    const auto [n, event] = std::move(inbox_.front());
    inbox_.pop_front();
    obey(speaker_.step(now(), n, event));
    if (inbox_.empty() && speaker_.has_changes()) observe_.changes(speaker_);
  }
  running_ = false;
  if (stopped_) return;
  arm();
  if (speaker_.has_work() || speaker_.has_changes()) work_later();
}

void BgpSpeaker::work_later() {
  if (std::exchange(working_, true)) return;
  asio::post(executor_, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self || self->stopped_) return;
    self->working_ = false;
    self->obey(self->speaker_.work(now()));
    if (self->speaker_.has_changes()) self->observe_.changes(self->speaker_);
    self->run();
  });
}

void BgpSpeaker::obey(bgp::SpeakerActions actions) {
  for (bgp::SpeakerAction& a : actions)
    execute(a);
}

void BgpSpeaker::execute(bgp::SpeakerAction& a) {
  BgpTransport& transport = *transports_.at(a.neighbor);
  std::visit(Overload{
                 [&](const bgp::Dial&) { transport.dial(); },
                 [&](const bgp::Close& c) { transport.close(c.connection); },
                 [&](bgp::SendBytes& s) { transport.send(s.connection, std::move(s.bytes)); },
                 [&](const auto&) { observe_.action(a.neighbor, a.action); },
             },
             a.action);
}

void BgpSpeaker::arm() {
  const auto at = speaker_.next_deadline();
  if (at == armed_) return;
  armed_ = at;
  if (!at) {
    timer_.cancel();
    return;
  }
  timer_.expires_at(*at);
  timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& ec) {
    const auto self = weak.lock();
    if (ec || !self || self->stopped_) return;
    self->armed_.reset();
    self->obey(self->speaker_.tick(now()));
    self->run();
  });
}

void BgpSpeaker::stop(const std::string& why) {
  for (const auto& [n, transport] : transports_)
    dispatch(n, bgp::Stop{.cease_subcode = 2, .why = why});
  shut();
}

BgpSpeaker::~BgpSpeaker() {
  shut();
}

void BgpSpeaker::shut() {
  stopped_ = true;
  for (const auto& [n, transport] : transports_)
    transport->shut();
  for (const auto& [key, listener] : listeners_)
    listener->close();
  timer_.cancel();
}

}  // namespace cgw
