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
  if (const auto n = t.setup().neighbor) bgp_->set_usable(*n, t.judgement().verdict != health::Verdict::Down);
  const bool was_or_is_down = before.verdict == health::Verdict::Down || t.judgement().verdict == health::Verdict::Down;
  if (was_or_is_down) announce_within(t.setup().connection);
}

// While we stop, sessions end but forwarding goes on as it is.
void Gateway::on_bgp(bgp::NeighborId n, const bgp::NeighborAction& action) {
  if (stopping_) return;
  Tunnel& t = *tunnels_[tunnel_of_.at(n)];
  const auto visitor = Overload{
      [&](const bgp::EndOfRib&) {
        end_of_rib_.insert(t.setup().exit);
        end_of_rib_pending_ = true;
        settle_end_of_rib();
      },
      [&](const bgp::SessionUp&) {
        end_of_rib_.erase(t.setup().exit);
        log_.write(Level::Info, t.name(),
                   "BGP session established with " + t.setup().config.vpn_gateway_inside->to_string());
      },
      [&](const bgp::SessionDown& d) {
        log_.write(Level::Warning, t.name(), "BGP session lost: " + d.why);
        end_of_rib_.erase(t.setup().exit);
      },
      [&](const bgp::PathsGone&) {
        rib_.withdraw_all(rib::Protocol::Bgp, t.setup().exit, true);
        publish();
      },
      [&](const bgp::Moved& m) { t.bgp_moved(m); },
      [&](const Note& note) { log_.write(note.level, t.name(), "BGP: " + note.text); },
      // Of sockets.
      [](const auto&) {},
  };
  std::visit(visitor, action);
}

// A bounded number of them: the rest is for the next turn.
void Gateway::learn(bgp::Speaker& speaker) {
  constexpr std::size_t kMost = 512;
  if (stopping_) return;
  const auto exit_of = [this](bgp::NeighborId n) -> std::optional<rib::ExitId> {
    const Tunnel* t = tunnel_of(n);
    return t != nullptr ? std::optional(t->setup().exit) : std::nullopt;
  };
  const TimePoint at = now();
  for (const Family f : bgp::kFamilies) {
    for (const Prefix& p : speaker.take_changes(f, kMost)) {
      rib_.replace(p, rib::Protocol::Bgp, routing::paths(speaker, p, exit_of, at));
      tell_if_unusable(speaker, p);
    }
  }
  publish();
  settle_end_of_rib();
}

// What a tunnel offers and TunnelImport denies.
void Gateway::tell_if_unusable(const bgp::Speaker& speaker, const Prefix& prefix) {
  const auto outside = outer_->covered(prefix);
  if (!outside) return;
  const bgp::Table& table = speaker.ribs().table(prefix.address.family());
  const auto id = table.prefixes().find(prefix);
  const bgp::Path* path = id ? table.first(*id) : nullptr;
  while (path != nullptr && tunnel_of(bgp::NeighborId{path->neighbor}) == nullptr)
    path = table.next(path);
  if (path == nullptr) return;
  tell_unusable();
  if (!unusable_.admit(now())) return;
  const auto is_there = [&](const auto& t) { return t->setup().config.vpn_gateway_outside == outside; };
  const auto other = std::ranges::find_if(tunnels_, is_there);
  log_.write(Level::Warning, tunnel_of(bgp::NeighborId{path->neighbor})->name(),
             fmt::format("{} is not used: it covers {}, the outside address of {}", prefix.to_string(),
                         outside->to_string(), (*other)->name()));
}

void Gateway::tell_unusable() {
  if (const auto n = unusable_.take_untold(now())) {
    note(Level::Warning, fmt::format("{} more routes that cover a tunnel's outside address were not used", *n));
  }
}

// When every established session has told all it has, and all of that is in the RIB, what nobody offered any more is
// let go: retained prefixes of the RIB and routes an earlier process left in the kernel.
void Gateway::settle_end_of_rib() {
  if (!end_of_rib_pending_ || bgp_->speaker().has_changes()) return;
  end_of_rib_pending_ = false;
  bool every_session = true;
  for (const auto& t : tunnels_) {
    if (t->bgp() == nullptr) continue;
    const bool established = t->bgp()->state == bgp::State::Established;
    if (established && !end_of_rib_.contains(t->setup().exit)) return;
    every_session = every_session && established;
  }
  rib_.release_retained();
  publish();
  if (!swept_ && every_session) {
    swept_ = true;
    report(fib_.sweep());
  }
}

// What a neighbor is told of our networks hangs on the verdicts of its connection's tunnels, by the MED.
void Gateway::announce_within(const std::string& connection) {
  for (const auto& t : tunnels_) {
    const auto n = t->setup().neighbor;
    if (!n || t->setup().connection != connection) continue;
    bgp::NeighborConfig c = bgp_->speaker().config(*n);
    c.routes.export_rules.v4.own_med = announced_med(*t);
    bgp_->configure(*n, std::move(c));
  }
}

std::uint32_t Gateway::announced_med(const Tunnel& t) const {
  std::vector<routing::Sibling> siblings;
  for (const auto& other : tunnels_) {
    if (other.get() == &t || other->setup().connection != t.setup().connection) continue;
    const bool served = other->bgp() != nullptr && other->bgp()->established_count > 0;
    siblings.push_back({other->judgement().verdict, served});
  }
  return routing::announced_med(t.judgement().verdict, siblings);
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
