#pragma once
#include <memory>
#include <vector>

#include "bgp/propagation.hpp"
#include "bgp/route_policy.hpp"
#include "bgp/update.hpp"

namespace cgw::bgp {

// What decides how a route is told: neighbors of which all this is equal are told it in the same octets.
struct GroupKey {
  Family family = Family::V4;
  ExportRules rules;
  UpdateContext context;
  std::shared_ptr<const RoutePolicy> policy;  // null: all routes pass
  PolicyContext policy_context;
  bool operator==(const GroupKey&) const = default;
};

// Applies export rules and policy to each set of attributes once and keeps the encoded result, since the neighbors of a
// group and the prefixes of a set ask for the same again.
class UpdateGroup {
 public:
  UpdateGroup(GroupKey key, const Router& router, AttributePool& pool);
  ~UpdateGroup();
  UpdateGroup(const UpdateGroup&) = delete;
  UpdateGroup& operator=(const UpdateGroup&) = delete;

  const GroupKey& key() const { return key_; }
  // Null: the neighbors are not to have it. Equal results are mostly the same object, so that routes can be gathered.
  using Result = std::shared_ptr<const Announcement>;
  Result announcement(const Nlri& nlri, AttributeId attributes, const Origination& from);
  // Of default-originate: past any policy, as FRR does it.
  Result originated() const;
  // The attributes as they are told; nullopt: not at all.
  std::optional<PathAttributes> told(const Nlri& nlri, AttributeId attributes, const Origination& from) const;

 private:
  struct Entry {
    AttributeId attributes;  // held; none: empty
    Origination from;
    std::uint64_t prefix_class = 0;
    bool encoded = false;  // the attributes are the exported ones
    Result result;
  };

  Result encoded(const PathAttributes& a);
  Entry& entry_of(AttributeId id, std::uint64_t salt);
  Result remember(Entry& e, Entry now);
  Result encode(const PathAttributes& a) const;

  GroupKey key_;
  const Router& router_;
  AttributePool& pool_;
  std::vector<Entry> cache_;  // by id, the last one that came
};

}  // namespace cgw::bgp
