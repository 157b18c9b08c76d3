#include "ipsec/volume_watch.hpp"

namespace cgw::ipsec {
namespace {

bool past(const Volume& limit, const Volume& now, const Volume& since) {
  return (limit.packets != 0 && now.packets - since.packets >= limit.packets) ||
         (limit.octets != 0 && now.octets - since.octets >= limit.octets);
}

}  // namespace

void VolumeWatch::start(const ChildSa& sa, const Volume& in, const Volume& out) {
  if (spi_ == sa.spi_in) return;
  spi_ = sa.spi_in;
  soft_ = sa.soft;
  hard_ = sa.hard;
  in_ = in;
  out_ = out;
  said_soft_ = false;
}

std::optional<ChildExpiring> VolumeWatch::check(const Volume& in, const Volume& out) {
  if (!spi_) return std::nullopt;
  const bool hard = past(hard_, in, in_) || past(hard_, out, out_);
  const bool soft = past(soft_, in, in_) || past(soft_, out, out_);
  if (!hard && (!soft || said_soft_)) return std::nullopt;
  const ChildExpiring expiring{*spi_, hard};
  said_soft_ = true;
  if (hard) spi_.reset();
  return expiring;
}

}  // namespace cgw::ipsec
