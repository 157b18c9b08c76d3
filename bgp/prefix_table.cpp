#include "bgp/prefix_table.hpp"

#include <cassert>
#include <utility>

#include "bgp/hash.hpp"

namespace cgw::bgp {
namespace {

// A slot: the number + 1 in the low bits, above it a tag, so that a wrong key is seldom looked at.
constexpr unsigned kNumberBits = 26;
constexpr std::uint32_t kNumberMask = (1U << kNumberBits) - 1;
constexpr std::uint32_t kFirstSlots = 256;

std::uint32_t tag(std::uint64_t hash) {
  return static_cast<std::uint32_t>(hash >> 32) & ~kNumberMask;
}

std::uint32_t number(std::uint32_t slot) {
  return (slot & kNumberMask) - 1;
}

}  // namespace

PrefixTable::PrefixTable(Family family, std::uint64_t seed) : family_(family), seed_(seed), slots_(kFirstSlots) {}

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

std::uint64_t PrefixTable::hash(const Key& k) const {
  return mix(mix(k.address.high, seed_) ^ k.address.low, seed_ ^ k.length);
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

std::uint32_t PrefixTable::slot_of(const Key& k, std::uint64_t h) const {
  const auto mask = static_cast<std::uint32_t>(slots_.size() - 1);
  const std::uint32_t wanted = tag(h);
  std::uint32_t slot = static_cast<std::uint32_t>(h) & mask;
  for (; slots_[slot] != 0; slot = (slot + 1) & mask) {
    if ((slots_[slot] & ~kNumberMask) == wanted && equals(number(slots_[slot]), k)) break;
  }
  return slot;
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
  if ((count_ + 1) * 4 > slots_.size() * 3) grow();
  const Key k = key_of(p);
  const std::uint64_t h = hash(k);
  std::uint32_t& slot = slots_[slot_of(k, h)];
  if (slot == 0) {
    if (count_ + 1 >= kNumberMask) return std::nullopt;
    const std::uint32_t id = new_id();
    put_key(id, k);
    slot = tag(h) | (id + 1);
    ++count_;
  }
  return PrefixId{number(slot)};
}

std::optional<PrefixId> PrefixTable::find(const Prefix& p) const {
  if (p.address.family() != family_) return std::nullopt;
  const Key k = key_of(p);
  const std::uint32_t slot = slots_[slot_of(k, hash(k))];
  if (slot == 0) return std::nullopt;
  return PrefixId{number(slot)};
}

void PrefixTable::erase(PrefixId id) {
  assert(in_use(id));
  const auto mask = static_cast<std::uint32_t>(slots_.size() - 1);
  const Key k = key(id.value());
  std::uint32_t gap = slot_of(k, hash(k));
  // Linear probing without tombstones: who stands behind the gap and may not stand before its home moves up.
  for (std::uint32_t next = (gap + 1) & mask; slots_[next] != 0; next = (next + 1) & mask) {
    const auto home = static_cast<std::uint32_t>(hash(key(number(slots_[next])))) & mask;
    if (((next - home) & mask) < ((next - gap) & mask)) continue;
    slots_[gap] = slots_[next];
    gap = next;
  }
  slots_[gap] = 0;
  lengths_[id.value()] = kFree;
  free_.push_back(id.value());
  --count_;
}

// By number, so that the keys are read in a row: of a million that is a matter of milliseconds.
void PrefixTable::grow() {
  slots_.assign(slots_.size() * 2, 0);
  const auto mask = static_cast<std::uint32_t>(slots_.size() - 1);
  for (std::uint32_t id = 0; id < lengths_.size(); ++id) {
    if (lengths_[id] == kFree) continue;
    const std::uint64_t h = hash(key(id));
    auto slot = static_cast<std::uint32_t>(h) & mask;
    while (slots_[slot] != 0)
      slot = (slot + 1) & mask;
    slots_[slot] = tag(h) | (id + 1);
  }
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
  return slots_.capacity() * 4 + v4_.octets() + v6_.octets() + lengths_.octets() + free_.capacity() * 4;
}

}  // namespace cgw::bgp
