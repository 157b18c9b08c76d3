#pragma once
#include <optional>

#include "ipsec/peer.hpp"

namespace cgw::ipsec {

// Tells when the Child SA in use has carried what it may, from totals of the tunnel that only grow. The data plane
// refuses what is past the sequence numbers; this asks for the rekey in time.
class VolumeWatch {
 public:
  // Totals at the moment the SA begins to be sent with.
  void start(const ChildSa& sa, const Volume& in, const Volume& out);
  // Soft once, hard once.
  std::optional<ChildExpiring> check(const Volume& in, const Volume& out);

 private:
  std::optional<Spi> spi_;
  Volume soft_, hard_, in_, out_;
  bool said_soft_ = false;
};

}  // namespace cgw::ipsec
