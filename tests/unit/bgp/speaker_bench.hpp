#pragma once
#include <map>

#include "bgp/speaker.hpp"
#include "tests/support/bgp_view.hpp"
#include "tests/unit/bgp/bench.hpp"

// A speaker on a bench: the test is all its neighbors and the clock.
namespace cgw::bgp::test {

struct SpeakerBench {
  SpeakerBench() { speaker.follow_changes(); }

  // The neighbor 10.0.0.`host`.
  static NeighborConfig neighbor(std::uint8_t host, std::uint32_t as) {
    NeighborConfig c;
    c.session = our_config();
    c.session.remote_as = Asn{as};
    c.session.local_address = IpAddress::v4(0x0a0000fe);
    c.session.remote_address = IpAddress::v4(0x0a000000U + host);
    c.routes.address = c.session.remote_address;
    c.routes.import.kind = as == 65000 ? SourceKind::Ibgp : SourceKind::Ebgp;
    c.routes.import.remote_as = c.session.remote_as;
    ExportRules& out = c.routes.export_rules.v4;
    out.kind = c.routes.import.kind;
    out.local_as = c.session.local_as;
    out.next_hop = c.session.local_address;
    return c;
  }

  SpeakerActions take(SpeakerActions actions) {
    for (const SpeakerAction& a : actions) {
      if (const auto* n = std::get_if<Note>(&a.action)) notes[a.neighbor].push_back(n->text);
      const auto* s = std::get_if<SendBytes>(&a.action);
      if (s == nullptr) continue;
      if (s->bytes[18] == 3) notified[a.neighbor].push_back({s->bytes[19], s->bytes[20]});
      if (s->bytes[18] == 5) ++refreshes[a.neighbor];
      if (s->bytes[18] == 2) hear(a.neighbor, s->bytes);
    }
    return actions;
  }
  SpeakerActions step(NeighborId n, const Event& e) { return take(speaker.step(now, n, e)); }
  SpeakerActions say(NeighborId n, Octets bytes) { return step(n, Received{kOut, std::move(bytes)}); }
  // All there is to do; the neighbors read everything.
  void settle() {
    while (speaker.has_work()) {
      for (const auto& a : take(speaker.work(now))) {
        if (std::holds_alternative<SendBytes>(a.action) && reads) step(a.neighbor, Written{kOut});
      }
    }
  }
  void up(NeighborId n) {
    const SessionConfig& c = speaker.config(n).session;
    views.erase(n);
    if (speaker.status(n).state == State::Idle) step(n, Start{});
    if (speaker.status(n).state == State::Active) {
      now = *speaker.next_deadline();
      take(speaker.tick(now));
    }
    step(n, Connected{kOut});
    say(n, plain_open(c.remote_as.value(), c.hold_time, c.remote_address.v4_value()));
    say(n, frame(MessageType::Keepalive, {}));
    settle();
  }
  NeighborId add(const NeighborConfig& c) {
    const NeighborId n = speaker.add(c);
    up(n);
    return n;
  }
  // The neighbor brings /24s from `first` on.
  void routes(NeighborId n, std::uint32_t first, std::uint32_t count) {
    say(n, announcement(speaker.config(n).session, first, count));
    settle();
  }
  void configure(NeighborId n, const NeighborConfig& c) {
    take(speaker.configure(now, n, c));
    settle();
  }
  std::size_t told(NeighborId n) const {
    const auto it = views.find(n);
    return it == views.end() ? 0 : it->second.routes().size();
  }
  const PathAttributes* told(NeighborId n, const char* prefix) { return views.at(n).find(prefix); }
  std::vector<std::string> changes() {
    std::vector<std::string> out;
    for (const Prefix& p : speaker.take_changes(Family::V4, 1000))
      out.push_back(p.to_string());
    return out;
  }

  Seeded random{7};
  TimePoint now{};
  Speaker speaker{{Asn{65000}, RouterId{0x0a0000fe}, 0x0a0000fe}, {}, random};
  bool reads = true;
  std::map<NeighborId, cgw::test::BgpView> views;
  std::map<NeighborId, std::vector<std::pair<int, int>>> notified;
  std::map<NeighborId, std::vector<std::string>> notes;
  std::map<NeighborId, int> refreshes;

 private:
  void hear(NeighborId n, const Octets& bytes) {
    const SessionConfig& c = speaker.config(n).session;
    UpdateContext theirs{.ebgp = c.local_as != c.remote_as,
                         .local_as = c.remote_as,
                         .remote_as = c.local_as,
                         .local_address = c.remote_address};
    std::uint32_t messages = 0;
    for (std::size_t at = 0; at < bytes.size(); ++messages)
      at += static_cast<std::size_t>(bytes[at + 16] << 8 | bytes[at + 17]);
    views.try_emplace(n, theirs).first->second.read({bytes, messages});
  }
};

}  // namespace cgw::bgp::test
