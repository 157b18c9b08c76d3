// What becomes of routes and verdicts: the RIB, the plan for the kernel, what each neighbor is told.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/overload.hpp"
#include "daemon/gateway.hpp"
#include "daemon/routing.hpp"

namespace cgw {
namespace {

TimePoint now() {
  return std::chrono::steady_clock::now();
}

}  // namespace

void Gateway::add_static_routes() {
  for (const auto& r : config().static_routes) {
    for (const auto& t : tunnels_) {
      const auto& inside = t->setup().config.vpn_gateway_inside;
      const bool wanted = r.next_hop ? inside == r.next_hop : t->setup().connection == r.connection;
      if (!wanted) continue;
      rib::Path p;
      p.protocol = rib::Protocol::Static;
      p.distance = r.distance;
      p.exit = t->setup().exit;
      p.next_hop = *inside;
      p.preference = t->setup().config.preference.value_or(0);
      p.learned = now();
      rib_.update(r.prefix, p);
    }
  }
  publish();
}

void Gateway::judged(Tunnel& t, const health::Judgement& before) {
  if (stopping_) return;
  rib_.set_fitness(t.setup().exit, routing::fitness(t.judgement().verdict));
  publish();
  const bool was_or_is_down = before.verdict == health::Verdict::Down || t.judgement().verdict == health::Verdict::Down;
  if (was_or_is_down) announce_within(t.setup().connection);
}

// While we stop, sessions end but forwarding goes on as it is.
void Gateway::on_bgp(Tunnel& t, const bgp::RibsAction& action) {
  if (stopping_) return;
  const auto visitor = Overload{
      [&](const bgp::RouteChanges& c) { learn(t, c); },
      [&](const bgp::EndOfRib&) { end_of_rib(t); },
      [&](const bgp::SessionUp&) {
        end_of_rib_.erase(t.setup().exit);
        log_.write(Level::Info, t.name(),
                   "BGP session established with " + t.setup().config.vpn_gateway_inside->to_string());
      },
      [&](const bgp::SessionDown& d) {
        log_.write(Level::Warning, t.name(), "BGP session lost: " + d.why);
        end_of_rib_.erase(t.setup().exit);
        rib_.withdraw_all(rib::Protocol::Bgp, t.setup().exit, true);
        publish();
      },
      [](const auto&) {},
  };
  std::visit(visitor, action);
}

void Gateway::learn(Tunnel& t, const bgp::RouteChanges& changes) {
  const auto* session = t.bgp();
  const auto at = now();
  for (const auto& c : changes.changes) {
    if (!c.attributes || !importable(t, c.prefix)) {
      rib_.withdraw(c.prefix, rib::Protocol::Bgp, t.setup().exit);
      continue;
    }
    rib_.update(c.prefix, routing::path(t.setup().exit, *t.setup().config.vpn_gateway_inside,
                                        session->status().peer_router_id, *c.attributes, at));
  }
  publish();
}

// A route over a tunnel must not cover the outer path of any tunnel: its ESP would loop into itself.
bool Gateway::importable(Tunnel& t, const Prefix& prefix) {
  for (const auto& other : tunnels_) {
    const auto& outside = other->setup().config.vpn_gateway_outside;
    if (!outside || !prefix.contains(*outside)) continue;
    tell_unusable();
    if (unusable_.admit(now())) {
      log_.write(Level::Warning, t.name(),
                 fmt::format("{} is not used: it covers {}, the outside address of {}", prefix.to_string(),
                             outside->to_string(), other->name()));
    }
    return false;
  }
  return true;
}

void Gateway::tell_unusable() {
  if (const auto n = unusable_.take_untold(now())) {
    note(Level::Warning, fmt::format("{} more routes that cover a tunnel's outside address were not used", *n));
  }
}

// When every established session has told all it has, what nobody offered any more is let go: retained
// prefixes of the RIB and routes an earlier process left in the kernel.
void Gateway::end_of_rib(Tunnel& t) {
  end_of_rib_.insert(t.setup().exit);
  bool every_session = true;
  for (const auto& other : tunnels_) {
    if (other->bgp() == nullptr) continue;
    const bool established = other->bgp()->status().state == bgp::State::Established;
    if (established && !end_of_rib_.contains(other->setup().exit)) return;
    every_session = every_session && established;
  }
  rib_.release_retained();
  publish();
  if (!swept_ && every_session) {
    swept_ = true;
    report(fib_.sweep());
  }
}

void Gateway::announce_all() {
  for (const auto& t : tunnels_) {
    if (t->bgp() != nullptr) t->announce(advertisements(*t));
  }
}

// What is announced hangs on the verdicts of one connection's tunnels only.
void Gateway::announce_within(const std::string& connection) {
  for (const auto& t : tunnels_) {
    if (t->bgp() != nullptr && t->setup().connection == connection) t->announce(advertisements(*t));
  }
}

// Our networks and nothing learnt: never transit.
std::vector<bgp::Advertisement> Gateway::advertisements(const Tunnel& t) const {
  std::vector<routing::Sibling> siblings;
  for (const auto& other : tunnels_) {
    if (other.get() == &t || other->setup().connection != t.setup().connection) continue;
    const bool served = other->bgp() != nullptr && other->bgp()->status().established_count > 0;
    siblings.push_back({other->judgement().verdict, served});
  }
  const std::uint32_t med = routing::announced_med(t.judgement().verdict, siblings);
  std::vector<bgp::Advertisement> out;
  for (const Prefix& p : config().bgp->networks)
    out.push_back({.prefix = p, .med = med, .communities = {}});
  return out;
}

void Gateway::publish() {
  const auto changes = rib_.take_changes();
  report(fib_.apply(changes));
  const auto before = std::exchange(active_, active_exits());
  if (before == active_) return;
  last_change_ = Change{now(), fmt::format("{} -> {}{}", names(before), names(active_), why_moved(before, changes))};
  note(Level::Info, "traffic: " + last_change_->text);
}

std::string Gateway::names(const std::set<rib::ExitId>& exits) const {
  std::vector<std::string> out;
  for (const auto e : exits)
    out.push_back(tunnel_of(e)->name());
  return out.empty() ? std::string("no tunnel (blackhole)") : fmt::format("{}", fmt::join(out, ", "));
}

// In words: what became of the exits that were left, or the rule by which others are better.
std::string Gateway::why_moved(const std::set<rib::ExitId>& before, const rib::PlanChanges& changes) const {
  std::string out;
  for (const auto e : before) {
    if (active_.contains(e)) continue;
    const Tunnel& left = *tunnel_of(e);
    const health::Judgement& j = left.judgement();
    if (j.verdict == health::Verdict::Up) {
      out += "; " + routing::why_left(rib_, e, changes, left.name(), names(active_));
    } else {
      out += fmt::format("; {} is {}: {}", left.name(), to_string(j.verdict), j.reason);
    }
  }
  return out;
}

std::set<rib::ExitId> Gateway::active_exits() const {
  std::set<rib::ExitId> out;
  for (const auto& g : rib_.groups())
    out.insert(g.active.begin(), g.active.end());
  return out;
}

// AWS sends on one tunnel of its choice that no API shows (static mode): the one on which forwarded packets
// come in, when they come in on no other.
void Gateway::follow_the_peer() {
  constexpr std::uint64_t kSome = 5;  // packets a poll; fewer says nothing
  std::optional<rib::ExitId> only;
  for (const auto& t : tunnels_) {
    if (t->forwarded_in() < kSome || t->bgp() != nullptr) continue;
    if (only) return;
    only = t->setup().exit;
  }
  if (!only) return;
  rib_.set_followed(only);
  publish();
}

}  // namespace cgw
