#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "base/ip.hpp"
#include "base/strong.hpp"
#include "bgp/id_index.hpp"
#include "bgp/slab.hpp"

namespace cgw::bgp {

// A prefix of one family as a dense number, so that whatever is kept by prefix is an array or a bitmap.
using PrefixId = Strong<struct PrefixIdTag, std::uint32_t>;

// Prefix to number and back; the keys in rows of 5 or 17 octets.
class PrefixTable {
 public:
  // The seed keeps neighbors from choosing prefixes that collide.
  PrefixTable(Family family, std::uint64_t seed);

  Family family() const { return family_; }
  // The number of a prefix of this family, new if it had none; nullopt past the greatest size (67 million).
  std::optional<PrefixId> insert(const Prefix& p);
  std::optional<PrefixId> find(const Prefix& p) const;
  // The number is free for another prefix.
  void erase(PrefixId id);
  bool in_use(PrefixId id) const { return lengths_[id.value()] != kFree; }
  Prefix prefix(PrefixId id) const;

  std::uint32_t size() const { return count_; }
  // All numbers in use are below this.
  std::uint32_t limit() const { return lengths_.size(); }
  std::size_t octets() const;

 private:
  struct Key6 {
    std::uint64_t high = 0, low = 0;
    bool operator==(const Key6&) const = default;
  };
  struct Key {
    Key6 address;
    std::uint8_t length = 0;
  };
  static constexpr std::uint8_t kFree = 0xff;

  static Key key_of(const Prefix& p);
  Key key(std::uint32_t id) const;
  std::uint32_t hash(const Key& k) const;
  bool equals(std::uint32_t id, const Key& k) const;
  void put_key(std::uint32_t id, const Key& k);
  std::uint32_t new_id();

  Family family_;
  std::uint64_t seed_;
  IdIndex index_;
  Slab<std::uint32_t> v4_;
  Slab<Key6> v6_;
  Slab<std::uint8_t> lengths_;
  std::vector<std::uint32_t> free_;
  std::uint32_t count_ = 0;
};

}  // namespace cgw::bgp
