#include "bgp/update_group.hpp"

namespace cgw::bgp {
namespace {

// Enough for what neighbors in step are told between two looks at each.
constexpr std::size_t kCache = 4096;

}  // namespace

UpdateGroup::UpdateGroup(GroupKey key, const Router& router, AttributePool& pool)
    : key_(std::move(key)),
      router_(router),
      pool_(pool) {}

UpdateGroup::~UpdateGroup() {
  for (const Entry& e : cache_)
    pool_.release(e.attributes);
}

UpdateGroup::Result UpdateGroup::announcement(const Nlri& nlri, AttributeId attributes, const Origination& from) {
  const auto prefix_class = key_.policy ? key_.policy->class_of(nlri.prefix) : std::optional<std::uint64_t>{0};
  if (!prefix_class) {
    const auto a = told(nlri, attributes, from);
    return a ? encoded(*a) : nullptr;
  }
  Entry& e = entry_of(attributes, *prefix_class);
  if (e.attributes == attributes && !e.encoded && e.from == from && e.prefix_class == *prefix_class) return e.result;
  const auto a = told(nlri, attributes, from);
  return remember(e, {attributes, from, *prefix_class, false, a ? encode(*a) : nullptr});
}

// When every prefix is judged by itself, the results at least are recognized.
UpdateGroup::Result UpdateGroup::encoded(const PathAttributes& a) {
  const AttributeId id = pool_.intern(a);
  Entry& e = entry_of(id, 1);
  Result out = e.attributes == id && e.encoded ? e.result : remember(e, {id, {}, 0, true, encode(a)});
  pool_.release(id);
  return out;
}

std::optional<PathAttributes> UpdateGroup::told(const Nlri& nlri, AttributeId attributes,
                                                const Origination& from) const {
  const LocalValues local = pool_.keys(attributes).local;
  policy::Route r{
      .prefix = nlri.prefix, .attributes = pool_.attributes(attributes), .weight = local.weight, .tag = local.tag};
  pass_on(router_, from, key_.rules, r.attributes);
  if (key_.policy && !key_.policy->apply(r, key_.policy_context)) return std::nullopt;
  finish_export(from, key_.rules, r.next_hop, r.attributes);
  return std::move(r.attributes);
}

UpdateGroup::Result UpdateGroup::originated() const {
  PathAttributes a;
  pass_on(router_, {}, key_.rules, a);
  finish_export({}, key_.rules, policy::NextHopRule::Usual, a);
  return encode(a);
}

UpdateGroup::Result UpdateGroup::encode(const PathAttributes& a) const {
  auto encoded = Announcement::of(a, key_.family, key_.context);
  return encoded ? std::make_shared<const Announcement>(*std::move(encoded)) : nullptr;
}

UpdateGroup::Entry& UpdateGroup::entry_of(AttributeId id, std::uint64_t salt) {
  if (cache_.empty()) cache_.resize(kCache);
  return cache_[(id.value() + salt * (kCache / 4 + 1)) % kCache];
}

UpdateGroup::Result UpdateGroup::remember(Entry& e, Entry now) {
  pool_.hold(now.attributes);
  pool_.release(e.attributes);
  e = std::move(now);
  return e.result;
}

}  // namespace cgw::bgp
