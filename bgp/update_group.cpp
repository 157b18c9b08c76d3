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
  if (key_.policy && key_.policy->looks_at_prefix()) {
    const auto a = told(nlri, attributes, from);
    if (!a) return nullptr;
    const AttributeId exported = pool_.intern(*a);
    Entry& e = entry_of(exported, true);
    const bool known = e.attributes == exported && e.encoded;
    Result out = known ? e.result : remember(e, exported, {}, true, encode(*a));
    pool_.release(exported);
    return out;
  }
  Entry& e = entry_of(attributes, false);
  if (e.attributes == attributes && !e.encoded && e.from == from) return e.result;
  const auto a = told(nlri, attributes, from);
  return remember(e, attributes, from, false, a ? encode(*a) : nullptr);
}

std::optional<PathAttributes> UpdateGroup::told(const Nlri& nlri, AttributeId attributes,
                                                const Origination& from) const {
  PathAttributes a = pool_.attributes(attributes);
  LocalValues local = pool_.keys(attributes).local;
  pass_on(router_, from, key_.rules, a);
  if (key_.policy && !key_.policy->apply(nlri, key_.policy_context, a, local)) return std::nullopt;
  finish_export(key_.rules, a);
  return a;
}

UpdateGroup::Result UpdateGroup::originated() const {
  PathAttributes a;
  pass_on(router_, {}, key_.rules, a);
  finish_export(key_.rules, a);
  return encode(a);
}

UpdateGroup::Result UpdateGroup::encode(const PathAttributes& a) const {
  auto encoded = Announcement::of(a, key_.family, key_.context);
  return encoded ? std::make_shared<const Announcement>(*std::move(encoded)) : nullptr;
}

UpdateGroup::Entry& UpdateGroup::entry_of(AttributeId id, bool encoded) {
  if (cache_.empty()) cache_.resize(kCache);
  return cache_[(id.value() + (encoded ? kCache / 2 : 0)) % kCache];
}

UpdateGroup::Result UpdateGroup::remember(Entry& e, AttributeId id, const Origination& from, bool encoded,
                                          Result result) {
  pool_.hold(id);
  pool_.release(e.attributes);
  e = {id, from, encoded, std::move(result)};
  return e.result;
}

}  // namespace cgw::bgp
