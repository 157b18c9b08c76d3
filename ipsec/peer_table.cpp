#include "ipsec/peer_table.hpp"

namespace cgw::ipsec {

PeerTable::PeerTable() : spis_(std::make_shared<IkeSpis>()) {}

void PeerTable::set(std::size_t number, IkePeer* peer) {
  if (number >= peers_.size()) peers_.resize(number + 1);
  if (IkePeer* before = peers_[number]) {
    by_address_.erase({before->remote(), number});
    before->enter_spis(nullptr, number);
  }
  if (reception_ == number) reception_.reset();
  peers_[number] = peer;
  if (peer == nullptr) return;
  peer->enter_spis(spis_, number);
  if (!peer->remote().is_unspecified()) by_address_.emplace(peer->remote(), number);
}

void PeerTable::set_reception(std::size_t number, IkePeer* peer) {
  set(number, peer);
  reception_ = number;
}

std::optional<std::size_t> PeerTable::at(const IpAddress& address) const {
  const auto first = by_address_.lower_bound({address, 0});
  if (first == by_address_.end() || first->first != address) return std::nullopt;
  return first->second;
}

std::optional<std::size_t> PeerTable::owner(const Header& h, const IpAddress& from) const {
  const auto found = spis_->owner.find(h.initiator ? h.spi_r : h.spi_i);
  if (found == spis_->owner.end()) return std::nullopt;
  const IkePeer& peer = *peers_[found->second];
  if (!peer.owns(h.spi_i, h.spi_r)) return std::nullopt;
  // The first exchange: from there or from nobody.
  if (h.spi_r == 0 && from != peer.remote()) return std::nullopt;
  return found->second;
}

std::size_t PeerTable::half_open() const {
  return spis_->half_open;
}

}  // namespace cgw::ipsec
