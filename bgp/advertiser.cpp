#include "bgp/advertiser.hpp"

#include <algorithm>
#include <cassert>

namespace cgw::bgp {
namespace {

// Prefixes and sets of attributes looked at in one go: a few milliseconds at most, and enough for full messages.
constexpr std::size_t kBatch = 2048;
constexpr std::size_t kBuckets = 512;
// The path id of our own default route beside what the table holds.
constexpr std::uint8_t kDefaultNumber = 255;

Prefix default_of(Family f) {
  return {f == Family::V4 ? IpAddress{} : IpAddress::v6({}), 0};
}

}  // namespace

Advertiser::Advertiser(Table& table, AttributePool& pool, const Sources& sources,
                       const std::vector<Provenance>& provenance, std::shared_ptr<UpdateGroup> group,
                       const AdvertiserConfig& config)
    : table_(table),
      pool_(pool),
      sources_(sources),
      provenance_(provenance),
      group_(std::move(group)),
      queue_(table) {
  configure(config);
  tell_all();
}

Advertiser::~Advertiser() {
  for (const Bitmap& told : told_)
    told.for_each([&](std::uint32_t id) { table_.release(PrefixId{id}); });
  if (default_) table_.release(*default_);
}

void Advertiser::set_group(std::shared_ptr<UpdateGroup> group) {
  group_ = std::move(group);
  tell_all();
}

void Advertiser::configure(const AdvertiserConfig& config) {
  config_ = config;
  if (config.default_originate && !default_) {
    default_ = table_.claim(default_of(table_.prefixes().family()));
    if (default_) queue_.add(*default_);
  } else if (!config.default_originate && default_) {
    queue_.add(*default_);
    table_.release(*default_);
    default_.reset();
  }
  for (const PrefixId id : held_back_)
    queue_.add(id);
}

bool Advertiser::is_told(PrefixId id, std::uint8_t number) const {
  return number < told_.size() && told_[number].test(id.value());
}

bool Advertiser::told(PrefixId id) const {
  return std::ranges::any_of(told_, [&](const Bitmap& b) { return b.test(id.value()); });
}

std::optional<PathAttributes> Advertiser::told(PrefixId id, const Path& p) const {
  if (!is_told(id, config_.add_path ? p.number : std::uint8_t{0})) return std::nullopt;
  return group_->told({table_.prefixes().prefix(id), p.path_id}, p.accepted, origination(p));
}

void Advertiser::set_told(PrefixId id, std::uint8_t number) {
  if (told_.size() <= number) told_.resize(number + 1U);
  if (!told_[number].set(id.value())) return;
  table_.hold(id);
  ++told_count_;
}

void Advertiser::clear_told(PrefixId id, std::uint8_t number) {
  if (!told_[number].clear(id.value())) return;
  --told_count_;
  table_.release(id);
}

Origination Advertiser::origination(const Path& p) const {
  const Source& s = sources_[p.neighbor];
  const Provenance& from = provenance_[p.neighbor];
  const bool internal = from.kind == SourceKind::Ibgp;
  return {.kind = from.kind,
          .reflector_client = from.reflector_client,
          .tunnel = from.tunnel,
          .router_id = internal ? s.path.router_id : 0,  // else nothing depends on it, and more is shared
          .long_lived = table_.long_lived(p)};
}

UpdateGroup::Result Advertiser::announcement(PrefixId id, const Path& p) {
  if (p.neighbor == config_.neighbor.value()) return nullptr;
  const Origination from = origination(p);
  if (!may_pass(pool_.keys(p.accepted), from, group_->key().rules, config_.router_id)) return nullptr;
  return group_->announcement({table_.prefixes().prefix(id), p.path_id}, p.accepted, from);
}

void Advertiser::look_at(PrefixId id, Batch& batch) {
  if (suppressed_ != nullptr && suppressed_->test(id.value())) {
    for (std::uint32_t n = 0; n < told_.size(); ++n)
      want(id, static_cast<std::uint8_t>(n), nullptr, batch);
    return;
  }
  if (config_.add_path) return look_at_all_paths(id, batch);
  const Path* best = table_.best(id);
  if (default_ == id) {
    want(id, 0, group_->originated(), batch);
  } else {
    want(id, 0, best != nullptr ? announcement(id, *best) : nullptr, batch);
  }
}

void Advertiser::look_at_all_paths(PrefixId id, Batch& batch) {
  Bitmap there;
  for (const Path* p = table_.first(id); p != nullptr; p = table_.next(p)) {
    if (p->number == 0 || !table_.eligible(*p)) continue;
    there.set(p->number);
    want(id, p->number, announcement(id, *p), batch);
  }
  if (default_ == id && there.set(kDefaultNumber)) want(id, kDefaultNumber, group_->originated(), batch);
  for (std::uint32_t n = 1; n < told_.size(); ++n) {
    if (!there.test(n)) want(id, static_cast<std::uint8_t>(n), nullptr, batch);
  }
}

void Advertiser::want(PrefixId id, std::uint8_t number, UpdateGroup::Result result, Batch& batch) {
  held_back_.erase(id);
  if (!result) {
    if (is_told(id, number)) batch.withdrawn.push_back({id, number, 0});
    return;
  }
  if (batch.buckets.empty() || batch.buckets.back() != result) {
    const auto key = static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(result.get()) / 16 * 2654435761U);
    auto slot = static_cast<std::uint32_t>(key % slots_.size());
    while (slots_[slot] != 0 && batch.buckets[slots_[slot] - 1] != result)
      slot = (slot + 1) % static_cast<std::uint32_t>(slots_.size());
    if (slots_[slot] == 0) {
      batch.buckets.push_back(std::move(result));
      slots_[slot] = static_cast<std::uint32_t>(batch.buckets.size());
    }
    batch.announced.push_back({id, number, slots_[slot] - 1});
    return;
  }
  batch.announced.push_back({id, number, static_cast<std::uint32_t>(batch.buckets.size() - 1)});
}

