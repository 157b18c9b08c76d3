#include "bgp/speaker.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/overload.hpp"

namespace cgw::bgp {
namespace {

std::uint64_t seed_from(Random& random) {
  std::uint64_t seed = 0;
  random.fill({reinterpret_cast<std::uint8_t*>(&seed), sizeof seed});
  return seed;
}

}  // namespace

Speaker::Speaker(const Router& router, const DecisionOptions& options, Random& random)
    : random_(random),
      ribs_(router, options, seed_from(random)),
      neighbors_(1) {}

Speaker::~Speaker() = default;

// ---- neighbors

NeighborId Speaker::add(NeighborConfig config) {
  const NeighborId n = ribs_.add_neighbor(config.routes);
  if (neighbors_.size() <= n.value()) neighbors_.emplace_back();
  neighbor(n) = Neighbor{};
  neighbor(n).session = make_session(n, config.session);
  neighbor(n).config = std::move(config);
  return n;
}

std::unique_ptr<Session> Speaker::make_session(NeighborId n, SessionConfig config) {
  if (auto& graceful = config.capabilities.graceful_restart; graceful && restart_.begun()) {
    graceful->restarted = true;
    restart_.expect(n, config.capabilities.families);
    follow_restart();
  }
  return std::make_unique<Session>(std::move(config), random_);
}

SpeakerActions Speaker::remove(TimePoint now, NeighborId n) {
  Turn t{now, {}};
  run(t, n, Stop{.cease_subcode = 3, .why = "the neighbor is no longer configured"});
  ribs_.remove_neighbor(n);
  neighbor(n) = Neighbor{.deadline = neighbor(n).deadline};
  restart_.forget(n);
  follow_restart();
  arm(n);
  return std::move(t.out);
}

SpeakerActions Speaker::configure(TimePoint now, NeighborId n, NeighborConfig config) {
  Turn t{now, {}};
  Neighbor& me = neighbor(n);
  const bool anew = config.session != me.config.session;
  const bool running = status(n).state != State::Idle;
  if (anew) run(t, n, Stop{.cease_subcode = 6, .why = "its configuration has changed"});
  me.config = std::move(config);
  ribs_.configure(n, me.config.routes);
  if (!anew) return std::move(t.out);
  me.session = make_session(n, me.config.session);
  if (running) run(t, n, Start{});
  arm(n);
  return std::move(t.out);
}

SpeakerActions Speaker::clear(TimePoint now, NeighborId n, Clear what) {
  Turn t{now, {}};
  switch (what) {
    case Clear::Hard:
      if (std::exchange(neighbor(n).over_limit, false)) {
        run(t, n, Start{});
      } else {
        run(t, n, Reset{.notification = {.code = 6, .subcode = 4, .data = {}}, .why = "cleared by the operator"});
      }
      break;
    case Clear::SoftIn: {
      const auto& agreed = status(n).negotiated;
      if (neighbor(n).config.soft_reconfiguration_inbound || !agreed || !agreed->route_refresh) {
        ribs_.judge_again(n);
        break;
      }
      for (const Family f : kFamilies)
        run(t, n, RequestRefresh{f});
      break;
    }
    case Clear::SoftOut:
      for (const Family f : kFamilies)
        refresh(t, n, {f, RefreshKind::Request});
      break;
  }
  return std::move(t.out);
}

// ---- events

SpeakerActions Speaker::step(TimePoint now, NeighborId n, const Event& event) {
  Turn t{now, {}};
  if (std::holds_alternative<Start>(event)) neighbor(n).over_limit = false;
  if (std::holds_alternative<Stop>(event)) restart_.forget(n), follow_restart();
  run(t, n, event);
  return std::move(t.out);
}

SpeakerActions Speaker::tick(TimePoint now) {
  Turn t{now, {}};
  restart_.tick(now);
  follow_restart();
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    const auto [at, n] = *deadlines_.begin();
    run(t, n, Tick{});
    expire(t, n);
    // One that has not moved on waits for the next tick.
    if (neighbor(n).deadline == at) break;
  }
  return std::move(t.out);
}

std::optional<TimePoint> Speaker::next_deadline() const {
  const auto restart = restart_.next_deadline();
  if (deadlines_.empty()) return restart;
  return restart ? std::min(*restart, deadlines_.begin()->first) : deadlines_.begin()->first;
}

void Speaker::arm(NeighborId n) {
  Neighbor& me = neighbor(n);
  auto at = me.session ? me.session->next_deadline() : std::nullopt;
  for (const auto& other : {me.retained.next_deadline(), me.refresh_end.v4, me.refresh_end.v6})
    if (other && (!at || *other < *at)) at = other;
  if (at == me.deadline) return;
  if (me.deadline) deadlines_.erase({*me.deadline, n});
  if (at) deadlines_.emplace(*at, n);
  me.deadline = at;
}

void Speaker::run(Turn& t, NeighborId n, const Event& event) {
  Neighbor& me = neighbor(n);
  if (!me.session) return;
  if (const auto* w = std::get_if<Written>(&event)) me.in_flight = w->waiting;
  std::optional<Reset> over;
  for (auto& action : me.session->step(t.now, event)) {
    if (auto* routes = std::get_if<RoutesReceived>(&action)) {
      // What is behind the limit is not even looked at.
      if (!over) over = receive(t, n, routes->update);
    } else {
      obey(t, n, std::move(action));
    }
  }
  if (over) return end(t, n, *over);
  arm(n);
}

