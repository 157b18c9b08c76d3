#pragma once
#include <map>
#include <memory>
#include <set>
#include <string>

#include "bgp/bmp.hpp"
#include "bgp/ribs.hpp"

namespace cgw::bgp {

// What one monitoring station is told on one connection (RFC 7854 5): who we are, which neighbors are up, all that they
// have sent and what import policy made of it, then the changes. It is told a prefix as it is when its turn comes, each
// once however often it has changed: a slow station falls behind by prefixes, never by messages.
class BmpFeed {
 public:
  struct Views {
    bool adj_rib_in = true;  // as the neighbors sent it
    bool post_policy = true;
    bool loc_rib = true;
  };
  struct SessionFacts {
    bmp::Peer peer;  // its view is of no matter
    bmp::Ends ends;
    std::vector<std::uint8_t> sent_open, received_open;
    PerFamily<bool> families, path_ids;
  };

  // The Ribs outlive it.
  BmpFeed(Ribs& ribs, const Views& views, bmp::WallTime at, const bmp::Peer& ourselves, std::string_view system_name,
          std::string_view description);
  ~BmpFeed();
  BmpFeed(const BmpFeed&) = delete;
  BmpFeed& operator=(const BmpFeed&) = delete;

  // Sessions that stand when the station comes, and those that come and go while it listens.
  void up(bmp::WallTime at, NeighborId n, const SessionFacts& facts);
  void down(bmp::WallTime at, NeighborId n, const bmp::DownReason& reason);
  void report(bmp::WallTime at, NeighborId n, const bmp::Statistics& statistics);

  // The next messages, from a bounded number of prefixes; empty with more() when nothing of these is for the station.
  bmp::Octets next(bmp::WallTime at);
  bool more() const { return !said_.empty() || !changes_.v4.empty() || !changes_.v6.empty(); }

 private:
  // Which routes of a neighbor the station knows in one view: the prefixes, each held; of those with path ids which.
  struct Told {
    Bitmap prefixes;
    std::map<std::uint32_t, std::vector<std::uint32_t>> paths;
  };
  struct Key {
    std::uint16_t neighbor = 0;
    bmp::View view = bmp::View::AdjRibIn;
    AttributeId attributes;  // none: withdrawn
    auto operator<=>(const Key&) const = default;
  };
  struct Monitored {
    SessionFacts facts;
    std::map<bmp::View, PerFamily<Told>> told;
  };
  struct Changes {
    explicit Changes(Ribs& r) : v4(r.mutable_table(Family::V4)), v6(r.mutable_table(Family::V6)) {}
    ChangeQueue v4, v6;
    ChangeQueue& operator[](Family f) { return f == Family::V4 ? v4 : v6; }
  };
  using Batch = std::map<Key, std::vector<Nlri>>;

  void say(const bmp::Octets& message);
  void forget(Monitored& m);
  void look_at(Family f, PrefixId id, Batch& batch);
  void look_at(Family f, PrefixId id, std::uint16_t neighbor, bmp::View view, Monitored& m, Batch& batch);
  AttributeId shown(Family f, const Path& p, std::uint16_t neighbor, bmp::View view) const;
  bmp::Octets write(bmp::WallTime at, Family f, const Batch& batch) const;
  void end_of_rib(bmp::WallTime at, Family f, bmp::Octets& out);

  Ribs& ribs_;
  std::vector<bmp::View> views_;  // of neighbors
  Changes changes_;
  std::map<std::uint16_t, Monitored> peers_;  // by NeighborId; 0: the Loc-RIB
  PerFamily<bool> begun_{true, true};         // the first walk is under way
  bmp::Octets said_;                          // waits for next()
};

}  // namespace cgw::bgp
