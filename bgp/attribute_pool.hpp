#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "base/strong.hpp"
#include "base/wire.hpp"
#include "bgp/id_index.hpp"
#include "bgp/slab.hpp"
#include "bgp/types.hpp"

namespace cgw::bgp {

// A set of path attributes in the pool; 0 is none.
using AttributeId = Strong<struct AttributeTag, std::uint32_t>;

// What import policy gives a route beside its attributes; never sent.
struct LocalValues {
  std::uint32_t weight = 0;
  std::uint32_t tag = 0;
  bool operator==(const LocalValues&) const = default;
};

// Communities with a meaning to every speaker.
namespace well_known {
inline constexpr Community kGracefulShutdown = 0xffff0000;  // RFC 8326
inline constexpr Community kLlgrStale = 0xffff0006;         // RFC 9494
inline constexpr Community kNoLlgr = 0xffff0007;            // RFC 9494
inline constexpr Community kBlackhole = 0xffff029a;         // RFC 7999
inline constexpr Community kNoExport = 0xffffff01;          // RFC 1997
inline constexpr Community kNoAdvertise = 0xffffff02;
inline constexpr Community kNoExportSubconfed = 0xffffff03;
}  // namespace well_known

// What the decision and the export rules ask, read out of the set once.
struct AttributeKeys {
  LocalValues local;
  std::uint32_t local_pref = 100;
  std::uint32_t med = 0;
  std::uint32_t neighbor_as = 0;  // first of AS_PATH; 0: none
  std::uint32_t originator = 0;   // ORIGINATOR_ID; 0: none
  std::uint32_t next_hop = 0;     // into AttributePool::next_hop()
  std::uint16_t as_path_length = 0;
  std::uint8_t origin = 0;
  std::uint8_t cluster_length = 0;
  bool has_med : 1 = false;
  bool no_export : 1 = false;
  bool no_advertise : 1 = false;
  bool no_export_subconfed : 1 = false;
  bool blackhole : 1 = false;
  bool graceful_shutdown : 1 = false;
  bool llgr_stale : 1 = false;
  bool no_llgr : 1 = false;
  bool only_to_customer : 1 = false;
  bool atomic_aggregate : 1 = false;
};

// A NEXT_HOP and what the router knows about reaching it (RFC 4271 9.1.2.1).
struct NextHop {
  IpAddress address;
  bool reachable = true;
  std::uint32_t metric = 0;
};

// All sets of path attributes in use, each once, in one allocation: its canonical octets behind its keys. Counted by
// hand, since tables hold ids by the million: who stores an id has it hold()en.
class AttributePool {
 public:
  // The seed keeps neighbors from choosing sets that collide.
  explicit AttributePool(std::uint64_t seed);
  ~AttributePool();
  AttributePool(const AttributePool&) = delete;
  AttributePool& operator=(const AttributePool&) = delete;

  // Held once for the caller; none past the greatest number of sets (67 million).
  AttributeId intern(const PathAttributes& a, const LocalValues& local = {});
  void hold(AttributeId id, std::uint32_t times = 1);
  void release(AttributeId id);

  const AttributeKeys& keys(AttributeId id) const { return sets_[id.value()]->keys; }
  PathAttributes attributes(AttributeId id) const;
  const NextHop& next_hop(AttributeId id) const { return next_hops_[keys(id).next_hop]; }

  // Everybody is reachable at metric 0 until told otherwise, and again when nothing uses the address any more. True
  // when it is in use and this changed it: the paths over it have to be chosen anew.
  bool set_next_hop(const IpAddress& address, bool reachable, std::uint32_t metric);

  // What a set takes; none takes nothing.
  std::size_t octets_of(AttributeId id) const {
    return id == AttributeId{} ? 0 : sizeof(Set) + sets_[id.value()]->size;
  }
  std::uint32_t size() const { return count_; }
  std::size_t octets() const;  // of memory, near enough

 private:
  // Its canonical octets follow the object in its allocation.
  struct Set {
    std::uint32_t holds = 1;
    std::uint32_t size = 0;
    AttributeKeys keys;

    std::uint8_t* octets() { return reinterpret_cast<std::uint8_t*>(this + 1); }
    Bytes view() const { return {reinterpret_cast<const std::uint8_t*>(this + 1), size}; }
  };

  Set* make(Bytes octets, const PathAttributes& a, const LocalValues& local);
  void destroy(AttributeId id);
  std::uint32_t use_next_hop(const IpAddress& a);

  std::uint64_t seed_;
  Slab<Set*> sets_;                  // by id
  Slab<std::uint32_t> hashes_;       // by id
  std::vector<std::uint32_t> free_;  // ids
  IdIndex index_;
  std::uint32_t count_ = 0;
  std::size_t set_octets_ = 0;
  std::vector<std::uint8_t> scratch_;

  struct KnownNextHop {
    std::uint32_t index = 0;
    std::uint32_t users = 0;
  };
  std::vector<NextHop> next_hops_;
  std::vector<std::uint32_t> free_next_hops_;
  std::map<IpAddress, KnownNextHop> by_address_;
};

}  // namespace cgw::bgp
