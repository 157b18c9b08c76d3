#include "bgp/session_ribs.hpp"

#include <fmt/format.h>

#include "base/overload.hpp"
#include "bgp/eligibility.hpp"

namespace cgw::bgp {
namespace {

constexpr Seconds kPrefixLimitPause{60};

std::string held_back_text(const std::vector<Prefix>& held, std::uint32_t limit) {
  constexpr std::size_t kNamed = 10;
  std::string names;
  for (std::size_t i = 0; i < held.size() && i < kNamed; ++i)
    names += (i > 0 ? ", " : "") + held[i].to_string();
  return fmt::format(
      "{} prefixes are held back: the neighbor resets the session past {} ({}{}); "
      "aggregate them, or raise maximum-prefix-out if it takes more",
      held.size(), limit, names, held.size() > kNamed ? ", ..." : "");
}

}  // namespace

struct SessionRibs::Turn {
  TimePoint now;
  RibsActions out;
  std::vector<RouteChange> changes;
  bool greet = false;    // a session has come up
  bool refresh = false;  // the neighbor wants all again

  void flush() {
    if (!changes.empty()) out.push_back(RouteChanges{std::exchange(changes, {})});
  }
};

SessionRibs::SessionRibs(SessionConfig config, Random& jitter) : config_(config), session_(std::move(config), jitter) {}

std::vector<Advertisement> SessionRibs::adj_rib_out() const {
  std::vector<Advertisement> out;
  for (const auto& [prefix, a] : adj_rib_out_.told())
    out.push_back(a);
  return out;
}

RibsActions SessionRibs::step(TimePoint now, const RibsEvent& event) {
  Turn t{.now = now, .out = {}, .changes = {}};
  std::visit(Overload{[&](const Announce& e) { announce(t, e.routes); }, [&](const auto& e) { run(t, e); }}, event);
  if (adj_rib_in_.size() > config_.maximum_prefix_in) {
    run(t, Reset{.notification = {.code = 6, .subcode = 1, .data = {}},
                 .why = fmt::format("the neighbor announces more than {} prefixes", config_.maximum_prefix_in),
                 .pause = kPrefixLimitPause});
  }
  if (t.refresh) adj_rib_out_.forget();
  if (t.greet || t.refresh) advertise(t);
  if (t.greet) run(t, SendUpdates{encode_end_of_rib(Family::V4)});
  t.flush();
  status_ = session_.status();
  status_.prefixes_received = static_cast<std::uint32_t>(adj_rib_in_.size());
  status_.prefixes_sent = static_cast<std::uint32_t>(adj_rib_out_.told().size());
  status_.prefixes_held_back = static_cast<std::uint32_t>(adj_rib_out_.held_back().size());
  return std::move(t.out);
}

void SessionRibs::run(Turn& t, const Event& e) {
  for (auto& action : session_.step(t.now, e)) {
    std::visit(Overload{
                   [&](RoutesReceived& r) { apply(t, r.update); },
                   [&](RefreshRequested& r) { t.refresh = t.refresh || r.kind == RefreshKind::Request; },
                   // Only one family was offered: an error in it ends the session instead.
                   [](FamilyDisabled&) {},
                   [&](EndOfRib& a) {
                     t.flush();  // the routes before it belong to what it ends
                     t.out.push_back(a);
                   },
                   [&](SessionUp& a) {
                     t.greet = true;
                     adj_rib_out_.forget();
                     t.out.push_back(std::move(a));
                   },
                   [&](SessionDown& a) { down(t, std::move(a)); },
                   [&](auto& a) { t.out.push_back(std::move(a)); },
               },
               action);
  }
}

// Without graceful restart offered, all routes go.
void SessionRibs::down(Turn& t, SessionDown d) {
  adj_rib_in_.clear();
  adj_rib_out_.forget();
  t.changes.clear();
  t.greet = t.refresh = false;
  t.out.push_back(std::move(d));
}

void SessionRibs::announce(Turn& t, const std::vector<Advertisement>& routes) {
  adj_rib_out_.want(routes, config_.maximum_prefix_out);
  const auto& held = adj_rib_out_.held_back();
  if (!held.empty() && !said_held_back_)
    t.out.push_back(Note{Level::Warning, held_back_text(held, config_.maximum_prefix_out)});
  said_held_back_ = !held.empty();
  if (session_.status().state == State::Established) advertise(t);
}

void SessionRibs::advertise(Turn& t) {
  for (auto& m : adj_rib_out_.difference(config_, session_.context()))
    run(t, SendUpdates{std::move(m)});
}

void SessionRibs::withdraw(Turn& t, const Nlri& n) {
  if (adj_rib_in_.erase(n.prefix) > 0) t.changes.push_back({n.prefix, nullptr});
}

void SessionRibs::apply(Turn& t, const Update& u) {
  for (const Nlri& n : u.withdrawn)
    withdraw(t, n);
  if (u.announced.empty() || adj_rib_in_.size() > config_.maximum_prefix_in) return;
  const std::string why =
      loop(*u.attributes, {.local_as = config_.local_as, .router_id = config_.router_id, .cluster_id = {}});
  if (!why.empty()) {
    t.out.push_back(Note{Level::Debug, fmt::format("{} prefixes are not used: {}", u.announced.size(), why)});
    for (const Nlri& n : u.announced)
      withdraw(t, n);
    return;
  }
  for (const Nlri& n : u.announced) {
    adj_rib_in_[n.prefix] = u.attributes;
    t.changes.push_back({n.prefix, u.attributes});
  }
}

}  // namespace cgw::bgp
