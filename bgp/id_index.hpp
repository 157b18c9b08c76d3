#pragma once
#include <array>
#include <cstdint>
#include <utility>
#include <vector>

namespace cgw::bgp {

// A hash table from what somebody else keeps to the small number it keeps it by: open addressing, linear probing, one
// word a slot. In 256 parts that grow each by itself, so that no single insertion ever moves a whole table.
class IdIndex {
 public:
  static constexpr std::uint32_t kNone = 0xffffffff;
  static constexpr std::uint32_t kMaxId = (1U << 26) - 2;

  // equal(id): is it the one? Seldom asked in vain, since a slot holds a few bits of the hash.
  template <class Equal>
  std::uint32_t find(std::uint32_t hash, Equal equal) const {
    const Part& p = part(hash);
    if (p.slots.empty()) return kNone;
    const std::uint32_t mask = p.mask();
    for (std::uint32_t at = hash & mask; p.slots[at] != 0; at = (at + 1) & mask) {
      if ((p.slots[at] & ~kIdMask) == tag(hash) && equal(id(p.slots[at]))) return id(p.slots[at]);
    }
    return kNone;
  }
  // It is not there yet. hash_of(id) of those that are.
  template <class HashOf>
  void insert(std::uint32_t hash, std::uint32_t id, HashOf hash_of) {
    Part& p = part(hash);
    if ((p.count + 1) * 4 > p.slots.size() * 3) grow(p, hash_of);
    p.slots[free_slot(p, hash)] = tag(hash) | (id + 1);
    ++p.count;
  }
  // It is there. Without tombstones: who stands behind the gap and may not stand before its home moves up.
  template <class HashOf>
  void erase(std::uint32_t hash, std::uint32_t gone, HashOf hash_of) {
    Part& p = part(hash);
    const std::uint32_t mask = p.mask();
    std::uint32_t gap = hash & mask;
    while (id(p.slots[gap]) != gone)
      gap = (gap + 1) & mask;
    for (std::uint32_t next = (gap + 1) & mask; p.slots[next] != 0; next = (next + 1) & mask) {
      const std::uint32_t home = hash_of(id(p.slots[next])) & mask;
      if (((next - home) & mask) < ((next - gap) & mask)) continue;
      p.slots[gap] = p.slots[next];
      gap = next;
    }
    p.slots[gap] = 0;
    --p.count;
  }
  std::size_t octets() const {
    std::size_t n = sizeof *this;
    for (const Part& p : parts_)
      n += p.slots.size() * sizeof(std::uint32_t);
    return n;
  }

 private:
  // The hash, from the top: 8 bits choose the part, 6 are the tag, the rest says where to begin.
  static constexpr unsigned kIdBits = 26;
  static constexpr std::uint32_t kIdMask = (1U << kIdBits) - 1;
  struct Part {
    std::vector<std::uint32_t> slots;  // tag and id + 1; 0: empty
    std::uint32_t count = 0;
    std::uint32_t mask() const { return static_cast<std::uint32_t>(slots.size() - 1); }
  };

  static std::uint32_t tag(std::uint32_t hash) { return (hash << 8) & ~kIdMask; }
  static std::uint32_t id(std::uint32_t slot) { return (slot & kIdMask) - 1; }
  Part& part(std::uint32_t hash) { return parts_[hash >> 24]; }
  const Part& part(std::uint32_t hash) const { return parts_[hash >> 24]; }
  static std::uint32_t free_slot(const Part& p, std::uint32_t hash) {
    std::uint32_t at = hash & p.mask();
    while (p.slots[at] != 0)
      at = (at + 1) & p.mask();
    return at;
  }
  template <class HashOf>
  static void grow(Part& p, HashOf hash_of) {
    const std::vector<std::uint32_t> old =
        std::exchange(p.slots, std::vector<std::uint32_t>(p.slots.empty() ? 4 : p.slots.size() * 2));
    for (const std::uint32_t slot : old) {
      if (slot != 0) p.slots[free_slot(p, hash_of(id(slot)))] = slot;
    }
  }

  std::array<Part, 256> parts_;
};

}  // namespace cgw::bgp
