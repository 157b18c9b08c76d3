#pragma once
#include <limits>
#include <set>
#include <vector>

#include "bgp/change_queue.hpp"
#include "bgp/framing.hpp"
#include "bgp/update_group.hpp"

namespace cgw::bgp {

// Whole messages, one behind the other.
struct Output {
  std::vector<std::uint8_t> octets;
  std::uint32_t messages = 0;
  std::uint32_t marks = 0;  // of them ROUTE-REFRESH
};

struct AdvertiserConfig {
  NeighborId neighbor;
  std::uint32_t router_id = 0;  // the neighbor's
  std::uint32_t maximum_prefix = std::numeric_limits<std::uint32_t>::max();
  bool add_path = false;  // all paths, not the best alone
  bool default_originate = false;
};

// Where the paths of a table come from, as export rules ask; by NeighborId.
struct Provenance {
  SourceKind kind = SourceKind::Local;
  bool reflector_client = false;
  bool tunnel = false;
  bool operator==(const Provenance&) const = default;
};

// Adj-RIB-Out of one neighbor and family: which prefixes it has been told, and the messages that bring it up to date.
// What it was told is not kept: it is what the group makes of the best path, unless the prefix is in the queue.
class Advertiser {
 public:
  // All outlive it but the group.
  Advertiser(Table& table, AttributePool& pool, const Sources& sources, const std::vector<Provenance>& provenance,
             std::shared_ptr<UpdateGroup> group, const AdvertiserConfig& config);
  ~Advertiser();

  void changed(const TableChange& c) {
    if (c.best || (c.paths && config_.add_path)) queue_.add(c.id);
  }
  // Prefixes that policy or an aggregate now treats otherwise.
  void again(PrefixId id) { queue_.add(id); }
  // Tell all again: a new session, a refresh, another policy. An End-of-RIB follows the first time.
  void tell_all() { queue_.feed(); }
  // All again since the neighbor asks: between marks where both know them, though not before the End-of-RIB (RFC 7313
  // 4).
  void refresh(bool marked) {
    begin_mark_ = begin_mark_ || marked;
    if (!begin_mark_) tell_all();
  }
  void set_group(std::shared_ptr<UpdateGroup> group);
  void configure(const AdvertiserConfig& config);
  // Prefixes that no neighbor is told: parts of a summary-only aggregate. May be null.
  void set_suppressed(const Bitmap* suppressed) { suppressed_ = suppressed; }

  // About as much as fits into the room, from a bounded number of prefixes: may be nothing and yet more to come.
  Output next(std::size_t room);
  bool idle() const { return queue_.empty() && end_of_rib_sent_ && !begin_mark_ && !end_mark_; }

  std::uint32_t told_count() const { return told_count_; }
  bool told(PrefixId id) const;
  // The attributes of what it has been told of this path, by the group's rules now.
  std::optional<PathAttributes> told(PrefixId id, const Path& p) const;
  const std::set<PrefixId>& held_back() const { return held_back_; }
  const UpdateGroup& group() const { return *group_; }

 private:
  struct Route {
    PrefixId prefix;
    std::uint8_t number = 0;
    std::uint32_t bucket = 0;
  };
  struct Batch {
    std::vector<Route> withdrawn, announced;
    std::vector<UpdateGroup::Result> buckets;
  };

  Origination origination(const Path& p) const;
  UpdateGroup::Result announcement(PrefixId id, const Path& p);
  void look_at(PrefixId id, Batch& batch);
  void want(PrefixId id, std::uint8_t number, UpdateGroup::Result result, Batch& batch);
  void look_at_all_paths(PrefixId id, Batch& batch);
  bool is_told(PrefixId id, std::uint8_t number) const;
  void set_told(PrefixId id, std::uint8_t number);
  void clear_told(PrefixId id, std::uint8_t number);
  Nlri nlri(const Route& r) const { return {table_.prefixes().prefix(r.prefix), r.number}; }
  void send_withdrawn(const Batch& batch, Output& out);
  void send_announced(Batch& batch, std::size_t room, Output& out);
  static void append(std::vector<std::uint8_t> message, Output& out);
  void append_mark(RefreshKind kind, Output& out);

  Table& table_;
  AttributePool& pool_;
  const Sources& sources_;
  const std::vector<Provenance>& provenance_;
  std::shared_ptr<UpdateGroup> group_;
  AdvertiserConfig config_;
  const Bitmap* suppressed_ = nullptr;
  ChangeQueue queue_;
  std::vector<Bitmap> told_;  // by path number; 0 is the best path's without add-path
  std::uint32_t told_count_ = 0;
  std::set<PrefixId> held_back_;
  std::optional<PrefixId> default_;  // held while default-originate is on
  bool end_of_rib_sent_ = false;
  bool begin_mark_ = false, end_mark_ = false;  // to be sent
  std::vector<std::uint32_t> slots_;            // scratch: the bucket of each announcement
  std::vector<Nlri> routes_;                    // scratch
};

}  // namespace cgw::bgp
