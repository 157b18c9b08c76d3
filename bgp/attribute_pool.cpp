#include "bgp/attribute_pool.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <new>

#include "bgp/attribute_octets.hpp"
#include "bgp/hash.hpp"

namespace cgw::bgp {

namespace {

template <class T>
std::uint8_t capped(T n) {
  return static_cast<std::uint8_t>(std::min<T>(n, 255));
}

AttributeKeys keys_of(const PathAttributes& a, const LocalValues& local) {
  AttributeKeys k;
  k.local = local;
  k.local_pref = a.local_pref.value_or(100);
  k.med = a.med.value_or(0);
  k.has_med = a.med.has_value();
  k.neighbor_as = a.first_as().value_or(Asn{}).value();
  k.originator = a.originator_id.value_or(RouterId{}).value();
  k.as_path_length = static_cast<std::uint16_t>(std::min<std::uint32_t>(a.as_path_length(), 0xffff));
  k.origin = static_cast<std::uint8_t>(a.origin);
  k.cluster_length = capped(a.cluster_list.size());
  k.atomic_aggregate = a.atomic_aggregate;
  k.only_to_customer = a.only_to_customer.has_value();
  for (const Community c : a.communities) {
    if (c < 0xffff0000) continue;
    k.no_export |= c == well_known::kNoExport;
    k.no_advertise |= c == well_known::kNoAdvertise;
    k.no_export_subconfed |= c == well_known::kNoExportSubconfed;
    k.blackhole |= c == well_known::kBlackhole;
    k.graceful_shutdown |= c == well_known::kGracefulShutdown;
    k.llgr_stale |= c == well_known::kLlgrStale;
    k.no_llgr |= c == well_known::kNoLlgr;
  }
  return k;
}

}  // namespace

AttributePool::AttributePool(std::uint64_t seed) : seed_(seed) {
  sets_.append(nullptr);  // id 0 is none
  hashes_.append(0);
}

AttributePool::~AttributePool() {
  for (std::uint32_t id = 1; id < sets_.size(); ++id)
    if (sets_[id] != nullptr) ::operator delete(sets_[id]);
}

AttributeId AttributePool::intern(const PathAttributes& a, const LocalValues& local) {
  scratch_.clear();
  write_canonical(a, scratch_);
  const auto hash = static_cast<std::uint32_t>(hash_octets(scratch_, mix(seed_, local.weight) ^ local.tag) >> 16);
  const std::uint32_t there = index_.find(hash, [&](std::uint32_t i) {
    return hashes_[i] == hash && sets_[i]->keys.local == local && std::ranges::equal(sets_[i]->view(), scratch_);
  });
  if (there != IdIndex::kNone) {
    ++sets_[there]->holds;
    return AttributeId{there};
  }
  if (free_.empty() && sets_.size() > IdIndex::kMaxId) return {};
  std::uint32_t id = sets_.size();
  if (free_.empty()) {
    sets_.append(nullptr);
    hashes_.append(0);
  } else {
    id = free_.back();
    free_.pop_back();
  }
  sets_[id] = make(scratch_, a, local);
  hashes_[id] = hash;
  index_.insert(hash, id, [&](std::uint32_t i) { return hashes_[i]; });
  ++count_;
  return AttributeId{id};
}

AttributePool::Set* AttributePool::make(Bytes octets, const PathAttributes& a, const LocalValues& local) {
  Set* s = new (::operator new(sizeof(Set) + octets.size())) Set;
  s->size = static_cast<std::uint32_t>(octets.size());
  s->keys = keys_of(a, local);
  s->keys.next_hop = use_next_hop(a.next_hop);
  std::memcpy(s->octets(), octets.data(), octets.size());
  set_octets_ += sizeof(Set) + octets.size() + 8;  // malloc's own
  return s;
}

void AttributePool::hold(AttributeId id, std::uint32_t times) {
  if (id != AttributeId{}) sets_[id.value()]->holds += times;
}

void AttributePool::release(AttributeId id) {
  if (id == AttributeId{}) return;
  assert(sets_[id.value()]->holds > 0);
  if (--sets_[id.value()]->holds == 0) destroy(id);
}

void AttributePool::destroy(AttributeId id) {
  Set* s = sets_[id.value()];
  index_.erase(hashes_[id.value()], id.value(), [&](std::uint32_t i) { return hashes_[i]; });
  const auto known = by_address_.find(next_hops_[s->keys.next_hop].address);
  if (--known->second.users == 0) {
    free_next_hops_.push_back(known->second.index);
    by_address_.erase(known);
  }
  set_octets_ -= sizeof(Set) + s->size + 8;
  ::operator delete(s);
  sets_[id.value()] = nullptr;
  free_.push_back(id.value());
  --count_;
}

PathAttributes AttributePool::attributes(AttributeId id) const {
  return read_canonical(sets_[id.value()]->view());
}

std::uint32_t AttributePool::use_next_hop(const IpAddress& a) {
  auto [it, added] = by_address_.try_emplace(a);
  if (added) {
    if (free_next_hops_.empty()) {
      it->second.index = static_cast<std::uint32_t>(next_hops_.size());
      next_hops_.push_back({});
    } else {
      it->second.index = free_next_hops_.back();
      free_next_hops_.pop_back();
    }
    next_hops_[it->second.index] = {.address = a};
  }
  ++it->second.users;
  return it->second.index;
}

bool AttributePool::set_next_hop(const IpAddress& address, bool reachable, std::uint32_t metric) {
  const auto it = by_address_.find(address);
  if (it == by_address_.end()) return false;
  NextHop& n = next_hops_[it->second.index];
  if (n.reachable == reachable && n.metric == metric) return false;
  n.reachable = reachable;
  n.metric = metric;
  return true;
}

std::size_t AttributePool::octets() const {
  return set_octets_ + sets_.octets() + hashes_.octets() + index_.octets();
}

}  // namespace cgw::bgp
