#pragma once
#include <optional>

#include "bgp/mrt.hpp"
#include "bgp/ribs.hpp"

namespace cgw::bgp {

// All that the tables hold as MRT records, a piece at a time, while the tables live on: a prefix is written as it is
// when it is reached.
class TableDump {
 public:
  // `peers` by NeighborId, 0 ourselves. `at` is the time now, on both clocks. The tables outlive the dump.
  TableDump(const Ribs& ribs, std::vector<mrt::Peer> peers, mrt::WallTime at, TimePoint now);

  // The next records; empty when there are no more, and only then.
  mrt::Octets next();

 private:
  bool walk(mrt::Octets& out);
  bool is_there(const Path& p) const;
  void write(const Table& table, PrefixId id, mrt::Octets& out);

  const Ribs& ribs_;
  std::vector<mrt::Peer> peers_;
  mrt::WallTime at_;
  std::uint32_t second_zero_ = 0;  // of the tables' clock, since 1970
  bool begun_ = false;
  Family family_ = Family::V4;
  std::uint32_t next_ = 0;
  std::uint32_t sequence_ = 0;
};

}  // namespace cgw::bgp
