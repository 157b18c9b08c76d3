#pragma once
#include <map>
#include <vector>

#include "bgp/session.hpp"

namespace cgw::bgp {

// What we announce: our networks. AS_PATH (our AS) and NEXT_HOP (local_address) are put by the session.
struct Advertisement {
  Prefix prefix;
  std::optional<std::uint32_t> med;
  std::vector<std::uint32_t> communities;
  bool operator==(const Advertisement&) const = default;
};

// What the neighbor has been told, and the messages that bring it to what it should know.
class AdjRibOut {
 public:
  // The wanted set, the first `limit` of them; the rest, later in the configuration, is held back.
  void want(const std::vector<Advertisement>& routes, std::uint32_t limit);
  // The neighbor knows nothing (a new session, or it asked for all again).
  void forget() { told_.clear(); }
  // Empty when the neighbor knows it all.
  Messages difference(const SessionConfig& config, const UpdateContext& context);

  const std::map<Prefix, Advertisement>& told() const { return told_; }
  const std::vector<Prefix>& held_back() const { return held_back_; }

 private:
  std::map<Prefix, Advertisement> wanted_, told_;
  std::vector<Prefix> held_back_;
};

}  // namespace cgw::bgp
