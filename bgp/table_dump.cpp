#include "bgp/table_dump.hpp"

namespace cgw::bgp {
namespace {

// Prefixes looked at in one piece: well under a millisecond.
constexpr std::uint32_t kPiece = 1024;

std::uint32_t unix_seconds(mrt::WallTime at) {
  return static_cast<std::uint32_t>(std::chrono::floor<Seconds>(at.time_since_epoch()).count());
}

}  // namespace

TableDump::TableDump(const Ribs& ribs, std::vector<mrt::Peer> peers, mrt::WallTime at, TimePoint now)
    : ribs_(ribs),
      peers_(std::move(peers)),
      at_(at),
      second_zero_(unix_seconds(at) - ribs.clock(now)) {}

mrt::Octets TableDump::next() {
  mrt::Octets out;
  if (!begun_) {
    begun_ = true;
    return mrt::peer_index_table(at_, peers_.empty() ? RouterId{} : peers_[0].router_id, {}, peers_);
  }
  while (out.empty() && walk(out)) {
  }
  return out;
}

// False when all is written.
bool TableDump::walk(mrt::Octets& out) {
  const Table& table = ribs_.table(family_);
  for (std::uint32_t looked = 0; looked < kPiece && next_ < table.prefixes().limit(); ++looked, ++next_) {
    if (table.prefixes().in_use(PrefixId{next_})) write(table, PrefixId{next_}, out);
  }
  if (next_ < table.prefixes().limit()) return true;
  if (family_ == Family::V6) return false;
  family_ = Family::V6;
  next_ = 0;
  return true;
}

// Reachable or not, but neither filtered nor about to be removed.
bool TableDump::is_there(const Path& p) const {
  return p.accepted != AttributeId{} && ribs_.table(family_).standing(p.neighbor).good(p.epoch);
}

void TableDump::write(const Table& table, PrefixId id, mrt::Octets& out) {
  std::vector<mrt::Route> routes;
  for (const Path* p = table.first(id); p != nullptr; p = table.next(p)) {
    if (!is_there(*p) || p->neighbor >= peers_.size()) continue;
    routes.push_back({.peer = p->neighbor,
                      .originated = second_zero_ + p->since,
                      .path_id = p->path_id,
                      .attributes = ribs_.pool().attributes(p->accepted)});
  }
  if (routes.empty()) return;
  const auto record = mrt::rib_entry(at_, sequence_++, table.prefixes().prefix(id), routes);
  out.insert(out.end(), record.begin(), record.end());
}

}  // namespace cgw::bgp
