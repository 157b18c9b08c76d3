#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "bgp/attribute_pool.hpp"
#include "bgp/decision.hpp"
#include "bgp/families.hpp"
#include "bgp/prefix_table.hpp"
#include "bgp/slab.hpp"

namespace cgw::bgp {

// A neighbor as tables know it; 0 is this router itself.
using NeighborId = Strong<struct NeighborTag, std::uint16_t>;

// What becomes of paths that a neighbor's earlier session has left.
enum class Leftover : std::uint8_t {
  Gone,       // they count no more and are being removed
  Stale,      // RFC 4724: as good as fresh ones until its End-of-RIB or the restart timer
  LongLived,  // RFC 9494: last resort
};

inline constexpr std::uint8_t kEpochs = 8;

// A neighbor's part in all its paths of one family at once. A path is of the epoch that it carries: a session begins
// one, and so does a refresh whose end will be told (RFC 7313). Of the last but one the leftover says what becomes;
// older ones count no more.
struct Standing {
  std::uint8_t epoch = 0;
  Leftover leftover = Leftover::Gone;
  bool same_session = false;  // the last epoch but one is of the session of the present one

  void begin_epoch() { epoch = static_cast<std::uint8_t>((epoch + 1) % kEpochs); }
  bool fresh(std::uint8_t of) const { return of == epoch; }
  bool last(std::uint8_t of) const { return (of + 1) % kEpochs == epoch; }
  bool good(std::uint8_t of) const { return fresh(of) || (last(of) && leftover != Leftover::Gone); }
  bool long_lived(std::uint8_t of) const { return leftover == Leftover::LongLived && last(of); }
  bool of_session(std::uint8_t of) const { return fresh(of) || (same_session && last(of)); }
};

// A neighbor's part in all its paths.
struct Source {
  PathSource path;
  bool usable = true;  // by the verdict of health
  PerFamily<Standing> standing;
};
using Sources = std::vector<Source>;  // by NeighborId

// 24 octets: there are millions of them.
struct Path {
  AttributeId received;        // as the neighbor sent them
  AttributeId accepted;        // after import policy; none: filtered
  std::uint32_t path_id = 0;   // the neighbor's (RFC 7911)
  std::uint32_t since = 0;     // seconds on the speaker's clock, kept when attributes change
  std::uint32_t next = 0;      // of the same prefix: 0 or 1 + index into more_
  std::uint16_t neighbor = 0;  // NeighborId
  std::uint8_t number = 0;     // unique within the prefix: the path id it is sent with; 0 if there were too many
  std::uint8_t epoch : 3 = 0;
  bool present : 1 = false;
  bool best : 1 = false;
};
static_assert(sizeof(Path) == 24);

// What a change of one path did to its prefix.
struct TableChange {
  PrefixId id;
  bool paths = false;  // some path came, went or changed
  bool best = false;   // the best path is another, has other attributes, or there is none any more
};

// Adj-RIBs-In and Loc-RIB of one family: to each prefix all paths, the best one first. Allocates nothing per route.
class Table {
 public:
  // All outlive the table.
  Table(Family family, std::uint64_t seed, AttributePool& pool, const Sources& sources, const DecisionOptions& options);
  ~Table();
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

  // A route of this neighbor; it replaces the one with the same path id. nullopt: past the greatest number of prefixes,
  // or of paths from one neighbor to one prefix.
  std::optional<TableChange> put(NeighborId from, const Nlri& nlri, AttributeId received, AttributeId accepted,
                                 std::uint32_t since);
  // nullopt: there was none.
  std::optional<TableChange> withdraw(NeighborId from, const Nlri& nlri);

  // For those who go through the table step by step, id by id up to limit(): all of them leave the prefix decided.
  template <class Predicate>  // bool(const Path&)
  TableChange remove_if(PrefixId id, Predicate gone);
  template <class Change>  // what import policy says now: AttributeId(const Path&), held for the table
  TableChange accept_anew(PrefixId id, NeighborId from, Change accepted);
  TableChange decide(PrefixId id);  // after sources, next hops or options changed