Output Advertiser::next(std::size_t room) {
  Output out;
  Batch batch;
  if (begin_mark_ && end_of_rib_sent_) {
    begin_mark_ = false;
    end_mark_ = true;
    append_mark(RefreshKind::Begin, out);
    queue_.feed();
  }
  slots_.assign(kBatch * 4, 0);
  std::vector<PrefixId> seen;
  while (seen.size() < kBatch && batch.announced.size() + batch.withdrawn.size() < kBatch &&
         batch.buckets.size() < kBuckets) {
    const auto id = queue_.pop();
    if (!id) break;
    look_at(*id, batch);
    seen.push_back(*id);
  }
  send_withdrawn(batch, out);
  send_announced(batch, room, out);
  for (const PrefixId id : seen)
    table_.release(id);
  if (queue_.empty() && !end_of_rib_sent_) {
    end_of_rib_sent_ = true;
    append(encode_end_of_rib(table_.prefixes().family()), out);
  }
  if (queue_.empty() && end_mark_) {
    end_mark_ = false;
    append_mark(RefreshKind::End, out);
  }
  return out;
}

void Advertiser::send_withdrawn(const Batch& batch, Output& out) {
  if (batch.withdrawn.empty()) return;
  routes_.clear();
  for (const Route& r : batch.withdrawn) {
    routes_.push_back(nlri(r));
    clear_told(r.prefix, r.number);
  }
  for (auto& m : encode_withdraw(routes_, table_.prefixes().family(), group_->key().context))
    append(std::move(m), out);
  // There is room for who had to wait.
  for (std::size_t n = batch.withdrawn.size(); n > 0 && !held_back_.empty(); --n) {
    queue_.add(*held_back_.begin());
    held_back_.erase(held_back_.begin());
  }
}

void Advertiser::send_announced(Batch& batch, std::size_t room, Output& out) {
  const bool sorted = std::ranges::is_sorted(batch.announced, {}, &Route::bucket);
  if (!sorted) std::ranges::sort(batch.announced, {}, &Route::bucket);
  for (auto at = batch.announced.begin(); at != batch.announced.end();) {
    const std::uint32_t bucket = at->bucket;
    routes_.clear();
    for (; at != batch.announced.end() && at->bucket == bucket; ++at) {
      const bool fresh = !is_told(at->prefix, at->number);
      if (out.octets.size() >= room && out.messages > 0) {
        queue_.add(at->prefix);  // not now
      } else if (fresh && told_count_ >= config_.maximum_prefix) {
        held_back_.insert(at->prefix);
      } else {
        routes_.push_back(nlri(*at));
        set_told(at->prefix, at->number);
      }
    }
    for (std::span<const Nlri> left = routes_; !left.empty();)
      append(batch.buckets[bucket]->next(left), out);
  }
}

void Advertiser::append_mark(RefreshKind kind, Output& out) {
  append(encode_route_refresh(table_.prefixes().family(), kind), out);
  ++out.marks;
}

void Advertiser::append(std::vector<std::uint8_t> message, Output& out) {
  ++out.messages;
  out.octets.insert(out.octets.end(), message.begin(), message.end());
}

}  // namespace cgw::bgp
