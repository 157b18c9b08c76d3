#include "bgp/table.hpp"

#include <bitset>
#include <cassert>
#include <utility>

namespace cgw::bgp {
namespace {

// Paths of one neighbor to one prefix: past this many it wastes our memory.
constexpr std::size_t kMaxPathsOfNeighbor = 64;

}  // namespace

Table::Table(Family family, std::uint64_t seed, AttributePool& pool, const Sources& sources,
             const DecisionOptions& options)
    : pool_(pool),
      sources_(sources),
      options_(options),
      prefixes_(family, seed) {}

Table::~Table() {
  for (std::uint32_t i = 0; i < prefixes_.limit(); ++i) {
    for (const Path* p = first(PrefixId{i}); p != nullptr; p = next(p)) {
      pool_.release(p->received);
      pool_.release(p->accepted);
    }
  }
}

std::optional<TableChange> Table::put(NeighborId from, const Nlri& nlri, AttributeId received, AttributeId accepted,
                                      std::uint32_t since) {
  const auto id = insert(nlri.prefix);
  if (!id) return std::nullopt;
  const Best before = best_of(*id);
  const std::uint8_t epoch = standing(from.value()).epoch;
  Path* p = find_mutable(*id, from, nlri.path_id);
  if (p != nullptr && p->received == received && p->accepted == accepted && p->epoch == epoch) {
    return TableChange{.id = *id};
  }
  if (p == nullptr) {
    p = append(*id, from);
    if (p == nullptr) return std::nullopt;
    p->path_id = nlri.path_id;
    p->since = since;
  } else {
    count(*p, -1);
  }
  p->epoch = epoch & (kEpochs - 1);
  pool_.hold(received);
  pool_.hold(accepted);
  replace(*p, received, accepted);
  count(*p, 1);
  return finish(*id, before, true);
}

std::optional<PrefixId> Table::insert(const Prefix& p) {
  const auto id = prefixes_.insert(p);
  if (id && first_.size() <= id->value()) {
    first_.resize(id->value() + 1);
    holds_.resize(id->value() + 1);
  }
  return id;
}

std::optional<PrefixId> Table::claim(const Prefix& p) {
  const auto id = insert(p);
  if (id) hold(*id);
  return id;
}

std::optional<TableChange> Table::withdraw(NeighborId from, const Nlri& nlri) {
  const auto id = prefixes_.find(nlri.prefix);
  if (!id || find(*id, from, nlri.path_id) == nullptr) return std::nullopt;
  return remove_if(*id, [&](const Path& p) { return p.neighbor == from.value() && p.path_id == nlri.path_id; });
}

TableChange Table::decide(PrefixId id) {
  return finish(id, best_of(id), false);
}

const Path* Table::find(PrefixId id, NeighborId from, std::uint32_t path_id) const {
  for (const Path* p = first(id); p != nullptr; p = next(p)) {
    if (p->neighbor == from.value() && p->path_id == path_id) return p;
  }
  return nullptr;
}

Path* Table::find_mutable(PrefixId id, NeighborId from, std::uint32_t path_id) {
  return const_cast<Path*>(find(id, from, path_id));
}

bool Table::valid(const Path& p) const {
  if (p.accepted == AttributeId{}) return false;
  if (!pool_.next_hop(p.accepted).reachable) return false;
  const Standing& s = standing(p.neighbor);
  if (s.long_lived(p.epoch)) return !pool_.keys(p.accepted).no_llgr;  // RFC 9494 4.3
  return s.good(p.epoch);
}

Candidate Table::candidate(const Path& p) const {
  const Source& s = sources_[p.neighbor];
  return {.keys = &pool_.keys(p.accepted),
          .source = &s.path,
          .igp_metric = pool_.next_hop(p.accepted).metric,
          .since = p.since,
          .path_id = p.path_id,
          .llgr_stale = long_lived(p)};
}

void Table::release(PrefixId id) {
  assert(holds_[id.value()] > 0);
  --holds_[id.value()];
  settle(id);
}

void Table::settle(PrefixId id) {
  if (holds_[id.value()] == 0 && !first_[id.value()].present && prefixes_.in_use(id)) prefixes_.erase(id);
}

Table::Best Table::best_of(PrefixId id) const {
  const Path* p = best(id);
  if (p == nullptr) return {};
  return {p->neighbor, p->path_id, p->accepted, long_lived(*p)};
}

Path* Table::append(PrefixId id, NeighborId from) {
  Path fresh;
  fresh.neighbor = from.value();
  fresh.present = true;
  Path& head = first_[id.value()];
  if (!head.present) {
    fresh.number = 1;
    head = fresh;
    return &head;
  }
  std::size_t of_neighbor = 0;
  for (const Path* p = &head; p != nullptr; p = next(p))
    of_neighbor += p->neighbor == from.value();
  if (of_neighbor >= kMaxPathsOfNeighbor) return nullptr;
  fresh.number = free_number(id);
  fresh.next = head.next;
  std::uint32_t index = 0;
  if (free_more_.empty()) {
    index = more_.append(fresh);
  } else {
    index = free_more_.back();
    free_more_.pop_back();
    more_[index] = fresh;
  }
  head.next = index + 1;
  return &more_[index];
}

std::uint8_t Table::free_number(PrefixId id) const {
  std::bitset<256> used;
  for (const Path* p = first(id); p != nullptr; p = next(p))
    used.set(p->number);
  for (std::size_t n = 1; n < used.size(); ++n) {
    if (!used.test(n)) return static_cast<std::uint8_t>(n);
  }
  return 0;
}

// By one more, or less.
void Table::count(const Path& p, int by) {
  if (!standing(p.neighbor).of_session(p.epoch)) return;
  Counts& c = counts_of(p.neighbor);
  const std::size_t octets = sizeof p + pool_.octets_of(p.received);
  c.received += static_cast<std::uint32_t>(by);
  c.octets += by > 0 ? octets : -octets;
  if (p.accepted != AttributeId{}) c.accepted += static_cast<std::uint32_t>(by);
}

// The new ones come held.
void Table::replace(Path& p, AttributeId received, AttributeId accepted) {
  pool_.release(std::exchange(p.received, received));
  pool_.release(std::exchange(p.accepted, accepted));
}

void Table::drop(Path& p) {
  count(p, -1);
  replace(p, {}, {});
  p.present = false;
}

// Takes the paths that were dropped out of the prefix's row.
void Table::unlink_absent(PrefixId id) {
  Path& head = first_[id.value()];
  std::uint32_t* link = &head.next;
  while (*link != 0) {
    const std::uint32_t index = *link - 1;
    if (more_[index].present) {
      link = &more_[index].next;
      continue;
    }
    *link = more_[index].next;
    free_more_.push_back(index);
  }
  if (head.present) return;
  if (head.next == 0) {
    head = Path{};
    return;
  }
  const std::uint32_t second = head.next - 1;
  head = more_[second];
  head.best = false;
  free_more_.push_back(second);
}

// Brings the best of the eligible paths to the front and marks it.
void Table::choose(PrefixId id) {
  Path& head = first_[id.value()];
  head.best = false;
  if (head.next == 0) {
    head.best = head.present && eligible(head);
    return;
  }
  candidates_.clear();
  candidate_paths_.clear();
  for (Path* p = &head; p != nullptr; p = p->next == 0 ? nullptr : &more_[p->next - 1]) {
    if (!eligible(*p)) continue;
    candidates_.push_back(candidate(*p));
    candidate_paths_.push_back(p);
  }
  if (candidates_.empty()) return;
  Path* chosen = candidate_paths_[select(candidates_, options_)];
  if (chosen != &head) {
    std::swap(*chosen, head);
    std::swap(chosen->next, head.next);
  }
  head.best = true;
}

TableChange Table::finish(PrefixId id, const Best& before, bool paths) {
  choose(id);
  return {.id = id, .paths = paths, .best = best_of(id) != before};
}

Table::Counts& Table::counts_of(std::uint16_t neighbor) {
  if (counts_.size() <= neighbor) counts_.resize(neighbor + 1U);
  return counts_[neighbor];
}

std::size_t Table::octets() const {
  return prefixes_.octets() + first_.octets() + more_.octets() + holds_.octets() + free_more_.capacity() * 4;
}

}  // namespace cgw::bgp
