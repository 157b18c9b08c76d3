#pragma once
#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include "bgp/route_policy.hpp"

namespace cgw {

// The addresses that tunnels are made to. No route over a tunnel may cover one: its ESP would loop into itself.
class OuterPaths {
 public:
  explicit OuterPaths(std::vector<IpAddress> outside) : outside_(std::move(outside)) { std::ranges::sort(outside_); }

  // One that the prefix covers.
  std::optional<IpAddress> covered(const Prefix& p) const {
    const auto it = std::ranges::lower_bound(outside_, p.address);
    if (it == outside_.end() || !p.contains(*it)) return std::nullopt;
    return *it;
  }

 private:
  std::vector<IpAddress> outside_;
};

// The import policy of a tunnel's neighbor: what would cut an outer path is denied, whatever the operator's filters
// say.
class TunnelImport final : public bgp::RoutePolicy {
 public:
  TunnelImport(std::shared_ptr<const OuterPaths> outer, std::shared_ptr<const bgp::RoutePolicy> filters)
      : outer_(std::move(outer)),
        filters_(std::move(filters)) {}

  bool apply(bgp::policy::Route& route, const bgp::PolicyContext& context) const override {
    return !outer_->covered(route.prefix) && filters_->apply(route, context);
  }
  // A class of its own for what is denied: as it happens the one in which 64 lists permit, so that one is none.
  std::optional<std::uint64_t> class_of(const Prefix& p) const override {
    constexpr std::uint64_t kDenied = ~std::uint64_t{0};
    if (outer_->covered(p)) return kDenied;
    const auto by_filters = filters_->class_of(p);
    return by_filters == kDenied ? std::nullopt : by_filters;
  }
  bool looks_at_neighbor() const override { return filters_->looks_at_neighbor(); }

 private:
  std::shared_ptr<const OuterPaths> outer_;
  std::shared_ptr<const bgp::RoutePolicy> filters_;
};

}  // namespace cgw