  const PrefixTable& prefixes() const { return prefixes_; }
  // The first path, or null; then next().
  const Path* first(PrefixId id) const { return first_[id.value()].present ? &first_[id.value()] : nullptr; }
  const Path* next(const Path* p) const { return p->next == 0 ? nullptr : &more_[p->next - 1]; }
  const Path* best(PrefixId id) const {
    const Path& p = first_[id.value()];
    return p.best ? &p : nullptr;
  }
  const Path* find(PrefixId id, NeighborId from, std::uint32_t path_id) const;
  bool eligible(const Path& p) const { return sources_[p.neighbor].usable && valid(p); }
  // Eligible but for the verdict of health.
  bool valid(const Path& p) const;
  // Kept for the last resort, by our own timer (RFC 9494).
  bool long_lived(const Path& p) const { return standing(p.neighbor).long_lived(p.epoch); }
  const Standing& standing(std::uint16_t neighbor) const { return sources_[neighbor].standing[prefixes_.family()]; }
  Candidate candidate(const Path& p) const;

  // Somebody has yet to tell, or to take back, this prefix: its number stays.
  void hold(PrefixId id) { ++holds_[id.value()]; }
  void release(PrefixId id);
  // The number of a prefix that may have no path yet, held; nullopt past the greatest number of prefixes.
  std::optional<PrefixId> claim(const Prefix& p);
  // After a change, once all who must act on it hold the prefix: without them and without paths it is forgotten.
  void settle(PrefixId id);

  // Of the paths that the neighbor's present session has brought.
  struct Counts {
    std::uint32_t received = 0;
    std::uint32_t accepted = 0;
    std::uint64_t octets = 0;  // of memory, as if nothing were shared
  };
  // What its earlier sessions have left counts no more; to be told when an epoch has begun with a session.
  void forget_counts(NeighborId n) { counts_of(n.value()) = {}; }
  Counts counts(NeighborId n) const { return n.value() < counts_.size() ? counts_[n.value()] : Counts{}; }
  std::size_t octets() const;

 private:
  struct Best {
    std::uint32_t neighbor = 0x10000;  // none
    std::uint32_t path_id = 0;
    AttributeId accepted;
    bool long_lived = false;  // told with LLGR_STALE
    bool operator==(const Best&) const = default;
  };

  std::optional<PrefixId> insert(const Prefix& p);
  Best best_of(PrefixId id) const;
  Path* find_mutable(PrefixId id, NeighborId from, std::uint32_t path_id);
  Path* append(PrefixId id, NeighborId from);
  void replace(Path& p, AttributeId received, AttributeId accepted);
  void drop(Path& p);  // its holds and counts
  void count(const Path& p, int by);
  void unlink_absent(PrefixId id);
  void choose(PrefixId id);
  TableChange finish(PrefixId id, const Best& before, bool paths);
  std::uint8_t free_number(PrefixId id) const;
  Counts& counts_of(std::uint16_t neighbor);

  AttributePool& pool_;
  const Sources& sources_;
  const DecisionOptions& options_;
  PrefixTable prefixes_;
  Slab<Path> first_;  // by PrefixId
  Slab<Path> more_;
  std::vector<std::uint32_t> free_more_;
  Slab<std::uint32_t> holds_;  // by PrefixId
  std::vector<Counts> counts_;
  std::vector<Candidate> candidates_;  // scratch
  std::vector<Path*> candidate_paths_;
};

template <class Predicate>
TableChange Table::remove_if(PrefixId id, Predicate gone) {
  const Best before = best_of(id);
  bool any = false;
  for (Path* p = first_[id.value()].present ? &first_[id.value()] : nullptr; p != nullptr;
       p = p->next == 0 ? nullptr : &more_[p->next - 1]) {
    if (!gone(std::as_const(*p))) continue;
    drop(*p);
    any = true;
  }
  if (!any) return {.id = id};
  unlink_absent(id);
  return finish(id, before, true);
}

template <class Change>
TableChange Table::accept_anew(PrefixId id, NeighborId from, Change accepted) {
  const Best before = best_of(id);
  bool any = false;
  for (Path* p = first_[id.value()].present ? &first_[id.value()] : nullptr; p != nullptr;
       p = p->next == 0 ? nullptr : &more_[p->next - 1]) {
    if (p->neighbor != from.value()) continue;
    const AttributeId now = accepted(std::as_const(*p));
    any |= now != p->accepted;
    pool_.hold(p->received);
    count(*p, -1);
    replace(*p, p->received, now);
    count(*p, 1);
  }
  return any ? finish(id, before, true) : TableChange{.id = id};
}

}  // namespace cgw::bgp
