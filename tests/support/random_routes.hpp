#pragma once
#include <algorithm>
#include <random>

#include "bgp/update.hpp"

// Routes and their attributes as somebody might have them, by a seed.
namespace cgw::test {

class RandomRoutes {
 public:
  explicit RandomRoutes(std::uint64_t seed) : random_(seed) {}

  std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>(random_() % n); }
  bool one_in(std::uint32_t n) { return below(n) == 0; }

  // A session of AS 65000, or 4200000000, with AS 64512 or itself.
  bgp::UpdateContext context() {
    bgp::UpdateContext c;
    c.ebgp = !one_in(3);
    c.four_octet_as = !one_in(4);
    c.local_as = bgp::Asn{one_in(4) ? 4200000000U : 65000U};
    c.remote_as = c.ebgp ? bgp::Asn{64512} : c.local_as;
    c.local_address = IpAddress::v4(0x0a000001);
    c.families = {true, true};
    c.add_path_send = {one_in(3), one_in(3)};
    c.extended_next_hop = one_in(3);
    c.max_message = one_in(4) ? 65535 : 4096;
    c.accept_as_sets = one_in(2);
    return c;
  }

  IpAddress address(Family f) {
    if (f == Family::V4) return IpAddress::v4(0x0b000001 + below(0x0fffffff));
    std::array<std::uint8_t, 16> octets{0x20, 1};
    for (std::size_t i = 2; i < octets.size(); ++i)
      octets[i] = static_cast<std::uint8_t>(random_());
    return IpAddress::v6(octets);
  }

  // As export leaves them for this context.
  bgp::PathAttributes attributes(Family f, const bgp::UpdateContext& c) {
    using Segment = bgp::AsPathSegment;
    bgp::PathAttributes a;
    a.origin = bgp::Origin{static_cast<std::uint8_t>(below(3))};
    if (c.ebgp) a.as_path.push_back({Segment::Type::Sequence, {c.local_as}});
    // A set or a confederation's segments seldom, since they go their own ways.
    for (std::uint32_t n = below(4); n > 0; --n) {
      const auto type = one_in(12) ? static_cast<Segment::Type>(1 + below(4)) : Segment::Type::Sequence;
      a.as_path.push_back({type, asns(1 + below(one_in(10) ? 600 : 6))});
    }
    a.next_hop = address(f == Family::V4 && c.extended_next_hop && one_in(2) ? Family::V6 : f);
    if (!a.next_hop.is_v4() && one_in(3)) a.link_local_next_hop = IpAddress::v6({0xfe, 0x80, 1});
    if (one_in(2)) a.med = number();
    if (!c.ebgp || one_in(4)) a.local_pref = number();
    a.atomic_aggregate = one_in(4);
    if (one_in(4)) a.aggregator = {asn(), address(Family::V4)};
    list(a.communities, [&] { return number(); });
    list(a.extended_communities, [&] { return random_(); });
    list(a.large_communities, [&] { return bgp::LargeCommunity{number(), number(), number()}; });
    if (one_in(4)) a.originator_id = bgp::RouterId{number()};
    if (one_in(4)) list(a.cluster_list, [&] { return number(); });
    if (one_in(5)) a.only_to_customer = asn();
    unknown(a);
    return a;
  }

  // No two are the same.
  std::vector<bgp::Nlri> routes(Family f, bool path_ids, std::uint32_t most) {
    std::vector<bgp::Nlri> out;
    for (std::uint32_t n = 1 + below(most); n > 0; --n) {
      const auto length = static_cast<std::uint8_t>(f == Family::V4 ? 8 + below(25) : 16 + below(113));
      out.push_back({Prefix::of(address(f), length), path_ids ? number() : 0});
    }
    std::ranges::sort(out);
    out.erase(std::ranges::unique(out).begin(), out.end());
    return out;
  }

 private:
  std::uint32_t number() { return static_cast<std::uint32_t>(random_()); }
  bgp::Asn asn() { return bgp::Asn{one_in(4) ? 70000 + below(1000000) : 1 + below(64000)}; }
  std::vector<bgp::Asn> asns(std::uint32_t n) {
    std::vector<bgp::Asn> out(n);
    std::ranges::generate(out, [&] { return asn(); });
    return out;
  }
  template <class T, class Make>
  void list(std::vector<T>& out, Make make) {
    if (one_in(2)) return;
    out.resize(one_in(20) ? 200 + below(300) : below(6));
    std::ranges::generate(out, make);
  }
  // Transitive, with Partial, of types that nobody has given a meaning, and one that is known to have none for us.
  void unknown(bgp::PathAttributes& a) {
    for (const std::uint8_t type : {std::uint8_t{23}, std::uint8_t{28}, std::uint8_t{99}, std::uint8_t{200}}) {
      if (!one_in(6)) continue;
      a.unknown.push_back({0xe0, type, std::vector<std::uint8_t>(below(one_in(5) ? 1500 : 20))});
      for (auto& b : a.unknown.back().value)
        b = static_cast<std::uint8_t>(random_());
    }
  }

  std::mt19937_64 random_;
};

}  // namespace cgw::test
