#pragma once
#include <deque>
#include <string>

#include "bgp/speaker.hpp"
#include "tests/unit/bgp/bench.hpp"

// Two speakers on one clock with a wire between them: `a` calls, `b` answers.
namespace cgw::bgp::test {

class SpeakerPair {
 public:
  struct Side {
    Seeded random{1};
    std::unique_ptr<Speaker> speaker;
    NeighborId n;
    NeighborConfig config;
    ConnectionId line = kOut;
    std::vector<std::string> notes;
    int paths_gone = 0;

    const SessionStatus& status() const { return speaker->status(n); }
    // Of the other one's.
    std::uint32_t routes() const { return speaker->ribs().table(Family::V4).counts(n).received; }
    bool knows(const char* prefix) const { return !speaker->ways(Prefix::parse(prefix).value()).empty(); }
  };

  explicit SpeakerPair(const Capabilities& capabilities = default_capabilities()) {
    a.config = side(65000, 1, 64512, 2, capabilities);
    b.config = side(64512, 2, 65000, 1, capabilities);
    b.config.session.passive = true;
    b.line = kIn;
  }
  void start() {
    for (Side* s : {&a, &b})
      begin(*s);
    settle();
  }
  // A new process; it has restarted if a limit is given.
  void begin(Side& s, std::optional<Seconds> limit = {}) {
    s.speaker = std::make_unique<Speaker>(Router{s.config.session.local_as, s.config.session.router_id, 0},
                                          DecisionOptions{}, s.random);
    if (limit) s.speaker->restarted(now, *limit);
    s.n = s.speaker->add(s.config);
    take(s, s.speaker->step(now, s.n, Start{}));
  }
  void originate(Side& s, const char* prefix) {
    PathAttributes attributes;
    s.speaker->originate(Prefix::parse(prefix).value(), attributes, {}, now);
    settle();
  }
  // The wire is cut; nobody says goodbye.
  void cut() {
    connected_ = false;
    inbox_.clear();
    for (Side* s : {&a, &b})
      take(*s, s->speaker->step(now, s->n, Disconnected{s->line, "cut"}));
    settle();
  }
  void say(Side& to, Octets bytes) {
    take(to, to.speaker->step(now, to.n, Received{to.line, std::move(bytes)}));
    settle();
  }
  void step(Side& s, const Event& e) {
    take(s, s.speaker->step(now, s.n, e));
    settle();
  }
  void take(Side& s, SpeakerActions actions) {
    Side& other = &s == &a ? b : a;
    for (auto& x : actions) {
      if (auto* sent = std::get_if<SendBytes>(&x.action)) {
        inbox_.push_back({&other, Received{other.line, std::move(sent->bytes)}});
        inbox_.push_back({&s, Written{s.line}});
      }
      if (std::holds_alternative<Close>(x.action)) inbox_.push_back({&other, Disconnected{other.line, "closed"}});
      if (std::holds_alternative<Close>(x.action)) connected_ = false;
      if (std::holds_alternative<Dial>(x.action)) dialed_ = true;
      if (const auto* n = std::get_if<Note>(&x.action)) s.notes.push_back(n->text);
      if (std::holds_alternative<PathsGone>(x.action)) ++s.paths_gone;
    }
  }
  // All there is to do at this time.
  void settle() {
    while (true) {
      if (!inbox_.empty()) {
        const auto [to, event] = std::move(inbox_.front());
        inbox_.pop_front();
        take(*to, to->speaker->step(now, to->n, event));
      } else if (a.speaker->has_work() || b.speaker->has_work()) {
        for (Side* s : {&a, &b})
          take(*s, s->speaker->work(now));
      } else if (dialed_ && reachable && !connected_) {
        dialed_ = false;
        connected_ = true;
        for (Side* s : {&a, &b})
          inbox_.push_back({s, Connected{s->line}});
      } else {
        return;
      }
    }
  }
  void pass(Seconds time) {
    const TimePoint end = now + time;
    while (true) {
      std::optional<TimePoint> next;
      for (const Side* s : {&a, &b}) {
        const auto at = s->speaker->next_deadline();
        if (at && (!next || *at < *next)) next = at;
      }
      if (!next || *next > end) break;
      now = std::max(now, *next);
      for (Side* s : {&a, &b})
        take(*s, s->speaker->tick(now));
      settle();
    }
    now = end;
  }

  Side a, b;
  TimePoint now{};
  bool reachable = true;

 private:
  static NeighborConfig side(std::uint32_t as, std::uint8_t host, std::uint32_t other_as, std::uint8_t other,
                             const Capabilities& capabilities) {
    NeighborConfig c;
    c.session.local_as = Asn{as};
    c.session.remote_as = Asn{other_as};
    c.session.router_id = RouterId{host};
    c.session.local_address = IpAddress::v4(0x0a000000U + host);
    c.session.remote_address = IpAddress::v4(0x0a000000U + other);
    c.session.capabilities = capabilities;
    c.routes.address = c.session.remote_address;
    c.routes.import.remote_as = c.session.remote_as;
    c.routes.export_rules.v4.local_as = c.session.local_as;
    c.routes.export_rules.v4.next_hop = c.session.local_address;
    return c;
  }

  std::deque<std::pair<Side*, Event>> inbox_;
  bool dialed_ = false, connected_ = false;
};

}  // namespace cgw::bgp::test
