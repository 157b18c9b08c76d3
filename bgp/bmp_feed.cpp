#include "bgp/bmp_feed.hpp"

#include <algorithm>

#include "bgp/open.hpp"

namespace cgw::bgp {
namespace {

// Prefixes looked at in one piece: a few milliseconds at most with some neighbors, and enough for full messages.
constexpr std::size_t kPiece = 512;
constexpr std::uint16_t kLocRib = 0;

Capabilities all_families() {
  Capabilities c;
  c.families = {true, true};
  c.any_multiprotocol = true;
  c.four_octet_as = true;
  return c;
}

bmp::Peer in_view(bmp::Peer p, bmp::View v) {
  p.view = v;
  return p;
}

}  // namespace

BmpFeed::BmpFeed(Ribs& ribs, const Views& views, bmp::WallTime at, const bmp::Peer& ourselves,
                 std::string_view system_name, std::string_view description)
    : ribs_(ribs),
      changes_(ribs) {
  if (views.adj_rib_in) views_.push_back(bmp::View::AdjRibIn);
  if (views.post_policy) views_.push_back(bmp::View::AdjRibInPostPolicy);
  say(bmp::initiation(system_name, description));
  if (views.loc_rib) {
    Monitored& m = peers_[kLocRib];
    m.facts.peer = in_view(ourselves, bmp::View::LocRib);
    m.facts.families = {true, true};
    m.told[bmp::View::LocRib];
    // RFC 9069 5.1: an OPEN that nobody has sent says what the messages hold.
    const auto open = encode_open({ourselves.asn, Seconds{0}, ourselves.router_id, all_families()});
    say(bmp::peer_up(at, m.facts.peer, {}, open, open));
  }
  for (const Family f : kFamilies) {
    changes_[f].feed();
    ribs_.follow(f, changes_[f]);
  }
}

BmpFeed::~BmpFeed() {
  for (const Family f : kFamilies)
    ribs_.unfollow(f, changes_[f]);
  for (auto& [n, m] : peers_)
    forget(m);
}

void BmpFeed::say(const bmp::Octets& message) {
  said_.insert(said_.end(), message.begin(), message.end());
}

void BmpFeed::forget(Monitored& m) {
  for (auto& [view, told] : m.told) {
    for (const Family f : kFamilies)
      told[f].prefixes.for_each([&](std::uint32_t id) { ribs_.mutable_table(f).release(PrefixId{id}); });
  }
  m.told.clear();
}

void BmpFeed::up(bmp::WallTime at, NeighborId n, const SessionFacts& facts) {
  Monitored& m = peers_[n.value()];
  forget(m);
  m.facts = facts;
  for (const bmp::View v : views_)
    m.told[v];
  // The views of a neighbor come and go together (RFC 7854 4.10).
  say(bmp::peer_up(at, in_view(facts.peer, bmp::View::AdjRibIn), facts.ends, facts.sent_open, facts.received_open));
}

void BmpFeed::down(bmp::WallTime at, NeighborId n, const bmp::DownReason& reason) {
  const auto it = peers_.find(n.value());
  if (it == peers_.end()) return;
  say(bmp::peer_down(at, in_view(it->second.facts.peer, bmp::View::AdjRibIn), reason));
  forget(it->second);
  peers_.erase(it);
}

void BmpFeed::report(bmp::WallTime at, NeighborId n, const bmp::Statistics& statistics) {
  const auto it = peers_.find(n.value());
  if (it != peers_.end()) say(bmp::statistics(at, it->second.facts.peer, statistics));
}

bmp::Octets BmpFeed::next(bmp::WallTime at) {
  bmp::Octets out = std::exchange(said_, {});
  for (const Family f : kFamilies) {
    Batch batch;
    std::vector<PrefixId> seen;
    while (seen.size() < kPiece) {
      const auto id = changes_[f].pop();
      if (!id) break;
      look_at(f, *id, batch);
      seen.push_back(*id);
    }
    const auto octets = write(at, f, batch);
    out.insert(out.end(), octets.begin(), octets.end());
    for (const PrefixId id : seen)
      ribs_.mutable_table(f).release(id);
    if (changes_[f].empty() && std::exchange(begun_[f], false)) end_of_rib(at, f, out);
  }
  return out;
}

void BmpFeed::look_at(Family f, PrefixId id, Batch& batch) {
  for (auto& [n, m] : peers_) {
    if (!m.facts.families[f]) continue;
    for (const auto& [view, told] : m.told)
      look_at(f, id, n, view, m, batch);
  }
}

// None: the view does not have it.
AttributeId BmpFeed::shown(Family f, const Path& p, std::uint16_t neighbor, bmp::View view) const {
  if (view == bmp::View::LocRib) return p.best ? p.accepted : AttributeId{};
  if (p.neighbor != neighbor || !ribs_.table(f).standing(neighbor).of_session(p.epoch)) return {};
  return view == bmp::View::AdjRibIn ? p.received : p.accepted;
}

void BmpFeed::look_at(Family f, PrefixId id, std::uint16_t neighbor, bmp::View view, Monitored& m, Batch& batch) {
  const Table& table = ribs_.table(f);
  Told& told = m.told[view][f];
  const Prefix prefix = table.prefixes().prefix(id);
  std::vector<std::uint32_t> paths;
  for (const Path* p = table.first(id); p != nullptr; p = table.next(p)) {
    const AttributeId a = shown(f, *p, neighbor, view);
    if (a == AttributeId{}) continue;
    const std::uint32_t path_id = m.facts.path_ids[f] ? p->path_id : 0;
    batch[{neighbor, view, a}].push_back({prefix, path_id});
    paths.push_back(path_id);
  }
  if (told.prefixes.test(id.value())) {
    std::vector<std::uint32_t> before{0};
    if (const auto it = told.paths.find(id.value()); it != told.paths.end()) before = it->second;
    for (const std::uint32_t path_id : before)
      if (std::ranges::find(paths, path_id) == paths.end()) batch[{neighbor, view, {}}].push_back({prefix, path_id});
  }
  told.paths.erase(id.value());
  if (m.facts.path_ids[f] && !paths.empty()) told.paths[id.value()] = paths;
  if (!paths.empty() && told.prefixes.set(id.value())) ribs_.mutable_table(f).hold(id);
  if (paths.empty() && told.prefixes.clear(id.value())) ribs_.mutable_table(f).release(id);
}

// The withdrawals of each come first.
bmp::Octets BmpFeed::write(bmp::WallTime at, Family f, const Batch& batch) const {
  bmp::Octets out;
  for (const auto& [key, routes] : batch) {
    const Monitored& m = peers_.at(key.neighbor);
    const bmp::Peer peer = in_view(m.facts.peer, key.view);
    const auto octets =
        key.attributes == AttributeId{}
            ? bmp::withdrawn(at, peer, f, routes, m.facts.path_ids[f])
            : bmp::announced(at, peer, f, routes, ribs_.pool().attributes(key.attributes), m.facts.path_ids[f]);
    out.insert(out.end(), octets.begin(), octets.end());
  }
  return out;
}

// RFC 7854 5: the initial routes of all views have been told.
void BmpFeed::end_of_rib(bmp::WallTime at, Family f, bmp::Octets& out) {
  for (const auto& [n, m] : peers_) {
    if (!m.facts.families[f]) continue;
    for (const auto& [view, told] : m.told) {
      const auto message = bmp::end_of_rib(at, in_view(m.facts.peer, view), f);
      out.insert(out.end(), message.begin(), message.end());
    }
  }
}

}  // namespace cgw::bgp
