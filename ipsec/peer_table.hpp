#pragma once
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "ipsec/payload.hpp"
#include "ipsec/peer.hpp"

namespace cgw::ipsec {

// The peers, by number: by the outside address that each is configured with, and by the SPIs of their IKE SAs.
class PeerTable {
 public:
  PeerTable();
  // nullptr: none, or no more. A peer outlives its place here.
  void set(std::size_t number, IkePeer* peer);
  // The one that answers those whose address no peer has.
  void set_reception(std::size_t number, IkePeer* peer);
  const IkePeer& operator[](std::size_t number) const { return *peers_[number]; }
  std::optional<std::size_t> at(const IpAddress& address) const;
  std::optional<std::size_t> reception() const { return reception_; }
  // Whose IKE SA it is, be it from where the peer is configured to be or from elsewhere.
  std::optional<std::size_t> owner(const Header& h, const IpAddress& from) const;
  std::size_t half_open() const;

 private:
  std::vector<IkePeer*> peers_;
  std::set<std::pair<IpAddress, std::size_t>> by_address_;
  std::optional<std::size_t> reception_;
  std::shared_ptr<IkeSpis> spis_;
};

}  // namespace cgw::ipsec
