#pragma once
#include <array>
#include <map>
#include <vector>

#include "bgp/bitmap.hpp"
#include "bgp/propagation.hpp"
#include "bgp/table.hpp"

namespace cgw::bgp {

// aggregate-address
struct Aggregate {
  Prefix prefix;
  bool summary_only = false;  // its parts are not told
  bool as_set = false;        // its AS_PATH names the ASs of all its parts
  bool operator==(const Aggregate&) const = default;
};

// The attributes of an aggregate of parts with these (RFC 4271 9.2.2.2): with as_set the ASs that all paths begin with,
// then the rest as an AS_SET, which by RFC 9774 no neighbor is told unless it is configured to; and all communities.
PathAttributes aggregated(std::span<const PathAttributes> parts, bool as_set, const Router& router);

// The aggregates of one table, kept up to date with its best paths: each change costs as many steps as there are
// aggregates, a change of configuration walks the table in pieces. As FRR has it, an aggregate is no part of another.
class Aggregates {
 public:
  // By which table.put() and withdraw() know an aggregate from a network of the same prefix.
  static constexpr std::uint32_t kPathId = 1;

  // All outlive it.
  Aggregates(Table& table, AttributePool& pool, const Router& router);
  ~Aggregates();
  Aggregates(const Aggregates&) = delete;
  Aggregates& operator=(const Aggregates&) = delete;

  void configure(const std::vector<Aggregate>& wanted);
  // The best path of this prefix is another one.
  void changed(PrefixId id) {
    if (states_.empty()) return;
    follow(id);
    suppress(id);  // who tells it looks at it anyway
  }

  // What work() brings: prefixes that neighbors are to be told again, or no more; aggregates to be announced, or, with
  // attributes of none, withdrawn. Their attributes come held.
  struct Outcome {
    std::vector<PrefixId> again;
    std::vector<std::pair<Prefix, AttributeId>> routes;
  };
  bool has_work() const;
  Outcome work();

  const Bitmap& suppressed() const { return suppressed_; }
  // Parts of it, or none.
  std::uint32_t parts(const Prefix& p) const;

 private:
  // On its way from the first walk, which finds its parts, over its announcement to the second, which suppresses them.
  // When it goes they are told first.
  enum class Phase : std::uint8_t { Finding, Standing, Going };
  struct State {
    Aggregate config;
    Phase phase = Phase::Finding;
    std::uint32_t found = 0;  // all prefixes below have been looked at
    std::uint32_t count = 0;
    std::array<std::uint32_t, 3> origins{};
    std::uint32_t atomic = 0;
    std::map<AttributeId, std::uint32_t> sets;  // with as_set
    bool dirty = false;                         // what it is announced with may be another
    bool announced = false;
  };

  void follow(PrefixId id);
  bool counting() const;
  AttributeId part(PrefixId id) const;
  void count(State& s, AttributeId attributes, int by);
  bool to_be_suppressed(PrefixId id) const;
  bool suppress(PrefixId id);
  void reset(State& s);
  void find(PrefixId id);
  void walk_parts();
  void walk_suppression(Outcome& out);
  void announce(Outcome& out);
  AttributeId attributes(const State& s) const;

  Table& table_;
  AttributePool& pool_;
  const Router& router_;
  std::vector<State> states_;
  Slab<AttributeId> parts_;  // by PrefixId: what each prefix has been counted with, held
  Bitmap suppressed_;
  std::optional<std::uint32_t> suppressing_;  // all prefixes below are as they should be
};

}  // namespace cgw::bgp