// Past a limit. Without a pause it stays down until somebody clears it, or starts it anew.
void Speaker::end(Turn& t, NeighborId n, const Reset& reset) {
  if (reset.pause) return run(t, n, reset);
  neighbor(n).over_limit = true;
  run(t, n, Stop{.cease_subcode = reset.notification.subcode, .why = reset.why});
}

void Speaker::obey(Turn& t, NeighborId n, Action&& action) {
  const auto pass_on = [&](auto&& a) { t.out.push_back({n, std::forward<decltype(a)>(a)}); };
  std::visit(Overload{
                 [](RoutesReceived&) {},
                 [&](EndOfRib& a) {
                   ribs_.end_of_rib(n, a.family);
                   neighbor(n).retained.end_of_rib(a.family);
                   restart_.end_of_rib(n, a.family);
                   follow_restart();
                   pass_on(a);
                 },
                 [&](SessionUp& a) {
                   up(t, n, a.negotiated);
                   pass_on(std::move(a));
                 },
                 [&](SessionDown& a) { down(t, n, std::move(a)); },
                 [&](RefreshRequested& a) { refresh(t, n, a); },
                 [&](FamilyDisabled& a) { ribs_.disable(n, a.family); },
                 [&](auto& a) { pass_on(std::move(a)); },
             },
             action);
}

void Speaker::up(Turn& t, NeighborId n, const Negotiated& agreed) {
  Neighbor& me = neighbor(n);
  me.in_flight = 0;
  me.said_held_back = {};
  me.warning = {};
  me.agreed = agreed;
  ribs_.up(n, me.session->context(), agreed.remote_router_id);
  apply(n, me.retained.up(t.now, agreed, me.config.graceful));
  restart_.up(n, agreed);
  follow_restart();
}

// Why the session must end, if it must.
std::optional<Reset> Speaker::receive(Turn& t, NeighborId n, const Update& update) {
  Neighbor& me = neighbor(n);
  const PrefixLimit& limit = me.config.limit[update.family];
  const std::size_t refused = ribs_.receive(n, update, t.now);
  if (refused > 0) {
    return Reset{
        .notification = {.code = 6, .subcode = 8, .data = {}},
        .why = fmt::format("the table of {} is full: {} routes find no place", name_of(update.family), refused),
        .pause = limit.pause};
  }
  const auto counts = ribs_.table(update.family).counts(n);
  if (auto text = me.warning[update.family].look(limit, update.family, counts.received); !text.empty())
    t.out.push_back({n, Note{Level::Warning, std::move(text)}});
  return past(limit, update.family, counts);
}

// ---- work

bool Speaker::may_send(NeighborId n) const {
  const Neighbor& me = neighbor(n);
  return me.session && me.in_flight < me.config.window && ribs_.has_output(n);
}

bool Speaker::has_work() const {
  if (ribs_.has_work()) return true;
  for (std::uint16_t n = 1; n < neighbors_.size(); ++n)
    if (may_send(NeighborId{n})) return true;
  return false;
}

// One step of a walk and one neighbor's messages, each neighbor in its turn.
SpeakerActions Speaker::work(TimePoint now) {
  Turn t{now, {}};
  ribs_.work();
  const std::size_t all = neighbors_.size();
  for (std::size_t k = 1; k < all; ++k) {
    const NeighborId n{static_cast<std::uint16_t>(1 + (turn_ + k - 1) % (all - 1))};
    if (!may_send(n)) continue;
    turn_ = n.value();
    send(t, n);
    break;
  }
  return std::move(t.out);
}

void Speaker::send(Turn& t, NeighborId n) {
  Neighbor& me = neighbor(n);
  Output out = ribs_.output(n, me.config.window - me.in_flight);
  if (out.messages > 0) {
    me.in_flight += out.octets.size();
    run(t, n, SendUpdates{std::move(out.octets), out.messages, out.marks});
  }
  for (const Family f : kFamilies)
    tell_held_back(t, n, f);
}

void Speaker::tell_held_back(Turn& t, NeighborId n, Family f) {
  Neighbor& me = neighbor(n);
  const Advertiser* a = ribs_.advertiser(n, f);
  if (a == nullptr || !a->idle()) return;
  const auto& held = a->held_back();
  if (!held.empty() && !me.said_held_back[f]) {
    const auto limit = me.config.routes.maximum_prefix_out[f];
    t.out.push_back({n, Note{Level::Warning, held_back_text(ribs_.table(f).prefixes(), held, limit)}});
  }
  me.said_held_back[f] = !held.empty();
}

// ---- what there is

std::vector<Way> Speaker::ways(const Prefix& p) const {
  std::vector<Way> out;
  const Table& table = ribs_.table(p.address.family());
  const auto id = table.prefixes().find(p);
  if (!id) return out;
  if (const Path* best = table.best(*id); best != nullptr && best->neighbor == 0) return out;
  for (const Path* path = table.first(*id); path != nullptr; path = table.next(path)) {
    if (path->neighbor != 0 && table.valid(*path))
      out.push_back({NeighborId{path->neighbor}, path->accepted, path->path_id});
  }
  return out;
}

PrefixCounts Speaker::counts(NeighborId n, Family f) const {
  const auto in = ribs_.table(f).counts(n);
  PrefixCounts out{.received = in.received, .accepted = in.accepted, .filtered = in.received - in.accepted};
  if (const Advertiser* a = ribs_.advertiser(n, f)) {
    out.sent = a->told_count();
    out.held_back = static_cast<std::uint32_t>(a->held_back().size());
  }
  return out;
}

}  // namespace cgw::bgp
