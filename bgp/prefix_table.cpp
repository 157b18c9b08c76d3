#include "bgp/prefix_table.hpp"

#include <cassert>
#include <utility>

#include "bgp/hash.hpp"

namespace cgw::bgp {

PrefixTable::PrefixTable(Family family, std::uint64_t seed) : family_(family), seed_(seed) {}

PrefixTable::Key PrefixTable::key_of(const Prefix& p) {
  std::uint64_t word[2] = {0, 0};
  const auto octets = p.address.bytes();
  for (std::size_t i = 0; i < octets.size(); ++i)
    word[i / 8] = word[i / 8] << 8 | octets[i];
  return {{word[0], word[1]}, p.length};
}

PrefixTable::Key PrefixTable::key(std::uint32_t id) const {
  return {family_ == Family::V4 ? Key6{v4_[id], 0} : v6_[id], lengths_[id]};
}

std::uint32_t PrefixTable::hash(const Key& k) const {
  return static_cast<std::uint32_t>(mix(mix(k.address.high, seed_) ^ k.address.low, seed_ ^ k.length) >> 16);
}

bool PrefixTable::equals(std::uint32_t id, const Key& k) const {
  if (lengths_[id] != k.length) return false;
  return family_ == Family::V4 ? v4_[id] == static_cast<std::uint32_t>(k.address.high) : v6_[id] == k.address;
}

void PrefixTable::put_key(std::uint32_t id, const Key& k) {
  lengths_[id] = k.length;
  if (family_ == Family::V4) {
    v4_[id] = static_cast<std::uint32_t>(k.address.high);
  } else {
    v6_[id] = k.address;
  }
}

std::uint32_t PrefixTable::new_id() {
  if (!free_.empty()) {
    const std::uint32_t id = free_.back();
    free_.pop_back();
    return id;
  }
  const std::uint32_t id = lengths_.size();
  lengths_.resize(id + 1);
  family_ == Family::V4 ? v4_.resize(id + 1) : v6_.resize(id + 1);
  return id;
}

std::optional<PrefixId> PrefixTable::insert(const Prefix& p) {
  assert(p.address.family() == family_);
  const Key k = key_of(p);
  const std::uint32_t h = hash(k);
  std::uint32_t id = index_.find(h, [&](std::uint32_t i) { return equals(i, k); });
  if (id == IdIndex::kNone) {
    if (free_.empty() && lengths_.size() > IdIndex::kMaxId) return std::nullopt;
    id = new_id();
    put_key(id, k);
    index_.insert(h, id, [&](std::uint32_t i) { return hash(key(i)); });
    ++count_;
  }
  return PrefixId{id};
}

std::optional<PrefixId> PrefixTable::find(const Prefix& p) const {
  if (p.address.family() != family_) return std::nullopt;
  const Key k = key_of(p);
  const std::uint32_t id = index_.find(hash(k), [&](std::uint32_t i) { return equals(i, k); });
  if (id == IdIndex::kNone) return std::nullopt;
  return PrefixId{id};
}

void PrefixTable::erase(PrefixId id) {
  assert(in_use(id));
  index_.erase(hash(key(id.value())), id.value(), [&](std::uint32_t i) { return hash(key(i)); });
  lengths_[id.value()] = kFree;
  free_.push_back(id.value());
  --count_;
}

Prefix PrefixTable::prefix(PrefixId id) const {
  const Key k = key(id.value());
  if (family_ == Family::V4) return {IpAddress::v4(static_cast<std::uint32_t>(k.address.high)), k.length};
  std::array<std::uint8_t, 16> octets{};
  for (std::size_t i = 0; i < 16; ++i)
    octets[i] = static_cast<std::uint8_t>((i < 8 ? k.address.high : k.address.low) >> (56 - 8 * (i % 8)));
  return {IpAddress::v6(octets), k.length};
}

std::size_t PrefixTable::octets() const {
  return index_.octets() + v4_.octets() + v6_.octets() + lengths_.octets() + free_.capacity() * 4;
}

}  // namespace cgw::bgp
